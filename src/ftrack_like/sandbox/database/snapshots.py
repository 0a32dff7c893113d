"""A cache on each connection, valid for one state of an SQLite database.

SQLite gives each connection a number that changes when another connection changes the database. The
cache reads the number within the transaction, so that it belongs to the state that the transaction
sees. A cached value is never older than that state.
"""

from __future__ import annotations

from typing import Any, Optional

from sqlalchemy.engine import Connection

__all__ = ["forget", "remembered"]

_KEY = "ftrack_like_snapshot"

#: The maximum number of values in the cache of a connection.
_MOST = 1_000


def remembered(connection: Connection) -> dict[Any, Any]:
    """Return the cache for the state that *connection* sees; the caller reads and adds values.

    A transaction that writes must not add values that it changes later. PostgreSQL has no such
    number, so there the mapping is always new and empty.
    """
    if connection.dialect.name != "sqlite":
        return {}
    driver: Any = connection.connection.driver_connection
    (version,) = driver.execute("PRAGMA data_version").fetchone()
    known: Optional[tuple[int, dict[Any, Any]]] = connection.info.get(_KEY)
    if known is None or known[0] != version or len(known[1]) > _MOST:
        known = connection.info[_KEY] = version, {}
    return known[1]


def forget(connection: Connection) -> None:
    """Drop the cache of *connection*; its own commits do not change the number."""
    # A broken connection has no cache, and asking for it would hide the error that broke it.
    if connection.dialect.name == "sqlite" and not connection.invalidated:
        connection.info.pop(_KEY, None)
