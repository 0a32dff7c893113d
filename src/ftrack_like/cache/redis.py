"""A cache on a Redis (or Valkey) server, to share between the machines of a farm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from ftrack_like._errors import missing_package
from ftrack_like.cache.base import Cache

if TYPE_CHECKING:
    import redis

    from ftrack_like._types import Value

__all__ = ["RedisCache"]

#: Seconds to wait for the server, so that a dead cache cannot hang what it should speed up.
_TIME_OUT = 5.0


class RedisCache(Cache):
    """A cache of text under text keys on a Redis server.

    Wrap it in a :class:`~ftrack_like.cache.SerialisedCache` to hold more than text. Needs the
    extra ``redis``. May be shared by threads and processes.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        prefix: str = "ftrack:",
        expire: Optional[int] = None,
        client: Optional[redis.Redis] = None,
    ) -> None:
        """Initialise with the *url* of the server; nothing is sent yet.

        *prefix* starts each key on the server, so that several caches can live on one. Values are
        forgotten after *expire* seconds; never when it is None. A ready ``redis.Redis`` may be
        passed as *client*; *url* is not used then.

        Raise :exc:`ImportError` if the package redis is not installed.
        """
        super().__init__()
        self.prefix = prefix
        self.expire = expire
        self._client = _connect(url) if client is None else client

    def get(self, key: str) -> str:
        """Return the text stored under *key*; :exc:`KeyError` if there is none."""
        value = self._client.get(self._name(key))
        if value is None:
            raise KeyError(key)
        return _text(value)

    def set(self, key: str, value: str) -> None:
        """Store the text *value* under *key*."""
        self._client.set(self._name(key), _bytes(value, "value"), ex=self.expire)

    def remove(self, key: str) -> None:
        """Remove *key*; :exc:`KeyError` if it is not there."""
        if not self._client.delete(self._name(key)):
            raise KeyError(key)

    def keys(self) -> list[str]:
        """Return a list of the keys, in no particular order."""
        pattern = _escape_pattern(self.prefix) + "*"
        found = self._client.scan_iter(match=_bytes(pattern, "prefix"), count=1000)
        # The server may report a key twice while it is scanned.
        return list(dict.fromkeys(_text(name)[len(self.prefix) :] for name in found))

    def set_many(self, items: Mapping[str, str]) -> None:
        """Store *items* in one exchange with the server."""
        with self._client.pipeline(transaction=False) as pipeline:
            for key, value in items.items():
                pipeline.set(self._name(key), _bytes(value, "value"), ex=self.expire)
            pipeline.execute()

    def _name(self, key: str) -> bytes:
        """Return the name on the server for *key*."""
        return _bytes(self.prefix, "prefix") + _bytes(key, "key")


def _connect(url: str) -> redis.Redis:
    """Return a client for the server at *url*; raise :exc:`ImportError` without the package."""
    try:
        import redis  # lazy: an optional dependency
    except ImportError as error:
        raise ImportError(missing_package("RedisCache", "redis", "redis")) from error
    return redis.Redis.from_url(url, socket_timeout=_TIME_OUT, socket_connect_timeout=_TIME_OUT)


def _bytes(text: str, role: str) -> bytes:
    """Return *text* as the server stores it; raise :exc:`TypeError` naming *role* otherwise."""
    if not isinstance(text, str):
        raise TypeError(
            f"RedisCache takes text as {role}, not {type(text).__name__}; wrap it in a "
            "SerialisedCache to store other values."
        )
    return text.encode("utf-8", "surrogatepass")


def _text(value: Value) -> str:
    """Return what the server answered as text, whether or not the client decodes answers."""
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "surrogatepass")


def _escape_pattern(text: str) -> str:
    """Return *text* such that the server takes none of it for a wildcard."""
    return "".join(f"\\{character}" if character in "*?[]^\\" else character for character in text)
