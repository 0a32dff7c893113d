"""Empty tables of PostgreSQL while other transactions read them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

__all__ = ["empty_tables"]

#: PostgreSQL's error code for a lock that another transaction has.
_NOT_AVAILABLE = "55P03"

#: Seconds between two attempts, and the seconds after which :func:`empty_tables` waits for locks.
_PAUSE = 0.02
_PATIENCE = 20.0

#: The bytes of the largest table up to which rows are deleted one by one. TRUNCATE creates new
#: files for each table and each index, and waits for the disk: it takes longer than to delete a few
#: thousand rows.
_SMALL = 4 * 1024 * 1024

_LARGEST = "SELECT max(pg_table_size(name::regclass)) FROM unnest(CAST(:names AS text[])) AS name"

_SEQUENCES = """
    SELECT d.objid::regclass::text FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
    WHERE s.relkind = 'S' AND d.deptype IN ('a', 'i')
    AND d.refobjid IN (SELECT name::regclass FROM unnest(CAST(:names AS text[])) AS name)
"""


def empty_tables(connection: Connection, names: Iterable[str]) -> None:
    """Remove all rows of the tables *names*, in the transaction of *connection*.

    Numbers that the database counts begin again. Foreign keys must be deferred.
    """
    given = {"names": list(names)}
    tables = ", ".join(given["names"])
    if connection.execute(text(_LARGEST), given).scalar_one() > _SMALL:
        _lock_all(connection, tables, "ACCESS EXCLUSIVE")
        connection.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY")
        return
    # Others may read, and see the rows until the end of the transaction.
    _lock_all(connection, tables, "EXCLUSIVE")
    statements = [f"DELETE FROM {name}" for name in given["names"]]
    sequences = connection.execute(text(_SEQUENCES), given).scalars()
    statements += [f"ALTER SEQUENCE {name} RESTART" for name in sequences]
    connection.exec_driver_sql(";".join(statements))


def _lock_all(connection: Connection, tables: str, mode: str) -> None:
    """Lock all *tables* in the *mode* as soon as no other transaction prevents it.

    A statement that locks one table after the other could wait for a reader that has read a later
    table and wants an earlier one. Neither could go on, and PostgreSQL would stop one of them. So
    this function takes all locks or none, and tries again. After some time of steady use it waits
    nevertheless.
    """
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if _lock_now(connection, tables, mode):
            return
        time.sleep(_PAUSE)
    connection.exec_driver_sql(f"LOCK TABLE {tables} IN {mode} MODE")


def _lock_now(connection: Connection, tables: str, mode: str) -> bool:
    """Lock all *tables*, or none if another transaction uses one; return whether it locked."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"LOCK TABLE {tables} IN {mode} MODE NOWAIT")
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _NOT_AVAILABLE:
            raise
        return False
    return True
