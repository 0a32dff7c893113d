"""Replace the members of a collection by changing the rows on the other side of the relation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Optional

from ftrack_like.sandbox.actions.attributes import read_reference, table_key
from ftrack_like.sandbox.actions.batch import Batch, Change, Existence, new_id
from ftrack_like.sandbox.actions.cascade import delete_rows
from ftrack_like.sandbox.actions.permissions import claim, require, seen_rows
from ftrack_like.sandbox.actions.rows import change_row, concrete_type
from ftrack_like.sandbox.actions.store import Key, Row, column_names, key_of
from ftrack_like.sandbox.errors import ValidationError
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import (
    Collection,
    Derived,
    EntityType,
    ManyToMany,
    OneToMany,
    Scalar,
)

__all__ = ["set_collection"]


def set_collection(
    batch: Batch, type_: EntityType, row: Row, property_: Collection, value: Sequence[Any]
) -> None:
    """Make the references in *value* the members of *property_* of *row*, a *type_*.

    A later operation of the batch may create members that do not exist yet. Raise
    :exc:`ValidationError` if *value* contains anything but references to the collection's type.
    """
    where = f"Attribute {property_.name!r} of {type_.name}"
    target = batch.model.types[property_.target]
    members = {}
    for index, item in enumerate(value):
        member_type, columns = read_reference(batch, item, f"{where}, item {index},")
        if member_type.table != target.table:
            raise ValidationError(f"{where} contains {target.name}, not {member_type.name}.")
        members[table_key(member_type, columns)] = member_type
    _SETTERS[type(property_.how)](batch, type_, row, property_, members)


def _set_one_to_many(
    batch: Batch,
    type_: EntityType,
    row: Row,
    property_: Collection,
    members: dict[Key, EntityType],
) -> None:
    how = property_.how
    assert isinstance(how, OneToMany)
    target = batch.model.types[property_.target]
    held = batch.store.find(target.table, **{how.column: row[how.own_column]}, **how.where)
    leaving = [one for one in held if key_of(target.table, one) not in members]
    # A client cannot want to remove members that its user does not see.
    leaving = seen_rows(batch, target.table, leaving)
    _let_go(batch, target, how, leaving)
    batch.store.prefetch(target.table, members)
    for key, member_type in members.items():
        if not _join(batch, member_type, key, how, row):
            _join_later(batch, type_, property_, member_type, key, row)


def _let_go(batch: Batch, target: EntityType, how: OneToMany, rows: list[Row]) -> None:
    """Remove *rows* from their owner; delete them if they cannot exist without one."""
    if not rows:
        return
    if _needs(target, how.column):
        for row in rows:
            require(batch, "delete", concrete_type(batch, target, row), row)
        delete_rows(batch, target, rows)
        return
    for row in rows:
        _change(batch, concrete_type(batch, target, row), row, {how.column: None})


def _needs(type_: EntityType, column: str) -> bool:
    """Return whether entities of *type_* must have a value in *column*."""
    return any(
        isinstance(one, Scalar) and one.column == column
        for one in map(type_.properties.get, (*type_.required, *type_.primary_key))
    )


def _join(batch: Batch, type_: EntityType, key: Key, how: OneToMany, owner: Row) -> bool:
    """Make the member with *key* a member of *owner*; return False if it does not exist yet."""
    row = batch.store.get(type_.table, key)
    if row is None:
        return False
    values = {how.column: owner[how.own_column], **how.where}
    _change(batch, concrete_type(batch, type_, row), row, values)
    return True


def _change(batch: Batch, type_: EntityType, row: Row, values: dict[str, Any]) -> None:
    """Set *values* on the member *row*; raise an error if the user may not change it."""
    if all(row[name] == value for name, value in values.items()):
        return
    require(batch, "update", type_, row)
    change_row(batch, type_, row, values)
    claim(batch, "update", type_, row)


def _join_later(
    batch: Batch,
    type_: EntityType,
    property_: Collection,
    member_type: EntityType,
    key: Key,
    row: Row,
) -> None:
    how = property_.how
    assert isinstance(how, OneToMany)
    batch.settle_later(lambda: _join(batch, member_type, key, how, row))
    if len(key) == 1:
        _must_exist(batch, type_, property_, member_type, key[0])


def _must_exist(
    batch: Batch, type_: EntityType, property_: Collection, target: EntityType, value: Any
) -> None:
    column = batch.model.types[property_.target].properties["id"]
    assert isinstance(column, Scalar)
    assert column.column is not None
    wanted = Existence(target.name, column.column, value)
    batch.refer(wanted, f"{property_.name!r} of {type_.name}")


def _set_many_to_many(
    batch: Batch,
    type_: EntityType,
    row: Row,
    property_: Collection,
    members: dict[Key, EntityType],
) -> None:
    how = property_.how
    assert isinstance(how, ManyToMany)
    if how.read_only:
        raise _kept_by_server(type_, property_)
    own = row[how.own_column]
    links = batch.store.find(how.table, how.unless, **{how.own: own}, **how.where)
    linked = {link[how.other] for link in links}
    wanted = {key[0]: member for key, member in members.items()}
    link_type = _type_of(how.table)
    leaving = [link for link in links if link[how.other] not in wanted]
    leaving = seen_rows(batch, how.table, leaving)
    held = list(linked - {link[how.other] for link in leaving})
    for link in leaving:
        if link_type is not None:
            require(batch, "delete", link_type, link)
        batch.store.delete(how.table, link)
    for value, member_type in wanted.items():
        if value not in linked:
            values = {how.own: own, how.other: value, **how.where}
            if "id" in column_names(how.table):
                values["id"] = new_id()
            link = batch.store.insert(how.table, values)
            if link_type is not None:
                claim(batch, "create", link_type, link)
            _must_exist(batch, type_, property_, member_type, value)
            held.append(value)
    _tell_members(batch, type_, row, property_, sorted(linked), sorted(held))


def _tell_members(
    batch: Batch,
    type_: EntityType,
    row: Row,
    property_: Collection,
    before: list[Any],
    after: list[Any],
) -> None:
    """Record that the ids in *property_* of *row* changed from *before* to *after*."""
    if before != after:
        members = {property_.alias: (before, after)}
        concrete = concrete_type(batch, type_, row)
        key = key_of(type_.table, row)
        batch.changes.append(Change("update", concrete.name, key, row, members=members))


@functools.cache
def _type_of(table: str) -> Optional[EntityType]:
    """Return the type of the links in *table*, None if the links are not entities."""
    return next((one for one in MODEL.types.values() if one.table == table), None)


def _set_derived(
    batch: Batch,
    type_: EntityType,
    row: Row,
    property_: Collection,
    members: dict[Key, EntityType],
) -> None:
    # Ignore the list: clients send it together with the values themselves, and the configurations
    # decide which values an entity has.
    if property_.key_value is None:
        raise _kept_by_server(type_, property_)


_SETTERS: dict[type, Callable[[Batch, EntityType, Row, Collection, dict[Key, EntityType]], None]]
_SETTERS = {
    OneToMany: _set_one_to_many,
    ManyToMany: _set_many_to_many,
    Derived: _set_derived,
}


def _kept_by_server(type_: EntityType, property_: Collection) -> ValidationError:
    return ValidationError(
        f"Attribute {property_.name!r} of {type_.name} is kept by the server and cannot be set."
    )
