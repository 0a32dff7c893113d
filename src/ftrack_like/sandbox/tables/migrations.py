"""Update the data of an older layout, in numbered steps within one transaction.

The project does not use Alembic. The tables follow from the schema, so a step is a few calls that
add the missing parts, and the tool would add two packages to each installation.

When tables change, append a step. The number of the layout follows from the number of steps. Never
change a step after its release.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, func, insert, inspect, select, text, update
from sqlalchemy.schema import CreateColumn

from ftrack_like.sandbox.tables.layout import METADATA, TABLES, add_postgresql_indexes
from ftrack_like.sandbox.tables.statistics import write_statistics

__all__ = ["LAYOUT_VERSION", "back_up_schema", "layout_of", "migrate"]

#: Tables of older layouts, in an order in which they can be dropped.
_REMOVED = ("message", "participant", "conversation")

#: Indexes of older layouts that others replace.
_OLD_INDEXES = frozenset(
    {"ix_context_status_id", "ix_encode_job_state_created_at", "ix_timelog_user_id"}
)


def layout_of(connection: Connection) -> str:
    """Return the layout number of the data as text, or "" if it is not recorded."""
    values = TABLES["server_value"].c
    found = connection.execute(select(values.value).where(values.name == "layout")).scalar()
    return str(found or "")


def migrate(connection: Connection, layout: int) -> None:
    """Update the data from *layout* to the current one, in the transaction of *connection*."""
    for number in range(layout, LAYOUT_VERSION):
        _STEPS[number - 1](connection)
    table = TABLES["server_value"]
    connection.execute(
        update(table).where(table.c.name == "layout").values(value=str(LAYOUT_VERSION))
    )


def back_up_schema(connection: Connection, layout: int) -> str:
    """Copy all tables of a PostgreSQL database to a new schema, and return its name."""
    name = f"ftrack_like_layout_{layout}"
    preparer = connection.dialect.identifier_preparer
    known = set(inspect(connection).get_schema_names())
    schema = next(
        one for one in (name, *(f"{name}_{n}" for n in range(2, 1_000))) if one not in known
    )
    connection.execute(text(f"CREATE SCHEMA {preparer.quote(schema)}"))
    for table in inspect(connection).get_table_names():
        if table in METADATA.tables or table in _REMOVED:
            quoted = preparer.quote(table)
            connection.execute(
                text(f"CREATE TABLE {preparer.quote(schema)}.{quoted} AS TABLE {quoted}")
            )
    return schema


def _to_2(connection: Connection) -> None:
    """Add the index of projects, which each request of a restricted user needs."""
    _add_index(connection, "context", "ix_context_project")


def _to_3(connection: Connection) -> None:
    """Add the table of encode jobs."""
    TABLES["encode_job"].create(connection, checkfirst=True)


def _to_4(connection: Connection) -> None:
    """Follow the facts of real sites where older rows can stay as they are.

    - Remove the tables of messages, which sites no longer have.
    - Turn the order of statuses round: it runs from the end of the work to its start.
    - Add the custom attribute type ``url``.
    - Make the defaults of enumerators lists.

    Add the tables of webhooks to send and of temporary data.
    """
    for table in _REMOVED:
        connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    statuses, types = TABLES["status"], TABLES["custom_attribute_type"]
    last = connection.execute(select(func.max(statuses.c.sort))).scalar()
    if last is not None:
        connection.execute(update(statuses).values(sort=last - statuses.c.sort))
    known = connection.execute(select(types.c.id).where(types.c.name == "url")).scalar()
    if known is None:
        row = {"id": "ec616dcd-56e2-4147-99f8-7e4a4f040cf9", "name": "url", "core": True}
        connection.execute(insert(types).values(row))
    TABLES["webhook_delivery"].create(connection, checkfirst=True)
    TABLES["temp_data"].create(connection, checkfirst=True)
    configurations = TABLES["custom_attribute_configuration"]
    names = {name: id_ for id_, name in connection.execute(select(types.c.id, types.c.name))}
    chosen = [names.get(name) for name in ("enumerator", "dynamic enumerator")]
    columns = configurations.c
    statement = select(columns.id, columns.default_value).where(columns.type_id.in_(chosen))
    for id_, default in connection.execute(statement).all():
        value = json.loads(default) if default else None
        if not isinstance(value, list):
            listed = json.dumps([str(value)] if value else [])
            connection.execute(
                update(configurations).where(columns.id == id_).values(default_value=listed)
            )


def _to_5(connection: Connection) -> None:
    """Add the columns for workers that share the encode jobs."""
    _add_columns(connection, "encode_job")


def _add_columns(connection: Connection, table: str) -> None:
    """Add the missing columns of *table*; those that are not null have a default."""
    known = {column["name"] for column in inspect(connection).get_columns(table)}
    for column in TABLES[table].columns:
        if column.name not in known:
            added = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {added}"))


def _to_6(connection: Connection) -> None:
    """Renew indexes: more columns, and in PostgreSQL the collation by character codes."""
    for name in sorted(_index_names(connection)):
        if name in _OLD_INDEXES or name.endswith("_lower"):
            connection.execute(text(f"DROP INDEX {name}"))
    _add_missing_indexes(connection)
    write_statistics(connection)


def _to_7(connection: Connection) -> None:
    """Number the encode jobs, and add indexes."""
    _add_columns(connection, "encode_job")
    jobs = TABLES["encode_job"]
    statement = select(jobs.c.id).order_by(jobs.c.created_at, jobs.c.id)
    for number, id_ in enumerate(connection.execute(statement).scalars().all(), 1):
        connection.execute(update(jobs).where(jobs.c.id == id_).values(number=number))
    for name in sorted(_index_names(connection) & _OLD_INDEXES):
        connection.execute(text(f"DROP INDEX {name}"))
    _add_missing_indexes(connection)
    write_statistics(connection)


def _index_names(connection: Connection) -> set[str]:
    """Return the names of the indexes in the database."""
    indexes = inspect(connection).get_multi_indexes()
    return {str(one["name"]) for some in indexes.values() for one in some}


def _add_missing_indexes(connection: Connection) -> None:
    """Add the missing indexes of the tables and columns that exist.

    A later step may add a table or a column, and then its indexes.
    """
    if connection.dialect.name == "postgresql":
        add_postgresql_indexes()
    inspector = inspect(connection)
    existing = _index_names(connection)
    columns = {
        str(table): {column["name"] for column in found}
        for (_, table), found in inspector.get_multi_columns().items()
    }
    # The database may have a shortened name.
    stored_name = connection.dialect.identifier_preparer.format_index
    for table in METADATA.tables.values():
        known = columns.get(table.name, set())
        for index in table.indexes:
            used = {str(column.name) for column in index.columns}
            if used <= known and stored_name(index) not in existing:
                index.create(connection)


def _add_index(connection: Connection, table: str, name: str) -> None:
    if connection.dialect.name == "postgresql":
        add_postgresql_indexes()
    for index in TABLES[table].indexes:
        if index.name == name:
            index.create(connection, checkfirst=True)


#: The first step leads from layout 1 to 2, and so on.
_STEPS: Sequence[Callable[[Connection], None]] = (_to_2, _to_3, _to_4, _to_5, _to_6, _to_7)

#: The layout of new data. The database stores it as the ``server_value`` ``layout``.
LAYOUT_VERSION = 1 + len(_STEPS)
