"""Make the keys of caches."""

from __future__ import annotations

import abc
import builtins
import itertools
import os
import sys
import threading
import types
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftrack_like._base.types import Key, Value

__all__ = ["KeyMaker", "ObjectKeyMaker", "StringKeyMaker"]


class KeyMaker(abc.ABC):
    """Makes one key from several items.

    Subclasses implement ``_key(item)``, which returns the key of one item, of the same type as
    :attr:`item_separator`.
    """

    def __init__(self) -> None:
        """Initialise with no separator between items."""
        super().__init__()
        self.item_separator: Any = ""

    def key(self, *items: object) -> Key:
        """Return the key for *items*: the keys of the items joined by :attr:`item_separator`."""
        key: Key = self.item_separator.join([self._key(item) for item in items])
        return key

    @abc.abstractmethod
    def _key(self, obj: object) -> Key:
        """Return the key of the single item *obj*."""


class StringKeyMaker(KeyMaker):
    """Makes text keys with ``str`` of each item.

    The key of the identity of an entity is ``"('Task', ['<id>'])"``.
    """

    def _key(self, obj: object) -> str:
        return str(obj)


_METHODS = (StringKeyMaker.key, StringKeyMaker._key)  # noqa: SLF001 - the method that programs override


def makes_plain_keys(maker: KeyMaker) -> bool:
    """Return whether *maker* is an unchanged :class:`StringKeyMaker`.

    Then the identity map may use the texts of identities as keys, which is faster.
    """
    return (
        type(maker) is StringKeyMaker
        and len(maker.__dict__) == 1
        and maker.item_separator == ""
        and (StringKeyMaker.key, StringKeyMaker._key) == _METHODS  # noqa: SLF001 - the method that programs override
    )


#: The types of objects whose key is their name.
_NAMED = (type, types.FunctionType, types.MethodType, types.BuiltinFunctionType)

#: Functions without an importable name, each with a unique text. A number would not be unique: the
#: processes that share a persistent cache would use the same numbers.
_ANONYMOUS: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
_ANONYMOUS_LOCK = threading.Lock()
_ANONYMOUS_COUNTER = itertools.count(1)
_PROCESS_TOKEN = os.urandom(16).hex()


class ObjectKeyMaker(KeyMaker):
    """Makes keys of bytes for almost any Python object.

    - The key of a mapping or list consists of the keys of its items. Other iterables also include
      the name of their type.
    - The key of a function, method or class is its name. A function without an importable name (a
      lambda, or a function inside a function) has a unique key in this process.
    - The key of any other value is its :mod:`pickle`.

    Except for functions without an importable name, the keys are stable and may be stored.
    """

    def __init__(self) -> None:
        """Initialise the separators and markers, each one byte."""
        super().__init__()
        self.name_identifier: bytes = b"\4"
        self.iterable_identifier: bytes = b"\3"
        self.mapping_identifier: bytes = b"\1"
        self.mapping_pair_separator: bytes = b"\2"
        self.item_separator = b"\0"

    def _key(self, obj: object) -> bytes:
        if isinstance(obj, str):
            return _pickled(obj)
        if isinstance(obj, Mapping):
            return self._mapping_key(obj)
        if isinstance(obj, _NAMED):
            return self._name_key(obj)
        if isinstance(obj, Iterable):
            return self._iterable_key(obj)
        return _pickled(obj)

    def _mapping_key(self, mapping: Mapping[Any, Any]) -> bytes:
        """Return the key of *mapping*, independent of its order."""
        try:
            names = sorted(mapping)
        except TypeError:  # Values of several types cannot be compared. Sort them by their keys.
            names = sorted(mapping, key=self._key)
        pairs = [
            self._key(name) + self.mapping_pair_separator + self._key(mapping[name])
            for name in names
        ]
        inner: bytes = self.item_separator.join(pairs)
        key: bytes = self.mapping_identifier + inner + self.mapping_identifier
        return key

    def _iterable_key(self, iterable: Iterable[Any]) -> bytes:
        """Return the key of *iterable*; unless it is a list, the name of its type comes first."""
        keys = [self._key(item) for item in iterable]
        if isinstance(iterable, (set, frozenset)):
            keys.sort()
        inner: bytes = self.item_separator.join(keys)
        key: bytes = self.iterable_identifier + inner + self.iterable_identifier
        return key if type(iterable) is list else self._name_key(type(iterable)) + key

    def _name_key(self, obj: object) -> bytes:
        """Return the key of the class, function or method *obj*."""
        owner = getattr(obj, "__self__", None)
        if isinstance(obj, types.BuiltinFunctionType):
            return self._built_in_key(obj, owner)
        if not isinstance(obj, types.MethodType):
            return self._join_name(_name(obj), obj.__module__)
        parts = [obj.__name__, _name(type(owner)), obj.__module__]
        if isinstance(owner, type):
            parts.append(_name(owner))  # For a class method, the class distinguishes subclasses.
        return self._join_name(*parts)

    def _built_in_key(self, obj: Value, owner: object) -> bytes:
        """Return the key of *obj*, a function in C; *owner* is its module or object."""
        name = self._join_name(obj.__name__)
        if owner is None or owner is builtins:
            return name
        if isinstance(owner, types.ModuleType):
            return self._join_name(obj.__name__, owner.__name__)
        separator: bytes = self.item_separator
        return name + separator + self._key(owner)

    def _join_name(self, *parts: str) -> bytes:
        """Return the *parts* of a name as bytes after the marker for names."""
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        key: bytes = self.name_identifier + self.item_separator.join(encoded)
        return key


def _pickled(obj: object) -> bytes:
    """Return the pickle of the plain value *obj*."""
    import pickle  # lazy: needed only for memoisation; every session imports this module

    return pickle.dumps(obj, protocol=2)


def _name(obj: Value) -> str:
    """Return a unique name of the class or function *obj*: its plain name if that is unique."""
    name: str = obj.__name__
    qualified: str = obj.__qualname__
    if vars(sys.modules.get(obj.__module__, object)).get(name) is obj:
        return name
    if "<" in qualified:
        return f"{name}\0{_token(obj)}"
    if isinstance(obj, type) or qualified.count(".") > 1 or _is_static_method(obj):
        return qualified
    return name


def _token(obj: object) -> str:
    """Return a text for *obj* that is unique in this process and in all others."""
    with _ANONYMOUS_LOCK:
        token = _ANONYMOUS.get(obj)
        if token is None:
            token = f"{_PROCESS_TOKEN}-{os.getpid()}-{next(_ANONYMOUS_COUNTER)}"
            _ANONYMOUS[obj] = token
        return token


def _is_static_method(function: Value) -> bool:
    """Return whether *function* is a static method of a top-level class.

    The key of an ordinary method contains the instance, which is an argument. A static method has
    no instance, so its key needs the class.
    """
    owner_name, _, name = function.__qualname__.rpartition(".")
    owner = getattr(sys.modules.get(function.__module__), owner_name, None)
    return isinstance(getattr(owner, "__dict__", {}).get(name), staticmethod)
