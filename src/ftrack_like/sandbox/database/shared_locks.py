"""The advisory locks that all processes with one PostgreSQL database share.

A namespace (schema) of the database is one site, so each lock belongs to a namespace:

- *users*: each connection of a server has it as a shared lock as long as it is open. A program that
  needs the site for itself takes it alone.
- *turn*: the transaction that writes has it alone until its commit is visible.

PostgreSQL releases the locks of a process that ends, however it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

__all__ = [
    "TAKE_TURN",
    "DatabaseInUseError",
    "join_users",
    "share_again",
    "take_alone",
    "take_turn",
    "turn_is_wanted",
]

#: The first of the two numbers of each lock. The second one is for the namespace.
_USERS = 0x66747501
_TURN = 0x66747502

#: How long to try for the lock of users, and the pause between two attempts, in seconds.
_PATIENCE = 2.0
_PAUSE = 0.05

_NAMESPACE = "hashtext(coalesce(current_schema(), ''))"

#: The expression that waits for the turn to write, for statements that do more than that.
TAKE_TURN = f"pg_advisory_xact_lock({_TURN}, {_NAMESPACE})"


class DatabaseInUseError(RuntimeError):
    """Another process uses the database; the text says what to do."""


def join_users(driver: Any) -> None:
    """Take the lock of users, shared, for the new connection *driver* of psycopg (autocommit).

    Raise :exc:`DatabaseInUseError` if a process has it alone.
    """
    sql = f"SELECT pg_try_advisory_lock_shared({_USERS}, {_NAMESPACE})"
    if not _try(lambda: bool(driver.execute(sql).fetchone()[0])):
        driver.close()
        raise DatabaseInUseError(
            "Another program is filling the database and needs it for itself. Try again later."
        )


def take_alone(connection: Connection) -> None:
    """Take the lock of users alone, until :func:`share_again`.

    Raise :exc:`DatabaseInUseError` if another connection is open.
    """
    sql = f"SELECT pg_try_advisory_lock({_USERS}, {_NAMESPACE})"
    if not _try(lambda: bool(connection.exec_driver_sql(sql).scalar())):
        raise DatabaseInUseError(
            "A running sandbox uses the database. Stop it, or choose another database."
        )


def share_again(connection: Connection) -> None:
    """Let other connections have the lock of users too."""
    connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_USERS}, {_NAMESPACE})")


def _try(attempt: Callable[[], bool]) -> bool:
    """Return whether *attempt* succeeds within two seconds.

    A process of PostgreSQL still has its locks for a moment after its client has closed the
    connection.
    """
    end = time.monotonic() + _PATIENCE
    while not attempt():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


def take_turn(connection: Connection) -> None:
    """Wait until no other transaction writes, and be the one until the transaction ends.

    Under the isolation level of writers (read committed) each later statement sees what the
    transactions before have committed, because PostgreSQL releases the lock after the commit has
    become visible.
    """
    connection.exec_driver_sql(f"SELECT {TAKE_TURN}")


def turn_is_wanted(connection: Connection) -> bool:
    """Return whether a transaction of any process waits for the turn to write."""
    # The view shows the numbers of a lock as unsigned integers.
    sql = (
        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        f" AND classid::bigint = {_TURN} AND objid::bigint = {_NAMESPACE}::bigint & 4294967295)"
    )
    return bool(connection.exec_driver_sql(sql).scalar())
