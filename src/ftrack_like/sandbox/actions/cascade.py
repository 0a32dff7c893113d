"""Deletion of rows: dependants are deleted too, lose their reference, or forbid the deletion.

The schema says which rows point at which. A row that belongs to the deleted row is *owned*: it is
deleted too. A row that needs the deleted row, but does not belong to it, is *held*: it forbids the
deletion. Any other row is *free*: it only loses its reference. A few rows keep the id of the
deleted row.

Rows in the same table are handled together, so the number of statements depends on the number of
relations and levels, and not on the size of the project.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, Select, exists, literal_column, select, union_all

from ftrack_like.sandbox.actions.batch import Batch, Change
from ftrack_like.sandbox.actions.rows import change_row, concrete_type
from ftrack_like.sandbox.actions.store import Row, key_columns, key_of, one_of_keys
from ftrack_like.sandbox.database.sql import Expression, keys_table, rarely
from ftrack_like.sandbox.errors import IntegrityError
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import (
    Collection,
    EntityType,
    ManyToMany,
    OneToMany,
    Property,
    Reference,
    Scalar,
)
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["delete_rows", "is_gone"]

#: Tables of the entities that people work on. Rows that require such an entity belong to it.
_OWNERS = {
    "action",
    "asset",
    "asset_version",
    "automation",
    "calendar_event",
    "component",
    "context",
    "dashboard",
    "job",
    "list",
    "note",
    "resource",
    "review_session",
    "review_session_invitee",
    "review_session_object",
    "status_rule_group",
    "task_template",
    "user_security_role",
}

#: Optional columns whose rows belong to the row that they point at.
_OWNED = {
    ("action", "automation_id"),
    ("api_key", "resource_id"),
    ("asset", "context_id"),
    ("asset_version", "asset_id"),
    ("calendar_event", "project_id"),
    ("component", "container_id"),
    ("component", "version_id"),
    ("component_location", "component_id"),
    ("context", "parent_id"),
    ("context", "project_id"),
    ("custom_attribute_configuration", "project_id"),
    ("custom_attribute_link", "configuration_id"),
    ("custom_attribute_link", "from_id"),
    ("custom_attribute_link", "to_id"),
    ("custom_attribute_value", "configuration_id"),
    ("event", "project_id"),
    ("manager", "context_id"),
    ("manager", "user_id"),
    ("note", "in_reply_to_id"),
    ("note", "parent_id"),
    ("note", "project_id"),
    ("review_session_folder", "project_id"),
    ("review_session_object_annotation", "review_session_object_id"),
    ("review_session_object_status", "review_session_object_id"),
    ("status_change", "parent_id"),
    ("timelog", "context_id"),
    ("timelog", "user_id"),
    ("timer", "context_id"),
    ("timer", "user_id"),
    ("trigger", "automation_id"),
    ("user_security_role", "user_id"),
    ("user_security_role_project", "project_id"),
    ("user_security_role_project", "user_security_role_id"),
    ("user_session", "user_id"),
}

#: Required columns that become null when the row that they point at is deleted.
_FREE = {
    ("calendar_event", "created_by_id"),
    ("calendar_event_resource", "created_by_id"),
    ("review_session", "created_by_id"),
    ("review_session_invitee", "created_by_id"),
}

#: Tables, and the columns of other tables that keep the id of a deleted row of the table. The notes
#: of a review stay when its objects are gone.
_KEPT = {("review_session_object", "note", "parent_id")}

#: Optional columns whose rows forbid the deletion of the row that they point at.
_HELD = {("component_location", "location_id")}


@dataclass(frozen=True)
class _Pointer:
    """Rows of *type_* that point with *column* at the *target_column* of a table's rows.

    *kind* is ``owned``, ``held`` or ``free`` (see the module).
    """

    type_: EntityType
    column: str
    target_column: str
    kind: str


@dataclass(frozen=True)
class _Links:
    """Rows of *table*, which has no entity type, that point with *column* at *target_column*."""

    table: str
    column: str
    target_column: str


def delete_rows(batch: Batch, type_: EntityType, rows: Sequence[Row]) -> None:
    """Delete *rows* of the table of *type_*, and the rows that belong to them.

    Raise :exc:`IntegrityError` if a remaining row needs one of the deleted rows.
    """
    table = type_.table
    rows = _not_going(batch, table, rows)
    if not rows:
        return
    for hooks in batch.hooks_of(type_):
        if hooks.deleting is not None:
            hooks.deleting(batch, rows)
    pointers, links = _pointers(table), _links(table)
    used = _used(batch, table, rows)
    for number, pointer in enumerate(pointers):
        if number in used:
            found = _pointing(batch, pointer, rows)
            if found:
                _treat(batch, table, pointer, rows, found)
    for number, link in enumerate(links, len(pointers)):
        if number in used:
            values = list({row[link.target_column] for row in rows})
            batch.store.delete_pointing(link.table, link.column, values)
    _remove(batch, type_, rows)


def _not_going(batch: Batch, table: str, rows: Sequence[Row]) -> list[Row]:
    """Return the *rows* that *batch* has not deleted yet, each once; mark them as deleted."""
    left = []
    for row in rows:
        key = (table, key_of(table, row))
        if key not in batch.going and batch.store.get(*key) is not None:
            batch.going.add(key)
            left.append(row)
    return left


def is_gone(batch: Batch, type_: EntityType, columns: Mapping[str, Any]) -> bool:
    """Return whether *batch* has deleted the row of *type_* with the key *columns*."""
    key = tuple([columns[name] for name in key_columns(type_.table)])
    return (type_.table, key) in batch.going


def _remove(batch: Batch, type_: EntityType, rows: Sequence[Row]) -> None:
    for row in rows:
        concrete = concrete_type(batch, type_, row)
        batch.changes.append(Change("remove", concrete.name, key_of(type_.table, row), row))
    batch.store.delete(type_.table, *rows)


def _pointing(batch: Batch, pointer: _Pointer, rows: Sequence[Row]) -> list[Row]:
    """Return the rows that point at *rows* through *pointer*, except rows deleted anyway."""
    table = pointer.type_.table
    values = {row[pointer.target_column] for row in rows} - {None}
    found = batch.store.find_pointing(table, pointer.column, list(values))
    keys = [(table, key_of(table, row)) for row in found]
    # A row that an operation deletes explicitly is deleted in the turn of that operation.
    return [
        row for row, key in zip(found, keys) if key not in batch.going and key not in batch.doomed
    ]


def _treat(
    batch: Batch, table: str, pointer: _Pointer, targets: Sequence[Row], rows: list[Row]
) -> None:
    """Delete or cut off *rows*, or refuse; through *pointer* they point at *targets* of *table*."""
    if pointer.kind == "free":
        for row in rows:
            concrete = concrete_type(batch, pointer.type_, row)
            change_row(batch, concrete, row, {pointer.column: None})
        return
    origins = {
        row[pointer.target_column]: batch.origins.get((table, key_of(table, row)))
        for row in targets
    }
    if pointer.kind == "held":
        target = rows[0][pointer.column]
        count = sum(row[pointer.column] == target for row in rows)
        error = IntegrityError(
            f"The entity is still in use: {pointer.column!r} of {count} {pointer.type_.name} "
            f"points at it. Change or delete them first."
        )
        raise batch.blame(error, origins[target])
    # An error at a deeper level belongs to the operation that began this deletion.
    owned = pointer.type_.table
    for row in rows:
        batch.origins[(owned, key_of(owned, row))] = origins[row[pointer.column]]
    delete_rows(batch, pointer.type_, rows)


# References to the rows


def _used(batch: Batch, table: str, rows: Sequence[Row]) -> set[int]:
    """Return the numbers of the pointers and links to *table* that lead to any of *rows*.

    Most tables that could point at a row do not. One statement that probes all of these tables
    costs a tenth of the thirty statements that look for the rows themselves.
    """
    if not _pointers(table) and not _links(table):
        return set()
    statement, columns = _probe(table, batch.store.connection.dialect.name == "sqlite")
    parameters = {
        f"values_{column}": [row[column] for row in rows if row[column] is not None]
        for column in columns
    }
    return set(batch.store.execute(statement, parameters).scalars())


@functools.cache
def _probe(table: str, sqlite: bool) -> tuple[Any, frozenset[str]]:
    """Return the statement of :func:`_used`, and the columns whose values it needs.

    SQLite would make a sorted copy of the values for each table that it searches, which takes ten
    times as long as the search.
    """
    pointing = [(one.type_.table, one.column, one.target_column) for one in _pointers(table)]
    pointing += [(one.table, one.column, one.target_column) for one in _links(table)]
    columns = frozenset(column for _, _, column in pointing)
    given = {column: keys_table(f"values_{column}") for column in columns if sqlite}
    parts: list[Select[Any]] = [
        select(literal_column(str(number))).where(_leads_somewhere(*one, given))
        for number, one in enumerate(pointing)
    ]
    return union_all(*parts), columns


def _leads_somewhere(
    table: str, column: str, target_column: str, given: Mapping[str, CTE]
) -> Expression:
    """Return the condition that a row of *table* has one of the *given* values in *column*."""
    own = TABLES[table].c[column]
    values = given.get(target_column)
    if values is None:
        match = one_of_keys(own, f"values_{target_column}")
        return exists().select_from(TABLES[table]).where(match)
    return exists().select_from(values, TABLES[table]).where(rarely(own == values.c.value))


# The relations of the schema


@functools.cache
def _pointers(table: str) -> tuple[_Pointer, ...]:
    """Return the pointers to rows of *table*, the owned ones first.

    Owned rows are deleted before the other pointers are examined: a deleted row neither forbids the
    deletion nor needs to lose its reference.
    """
    found: dict[tuple[str, str], _Pointer] = {}
    for type_ in MODEL.types.values():
        for column, target, target_column in _columns_pointing(type_):
            where = (type_.table, column)
            if (table, *where) in _KEPT:
                continue
            if MODEL.types[target].table == table and where not in found:
                kind = _kind(table, type_, column)
                found[where] = _Pointer(_widest(type_), column, target_column, kind)
    order = ("owned", "held", "free")
    return tuple(sorted(found.values(), key=lambda pointer: order.index(pointer.kind)))


@functools.cache
def _links(table: str) -> tuple[_Links, ...]:
    """Return the tables that only link rows of *table* with other rows."""
    own_tables = {type_.table for type_ in MODEL.types.values()}
    found: dict[_Links, None] = {}
    if table == "resource":
        found[_Links("user_api_key", "user_id", "id")] = None
    for type_ in MODEL.types.values():
        for one in type_.properties.values():
            if not isinstance(one, Collection) or not isinstance(one.how, ManyToMany):
                continue
            how = one.how
            if how.table in own_tables:
                continue
            if type_.table == table and how.own_column == "id":
                found[_Links(how.table, how.own, "id")] = None
            if MODEL.types[one.target].table == table:
                found[_Links(how.table, how.other, "id")] = None
    return tuple(found)


def _columns_pointing(type_: EntityType) -> Iterator[tuple[str, str, str]]:
    """Yield (column of *type_*'s table, target type, target column) for each reference."""
    for one in type_.properties.values():
        if isinstance(one, Reference) and one.column is not None:
            yield one.column, one.target, one.target_column
        elif isinstance(one, Scalar) and one.column is not None and one.references is not None:
            target = MODEL.types[one.references[0]].properties.get(one.references[1])
            if isinstance(target, Scalar) and target.column is not None:
                yield one.column, one.references[0], target.column
    yield from _columns_of_collections().get(type_.table, ())


@functools.cache
def _columns_of_collections() -> Mapping[str, list[tuple[str, str, str]]]:
    """Return (column, type, column of that type) of the members of all collections, by table."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for owner in MODEL.types.values():
        for collection in owner.properties.values():
            how = getattr(collection, "how", None)
            if isinstance(how, OneToMany):
                pointing = how.column, owner.name, how.own_column
                found.setdefault(_table_of_members(collection), []).append(pointing)
            elif isinstance(how, ManyToMany):
                found.setdefault(how.table, []).append((how.own, owner.name, how.own_column))
    return found


def _table_of_members(collection: Property) -> str:
    assert isinstance(collection, Collection)
    return MODEL.types[collection.target].table


def _kind(table: str, type_: EntityType, column: str) -> str:
    where = (type_.table, column)
    if where in _HELD:
        return "held"
    if where in _FREE:
        return "free"
    if where in _OWNED or column in key_columns(type_.table):
        return "owned"
    if _is_required(type_.table, column):
        return "owned" if table in _OWNERS else "held"
    return "free"


def _is_required(table: str, column: str) -> bool:
    return any(
        isinstance(one, Scalar) and one.column == column
        for type_ in MODEL.types.values()
        if type_.table == table
        for one in map(type_.properties.get, type_.required)
    )


def _widest(type_: EntityType) -> EntityType:
    """Return the most general type of the table of *type_*; it covers all rows."""
    same = [MODEL.types[name] for name in type_.bases if MODEL.types[name].table == type_.table]
    return same[-1] if same else type_
