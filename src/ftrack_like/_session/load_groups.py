"""Load groups: entities that arrived together, and that often need the same attributes.

A program that reads a missing attribute of one entity usually reads it of the others as well, in a
loop. Loading it for the whole group turns hundreds of requests into one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from ftrack_like._types import Key
    from ftrack_like.entity.base import Entity

__all__ = ["LoadGroup"]


class LoadGroup:
    """The entities of one page of a query, with the entities nested in it.

    The group stores their keys in the identity map, not the entities. So it does not keep entities
    alive that the session has forgotten, and each entity costs it one pointer.
    """

    __slots__ = ("fresh", "keys")

    def __init__(self, fresh: Optional[list[Any]] = None) -> None:
        """Start without members.

        *fresh* is a list that receives the keys of all entities that are new to the session and
        arrive with the group, or are loaded for it on demand. None if no caller needs the keys.
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
        """Return *entity* and other members that lack the same value, *limit* entities at most.

        *resident* returns the entity of a key, or None. The other members have the same class, come
        from the server, and have neither a local nor a remote value of *attribute_name*. The
        members after *entity* come first, because a loop reads them next.
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
        """Return all keys, starting with *key* and continuing at the beginning."""
        try:
            start = self.keys.index(key)
        except ValueError:
            return self.keys
        return self.keys[start:] + self.keys[:start]
