"""The memory of a session that forgets entities which the program does not use.

A listener that runs for weeks meets every entity of a site. With the usual memory it would hold
them all. This memory refers to entities weakly: as long as any object of the program refers to an
entity, it stays the only object of its identity. Then it is gone.

Other parts of the session hold the entities that must not go: the dirty entities hold those with
local values and pending operations, a batch in doubt holds its entities, an entity holds those to
which its values refer, and a collection its owner.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like.entity.base import AnyEntity

if TYPE_CHECKING:
    from ftrack_like._base.types import Key, Value

__all__ = ["WeakResidents"]

#: The types whose entities are always held: programs set accessors and structures on them.
_HELD = frozenset({"Location"})


class WeakResidents(MutableMapping[Any, Any]):
    """The attached entities by key, referred to weakly, and other values by key.

    It has the methods of a dictionary that the memory cache uses. Any thread may call them.
    """

    __slots__ = ("_adding", "_held", "_references", "_weak")

    def __init__(self) -> None:
        """Start empty."""
        self._weak: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()
        #: The dictionary inside, because its ``get`` takes a third of the time.
        self._references: dict[Any, weakref.ref[Any]] = vars(self._weak)["data"]
        self._held: dict[Any, Any] = {}
        self._adding = threading.RLock()

    def get(self, key: Key, default: Optional[Value] = None) -> Value:
        """Return the value under *key*, or *default*."""
        reference = self._references.get(key)
        if reference is not None:
            found = reference()
            if found is not None:
                return found
        return self._held.get(key, default)

    def setdefault(self, key: Key, default: Value = None) -> Value:
        """Return the value under *key*; store *default* first if there is none."""
        # Two threads that attach the same new identity must get the same entity.
        with self._adding:
            found = self.get(key)
            if found is None:
                self[key] = found = default
            return found

    def __getitem__(self, key: Key) -> Value:
        """Return the value under *key*; raise :exc:`KeyError` if it is missing."""
        found = self.get(key, self)
        if found is self:
            raise KeyError(key)
        return found

    def __setitem__(self, key: Key, value: Value) -> None:
        """Store *value* under *key*."""
        with self._adding:
            if isinstance(value, AnyEntity) and value.entity_type not in _HELD:
                self._weak[key] = value
                self._held.pop(key, None)
            else:
                self._held[key] = value
                self._weak.pop(key, None)

    def __delitem__(self, key: Key) -> None:
        """Remove *key*; raise :exc:`KeyError` if it is missing."""
        with self._adding:
            if self._weak.pop(key, self) is self:
                del self._held[key]

    def __iter__(self) -> Iterator[Any]:
        """Iterate over a snapshot of the keys."""
        with self._adding:
            return iter([*self._weak.keys(), *self._held])

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._weak) + len(self._held)

    def clear(self) -> None:
        """Remove all keys."""
        with self._adding:
            self._weak.clear()
            self._held.clear()
