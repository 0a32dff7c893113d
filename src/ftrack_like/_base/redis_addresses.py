"""Clients for the Redis or Valkey server at an address.

The package redis reports a misspelt parameter only when it connects, as an error of a kind that
callers take for an outage. So the address is checked at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Union
from urllib.parse import urlsplit

from ftrack_like._base.errors import missing_package

if TYPE_CHECKING:
    import redis

__all__ = ["redis_client_at"]

#: The schemes of Valkey, which the package redis does not know.
_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}


def redis_client_at(
    address: str, purpose: str, **options: Union[bool, float, redis.retry.Retry]
) -> redis.Redis:
    """Return a client for the server at *address*, such as ``redis://HOST:6379/0``.

    The first use connects. *purpose* says what needs the package redis, and *options* are those of
    ``redis.Redis``. Raise :exc:`ImportError` without the package, and :exc:`ValueError` if
    *address* or one of its parameters is invalid.
    """
    try:
        import redis  # lazy: an optional dependency
    except ImportError as error:
        raise ImportError(missing_package(purpose, "redis", "redis")) from error
    scheme, separator, rest = address.partition("://")
    scheme = _SCHEMES.get(scheme.lower(), scheme.lower())
    plain = f"{scheme}{separator}{rest}"
    number = urlsplit(plain).path.strip("/")
    if scheme != "unix" and number and not (number.isascii() and number.isdigit()):
        raise ValueError(
            f"The path of a Redis address is the number of a database, not {number[:50]!r}."
        )
    client: redis.Redis = redis.Redis.from_url(plain, **options)
    pool = client.connection_pool
    try:
        pool.connection_class(**pool.connection_kwargs)  # this connects to nothing
    except (TypeError, redis.exceptions.RedisError) as error:
        raise ValueError(f"A parameter of the Redis address is invalid: {error}.") from error
    return client
