"""The cache interface and the caches that need no storage of their own."""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._seams import is_patched, keeps_originals

if TYPE_CHECKING:
    from ftrack_like._types import Key, Value

__all__ = ["Cache", "LayeredCache", "MemoryCache", "ProxyCache", "SerialisedCache", "set_many"]


class Cache(abc.ABC):
    """A mapping of keys to values that may be backed by anything.

    A concrete cache implements :meth:`get`, :meth:`set` and :meth:`remove`; with :meth:`keys` as
    well, :meth:`values` and :meth:`clear` work.
    """

    @abc.abstractmethod
    def get(self, key: Key) -> Value:
        """Return the value stored under *key*.

        Raise :exc:`KeyError` if there is none.
        """

    @abc.abstractmethod
    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key*, replacing what was there."""

    @abc.abstractmethod
    def remove(self, key: Key) -> None:
        """Remove *key* and its value.

        Raise :exc:`KeyError` if there is none.
        """

    def keys(self) -> list[Key]:
        """Return a list of the keys stored at this moment."""
        raise NotImplementedError(f"{type(self).__name__} cannot list its keys.")

    def values(self) -> list[Value]:
        """Return a list of the values stored at this moment, in the order of :meth:`keys`."""
        found = []
        for key in self.keys():
            try:
                found.append(self.get(key))
            except KeyError:
                continue  # Another thread or process removed it after the keys were listed.
        return found

    def clear(self, pattern: Optional[str] = None) -> None:
        """Remove every key in which the regular expression *pattern* is found.

        Remove all keys when *pattern* is None.
        """
        for key in _matching(self.keys(), pattern):
            try:
                self.remove(key)
            except KeyError:
                continue  # Gone already, which is what was asked for.

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store every value of *items* under its key; backends do it in one write."""
        for key, value in items.items():
            self.set(key, value)


def _matching(keys: Iterable[Key], pattern: Optional[str]) -> list[Key]:
    """Return those *keys* in which *pattern* is found; all of them when it is None."""
    if pattern is None:
        return list(keys)
    search = re.compile(pattern).search
    return [key for key in keys if search(key)]


def set_many(cache: Cache, items: Mapping[Key, Value]) -> None:
    """Store *items* in *cache* by one write where that keeps the meaning of its ``set``.

    A class that overrides ``set`` alone, one whose ``set`` was replaced, or one that merely looks
    like a cache gets one ``set`` for each item.
    """
    for class_ in () if is_patched(cache, "set") else type(cache).__mro__:
        if "set_many" in vars(class_):
            cache.set_many(items)
            return
        if "set" in vars(class_):
            break
    for key, value in items.items():
        cache.set(key, value)


@keeps_originals
class ProxyCache(Cache):
    """A cache that hands everything on to another one: the base of wrappers."""

    def __init__(self, proxied: Cache) -> None:
        """Initialise with the cache *proxied* that really stores."""
        self.proxied = proxied

    def get(self, key: Key) -> Value:
        """Return the value that the proxied cache has under *key*; :exc:`KeyError` if none."""
        return self.proxied.get(key)

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key* in the proxied cache."""
        self.proxied.set(key, value)

    def remove(self, key: Key) -> None:
        """Remove *key* from the proxied cache; :exc:`KeyError` if it is not there."""
        self.proxied.remove(key)

    def keys(self) -> list[Key]:
        """Return the keys of the proxied cache."""
        keys: list[Key] = self.proxied.keys()
        return keys

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items* in the proxied cache."""
        set_many(self.proxied, items)


@keeps_originals
class LayeredCache(Cache):
    """Several caches on top of each other, the fastest first.

    The list :attr:`caches` is public and may be changed at any time.
    """

    def __init__(self, caches: list[Cache]) -> None:
        """Initialise with *caches*, in the order in which they are asked."""
        super().__init__()
        self.caches = caches

    def get(self, key: Key) -> Value:
        """Return the value of the first layer that has *key*.

        The layers before it are given the value too, so that they answer the next time. Raise
        :exc:`KeyError` if no layer has it.
        """
        missed = []
        for cache in self.caches:
            try:
                value = cache.get(key)
            except KeyError:
                missed.append(cache)
                continue
            if missed:
                value = self._raised(value)
                for earlier in missed:
                    earlier.set(key, value)
            return value
        raise KeyError(key)

    def _raised(self, value: Value) -> Value:
        """Return what *value*, which a lower layer had, is in the layers above it."""
        return value

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key* in every layer."""
        for cache in self.caches:
            cache.set(key, value)

    def remove(self, key: Key) -> None:
        """Remove *key* from every layer; :exc:`KeyError` if none of them had it."""
        removed = False
        for cache in self.caches:
            try:
                cache.remove(key)
            except KeyError:
                continue
            removed = True
        if not removed:
            raise KeyError(key)

    def keys(self) -> list[Key]:
        """Return the keys that at least one layer has, each once."""
        found: dict[Any, None] = {}
        for cache in self.caches:
            found.update(dict.fromkeys(cache.keys()))
        return list(found)

    def clear(self, pattern: Optional[str] = None) -> None:
        """Clear every layer of the keys that match *pattern*; of all of them when it is None."""
        for cache in self.caches:
            cache.clear(pattern)

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items* in every layer, each layer in one write where it can."""
        for cache in self.caches:
            set_many(cache, items)


