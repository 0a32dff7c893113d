"""Indexes of PostgreSQL that find a text anywhere in a name, for searches and ``like "%text%"``.

They need the extension ``pg_trgm``, which comes with PostgreSQL. The owner of a database may create
it there, but on some servers only an administrator may. So these indexes are not a part of the
layout: a server adds them when it can, and without them the same statements read all names.
"""

from __future__ import annotations

from typing import Optional

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

__all__ = ["TRIGRAM_INDEXES", "add_trigram_indexes"]

#: The table and the column by the name of the index. The names of these tables grow with the work.
TRIGRAM_INDEXES = {
    "ix_asset_name_trigram": ("asset", "name"),
    "ix_context_name_trigram": ("context", "name"),
}

#: The key of the PostgreSQL advisory lock under which the extension is created. Two sites in one
#: database share the extension.
_CREATION = 0x66747504

_SCHEMA = (
    "SELECT quote_ident(n.nspname) FROM pg_extension AS e"
    " JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm'"
)
#: In this schema it outlives the schema of the site, and serves other sites of the database.
_CREATE = "CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public"


def add_trigram_indexes(connection: Connection) -> Optional[str]:
    """Add the missing indexes in the transaction of *connection*.

    Return the reason if that is not possible, else None. Do nothing for SQLite, which reads names
    in memory faster than such an index would be kept.
    """
    if connection.dialect.name != "postgresql":
        return None
    schema = connection.exec_driver_sql(_SCHEMA).scalar()
    if schema is None:
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CREATION})")
                connection.exec_driver_sql(_CREATE)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            return str(error.orig).partition("\n")[0]
        schema = connection.exec_driver_sql(_SCHEMA).scalar()
    for name, (table, column) in TRIGRAM_INDEXES.items():
        # CREATE INDEX IF NOT EXISTS would wait for all writers, even if the index exists.
        known = f"SELECT to_regclass(quote_ident(current_schema()) || '.{name}') IS NOT NULL"
        if not connection.exec_driver_sql(known).scalar():
            connection.exec_driver_sql(
                f"CREATE INDEX {name} ON {table}"
                f' USING gin ((lower({column}) COLLATE "C") {schema}.gin_trgm_ops)'
            )
    return None
