"""A cache on a Redis or Valkey server, which the machines of a farm can share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.errors import missing_package
from ftrack_like.cache.base import Cache

if TYPE_CHECKING:
    import redis

    from ftrack_like._base.types import Value

__all__ = ["RedisCache"]

#: The time-out of the server in seconds. It is short: a cache that does not answer must not block
#: the program that it should speed up.
_TIME_OUT = 5.0


class RedisCache(Cache):
    """A cache of text under text keys on a Redis server.

    Wrap it in a :class:`~ftrack_like.cache.SerialisedCache` to store other values. It needs the
    extra ``redis``. Threads and processes may share it.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        prefix: str = "ftrack:",
        expire: Optional[int] = None,
        client: Optional[redis.Redis] = None,
    ) -> None:
        """Initialise with the *url* of the server; the first use connects.

        Each key on the server begins with *prefix*, so that several caches can share a server.
        The server removes values after *expire* seconds, or never if it is None. If *client*, a
        ``redis.Redis``, is given, *url* is ignored.

        Raise :exc:`ImportError` if the package redis is not installed.
        """
        super().__init__()
        self.prefix = prefix
        self.expire = expire
        self._client = _redis_client(url) if client is None else client

    def get(self, key: str) -> str:
        """Return the text stored under *key*; raise :exc:`KeyError` if it is missing."""
        value = self._client.get(self._name(key))
        if value is None:
            raise KeyError(key)
        return _decoded(value)

    def set(self, key: str, value: str) -> None:
        """Store the text *value* under *key*."""
        self._client.set(self._name(key), _bytes(value, "value"), ex=self.expire)

    def remove(self, key: str) -> None:
        """Remove *key*; raise :exc:`KeyError` if it is missing."""
        if not self._client.delete(self._name(key)):
            raise KeyError(key)

    def keys(self) -> list[str]:
        """Return a list of the keys in any order."""
        pattern = _escape_pattern(self.prefix) + "*"
        found = self._client.scan_iter(match=_bytes(pattern, "prefix"), count=1000)
        # The server may report a key twice while it is scanned.
        return list(dict.fromkeys(_decoded(name)[len(self.prefix) :] for name in found))

    def set_many(self, items: Mapping[str, str]) -> None:
        """Store *items* in one request to the server."""
        with self._client.pipeline(transaction=False) as pipeline:
            for key, value in items.items():
                pipeline.set(self._name(key), _bytes(value, "value"), ex=self.expire)
            pipeline.execute()

    def _name(self, key: str) -> bytes:
        """Return the key on the server for *key*: with the prefix, as bytes."""
        return _bytes(self.prefix, "prefix") + _bytes(key, "key")


def _redis_client(url: str) -> redis.Redis:
    """Return a client for the server at *url*; raise :exc:`ImportError` without the package."""
    try:
        import redis  # lazy: an optional dependency
    except ImportError as error:
        raise ImportError(missing_package("RedisCache", "redis", "redis")) from error
    return redis.Redis.from_url(url, socket_timeout=_TIME_OUT, socket_connect_timeout=_TIME_OUT)


def _bytes(text: str, role: str) -> bytes:
    """Return *text* as bytes; raise :exc:`TypeError`, which names *role*, if it is not text."""
    if not isinstance(text, str):
        raise TypeError(
            f"RedisCache needs text as {role}, not {type(text).__name__}; wrap it in a "
            "SerialisedCache to store other values."
        )
    return text.encode("utf-8", "surrogatepass")


def _decoded(value: Value) -> str:
    """Return *value*, an answer of the server, as text. Some clients return decoded text."""
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "surrogatepass")


def _escape_pattern(text: str) -> str:
    """Return *text* with all wildcards of the server escaped."""
    return "".join(f"\\{character}" if character in "*?[]^\\" else character for character in text)
