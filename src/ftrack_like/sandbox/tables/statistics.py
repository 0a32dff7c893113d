"""Statistics for SQLite's query planner, written into a new database.

Without statistics the planner considers all indexes equally good. To find the three tasks of a
shot, it may read all tasks of a type. Measuring (``ANALYZE``) misleads it as much while the
database is small. A new database therefore gets the typical statistics of a large studio.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, Table, text

from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["write_statistics"]

#: The expected number of rows by table. Other tables have :data:`_ROWS`.
_SIZES: Mapping[str, int] = {
    "custom_attribute_configuration": 100,
    "custom_attribute_type": 10,
    "list": 1_000,
    "location": 10,
    "object_type": 10,
    "priority": 10,
    "project_schema": 10,
    "resource": 500,
    "schema": 100,
    "security_role": 10,
    "setting": 50,
    "state": 10,
    "status": 50,
    "type": 50,
}
_ROWS = 100_000

#: The number of rows with the same value in a column, per 1,000 rows. In other columns it is
#: :data:`_FEW` in all.
_SHARES: Mapping[str, int] = {
    "ancestor_id": 5,
    "asset_type_id": 100,
    "category_id": 100,
    "configuration_id": 50,
    "context_type": 500,
    "created_by_id": 20,
    "date": 1,
    "disk_id": 500,
    "entity_type": 300,
    "group_id": 100,
    "key": 50,
    "location_id": 300,
    "note_component_type": 500,
    "object_type_id": 300,
    "parent_type": 300,
    "priority_id": 200,
    "project_id": 10,
    "project_schema_id": 300,
    "resource_id": 10,
    "resource_type": 500,
    "role_id": 100,
    "status": 300,
    "status_id": 80,
    "system_type": 300,
    "type": 500,
    "type_id": 50,
    "user_id": 20,
    "user_type_id": 300,
}
#: The number of rows with the same value in any other column.
_FEW = 8


def write_statistics(connection: Connection) -> None:
    """Write the statistics into an SQLite database. Do nothing for PostgreSQL.

    Open connections use the statistics after they have read the schema again.
    """
    if connection.dialect.name != "sqlite":
        return
    # Create the table of statistics without measuring.
    connection.execute(text("ANALYZE sqlite_master"))
    connection.execute(text("DELETE FROM sqlite_stat1"))
    connection.execute(
        text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:table, :index, :statistics)"),
        [row for table in TABLES.values() for row in _of_table(table)],
    )
    connection.execute(text("ANALYZE sqlite_master"))


def _of_table(table: Table) -> Iterator[dict[str, str]]:
    """Yield the statistics of the indexes of *table*."""
    size = _SIZES.get(table.name, _ROWS)
    key = [column.name for column in table.primary_key.columns]
    yield _row(table.name, f"sqlite_autoindex_{table.name}_1", size, key, True)
    for index in table.indexes:
        # The lower-case indexes exist only in PostgreSQL.
        if index.name is not None and not str(index.name).endswith("_lower"):
            columns = [column.name for column in index.columns]
            yield _row(table.name, str(index.name), size, columns, bool(index.unique))


def _row(table: str, index: str, size: int, columns: list[str], unique: bool) -> dict[str, str]:
    shares: list[int] = []
    rows = float(size)
    for column in columns:
        share = _SHARES.get(column)
        alike = min(size, _FEW) if share is None else size * share / 1_000
        rows = max(1.0, rows * alike / size)
        shares.append(round(rows))
    if unique:
        shares[-1] = 1
    statistics = " ".join(map(str, [size, *shares]))
    return {"table": table, "index": index, "statistics": statistics}
