"""Empty tables of PostgreSQL while other transactions read them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

__all__ = ["empty_tables"]

#: PostgreSQL's error code for a lock that another transaction has.
_NOT_AVAILABLE = "55P03"

#: Seconds between two attempts, and the seconds after which :func:`empty_tables` waits for locks.
_PAUSE = 0.02
_PATIENCE = 20.0


def empty_tables(connection: Connection, names: Iterable[str]) -> None:
    """Remove all rows of the tables *names*, in the transaction of *connection*.

    TRUNCATE locks one table after the other. If it waited for a reader that has read a later table
    and wants an earlier one, neither could go on, and PostgreSQL would stop one of them. So this
    function takes all locks or none, and tries again. After some time of steady reading it waits
    nevertheless.
    """
    tables = ", ".join(names)
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and not _lock_all(connection, tables):
        time.sleep(_PAUSE)
    connection.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY")


def _lock_all(connection: Connection, tables: str) -> bool:
    """Lock all *tables*, or none if another transaction uses one; return whether it locked."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE NOWAIT")
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _NOT_AVAILABLE:
            raise
        return False
    return True
