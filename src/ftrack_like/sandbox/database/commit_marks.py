"""Marks of transactions on PostgreSQL, which tell what became of a commit whose answer was lost.

If the connection breaks during a commit, the transaction was saved or not. PostgreSQL can look up
the status of a transaction by its number. But after a crash it gives those numbers again that left
no trace on the disk. So the number of a lost transaction may then be unknown, or belong to another
transaction. Each transaction that writes therefore stores a mark of its own.

A :class:`.Database` writes one transaction at a time, and settles it before the next one. So each
such *writer* has one row, with the mark of its latest transaction. A row with another mark means
that the transaction was lost. No clock decides that, so a process may ask hours later, after its
machine has slept. The row is there before the first transaction that counts on it. If it is gone,
the outcome is unknown.

The table is not part of the layout of the data. Clients cannot reach it, and a site on SQLite has
no such table. If its columns ever change, give it a new name.
"""

from __future__ import annotations

from typing import Optional
from uuid import UUID

from sqlalchemy import Connection

from ftrack_like.sandbox.database.shared_locks import TAKE_TURN

__all__ = ["join", "take_marked_turn", "was_saved"]

#: The milliseconds to wait for the end of a transaction whose outcome is asked for: longer than
#: PostgreSQL lets a transaction be silent.
_PATIENCE = 40_000

#: How long the row of a writer is kept that writes nothing. Most of these processes have ended.
_KEPT = "30 days"

_TABLE = """
CREATE TABLE commit_writer (
    id uuid PRIMARY KEY,
    mark uuid NOT NULL,
    used_at timestamp with time zone NOT NULL
)
"""

_EXISTS = "SELECT to_regclass(quote_ident(current_schema()) || '.commit_writer') IS NOT NULL"

# One trip to the server. The row is made after the wait, and only it gives the transaction a
# number: a transaction has none while it waits, and delays no clean-up.
_TAKE = (
    f"WITH turn AS MATERIALIZED (SELECT {TAKE_TURN}) "
    "INSERT INTO commit_writer (id, mark, used_at) "
    "SELECT %s, gen_random_uuid(), clock_timestamp() FROM turn "
    "ON CONFLICT (id) DO UPDATE SET mark = EXCLUDED.mark, used_at = EXCLUDED.used_at "
    "RETURNING mark"
)


def join(connection: Connection, writer: UUID) -> None:
    """Create the row of *writer*, and the table if it is missing; remove the rows of old writers.

    The transaction of *connection* must have the turn. Commit it before *writer* writes.
    """
    if not connection.exec_driver_sql(_EXISTS).scalar():
        connection.exec_driver_sql(_TABLE)
    connection.exec_driver_sql(
        f"DELETE FROM commit_writer WHERE used_at < clock_timestamp() - interval '{_KEPT}'"
    )
    take_marked_turn(connection, writer)


def take_marked_turn(connection: Connection, writer: UUID) -> UUID:
    """Wait for the turn to write, as :func:`.take_turn`; return the mark of the transaction."""
    mark: UUID = connection.exec_driver_sql(_TAKE, (writer,)).scalar_one()
    return mark


def was_saved(connection: Connection, writer: UUID, mark: UUID) -> Optional[bool]:
    """Return whether the transaction of *writer* with *mark* was committed, None if unknown.

    Wait until the transaction has ended; other writers do not delay this. Raise
    :exc:`sqlalchemy.exc.OperationalError` if that takes longer than 40 seconds.
    """
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_PATIENCE}")
    # The transaction has the row locked until its commit is visible.
    statement = "SELECT mark FROM commit_writer WHERE id = %s FOR UPDATE"
    found = connection.exec_driver_sql(statement, (writer,)).first()
    return None if found is None else bool(found.mark == mark)
