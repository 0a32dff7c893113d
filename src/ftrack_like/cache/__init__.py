"""Caches, key makers for caches, and memoisation.

A cache maps keys to values. A session has a :class:`LayeredCache`. Its first layer is a
:class:`MemoryCache`, the identity map. The second layer is optional: a backend of the user, such as
a :class:`FileCache` or a :class:`RedisCache`. A backend stores only text, so it is wrapped in a
:class:`SerialisedCache`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ftrack_like.cache.base import (
    Cache,
    LayeredCache,
    MemoryCache,
    ProxyCache,
    SerialisedCache,
    get_many,
    remove_many,
    set_many,
)
from ftrack_like.cache.keys import KeyMaker, ObjectKeyMaker, StringKeyMaker
from ftrack_like.cache.memoisation import Memoiser, memoise, memoise_decorator, memoiser

if TYPE_CHECKING:
    from ftrack_like.cache.bounds import ExpiringCache, LRUCache, PrefixedCache
    from ftrack_like.cache.file import FileCache
    from ftrack_like.cache.invalidation import EventInvalidation
    from ftrack_like.cache.redis import RedisCache

__all__ = [
    "Cache",
    "EventInvalidation",
    "ExpiringCache",
    "FileCache",
    "KeyMaker",
    "LRUCache",
    "LayeredCache",
    "Memoiser",
    "MemoryCache",
    "ObjectKeyMaker",
    "PrefixedCache",
    "ProxyCache",
    "RedisCache",
    "SerialisedCache",
    "StringKeyMaker",
    "get_many",
    "memoise",
    "memoise_decorator",
    "memoiser",
    "remove_many",
    "set_many",
]

#: Classes by the modules that define them. Few sessions use these, so they are imported late.
_LATE = {
    "EventInvalidation": "ftrack_like.cache.invalidation",
    "ExpiringCache": "ftrack_like.cache.bounds",
    "FileCache": "ftrack_like.cache.file",
    "LRUCache": "ftrack_like.cache.bounds",
    "PrefixedCache": "ftrack_like.cache.bounds",
    "RedisCache": "ftrack_like.cache.redis",
}


def __getattr__(name: str) -> type:
    """Return the class *name*."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: type = getattr(importlib.import_module(_LATE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return all names."""
    return sorted({*globals(), *_LATE})
