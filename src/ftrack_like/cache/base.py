"""The interface of caches, and the caches without external storage."""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._base.seams import is_patched, keeps_originals

if TYPE_CHECKING:
    from ftrack_like._base.types import Key, Value

__all__ = [
    "Cache",
    "LayeredCache",
    "MemoryCache",
    "ProxyCache",
    "SerialisedCache",
    "get_many",
    "remove_many",
    "set_many",
]


class Cache(abc.ABC):
    """A mapping of keys to values with any storage behind it.

    Subclasses implement :meth:`get`, :meth:`set` and :meth:`remove`. If they also implement
    :meth:`keys`, :meth:`values` and :meth:`clear` work.
    """

    @abc.abstractmethod
    def get(self, key: Key) -> Value:
        """Return the value stored under *key*.

        Raise :exc:`KeyError` if *key* is missing.
        """

    @abc.abstractmethod
    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key*; replace an existing value."""

    @abc.abstractmethod
    def remove(self, key: Key) -> None:
        """Remove *key* and its value.

        Raise :exc:`KeyError` if *key* is missing.
        """

    def keys(self) -> list[Key]:
        """Return a list of the current keys."""
        raise NotImplementedError(f"{type(self).__name__} cannot list its keys.")

    def keys_with(self, prefix: str) -> list[Key]:
        """Return a list of the keys, all text, that begin with *prefix*."""
        return [key for key in self.keys() if key.startswith(prefix)]

    def values(self) -> list[Value]:
        """Return a list of the current values, in the order of :meth:`keys`."""
        found = []
        for key in self.keys():
            try:
                found.append(self.get(key))
            except KeyError:
                continue  # Another thread or process removed it after the keys were listed.
        return found

    def clear(self, pattern: Optional[str] = None) -> None:
        """Remove each key in which the regular expression *pattern* is found.

        If *pattern* is None, remove all keys.
        """
        for key in _matching(self.keys(), pattern):
            try:
                self.remove(key)
            except KeyError:
                continue  # Another thread or process has already removed it.

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return ``{key: value}`` for those of *keys* that are present.

        Backends override it with one read.
        """
        found = {}
        for key in keys:
            try:
                found[key] = self.get(key)
            except KeyError:
                continue
        return found

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store each value of *items* under its key; backends override it with one write."""
        for key, value in items.items():
            self.set(key, value)

    def remove_many(self, keys: Iterable[Key]) -> None:
        """Remove those of *keys* that are present; backends override it with one write."""
        for key in keys:
            try:
                self.remove(key)
            except KeyError:
                continue


def _matching(keys: Iterable[Key], pattern: Optional[str]) -> list[Key]:
    """Return the *keys* in which *pattern* is found; all keys if it is None."""
    if pattern is None:
        return list(keys)
    search = re.compile(pattern).search
    return [key for key in keys if search(key)]


def get_many(cache: Cache, keys: Iterable[Key]) -> dict[Key, Value]:
    """Return the values of *cache* under *keys*: in one read if possible, else one by one.

    *cache* may be an object without ``get_many``. An overridden ``get`` is called for each key.
    """
    if _has_own_bulk(cache, "get", "get_many"):
        return cache.get_many(keys)
    return Cache.get_many(cache, keys)


def set_many(cache: Cache, items: Mapping[Key, Value]) -> None:
    """Store *items* in *cache*: in one write if possible, else by one call of ``set`` per item.

    *cache* may be an object without ``set_many``. An overridden ``set`` is called for each item.
    """
    if _has_own_bulk(cache, "set", "set_many"):
        cache.set_many(items)
    else:
        Cache.set_many(cache, items)


def remove_many(cache: Cache, keys: Iterable[Key]) -> None:
    """Remove *keys* from *cache*: in one write if possible, else one by one.

    *cache* may be an object without ``remove_many``. An overridden ``remove`` is called for each
    key.
    """
    if _has_own_bulk(cache, "remove", "remove_many"):
        cache.remove_many(keys)
    else:
        Cache.remove_many(cache, keys)


def _has_own_bulk(cache: Cache, single: str, bulk: str) -> bool:
    """Return whether the method *bulk* of *cache* may replace calls of the method *single*.

    It would bypass an overridden *single*. So it may not if a subclass overrides only *single*, or
    if a program has replaced *single* on the instance.
    """
    if is_patched(cache, single):
        return False
    for class_ in type(cache).__mro__:
        if bulk in vars(class_):
            return True
        if single in vars(class_):
            break
    return False


@keeps_originals
class ProxyCache(Cache):
    """A cache that forwards all calls to another cache: the base class of wrappers."""

    def __init__(self, proxied: Cache) -> None:
        """Initialise with the wrapped cache *proxied*."""
        self.proxied = proxied

    def get(self, key: Key) -> Value:
        """Return the value under *key* in the proxied cache; raise :exc:`KeyError` if missing."""
        return self.proxied.get(key)

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key* in the proxied cache."""
        self.proxied.set(key, value)

    def remove(self, key: Key) -> None:
        """Remove *key* from the proxied cache; raise :exc:`KeyError` if it is missing."""
        self.proxied.remove(key)

    def keys(self) -> list[Key]:
        """Return the keys of the proxied cache."""
        keys: list[Key] = self.proxied.keys()
        return keys

    def keys_with(self, prefix: str) -> list[Key]:
        """Return the keys of the proxied cache that begin with *prefix*."""
        return self.proxied.keys_with(prefix)

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items* in the proxied cache."""
        set_many(self.proxied, items)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return the values of the proxied cache under *keys*, without the missing ones."""
        return get_many(self.proxied, keys)

    def remove_many(self, keys: Iterable[Key]) -> None:
        """Remove *keys* from the proxied cache."""
        remove_many(self.proxied, keys)


