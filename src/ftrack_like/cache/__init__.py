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
    set_many,
)
from ftrack_like.cache.keys import KeyMaker, ObjectKeyMaker, StringKeyMaker
from ftrack_like.cache.memoisation import Memoiser, memoise, memoise_decorator, memoiser

if TYPE_CHECKING:
    from ftrack_like.cache.file import FileCache
    from ftrack_like.cache.redis import RedisCache

__all__ = [
    "Cache",
    "FileCache",
    "KeyMaker",
    "LayeredCache",
    "Memoiser",
    "MemoryCache",
    "ObjectKeyMaker",
    "ProxyCache",
    "RedisCache",
    "SerialisedCache",
    "StringKeyMaker",
    "memoise",
    "memoise_decorator",
    "memoiser",
    "set_many",
]

#: Backends by the modules that define them. Few sessions use these, so they are imported late.
_BACKENDS = {"FileCache": "ftrack_like.cache.file", "RedisCache": "ftrack_like.cache.redis"}


def __getattr__(name: str) -> type[Cache]:
    """Return the backend *name*."""
    if name not in _BACKENDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: type[Cache] = getattr(importlib.import_module(_BACKENDS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return all names."""
    return sorted({*globals(), *_BACKENDS})
