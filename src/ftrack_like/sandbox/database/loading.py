"""Load many rows at once, with the fastest means of each database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table

__all__ = ["load_rows", "without_indexes"]

#: The indexes of the database that are not unique: name and statement that makes the index.
_SQLITE_INDEXES = """
    SELECT name, sql FROM sqlite_master
    WHERE type = 'index' AND sql IS NOT NULL AND sql NOT LIKE 'CREATE UNIQUE%'
    ORDER BY name
"""
_POSTGRESQL_INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = current_schema()::regnamespace AND NOT indisunique
    ORDER BY relname
"""
#: The foreign keys of the database: table, name and definition.
_POSTGRESQL_KEYS = """
    SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE connamespace = current_schema()::regnamespace AND contype = 'f'
    ORDER BY conname
"""


def load_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert *rows* into *table*, in the transaction of *connection*.

    A row contains the stored values of *columns*, in their order. PostgreSQL receives the rows as
    a stream (``COPY``), SQLite with one prepared statement.
    """
    driver: Any = connection.connection.dbapi_connection
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(map(quote, columns))
    if connection.dialect.name == "postgresql":
        sql = f"COPY {quote(table.name)} ({names}) FROM STDIN"
        with driver.cursor() as cursor, cursor.copy(sql) as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(columns))
    driver.executemany(f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})", rows)


@contextmanager
def without_indexes(connection: Connection) -> Iterator[None]:
    """Drop the indexes of the database for the block, and create them again after it.

    An index that is made of all rows at once takes a fraction of the time of one that grows row by
    row. PostgreSQL also checks the foreign keys at the end, all rows of a table at once. All of it
    belongs to the transaction of *connection*: an error leaves the indexes as they were. Unique
    indexes stay.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    run = connection.exec_driver_sql
    indexes = run(_SQLITE_INDEXES if is_sqlite else _POSTGRESQL_INDEXES).all()
    keys = [] if is_sqlite else run(_POSTGRESQL_KEYS).all()
    for table, name, _ in keys:
        run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        run(f"DROP INDEX {name}")
    yield
    for _, statement in indexes:
        run(statement)
    for table, name, definition in keys:
        run(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
