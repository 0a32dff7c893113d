"""The parents of entities in events, up to the project."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Protocol

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.model import known_model
from ftrack_like.sandbox.access.places import PLACES
from ftrack_like.sandbox.actions.batch import Change
from ftrack_like.sandbox.actions.store import Store
from ftrack_like.sandbox.schema import general_type, stock_type
from ftrack_like.sandbox.schema.model import EntityType, Model
from ftrack_like.sandbox.schema.server_names import server_type
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["Find", "Finder", "Row", "lineage", "owner_of"]

Row = Mapping[str, Any]


class Find(Protocol):
    """Finds rows, and knows the *model* of the site."""

    model: Model

    def __call__(self, table: str, column: str, value: Any) -> Optional[Row]:
        """Return the row of *table* with *value* in *column*, or None."""


#: The parents of a row that users see, by table: own column, table. The first one with a value
#: counts. `PLACES` says it for the other tables.
_PARENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "context": (("parent_id", "context"),),
    "asset": (("context_id", "context"),),
    "asset_version": (("asset_id", "asset"),),
    "component": (("version_id", "asset_version"), ("container_id", "component")),
    "note": (("in_reply_to_id", "note"),),
    "timelog": (("context_id", "context"),),
    "typed_context_link": (("to_id", "context"),),
}
#: Tables whose rows may belong to several types of entities, by `parent_id`.
_ANY_PARENT = frozenset({"note", "metadata"})
#: The tables of the entities to which such a row, or a custom attribute, may belong.
_OWNERS = (
    "context",
    "asset_version",
    "asset",
    "note",
    "list",
    "resource",
    "component",
    "list_object",
    "review_session_object",
    "review_session",
)

_Found = Optional[tuple[EntityType, Row]]


def lineage(type_: EntityType, row: Row, find: Find) -> list[dict[str, Any]]:
    """Return the entity itself and its parents, up to the project."""
    found = []
    seen: set[tuple[str, Any]] = set()
    current: _Found = (type_, row)
    while current is not None:
        type_, row = current
        identifier = row.get(type_.primary_key[0])
        if (type_.table, identifier) in seen:
            break
        seen.add((type_.table, identifier))
        current = _parent_of(type_, row, find)
        found.append(_entry(type_, identifier, current))
        if type_.table == "user_security_role_project":
            user = _user_of(row, find)
            found += [] if user is None else [_entry(stock_type("User"), user["id"], None)]
    return found


def owner_of(entity_id: Any, find: Find) -> _Found:
    """Return the type and the row of the entity *entity_id*, of any type that may own rows."""
    if entity_id is None:
        return None
    for table in _OWNERS:
        found = _row_in(table, entity_id, find)
        if found is not None:
            return found
    return None


def _entry(type_: EntityType, identifier: Any, parent: _Found) -> dict[str, Any]:
    return {
        "entityId": identifier,
        "entityType": server_type(type_.name),
        "entity_type": type_.name,
        "parentId": None if parent is None else parent[1].get("id"),
    }


def _parent_of(type_: EntityType, row: Row, find: Find) -> _Found:
    """Return the parent of *row*: the one that users see, or else what decides who sees it."""
    if type_.name == "Project":
        return None
    if type_.table in _ANY_PARENT:
        found = owner_of(row.get("parent_id"), find)
        if found is not None:
            return found
    for column, table in _PARENTS.get(type_.table, ()):
        found = _row_in(table, row.get(column), find)
        if found is not None:
            return found
    return _place_of(type_, row, find)


def _place_of(type_: EntityType, row: Row, find: Find) -> _Found:
    place = PLACES.get(type_.table)
    if place is None:
        return None
    for column, table in place.through:
        found = _row_in(table, row.get(column), find)
        if found is not None:
            return found
    for column in place.anything:
        found = owner_of(row.get(column), find)
        if found is not None:
            return found
    return _row_in("context", row.get(place.project), find) if place.project else None


def _row_in(table: str, identifier: Any, find: Find) -> _Found:
    row = None if identifier is None else find(table, "id", identifier)
    return None if row is None else (find.model.type_of_row(general_type(table), row), row)


def _user_of(row: Row, find: Find) -> Optional[Row]:
    """Return the user whose role *row* applies to a project."""
    role = find("user_security_role", "id", row.get("user_security_role_id"))
    return None if role is None else find("resource", "id", role.get("user_id"))


class Finder:
    """Finds rows, each once: first among those of a transaction, then in the database."""

    def __init__(
        self, connection: Connection, changes: Iterable[Change], store: Optional[Store] = None
    ) -> None:
        """Initialise with the *changes* of a transaction, and the *connection* to read others.

        *store* holds the rows that the transaction read.
        """
        self.model: Model = known_model(connection)
        self._connection = connection
        self._store = store
        self._rows: dict[tuple[str, Any], Optional[Row]] = {}
        for change in changes:
            table = stock_type(change.entity_type).table
            if len(change.key) == 1:
                self._rows[table, change.key[0]] = change.row

    def __call__(self, table: str, column: str, value: Any) -> Optional[Row]:
        """Return the row of *table* with *value* in *column*, None if there is none."""
        if (table, value) not in self._rows:
            self._rows[table, value] = self._read(table, column, value)
        return self._rows[table, value]

    def _read(self, table: str, column: str, value: Any) -> Optional[Row]:
        known = self._store.known(table, (value,)) if self._store and column == "id" else None
        if known is not None:
            return known
        statement = _by_column(table, column)
        found = self._connection.execute(statement, {"value": value}).mappings().first()
        return None if found is None else dict(found)


@functools.cache
def _by_column(table: str, column: str) -> sqlalchemy.Select[Any]:
    columns = TABLES[table].c
    return (
        sqlalchemy.select(TABLES[table])
        .where(columns[column] == sqlalchemy.bindparam("value"))
        .limit(1)
    )
