"""Load groups: entities that arrived together, and that often need the same attributes.

A program that reads a missing attribute of one entity usually reads it of the others as well, in a
loop. Loading it for the whole group turns hundreds of requests into one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from ftrack_like._base.types import Key
    from ftrack_like.entity.base import Entity

__all__ = ["LoadGroup"]


class LoadGroup:
    """The entities of one page of a query, with the entities nested in it.

    The group stores the cache keys of the entities, not the entities. So it does not keep entities
    alive that the session has forgotten. The key of a new entity costs one pointer, because the
    identity map uses the same text.
    """

    __slots__ = ("begun", "fresh", "keys")

    def __init__(self, fresh: Optional[list[Any]] = None) -> None:
        """Start without members.

        *fresh* is a list for the keys of entities that are new to the session. It receives the
        entities that arrive with the group, and those that the session loads later for the group.
        It is None if no caller needs the keys.
        """
        self.keys: list[Any] = []
        self.fresh: Optional[list[Any]] = fresh
        #: The types and names of attributes that were loaded for the first members.
        self.begun: tuple[tuple[str, str], ...] = ()

    def lacking(
        self,
        entity: Entity,
        attribute_name: str,
        resident: Callable[[Any], Optional[Entity]],
        limit: int,
    ) -> list[Any]:
        """Return *entity* and other members that lack the same value, *limit* entities at most.

        *resident* returns the attached entity of a key, or None. The other members have the type of
        *entity*, exist on the server, and have neither a local nor a remote value of
        *attribute_name*. The members after *entity* come first, because a loop reads them next.
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
        """Return all keys: *key* and the keys after it, then the keys before it.

        Return them in their own order if *key* is not a member.
        """
        try:
            start = self.keys.index(key)
        except ValueError:
            return self.keys
        return self.keys[start:] + self.keys[:start]
