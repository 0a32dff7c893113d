"""Marks of transactions on PostgreSQL, which tell what became of a commit whose answer was lost.

If the connection breaks during a commit, the transaction was saved or not. PostgreSQL can look up
the status of a transaction by its number. But after a crash it gives those numbers again that left
no trace on the disk. So the number of a lost transaction may then be unknown, or belong to another
transaction. Each transaction that writes therefore stores a mark of its own.

The table is not part of the layout of the data. It contains nothing that is older than a few
minutes, clients cannot reach it, and a site on SQLite has no such table. If its columns ever
change, give it a new name.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from ftrack_like.sandbox.database.shared_locks import TAKE_TURN, take_turn

__all__ = ["create_table", "take_marked_turn", "trim", "was_saved"]

#: The milliseconds to wait for the end of a transaction whose outcome is asked for.
_PATIENCE = 30_000

#: How long a mark is kept: longer than a process waits for the database and for the outcome.
_KEPT = "3 minutes"

_TABLE = """
CREATE TABLE commit_mark (
    id uuid PRIMARY KEY,
    made_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
)
"""

_EXISTS = "SELECT to_regclass(quote_ident(current_schema()) || '.commit_mark') IS NOT NULL"

# One trip to the server. The row is made after the wait, and only it gives the transaction a
# number: a transaction has none while it waits, and delays no clean-up.
_TAKE = (
    f"WITH turn AS MATERIALIZED (SELECT {TAKE_TURN}) "
    "INSERT INTO commit_mark (id) SELECT gen_random_uuid() FROM turn RETURNING id"
)


def create_table(connection: Connection) -> None:
    """Create the table if it is missing. The transaction of *connection* must have the turn."""
    if not connection.exec_driver_sql(_EXISTS).scalar():
        connection.exec_driver_sql(_TABLE)


def take_marked_turn(connection: Connection) -> UUID:
    """Wait for the turn to write, as :func:`.take_turn`; return the mark of the transaction."""
    mark: UUID = connection.exec_driver_sql(_TAKE).scalar_one()
    return mark


def was_saved(connection: Connection, mark: UUID) -> bool:
    """Return whether the transaction with *mark* was committed; wait until it has ended.

    Raise :exc:`sqlalchemy.exc.OperationalError` if that takes longer than 30 seconds.
    """
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_PATIENCE}")
    take_turn(connection)  # The other transaction has it until its commit is visible.
    found = connection.exec_driver_sql("SELECT 1 FROM commit_mark WHERE id = %s", (mark,))
    return found.first() is not None


def trim(connection: Connection) -> None:
    """Remove the marks that nobody asks for any more."""
    connection.exec_driver_sql(
        f"DELETE FROM commit_mark WHERE made_at < clock_timestamp() - interval '{_KEPT}'"
    )
