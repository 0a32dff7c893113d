"""Drop loaded values that events report as stale; the next read loads them again.

A request may be under way while an event arrives. Its answer may then contain values from before
the change, and would bring them back. So each read of the server or of a cache remembers the number
of the last drop when it begins. If there were drops since then, it repeats them after it has
attached its values.

Between the two, another thread may copy the old values to a lower cache layer, or from there to the
memory. So a drop, a write to the layers and a read of the layers exclude each other: the drop that
follows then finds every copy.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Optional

from ftrack_like._base.collaborators import catalogue_of, identity_map_of, loader_of
from ftrack_like._session.staleness import Changes, Staleness

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Key
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["Drops"]

#: How many drops a session remembers. A read that began before the oldest drops everything.
_REMEMBERED = 1000


class _Drop(NamedTuple):
    """A drop, with its number."""

    number: int
    changes: Changes


class Drops:
    """Drops stale values of a session. Any thread may use it."""

    def __init__(self, session: Session) -> None:
        """Initialise for *session*, without drops."""
        self._session = session
        #: How many drops there were.
        self.number = 0
        self._recent: deque[_Drop] = deque(maxlen=_REMEMBERED)
        self.renew_lock()
        identity_map_of(session).drops = self

    def renew_lock(self) -> None:
        """Replace the lock in a forked process: a thread of the parent may have held it."""
        self._numbering = threading.RLock()
        #: Held by a drop, and by each thread that reads or writes the lower cache layers.
        self.guard = threading.RLock()

    @staticmethod
    def changes_in(data: Iterable[Json]) -> Changes:
        """Return the changes that events with *data* report."""
        changes = Changes()
        for each in data:
            changes.add(each)
        return changes

    @staticmethod
    def any_change() -> Changes:
        """Return changes after which every loaded value may be stale."""
        changes = Changes()
        changes.everything = True
        return changes

    def drop(self, changes: Changes) -> list[Key]:
        """Drop the loaded values that *changes* make stale; return the keys to remove from caches.

        Values with local changes stay as they are. Deleted entities leave the memory, unless they
        have local changes.
        """
        with self._numbering:
            # First: a read that is under way may bring old values back after they are dropped.
            self._recent.append(_Drop(self.number + 1, changes))
            self.number += 1
        return self._apply(changes)

    def settle(self, number: int) -> None:
        """Repeat the drops after *number*, for a read that began when it was the last one."""
        if self.number == number:
            return
        with self._numbering:
            recent = [drop for drop in self._recent if drop.number > number]
            missed = self.number - number
        if len(recent) < missed:
            self._apply(self.any_change())
            return
        for drop in recent:
            self._apply(drop.changes)

    def _apply(self, changes: Changes) -> list[Key]:
        """Drop the values that *changes* make stale, in memory and in the lower layers.

        Return the keys that were removed from the lower layers.
        """
        identity_map = identity_map_of(self._session)
        staleness = Staleness(changes, catalogue_of(self._session))
        keys = self._changed_keys(changes)
        with self.guard:
            if changes.everything:
                identity_map.below.clear()
            else:
                identity_map.below.remove(keys)
            for entity in identity_map.everyone():
                if entity.is_created:
                    continue
                names = staleness.stale_names(entity)
                if names:
                    entity.forget_loaded(names)
                if staleness.is_removed(entity):
                    identity_map.leave(entity)
        return keys

    def _changed_keys(self, changes: Changes) -> list[Key]:
        """Return the keys under which lower layers may have the changed entities."""
        identity_map, catalogue = identity_map_of(self._session), catalogue_of(self._session)
        keys = []
        for identifier, type_name in changes.types_by_id.items():
            names = [type_name, *catalogue.bases(type_name), *catalogue.below(type_name)]
            for name in names:
                count = len(catalogue.primary_key(name))
                keys.append(identity_map.key((name, identifier.split(",", count - 1))))
        return keys

    def forget_deleted(self) -> None:
        """Ask the server which loaded entities it still has, and forget the others."""
        identity_map, loader = identity_map_of(self._session), loader_of(self._session)
        loaded: dict[tuple[str, ...], list[Entity]] = {}
        for entity in identity_map.everyone():
            if not entity.is_created and entity not in identity_map.dirty:
                loaded.setdefault(tuple(entity.primary_key_attributes), []).append(entity)
        for names, entities in loaded.items():
            there: set[Optional[str]] = set()
            for expression, _ in loader.completing(entities, list(names)):
                there.update(each.known_identity for each in self._session.query(expression))
            for entity in entities:
                if (entity.known_identity or entity.remember_identity()) not in there:
                    identity_map.leave(entity)