@keeps_originals
class LayeredCache(Cache):
    """Several caches on top of each other, the fastest first.

    The list :attr:`caches` is public and may be changed at any time.
    """

    def __init__(self, caches: list[Cache]) -> None:
        """Initialise with *caches*, in the order of lookup."""
        super().__init__()
        self.caches = caches

    def get(self, key: Key) -> Value:
        """Return the value of the first layer that has *key*.

        Store the value in the layers before it as well, so that the next lookup is faster. Raise
        :exc:`KeyError` if no layer has *key*.
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
        """Return the form of *value*, found in a lower layer, that the upper layers store."""
        return value

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key* in every layer."""
        for cache in self.caches:
            cache.set(key, value)

    def remove(self, key: Key) -> None:
        """Remove *key* from every layer; raise :exc:`KeyError` if no layer had it."""
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
        """Return the keys of all layers without duplicates."""
        found: dict[Any, None] = {}
        for cache in self.caches:
            found.update(dict.fromkeys(cache.keys()))
        return list(found)

    def clear(self, pattern: Optional[str] = None) -> None:
        """Remove the keys that match *pattern* from every layer; all keys if it is None."""
        for cache in self.caches:
            cache.clear(pattern)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return the values under *keys*, without the missing ones, with one read for each layer.

        Each value comes from the first layer that has it, and is stored in the layers before it.
        """
        missing = list(dict.fromkeys(keys))
        found: dict[Any, Any] = {}
        for index, cache in enumerate(self.caches):
            if not missing:
                break
            here = get_many(cache, missing)
            if index and here:
                here = {key: self._raised(value) for key, value in here.items()}
                for earlier in self.caches[:index]:
                    set_many(earlier, here)
            found.update(here)
            missing = [key for key in missing if key not in here]
        return found

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items* in every layer, in one write per layer if possible."""
        for cache in self.caches:
            set_many(cache, items)

    def remove_many(self, keys: Iterable[Key]) -> None:
        """Remove *keys* from every layer, in one write per layer if possible."""
        names = list(keys)
        for cache in self.caches:
            remove_many(cache, names)


@keeps_originals
class MemoryCache(Cache):
    """A cache in a plain dictionary with strong references to its values.

    As the first layer of a session it is the identity map. For speed, the loader uses the
    dictionary directly. Any thread may call a single operation.
    """

    def __init__(self) -> None:
        """Initialise an empty cache."""
        super().__init__()
        self._cache: dict[Any, Any] = {}

    def get(self, key: Key) -> Value:
        """Return the value stored under *key*; raise :exc:`KeyError` if it is missing."""
        return self._cache[key]

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key*."""
        self._cache[key] = value

    def remove(self, key: Key) -> None:
        """Remove *key*; raise :exc:`KeyError` if it is missing."""
        del self._cache[key]

    def keys(self) -> list[Key]:
        """Return a list of the keys, oldest first."""
        return list(self._cache)

    def values(self) -> list[Value]:
        """Return a list of the values, oldest first."""
        return list(self._cache.values())

    def clear(self, pattern: Optional[str] = None) -> None:
        """Remove the keys in which *pattern* is found; all keys if it is None.

        The dictionary object stays the same, since the loader may have a reference to it.
        """
        if pattern is None:
            self._cache.clear()
            return
        for key in _matching(self.keys(), pattern):
            self._cache.pop(key, None)

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items*."""
        self._cache.update(items)


#: The classes whose dictionary may be used instead of their methods, each with the number of
#: attributes of a fresh instance, and with its original methods.
_plain: dict[type, tuple[int, tuple[Any, ...]]] = {}


def has_plain_dictionary(owner: type[MemoryCache], attributes: int) -> None:
    """Allow :func:`plain_dictionary` for instances of *owner*.

    *attributes* is the number of attributes of an instance. A further attribute means that a
    program has replaced a method on the instance.
    """
    _plain[owner] = (attributes, (owner.get, owner.set, owner.values))


has_plain_dictionary(MemoryCache, 1)


def plain_dictionary(cache: Cache) -> Optional[dict[Key, Value]]:
    """Return the dictionary of *cache* if it may be used instead of the methods, else None.

    It may be used if *cache* is a memory cache and no program has replaced one of its methods, on
    the class or on the instance.
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
    """A wrapper that encodes values before storing them and decodes them after reading them.

    *encode* and *decode* may be set later as attributes. None passes values unchanged.
    """

    def __init__(
        self,
        proxied: Cache,
        encode: Optional[Callable[[Any], Any]] = None,
        decode: Optional[Callable[[Any], Any]] = None,
    ) -> None:
        """Initialise with the cache *proxied* and the functions *encode* and *decode*.

        Each function takes one value and returns the converted value.
        """
        super().__init__(proxied)
        self.encode = encode
        self.decode = decode

    def get(self, key: Key) -> Value:
        """Return the decoded value under *key*; raise :exc:`KeyError` if it is missing."""
        value = super().get(key)
        return value if self.decode is None else self.decode(value)

    def set(self, key: Key, value: Value) -> None:
        """Store *value*, encoded, under *key*."""
        super().set(key, value if self.encode is None else self.encode(value))

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return the decoded values under *keys*, without missing and unreadable ones."""
        found = super().get_many(keys)
        if self.decode is None:
            return found
        decoded = {}
        for key, value in found.items():
            try:
                decoded[key] = self.decode(value)
            except (TypeError, ValueError, LookupError, RecursionError):
                continue  # Damaged, or written by another program: the same as missing.
        return decoded

    def set_many(self, items: Mapping[Key, Value]) -> None:
        """Store *items*, each value encoded."""
        if self.encode is not None:
            items = {key: self.encode(value) for key, value in items.items()}
        super().set_many(items)
