"""Rows gathered in memory and inserted by the table-full: for seeds and other bulk."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache, lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy import Connection

from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import Reference, Scalar
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["RowSet", "as_moment", "named_id"]

#: Ids that follow from names are made in this space.
_NAMESPACE = uuid.UUID("6f0f2a5e-5d0c-4a57-9a51-1f1a7d6e2b11")


@lru_cache(maxsize=4096)
def named_id(type_name: str, *names: str) -> str:
    """Return the id of the row of *type_name* called *names*: the same in every database."""
    return str(uuid.uuid5(_NAMESPACE, "/".join((MODEL.types[type_name].table, *names))))


def as_moment(time: datetime) -> str:
    """Return *time* as it is stored: whole seconds in UTC, which a time without zone is in."""
    if time.tzinfo is not None:
        time = time.astimezone(timezone.utc)
    return time.strftime("%Y-%m-%dT%H:%M:%S")


class RowSet:
    """Rows to be inserted by one :meth:`insert`; belongs to one thread."""

    def __init__(self) -> None:
        """Begin with no rows."""
        self._rows: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def add(self, type_name: str, **values: Any) -> str:
        """Add an entity of *type_name* and return its id.

        *values* are stored values by attribute (or by column where no attribute is stored
        there); the schema's defaults and what marks the type are filled in. Values of no fixed
        type are given as they are and kept as JSON.
        """
        row = dict(_blank(type_name))
        columns = _columns(type_name)
        for name, value in values.items():
            scalar = MODEL.types[type_name].properties.get(name)
            if isinstance(scalar, Scalar) and scalar.type in {"object", "variable"}:
                value = json.dumps(value)
            row[columns[name]] = value
        self._rows[MODEL.types[type_name].table].append(row)
        return str(values.get("id", ""))

    def link(self, table: str, **values: Any) -> None:
        """Add a row of *table*, which no type stands for."""
        self._rows[table].append(values)

    def insert(self, connection: Connection) -> dict[str, int]:
        """Insert all rows in the transaction of *connection*, which empties this set.

        Return how many each table got.
        """
        for table, rows in self._rows.items():
            connection.execute(sqlalchemy.insert(TABLES[table]), rows)
        counts = {table: len(rows) for table, rows in self._rows.items()}
        self._rows.clear()
        return counts


@cache
def _columns(type_name: str) -> Mapping[str, str]:
    """Return the column of each stored attribute of *type_name*; a column stands for itself."""
    type_ = MODEL.types[type_name]
    columns = {column.name: column.name for column in TABLES[type_.table].columns}
    for property_ in type_.properties.values():
        if isinstance(property_, (Scalar, Reference)) and property_.column is not None:
            columns[property_.name] = property_.column
    return columns


@cache
def _blank(type_name: str) -> Mapping[str, Any]:
    """Return a row of *type_name* of which nothing is known but the type."""
    type_ = MODEL.types[type_name]
    row: dict[str, Any] = {column.name: None for column in TABLES[type_.table].columns}
    for property_ in type_.properties.values():
        default = property_.facets.get("default")
        if isinstance(property_, Scalar) and property_.column and default not in (None, "{uid}"):
            stored = default if property_.type != "variable" else json.dumps(default)
            row[property_.column] = stored
    row.update(type_.classifier)
    return row
