"""Caches from addresses such as ``redis://cache.studio:6379/0?expire=600``.

An address names the storage. The parameters behind the ``?`` set limits:

- *expire*: the seconds after which a value is forgotten; 0 for never. The default is an hour.
- *most*: the largest number of keys, for ``sqlite`` and ``memory``. A Redis server has its own
  setting for that, ``maxmemory``.
- *timeout*: how many seconds to wait for an answer, for ``redis``.
- *prefix*: the beginning of all keys on the server, for ``redis``; ``ftrack-like:`` by default.

The other parameters of a ``redis`` address are those of ``redis.Redis.from_url``.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Optional
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from ftrack_like.cache.base import Cache, MemoryCache
from ftrack_like.cache.bounds import ExpiringCache, LRUCache

if TYPE_CHECKING:
    import redis

__all__ = ["DEFAULT_EXPIRY", "SharedStorage", "open_storage", "shown_address"]

#: The seconds after which a value is forgotten if the address does not set another number.
DEFAULT_EXPIRY = 3600

#: The largest number of keys of a ``memory`` cache if its address does not set another number.
_MOST_IN_MEMORY = 100_000

#: The largest number in an address. Servers and sockets cannot count very large numbers of seconds.
_LARGEST = 1_000_000_000

#: The beginning of the keys on a server, which other programs may use too.
_COMMON_PREFIX = "ftrack-like:"

_EXAMPLES = "redis://HOST:6379/0, sqlite:///PATH or memory://"

#: Protects :data:`_MEMORIES` and :data:`_CLIENTS`.
_OPENING = threading.Lock()
#: The ``memory`` caches of this process, by the name in their address.
_MEMORIES: dict[tuple[str, int], Cache] = {}
#: The Redis clients of this process, by address and time-out. Sessions share their connections.
_CLIENTS: dict[tuple[str, Optional[float]], redis.Redis] = {}


class SharedStorage(NamedTuple):
    """A storage for texts that several sessions share.

    *address* is for messages, without a password. *entities* is the cache for entities, with the
    expiry of the address. *expiring* takes a number of seconds and returns a cache in the same
    storage with this expiry. *add* stores a text under a key for some seconds, unless there is one;
    it returns whether it did.
    """

    address: str
    entities: Cache
    expiring: Callable[[float], Cache]
    add: Callable[[str, str, float], bool]


def open_storage(address: str) -> SharedStorage:
    """Return the storage at *address*.

    A Redis server need not answer yet: the first use connects. Raise :exc:`ValueError` for an
    invalid address, :exc:`ImportError` if the package for it is not installed, and :exc:`OSError`
    if a file cannot be created.
    """
    parts = urlsplit(address)
    opener = _OPENERS.get(parts.scheme.lower())
    if opener is None:
        raise ValueError(f"A cache has an address such as {_EXAMPLES}.")
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    expire = _whole_parameter(parameters, "expire", DEFAULT_EXPIRY)
    return opener(parts, expire, parameters)


def shown_address(address: str) -> str:
    """Return *address* for messages: without user, password and parameters."""
    scheme, separator, rest = address.partition("?")[0].partition("://")
    if not separator:
        return rest or scheme.rpartition("@")[2]
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _open_redis(parts: SplitResult, expire: int, parameters: dict[str, str]) -> SharedStorage:
    """Return the storage on a Redis or Valkey server."""
    from ftrack_like.cache.redis import RedisCache, redis_client  # lazy: few sessions need it

    time_out = float(_whole_parameter(parameters, "timeout", 0)) or None
    prefix = parameters.pop("prefix", _COMMON_PREFIX)
    # Not with geturl(), which omits the two slashes before the path of a socket.
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if parameters:
        plain += f"?{urlencode(parameters)}"
    with _OPENING:
        client = _CLIENTS.get((plain, time_out))
        if client is None:
            client = redis_client(plain) if time_out is None else redis_client(plain, time_out)
            _CLIENTS[plain, time_out] = client

    def expiring(seconds: float) -> RedisCache:
        life = math.ceil(seconds) or None
        return RedisCache(client=client, prefix=prefix, expire=life)

    cache = expiring(expire)
    return SharedStorage(shown_address(plain), cache, expiring, cache.add)


def _open_sqlite(parts: SplitResult, expire: int, parameters: dict[str, str]) -> SharedStorage:
    """Return the storage in an SQLite file."""
    from ftrack_like.cache.file import FileCache  # lazy: few sessions need it

    if parts.netloc or len(parts.path) < 2:
        raise ValueError(
            "The address of a cache file has three slashes and the path: sqlite:///cache.db for a "
            "relative path, sqlite:////var/cache.db for an absolute one."
        )
    most = _whole_parameter(parameters, "most", 0)
    _refuse_others(parameters)
    file = FileCache(os.path.expanduser(parts.path[1:]))
    return _local_storage(parts, LRUCache(file, most) if most else file, expire, file.add)


def _open_memory(parts: SplitResult, expire: int, parameters: dict[str, str]) -> SharedStorage:
    """Return the storage in the memory of this process."""
    if parts.path not in ("", "/"):
        raise ValueError("The address of a cache in memory is memory:// or memory://NAME.")
    most = _whole_parameter(parameters, "most", _MOST_IN_MEMORY)
    _refuse_others(parameters)
    with _OPENING:
        memory = _MEMORIES.get((parts.netloc, most))
        if memory is None:
            plain = MemoryCache()
            memory = _MEMORIES[parts.netloc, most] = LRUCache(plain, most) if most else plain

    def add(key: str, value: str, seconds: float) -> bool:
        locks = ExpiringCache(memory, seconds)
        with _OPENING:
            if locks.get_many([key]):
                return False
            locks.set(key, value)
            return True

    return _local_storage(parts, memory, expire, add)


def _local_storage(
    parts: SplitResult, cache: Cache, expire: int, add: Callable[[str, str, float], bool]
) -> SharedStorage:
    """Return the storage in *cache*, which does not expire values itself."""

    def expiring(seconds: float) -> Cache:
        return ExpiringCache(cache, seconds) if seconds else cache

    return SharedStorage(shown_address(parts.geturl()), expiring(expire), expiring, add)


def _whole_parameter(parameters: dict[str, str], name: str, default: int) -> int:
    """Remove the parameter *name* and return its value, or *default* if it is missing.

    Raise :exc:`ValueError` unless it is a whole number from 0 to 1,000,000,000.
    """
    text = parameters.pop(name, None)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and int(text[:100]) <= _LARGEST):
        raise ValueError(
            f"The parameter {name} of a cache is a whole number up to {_LARGEST:,}, not "
            f"{text[:50]!r}."
        )
    return int(text)


def _refuse_others(parameters: dict[str, str]) -> None:
    """Raise :exc:`ValueError` if *parameters* are left."""
    if parameters:
        names = ", ".join(sorted(parameters))
        raise ValueError(f"Unknown parameter of a cache: {names}. There are expire and most.")


_OPENERS: dict[str, Callable[[SplitResult, int, dict[str, str]], SharedStorage]] = {
    "memory": _open_memory,
    "redis": _open_redis,
    "rediss": _open_redis,
    "sqlite": _open_sqlite,
    "unix": _open_redis,
    "valkey": _open_redis,
    "valkeys": _open_redis,
}
