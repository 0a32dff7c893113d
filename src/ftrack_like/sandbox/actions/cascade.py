"""Deleting: what goes along, what is merely cut off, and what stands in the way.

Who points at whom follows from the schema. A row that belongs to the deleted one goes along;
a row that cannot be without it forbids the deletion; any other row loses the pointer. Rows are
treated by the table-full, so that a project of any size goes by as few statements as its
relations and levels.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrack_like.sandbox.actions.batch import Batch, Change
from ftrack_like.sandbox.actions.rows import change_row, concrete_type
from ftrack_like.sandbox.actions.store import Row, chunks, key_columns, key_of
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

__all__ = ["delete_rows", "is_gone"]

#: Tables whose rows are what a studio works on: what they own goes with them.
_OWNERS = {
    "asset",
    "asset_version",
    "automation",
    "calendar_event",
    "component",
    "context",
    "conversation",
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

#: Columns that may be empty, whose rows belong to what they point at all the same.
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

#: Columns that must have a value as long as what they point at exists, and no longer.
_FREE = {
    ("calendar_event", "created_by_id"),
    ("calendar_event_resource", "created_by_id"),
    ("conversation", "created_by_id"),
    ("message", "created_by_id"),
    ("review_session", "created_by_id"),
    ("review_session_invitee", "created_by_id"),
}

#: Columns whose rows forbid that what they point at goes, though they need not have a value.
_HELD = {("component_location", "location_id")}


@dataclass(frozen=True)
class _Pointer:
    """Rows of *type_* point with *column* at the *target_column* of a table's rows.

    *kind* says what becomes of them: ``owned``, ``held`` or ``free``.
    """

    type_: EntityType
    column: str
    target_column: str
    kind: str


@dataclass(frozen=True)
class _Links:
    """Rows of *table*, which no type stands for, point with *column* at *target_column*."""

    table: str
    column: str
    target_column: str


def delete_rows(batch: Batch, type_: EntityType, rows: Sequence[Row]) -> None:
    """Delete *rows* of the table of *type_*, with all that belongs to them.

    Raise :exc:`IntegrityError` if something that stays cannot be without them.
    """
    rows = [row for row in rows if batch.store.get(type_.table, key_of(type_.table, row))]
    if not rows:
        return
    going = batch.going
    keys = {(type_.table, key_of(type_.table, row)) for row in rows}
    rows = [row for row in rows if (type_.table, key_of(type_.table, row)) not in going]
    going.update(keys)
    for hooks in batch.hooks_of(type_):
        if hooks.deleting is not None:
            hooks.deleting(batch, rows)
    for pointer in _pointers(type_.table):
        for found in _pointing(batch, pointer, rows):
            _treat(batch, pointer, found)
    for links in _links(type_.table):
        for values in chunks(list({row[links.target_column] for row in rows})):
            batch.store.delete_where(links.table, **{links.column: list(values)})
    _remove(batch, type_, rows)


def is_gone(batch: Batch, type_: EntityType, columns: Mapping[str, Any]) -> bool:
    """Return whether *batch* has deleted the row of *type_* with the key *columns*."""
    key = tuple([columns[name] for name in key_columns(type_.table)])
    return (type_.table, key) in batch.going


def _remove(batch: Batch, type_: EntityType, rows: Sequence[Row]) -> None:
    for row in rows:
        concrete = concrete_type(batch, type_, row)
        batch.changes.append(Change("remove", concrete.name, key_of(type_.table, row), row))
    batch.store.delete(type_.table, *rows)


def _pointing(batch: Batch, pointer: _Pointer, rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield the rows that *pointer* finds for *rows*, some at a time."""
    values = {row[pointer.target_column] for row in rows if row[pointer.target_column] is not None}
    for some in chunks(list(values)):
        found = batch.store.find(pointer.type_.table, **{pointer.column: list(some)})
        table = pointer.type_.table
        found = [row for row in found if (table, key_of(table, row)) not in batch.going]
        if found:
            yield found


def _treat(batch: Batch, pointer: _Pointer, rows: list[Row]) -> None:
    if pointer.kind == "owned":
        delete_rows(batch, pointer.type_, rows)
    elif pointer.kind == "held":
        raise IntegrityError(
            f"It is still in use: {pointer.column!r} of {len(rows)} {pointer.type_.name} "
            f"points at it. Change or delete those first."
        )
    else:
        for row in rows:
            concrete = concrete_type(batch, pointer.type_, row)
            change_row(batch, concrete, row, {pointer.column: None})


# What the schema says


@functools.cache
def _pointers(table: str) -> tuple[_Pointer, ...]:
    """Return what may point at rows of *table*, what belongs to them first.

    What goes along neither forbids the deletion nor needs its pointers emptied.
    """
    found: dict[tuple[str, str], _Pointer] = {}
    for type_ in MODEL.types.values():
        for column, target, target_column in _columns_pointing(type_):
            where = (type_.table, column)
            if MODEL.types[target].table == table and where not in found:
                kind = _kind(table, type_, column)
                found[where] = _Pointer(_widest(type_), column, target_column, kind)
    order = ("owned", "held", "free")
    return tuple(sorted(found.values(), key=lambda pointer: order.index(pointer.kind)))


@functools.cache
def _links(table: str) -> tuple[_Links, ...]:
    """Return the tables that merely link rows of *table* with others."""
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
    """Yield (column of *type_*'s table, target type, target column) for what it points at."""
    for one in type_.properties.values():
        if isinstance(one, Reference) and one.column is not None:
            yield one.column, one.target, one.target_column
        elif isinstance(one, Scalar) and one.column is not None and one.references is not None:
            target = MODEL.types[one.references[0]].properties.get(one.references[1])
            if isinstance(target, Scalar) and target.column is not None:
                yield one.column, one.references[0], target.column
    for owner in MODEL.types.values():
        for collection in owner.properties.values():
            how = getattr(collection, "how", None)
            if isinstance(how, OneToMany) and _table_of_members(collection) == type_.table:
                yield how.column, owner.name, how.own_column
            elif isinstance(how, ManyToMany) and how.table == type_.table:
                yield how.own, owner.name, how.own_column


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
    """Return the type that all rows of the table of *type_* are of."""
    same = [MODEL.types[name] for name in type_.bases if MODEL.types[name].table == type_.table]
    return same[-1] if same else type_
