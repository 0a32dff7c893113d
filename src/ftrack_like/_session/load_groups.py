"""Load groups: entities that arrived together, and will be asked more about together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from ftrack_like._types import Key
    from ftrack_like.entity.base import Entity

__all__ = ["LoadGroup"]


class LoadGroup:
    """The entities of one page of a query, those nested in it too.

    It holds their identity map keys, not the entities: what the session forgets is gone from the
    group, and an entity costs it one pointer.
    """

    __slots__ = ("fresh", "keys")

    def __init__(self, fresh: Optional[list[Any]] = None) -> None:
        """Initialise without members.

        *fresh* is where the keys go of all that comes to the session with the group or is
        loaded for it on demand, None when nobody asks.
        """
        self.keys: list[Any] = []
        self.fresh: Optional[list[Any]] = fresh

    def lacking(
        self,
        entity: Entity,
        attribute_name: str,
        resident: Callable[[Any], Optional[Entity]],
        limit: int,
    ) -> list[Any]:
        """Return *entity* and up to *limit* less one of its fellows that lack the same value.

        *resident* is a function that gives the entity of a key, or None. Fellows are members
        of the group of the same class that were not created here and have neither a local nor
        a remote value of *attribute_name*. Those that come after *entity* go first.
        """
        found = [entity]
        entity_type = entity.entity_type
        for key in self._from(entity.known_identity):
            member = resident(key)
            if (
                member is not None
                and member.entity_type == entity_type
                and member is not entity
                and member.load_group is self
                and attribute_name not in member.remote_values
                and not (member.local_values and attribute_name in member.local_values)
                and not member.is_created
            ):
                found.append(member)
                if len(found) >= limit:
                    break
        return found

    def _from(self, key: Key) -> list[Any]:
        """Return the keys, those from *key* on before the others."""
        try:
            start = self.keys.index(key)
        except ValueError:
            return self.keys
        return self.keys[start:] + self.keys[:start]
