"""Proxies that limit any cache: by the age of its values, by their number, or to one prefix."""

from __future__ import annotations

import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like._base.seams import keeps_originals
from ftrack_like.cache.base import Cache, ProxyCache, get_many, remove_many, set_many

if TYPE_CHECKING:
    from ftrack_like._base.types import Key, Value

__all__ = ["ExpiringCache", "LRUCache", "PrefixedCache"]


@keeps_originals
class ExpiringCache(ProxyCache):
    """A wrapper that forgets values some time after they were set.

    The time of expiry is stored with the value, so processes may share the proxied cache. Text
    stays text: the proxied cache may be one that stores only text.
    """

    def __init__(
        self, proxied: Cache, seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        """Initialise with the cache *proxied*; values expire after *seconds*.

        *clock* returns the current time in seconds. All processes that share the proxied cache need
        about the same time. Raise :exc:`ValueError` unless *seconds* is a positive number.
        """
        if not (isinstance(seconds, (int, float)) and 0 < seconds < math.inf):
            raise ValueError(f"The life of a value is a positive number of seconds: {seconds!r}.")
        super().__init__(proxied)
        self.seconds = seconds
        self._clock = clock

    def get(self, key: Key) -> Value:
        """Return the value under *key*; raise :exc:`KeyError` if it is missing or has expired."""
        return self._fresh(key, super().get(key))

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key*, with the time of its expiry."""
        super().set(key, self._dated(value))

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return the values under *keys*, without missing and expired ones."""
        found = {}
        for key, stored in get_many(self.proxied, keys).items():
            try:
                found[key] = self._fresh(key, stored)
            except KeyError:
                continue
        return found

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items*, each with the time of its expiry."""
        set_many(self.proxied, {key: self._dated(value) for key, value in items.items()})

    def _dated(self, value: Value) -> Union[str, tuple[float, Any]]:
        """Return *value* together with the time of its expiry; text for text."""
        end = self._clock() + self.seconds
        return f"{end:.3f} {value}" if isinstance(value, str) else (end, value)

    def _fresh(self, key: Key, stored: Value) -> Value:
        """Return the value in *stored*; raise :exc:`KeyError` if it has expired or is damaged."""
        try:
            end, value = stored.split(" ", 1) if isinstance(stored, str) else stored
            left = float(end) - self._clock()
        except (TypeError, ValueError):
            raise KeyError(key) from None
        # More time than a new value has: a clock was wrong when the value was set.
        if not 0 < left <= self.seconds + 1:
            raise KeyError(key)
        return value


@keeps_originals
class LRUCache(ProxyCache):
    """A wrapper that bounds the number of keys: it removes the least recently used ones.

    It remembers the order of use in this process. Keys that the proxied cache has at the start
    count as used longest ago. Any thread may use it.
    """

    def __init__(self, proxied: Cache, most: int) -> None:
        """Initialise with the cache *proxied*, which keeps at most *most* keys.

        Raise :exc:`ValueError` unless *most* is a whole number of at least 1.
        """
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ValueError(f"The number of keys is a whole number of at least 1: {most!r}.")
        super().__init__(proxied)
        self.most = most
        self._lock = threading.RLock()
        self._order: OrderedDict[Any, None] = OrderedDict()
        self._has_order = False

    def get(self, key: Key) -> Value:
        """Return the value under *key*; raise :exc:`KeyError` if it is missing."""
        value = super().get(key)
        self._note_use([key])
        return value

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key*; remove the keys above the bound."""
        super().set(key, value)
        self._shrink([key])

    def remove(self, key: Key) -> None:
        """Remove *key*; raise :exc:`KeyError` if it is missing."""
        with self._lock:
            self._order.pop(key, None)
        super().remove(key)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return the values under *keys*, without the missing ones."""
        found = super().get_many(keys)
        self._note_use(found)
        return found

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items*; remove the keys above the bound."""
        super().set_many(items)
        self._shrink(items)

    def remove_many(self, keys: Iterable[Key]) -> None:
        """Remove those of *keys* that are present."""
        names = list(keys)
        with self._lock:
            for key in names:
                self._order.pop(key, None)
        super().remove_many(names)

    def _note_use(self, keys: Iterable[Key]) -> None:
        """Record that the program has just used *keys*."""
        with self._lock:
            for key in keys:
                self._order[key] = None
                self._order.move_to_end(key)

    def _shrink(self, keys: Iterable[Key]) -> None:
        """Record the use of *keys*, and remove the keys above the bound."""
        with self._lock:
            if not self._has_order:
                self._has_order = True
                older = dict.fromkeys(self.keys())
                self._order = OrderedDict({**older, **self._order})
            self._note_use(keys)
            excess = len(self._order) - self.most
            gone = [self._order.popitem(last=False)[0] for _ in range(excess)]
        if gone:
            remove_many(self.proxied, gone)


@keeps_originals
class PrefixedCache(ProxyCache):
    """A wrapper that adds a prefix to all keys, so that several owners can share a cache."""

    def __init__(self, proxied: Cache, prefix: Union[str, Callable[[], str]]) -> None:
        """Initialise with the cache *proxied* of text keys, and the *prefix* of its keys there.

        *prefix* may be a function that returns the prefix; it is called for each use.
        """
        super().__init__(proxied)
        self._prefix = prefix

    @property
    def prefix(self) -> str:
        """The prefix at the moment."""
        return self._prefix if isinstance(self._prefix, str) else self._prefix()

    def get(self, key: Key) -> Value:
        """Return the value under *key*; raise :exc:`KeyError` if it is missing."""
        try:
            return super().get(self.prefix + key)
        except KeyError:
            raise KeyError(key) from None

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key*."""
        super().set(self.prefix + key, value)

    def remove(self, key: Key) -> None:
        """Remove *key*; raise :exc:`KeyError` if it is missing."""
        try:
            super().remove(self.prefix + key)
        except KeyError:
            raise KeyError(key) from None

    def keys(self) -> list[Key]:
        """Return the keys with the prefix, without it."""
        prefix = self.prefix
        return [key[len(prefix) :] for key in self.proxied.keys_with(prefix)]

    def keys_with(self, prefix: str) -> list[Key]:
        """Return the keys that begin with *prefix*."""
        own = self.prefix
        return [key[len(own) :] for key in self.proxied.keys_with(own + prefix)]

    def clear(self, pattern: Optional[str] = None) -> None:
        """Remove the keys in which the regular expression *pattern* is found; None removes all."""
        search = (lambda key: True) if pattern is None else re.compile(pattern).search
        self.remove_many([key for key in self.keys() if search(key)])

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return the values under *keys*, without the missing ones."""
        prefix = self.prefix
        found = super().get_many([prefix + key for key in keys])
        return {key[len(prefix) :]: value for key, value in found.items()}

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items*."""
        prefix = self.prefix
        super().set_many({prefix + key: value for key, value in items.items()})

    def remove_many(self, keys: Iterable[Key]) -> None:
        """Remove those of *keys* that are present."""
        prefix = self.prefix
        super().remove_many([prefix + key for key in keys])
