"""Makers of cache keys."""

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
    from ftrack_like._types import Key, Value

__all__ = ["KeyMaker", "ObjectKeyMaker", "StringKeyMaker"]


class KeyMaker(abc.ABC):
    """Make one key from any number of items.

    A concrete maker implements ``_key(item)``, which returns the key of one item, of the same
    type as :attr:`item_separator`.
    """

    def __init__(self) -> None:
        """Initialise with no separator between items."""
        super().__init__()
        self.item_separator: Any = ""

    def key(self, *items: object) -> Key:
        """Return the key for *items*: their single keys with :attr:`item_separator` between."""
        key: Key = self.item_separator.join([self._key(item) for item in items])
        return key

    @abc.abstractmethod
    def _key(self, obj: object) -> Key:
        """Return the key of the single item *obj*."""


class StringKeyMaker(KeyMaker):
    """Make text keys: ``str`` of each item.

    For the identity of an entity that gives ``"('Task', ['<id>'])"``.
    """

    def _key(self, obj: object) -> str:
        return str(obj)


_METHODS = (StringKeyMaker.key, StringKeyMaker._key)  # noqa: SLF001 - the method that programs override


def makes_plain_keys(maker: KeyMaker) -> bool:
    """Return whether the keys of *maker* are those of the library's text keys.

    They are where *maker* is a :class:`StringKeyMaker` that no program has changed.
    """
    return (
        type(maker) is StringKeyMaker
        and len(maker.__dict__) == 1
        and maker.item_separator == ""
        and (StringKeyMaker.key, StringKeyMaker._key) == _METHODS  # noqa: SLF001 - the method that programs override
    )


#: What counts by its name.
_NAMED = (type, types.FunctionType, types.MethodType, types.BuiltinFunctionType)

#: Tell the functions that have no importable name apart: function to a text of its own. A
#: number alone would repeat in other processes, which may share a persistent cache.
_ANONYMOUS: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
_ANONYMOUS_LOCK = threading.Lock()
_ANONYMOUS_COUNTER = itertools.count(1)
_PROCESS_TOKEN = os.urandom(16).hex()


class ObjectKeyMaker(KeyMaker):
    """Make keys of bytes for (almost) any Python object.

    Mappings and lists are taken apart, functions, methods and classes count by name, other
    values by what :mod:`pickle` makes of them. The bytes of plain values, mappings, lists,
    top-level functions, classes and methods are stable; they may be stored. Iterables other than
    lists carry the name of their type, and functions without an importable name (lambdas,
    functions defined in functions) count by identity, within this process only.
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
        """Return the key of *mapping*, which does not depend on its order."""
        try:
            names = sorted(mapping)
        except TypeError:  # Names of several types have an order only by their keys.
            names = sorted(mapping, key=self._key)
        pairs = [
            self._key(name) + self.mapping_pair_separator + self._key(mapping[name])
            for name in names
        ]
        inner: bytes = self.item_separator.join(pairs)
        key: bytes = self.mapping_identifier + inner + self.mapping_identifier
        return key

    def _iterable_key(self, iterable: Iterable[Any]) -> bytes:
        """Return the key of *iterable*; for all but lists the name of its type comes first."""
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
            parts.append(_name(owner))  # A class method: of which class?
        return self._join_name(*parts)

    def _built_in_key(self, obj: Value, owner: object) -> bytes:
        """Return the key of the function *obj* written in C that belongs to *owner*."""
        name = self._join_name(obj.__name__)
        if owner is None or owner is builtins:
            return name
        if isinstance(owner, types.ModuleType):
            return self._join_name(obj.__name__, owner.__name__)
        separator: bytes = self.item_separator
        return name + separator + self._key(owner)

    def _join_name(self, *parts: str) -> bytes:
        """Return the *parts* of a name as bytes, marked as a name."""
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        key: bytes = self.name_identifier + self.item_separator.join(encoded)
        return key


def _pickled(obj: object) -> bytes:
    """Return the bytes that stand for the plain value *obj*."""
    import pickle  # lazy: few programs memoise, and every session has a maker of keys

    return pickle.dumps(obj, protocol=2)


def _name(obj: Value) -> str:
    """Return the plain name of the class or function *obj* where that is enough.

    Else return a longer one of its own.
    """
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
    """Return a text that no other function or class gets, in this process or another."""
    with _ANONYMOUS_LOCK:
        token = _ANONYMOUS.get(obj)
        if token is None:
            token = f"{_PROCESS_TOKEN}-{os.getpid()}-{next(_ANONYMOUS_COUNTER)}"
            _ANONYMOUS[obj] = token
        return token


def _is_static_method(function: Value) -> bool:
    """Return whether *function* is a static method of a top-level class.

    An ordinary method is told apart by the instance among its arguments; these have none.
    """
    owner_name, _, name = function.__qualname__.rpartition(".")
    owner = getattr(sys.modules.get(function.__module__), owner_name, None)
    return isinstance(getattr(owner, "__dict__", {}).get(name), staticmethod)
