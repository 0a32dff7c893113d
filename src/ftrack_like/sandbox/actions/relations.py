"""Replace the members of a collection by changing the rows on the other side of the relation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ftrack_like.sandbox.actions.attributes import read_reference, table_key
from ftrack_like.sandbox.actions.batch import Batch, Change, Existence, new_id
from ftrack_like.sandbox.actions.cascade import delete_rows
from ftrack_like.sandbox.actions.permissions import check_later, require, seen_rows
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


@dataclass(frozen=True)
class _NewMembers:
    """The *members*, by key, that replace those of *property_* of *row*, a *type_*."""

    batch: Batch
    type_: EntityType
    row: Row
    property_: Collection
    members: Mapping[Key, EntityType]

    def refer(self, target: EntityType, value: Any) -> None:
        """Let the batch end only if a *target* with the id *value* exists then."""
        column = self.batch.model.types[self.property_.target].properties["id"]
        assert isinstance(column, Scalar)
        assert column.column is not None
        wanted = Existence(target.name, column.column, value)
        self.batch.refer(wanted, f"{self.property_.name!r} of {self.type_.name}")

    def kept_by_server(self) -> ValidationError:
        """Return the error that clients cannot set the collection."""
        return ValidationError(
            f"Attribute {self.property_.name!r} of {self.type_.name} is kept by the server "
            "and cannot be set."
        )


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
            raise ValidationError(
                f"{where} contains {target.name}, not {member_type.name}.{_advice(target.name)}"
            )
        members[table_key(member_type, columns)] = member_type
    _SETTERS[type(property_.how)](_NewMembers(batch, type_, row, property_, members))


def _advice(member: str) -> str:
    """Return how a client creates a *member*, if people often pass another entity in its place."""
    if member != "Appointment":
        return ""
    return (
        " To assign a user to a task: session.create('Appointment', "
        "dict(context=task, resource=user, type='assignment'))."
    )


def _set_one_to_many(new: _NewMembers) -> None:
    batch, row, how = new.batch, new.row, new.property_.how
    assert isinstance(how, OneToMany)
    target = batch.model.types[new.property_.target]
    held = batch.store.find(target.table, **{how.column: row[how.own_column]}, **how.where)
    leaving = [one for one in held if key_of(target.table, one) not in new.members]
    # A client cannot want to remove members that its user does not see.
    leaving = seen_rows(batch, target.table, leaving)
    _let_go(batch, target, how, leaving)
    batch.store.prefetch(target.table, new.members)
    for key, member_type in new.members.items():
        join = functools.partial(_join, batch, member_type, key, how, row)
        if not join():
            batch.settle_later(join)
            if len(key) == 1:
                new.refer(member_type, key[0])


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
    check_later(batch, "update", type_, row)


def _set_many_to_many(new: _NewMembers) -> None:
    batch, row, how = new.batch, new.row, new.property_.how
    assert isinstance(how, ManyToMany)
    if how.read_only:
        raise new.kept_by_server()
    own = row[how.own_column]
    links = batch.store.find(how.table, how.unless, **{how.own: own}, **how.where)
    linked = {link[how.other] for link in links}
    wanted = {key[0]: member for key, member in new.members.items()}
    link_type = _type_of(how.table)
    leaving = [link for link in links if link[how.other] not in wanted]
    leaving = seen_rows(batch, how.table, leaving)
    held = list(linked - {link[how.other] for link in leaving})
    for link in leaving:
        if link_type is not None:
            require(batch, "delete", link_type, link)
            _note_link("remove", batch, link_type, link)
        batch.store.delete(how.table, link)
    for value, member_type in wanted.items():
        if value not in linked:
            values = {how.own: own, how.other: value, **how.where}
            if "id" in column_names(how.table):
                values["id"] = new_id()
            link = batch.store.insert(how.table, values)
            if link_type is not None:
                check_later(batch, "create", link_type, link)
                _note_link("add", batch, link_type, link)
            new.refer(member_type, value)
            held.append(value)
    _note_members(new, sorted(linked), sorted(held))


def _note_link(action: str, batch: Batch, link_type: EntityType, link: Row) -> None:
    """Record that *link*, an entity such as a ListObject, was added or removed."""
    concrete = concrete_type(batch, link_type, link)
    key = key_of(link_type.table, link)
    batch.changes.append(Change(action, concrete.name, key, link))


def _note_members(new: _NewMembers, before: list[Any], after: list[Any]) -> None:
    """Record that the ids of *new* changed from *before* to *after*."""
    if before != after:
        members = {new.property_.alias: (before, after)}
        concrete = concrete_type(new.batch, new.type_, new.row)
        key = key_of(new.type_.table, new.row)
        new.batch.changes.append(Change("update", concrete.name, key, new.row, members=members))


@functools.cache
def _type_of(table: str) -> Optional[EntityType]:
    """Return the type of the links in *table*, None if the links are not entities."""
    return next((one for one in MODEL.types.values() if one.table == table), None)


def _set_derived(new: _NewMembers) -> None:
    # Ignore the list: clients send it together with the values themselves, and the configurations
    # decide which values an entity has.
    if new.property_.key_value is None:
        raise new.kept_by_server()


_SETTERS: Mapping[type, Callable[[_NewMembers], None]] = {
    OneToMany: _set_one_to_many,
    ManyToMany: _set_many_to_many,
    Derived: _set_derived,
}
