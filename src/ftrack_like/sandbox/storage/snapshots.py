"""What holds for one state of an SQLite database, remembered with each connection to it.

SQLite tells a connection by a number whether others have changed the database. The number is read
within the transaction, so that it belongs to the state that the transaction sees. What is
remembered under it needs no reading again, and is never older than that state.
"""

from __future__ import annotations

from typing import Any, Optional

from sqlalchemy.engine import Connection

__all__ = ["forget", "remembered"]

_KEY = "ftrack_like_snapshot"

#: How much is remembered with one connection.
_MOST = 1_000


def remembered(connection: Connection) -> dict[Any, Any]:
    """Return what is remembered of the state that *connection* sees, to be read and added to.

    A transaction that writes must not add what it changes later. On PostgreSQL, which has no such
    number, the mapping is always empty and kept by nothing.
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
    """Remember nothing more of *connection*: what it changes itself does not change the number."""
    connection.info.pop(_KEY, None)
