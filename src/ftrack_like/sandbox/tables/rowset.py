"""Collect rows in memory and insert all rows of a table at once, for seeds and bulk data."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from ftrack_like.sandbox.database.loading import load_rows
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import Reference, Scalar
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["RowSet", "as_moment", "named_id"]

#: The UUID namespace of ids that are made from names.
_NAMESPACE = uuid.UUID("6f0f2a5e-5d0c-4a57-9a51-1f1a7d6e2b11")


@lru_cache(maxsize=4096)
def named_id(type_name: str, *names: str) -> str:
    """Return the id of the row of *type_name* with *names*. Each database has the same id."""
    return str(uuid.uuid5(_NAMESPACE, "/".join((MODEL.types[type_name].table, *names))))


def as_moment(time: datetime) -> str:
    """Return *time* in its stored format, ``2023-10-10T09:50:34`` in UTC.

    A time without a time zone must be in UTC.
    """
    if time.tzinfo is not None:
        time = time.astimezone(timezone.utc)
    return time.strftime("%Y-%m-%dT%H:%M:%S")


class RowSet:
    """Rows that :meth:`insert` adds to the database. Use it in one thread."""

    def __init__(self) -> None:
        """Initialise without rows."""
        self._rows: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def add(self, type_name: str, **values: Any) -> str:
        """Add an entity of *type_name* and return its id.

        *values* are stored values by the name of the attribute or column. The schema's defaults
        and the classifier of the type are added. Give objects and values without a fixed type as
        Python values; they are stored as JSON.
        """
        row = dict(_blank(type_name))
        columns, as_json = _columns(type_name), _stored_as_json(type_name)
        for name, value in values.items():
            row[columns[name]] = json.dumps(value) if name in as_json else value
        self._rows[MODEL.types[type_name].table].append(row)
        return str(values.get("id", ""))

    def link(self, table: str, **values: Any) -> None:
        """Add a row of *table*, a table without an entity type."""
        self._rows[table].append({**_empty(table), **values})

    def insert(self, connection: Connection) -> dict[str, int]:
        """Insert all rows in the transaction of *connection*, and empty this set.

        Return the number of rows by table.
        """
        for table, rows in self._rows.items():
            columns = tuple(column.name for column in TABLES[table].columns)
            load_rows(connection, TABLES[table], columns, map(itemgetter(*columns), rows))
        counts = {table: len(rows) for table, rows in self._rows.items()}
        self._rows.clear()
        return counts


@cache
def _empty(table: str) -> Mapping[str, Any]:
    """Return a row of *table* without values."""
    return {column.name: None for column in TABLES[table].columns}


@cache
def _columns(type_name: str) -> Mapping[str, str]:
    """Return the columns by the names of the stored attributes of *type_name*, and by column."""
    type_ = MODEL.types[type_name]
    columns = {column.name: column.name for column in TABLES[type_.table].columns}
    for property_ in type_.properties.values():
        if isinstance(property_, (Scalar, Reference)) and property_.column is not None:
            columns[property_.name] = property_.column
    return columns


@cache
def _stored_as_json(type_name: str) -> frozenset[str]:
    """Return the names of the attributes of *type_name* that are stored as JSON."""
    properties = MODEL.types[type_name].properties.values()
    return frozenset(
        one.name
        for one in properties
        if isinstance(one, Scalar) and one.type in {"object", "variable"}
    )


@cache
def _blank(type_name: str) -> Mapping[str, Any]:
    """Return a row of *type_name* that contains only the defaults and the classifier."""
    type_ = MODEL.types[type_name]
    row: dict[str, Any] = dict(_empty(type_.table))
    for property_ in type_.properties.values():
        default = property_.facets.get("default")
        if isinstance(property_, Scalar) and property_.column and default not in (None, "{uid}"):
            stored = default if property_.type != "variable" else json.dumps(default)
            row[property_.column] = stored
    row.update(type_.classifier)
    return row