@keeps_originals
class MemoryCache(Cache):
    """A cache in a plain dictionary, which holds its values strongly.

    On top of a session's layers it is the session's identity map, and the loader works on the
    dictionary itself. Single operations may be called from any thread.
    """

    def __init__(self) -> None:
        """Initialise without a key."""
        super().__init__()
        self._cache: dict[Any, Any] = {}

    def get(self, key: Key) -> Value:
        """Return the value stored under *key*; :exc:`KeyError` if there is none."""
        return self._cache[key]

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key*."""
        self._cache[key] = value

    def remove(self, key: Key) -> None:
        """Remove *key*; :exc:`KeyError` if it is not there."""
        del self._cache[key]

    def keys(self) -> list[Key]:
        """Return a list of the keys, oldest first."""
        return list(self._cache)

    def values(self) -> list[Value]:
        """Return a list of the values, oldest first."""
        return list(self._cache.values())

    def clear(self, pattern: Optional[str] = None) -> None:
        """Remove the keys in which *pattern* is found; all of them when it is None.

        The dictionary stays the same object: the loader may hold it.
        """
        if pattern is None:
            self._cache.clear()
            return
        for key in _matching(self.keys(), pattern):
            self._cache.pop(key, None)

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items*."""
        self._cache.update(items)


#: The classes of caches whose dictionary stands for their methods: how many attributes an instance
#: has by itself, and the methods as they were defined.
_plain: dict[type, tuple[int, tuple[Any, ...]]] = {}


def has_plain_dictionary(owner: type[MemoryCache], attributes: int) -> None:
    """Let :func:`plain_dictionary` give the dictionary of instances of *owner*.

    *attributes* is how many attributes an instance has; one more is a method that was replaced.
    """
    _plain[owner] = (attributes, (owner.get, owner.set, owner.values))


has_plain_dictionary(MemoryCache, 1)


def plain_dictionary(cache: Cache) -> Optional[dict[Key, Value]]:
    """Return the dictionary of *cache* if it may be used in place of the methods, else None.

    It may where *cache* is a memory cache none of whose methods a program has replaced.
    """
    owner = type(cache)
    attributes, methods = _plain.get(owner, (0, ()))
    if (
        attributes
        and len(cache.__dict__) == attributes
        and (owner.get, owner.set, owner.values) == methods
    ):
        values: dict[Key, Value] = vars(cache)["_cache"]
        return values
    return None


@keeps_originals
class SerialisedCache(ProxyCache):
    """A cache that encodes values on their way into another cache and decodes them on the way out.

    *encode* and *decode* may be set later as attributes; while one is None, values pass unchanged.
    """

    def __init__(
        self,
        proxied: Cache,
        encode: Optional[Callable[[Any], Any]] = None,
        decode: Optional[Callable[[Any], Any]] = None,
    ) -> None:
        """Initialise with the cache *proxied* and the functions *encode* and *decode*.

        Each function takes one value and returns the other form of it.
        """
        super().__init__(proxied)
        self.encode = encode
        self.decode = decode

    def get(self, key: Key) -> Value:
        """Return the decoded value under *key*; :exc:`KeyError` if there is none."""
        value = super().get(key)
        return value if self.decode is None else self.decode(value)

    def set(self, key: Key, value: Value) -> None:
        """Store *value*, encoded, under *key*."""
        super().set(key, value if self.encode is None else self.encode(value))

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items*, each value encoded."""
        if self.encode is not None:
            items = {key: self.encode(value) for key, value in items.items()}
        super().set_many(items)
