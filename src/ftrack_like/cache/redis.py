"""A cache on a Redis or Valkey server, which the machines of a farm can share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.errors import missing_package
from ftrack_like._base.redis_addresses import redis_client_at
from ftrack_like.cache.base import Cache

if TYPE_CHECKING:
    import redis

    from ftrack_like._base.types import Value

__all__ = ["RedisCache"]

#: The time-out of the server in seconds. It is short: a cache that does not answer must not block
#: the program that it should speed up.
_TIME_OUT = 1.0

#: The most seconds after which a value expires. A server cannot count very large numbers.
LONGEST_LIFE = 1_000_000_000

#: The most keys in one request. A request with more would keep the server from others.
_MOST_KEYS = 5000


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

        Raise :exc:`ImportError` if the package redis is not installed, and :exc:`ValueError` if
        *url* is invalid, or if *expire* is not a whole number from 1 to 1,000,000,000.
        """
        super().__init__()
        if expire is not None and not (type(expire) is int and 1 <= expire <= LONGEST_LIFE):
            raise ValueError(
                f"The life of a value is a whole number of seconds from 1 to {LONGEST_LIFE:,}, or "
                f"None for ever: {expire!r}."
            )
        self.prefix = prefix
        self.expire = expire
        self._client = redis_client(url) if client is None else client

    def get(self, key: str) -> str:
        """Return the text stored under *key*; raise :exc:`KeyError` if it is missing."""
        try:
            value = self._client.get(self._name(key))
        except Exception as error:
            if str(error).startswith("WRONGTYPE"):  # Another program has a list there, say.
                raise KeyError(key) from None
            raise
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
        return self.keys_with("")

    def keys_with(self, prefix: str) -> list[str]:
        """Return a list of the keys that begin with *prefix*; the server selects them."""
        pattern = _escape_pattern(self.prefix + prefix) + "*"
        found = self._client.scan_iter(match=_bytes(pattern, "prefix"), count=1000)
        # The server may report a key twice while it is scanned.
        return list(dict.fromkeys(_decoded(name)[len(self.prefix) :] for name in found))

    def get_many(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the texts under *keys*, without the missing ones, in one request to the server."""
        names = list(keys)
        values: list[Value] = []
        for some in _chunks(names):
            values += self._client.mget([self._name(key) for key in some])
        found = {}
        for key, value in zip(names, values):
            try:
                if value is not None:
                    found[key] = _decoded(value)
            except ValueError:
                continue  # Another program has bytes there that are not text.
        return found

    def set_many(self, items: Mapping[str, str]) -> None:
        """Store *items* in one request to the server."""
        for some in _chunks(list(items)):
            with self._client.pipeline(transaction=False) as pipeline:
                for key in some:
                    value = _bytes(items[key], "value")
                    pipeline.set(self._name(key), value, ex=self.expire)
                pipeline.execute()

    def remove_many(self, keys: Iterable[str]) -> None:
        """Remove those of *keys* that are present, in one request to the server."""
        for some in _chunks(list(keys)):
            self._client.delete(*[self._name(key) for key in some])

    def add(self, key: str, value: str, seconds: float) -> bool:
        """Store *value* under *key* for *seconds*, unless there is a value; return whether it did.

        Of several processes that add the same key at once, only one gets True.
        """
        milliseconds = max(1, int(seconds * 1000))
        name, content = self._name(key), _bytes(value, "value")
        return bool(self._client.set(name, content, px=milliseconds, nx=True))

    def _name(self, key: str) -> bytes:
        """Return the key on the server for *key*: with the prefix, as bytes."""
        return _bytes(self.prefix, "prefix") + _bytes(key, "key")


def _chunks(keys: list[str]) -> Iterator[list[str]]:
    """Yield *keys* in lists for one request each."""
    for start in range(0, len(keys), _MOST_KEYS):
        yield keys[start : start + _MOST_KEYS]


def redis_client(url: str, time_out: float = _TIME_OUT) -> redis.Redis:
    """Return a client for the server at *url*, which waits *time_out* seconds for an answer.

    Raise :exc:`ImportError` without the package, and :exc:`ValueError` for an invalid *url*.
    """
    try:
        import redis.backoff  # lazy: an optional dependency
        import redis.retry
    except ImportError as error:
        raise ImportError(missing_package("RedisCache", "redis", "redis")) from error
    # One more try: the server may have closed an idle connection. More tries would block the
    # program for longer during an outage.
    again = redis.retry.Retry(redis.backoff.NoBackoff(), 1)
    return redis_client_at(
        url, "RedisCache", socket_timeout=time_out, socket_connect_timeout=time_out, retry=again
    )


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
