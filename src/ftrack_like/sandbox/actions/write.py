"""The actions ``create``, ``update`` and ``delete``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ftrack_like.sandbox.actions.attributes import (
    SentAttributes,
    answer_record,
    columns_of_key,
    defaults,
    expect_key,
    find_row,
    read_attributes,
    read_entity_data,
    read_key,
    required_key,
)
from ftrack_like.sandbox.actions.batch import Batch, Operation
from ftrack_like.sandbox.actions.cascade import delete_rows, is_gone
from ftrack_like.sandbox.actions.checks import required_columns
from ftrack_like.sandbox.actions.custom_attributes import create_value, set_value
from ftrack_like.sandbox.actions.permissions import (
    check_later,
    require,
    require_seen,
    require_value,
)
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.actions.relations import set_collection
from ftrack_like.sandbox.actions.rows import change_row, concrete_type, make_row
from ftrack_like.sandbox.actions.store import Row, key_of
from ftrack_like.sandbox.errors import ValidationError
from ftrack_like.sandbox.schema.model import EntityType

__all__ = ["ACTIONS", "create"]

#: Attributes that the answer to a creation contains besides those that every answer contains.
_SHOWN_WHEN_CREATED: Mapping[str, Sequence[str]] = {
    "User": (
        "is_active",
        "is_otp_enabled",
        "is_totp_enabled",
        "require_details_update",
        "user_type_id",
    ),
}


def create(operation: Operation, batch: Batch) -> Any:
    """Create the entity that *operation* describes."""
    type_ = _writable_type(operation, batch)
    data = read_entity_data(operation)
    if type_.table == "custom_attribute_value":
        return _create_value(operation, batch, type_, data)
    attributes = read_attributes(batch, type_, data)
    values = defaults(type_)
    values.update(_without_refilled(type_, values, attributes))
    key = read_key(type_, operation)
    values.update(key)
    expect_key(batch, type_, key)
    _refuse_other_kind(type_, values)
    concrete = batch.model.type_of_row(type_.name, values)
    _refuse_unclear_kind(batch, concrete)
    require_seen(batch)
    row = make_row(batch, concrete, values)
    check_later(batch, "create", concrete, row)
    for property_, members in attributes.collections:
        set_collection(batch, type_, row, property_, members)
    shown = _SHOWN_WHEN_CREATED.get(concrete.name, ())
    return _answer("create", batch, type_, row, data, shown)


def _without_refilled(
    type_: EntityType, usual: Mapping[str, Any], attributes: SentAttributes
) -> dict[str, Any]:
    """Return the sent columns without nulls for required attributes that have a default.

    *usual* are the defaults of *type_*. Programs send null for an attribute that the server is to
    fill.
    """
    required = {column for _, column in required_columns(type_)}
    return {
        column: value
        for column, value in attributes.columns.items()
        if value is not None or column not in required or usual.get(column) is None
    }


def _create_value(
    operation: Operation, batch: Batch, type_: EntityType, data: Mapping[str, Any]
) -> Any:
    """Create the value of a custom attribute. Only the base type of the values allows it."""
    if type_.name != "CustomAttributeValue":
        raise ValidationError(
            f"A {type_.name} cannot be created: update it with the key "
            f"[{', '.join(type_.primary_key)}], or create a CustomAttributeValue."
        )
    if "configuration" in data:
        reference = type_.properties["configuration"]
        sent = read_attributes(batch, type_, {reference.name: data[reference.name]})
        data = {**data, **sent.columns}
    key = _needed_key(type_, operation, data)
    require_value(batch, type_, key)
    row = create_value(batch, type_, key, data)
    return _answer("create", batch, type_, row, {"key": row["key"], **data})


def update(operation: Operation, batch: Batch) -> Any:
    """Change the entity that *operation* names."""
    type_ = _writable_type(operation, batch)
    data = read_entity_data(operation)
    key = _needed_key(type_, operation, data)
    if type_.table == "custom_attribute_value":
        require_value(batch, type_, key)
        row = set_value(batch, type_, key, data)
        return _answer("update", batch, type_, row, {"key": row["key"], **data})
    row = find_row(batch, type_, key)
    concrete = concrete_type(batch, type_, row)
    batch.is_about(concrete.table, key_of(concrete.table, row))
    attributes = read_attributes(batch, concrete, data)
    require(batch, "update", concrete, row, attributes.names)
    require_seen(batch)
    _refuse_by_action(concrete)
    _refuse_fixed(concrete, row, attributes)
    change_row(batch, concrete, row, attributes.columns)
    check_later(batch, "update", concrete, row, attributes.names)
    _note_emptied(batch, concrete, row, attributes)
    for property_, members in attributes.collections:
        set_collection(batch, concrete, row, property_, members)
    return _answer("update", batch, type_, row, data)


def delete(operation: Operation, batch: Batch) -> Any:
    """Delete the entity that *operation* names, and the rows that belong to it."""
    return delete_all([operation], batch)[0]


def delete_all(operations: Sequence[Operation], batch: Batch) -> list[Any]:
    """Delete the entities that *operations* name; return a result for each.

    The operations are consecutive in *batch*, and the first one is running. The rows are deleted
    together at the end, by type: a statement that looks for dependants costs the same for one row
    and for hundreds.
    """
    first = batch.running
    rows: dict[str, list[Row]] = {}
    for number, operation in enumerate(operations):
        if first is not None:
            batch.running = first + number
        type_ = _writable_type(operation, batch)
        row = _row_to_delete(operation, batch, type_)
        if row is not None:
            key = (type_.table, key_of(type_.table, row))
            batch.origins[key] = batch.running
            batch.doomed.add(key)
            rows.setdefault(type_.name, []).append(row)
    for name, of_type in rows.items():
        delete_rows(batch, batch.model.types[name], of_type)
    return [{"action": "delete", "data": True} for _ in operations]


def _row_to_delete(operation: Operation, batch: Batch, type_: EntityType) -> Optional[Row]:
    """Return the row that *operation* names, None if there is nothing left to delete."""
    key = _needed_key(type_, operation, read_entity_data(operation))
    if type_.table == "custom_attribute_value":
        require_value(batch, type_, key)
        if not batch.store.find(type_.table, **key):
            return None  # it has its default value, which has no row
    # A new list of members, or the deletion of the owner, may have deleted the row already.
    if is_gone(batch, type_, key):
        return None
    row = find_row(batch, type_, key)
    require(batch, "delete", concrete_type(batch, type_, row), row)
    return row


def _writable_type(operation: Operation, batch: Batch) -> EntityType:
    type_ = batch.entity_type(required_key(operation, "entity_type"))
    if type_.read_only:
        raise ValidationError(f"{type_.name} is kept by the server; clients can only read it.")
    return type_


def _needed_key(type_: EntityType, operation: Operation, data: Mapping[str, Any]) -> dict[str, Any]:
    key = read_key(type_, operation)
    return key or columns_of_key(type_, data)


def _refuse_other_kind(type_: EntityType, values: Mapping[str, Any]) -> None:
    """Raise :exc:`ValidationError` if *values* turn the entity into another type."""
    for column, wanted in type_.classifier.items():
        if values[column] != wanted:
            raise ValidationError(
                f"A {type_.name} has {wanted!r} as {column!r}; it cannot be {values[column]!r}."
            )


def _refuse_unclear_kind(batch: Batch, type_: EntityType) -> None:
    """Raise :exc:`ValidationError` if the type of a new entity is too general.

    A component without a kind is a file. Contexts of object types whose names cannot be those of
    entity types have the general type ``TypedContext``.
    """
    if not type_.concrete and type_.name not in {"Component", "TypedContext"}:
        names = ", ".join(one.name for one in batch.model.subtypes(type_.name))
        raise ValidationError(f"A {type_.name} cannot be created; create one of {names}.")


def _note_emptied(batch: Batch, type_: EntityType, row: Row, attributes: SentAttributes) -> None:
    """Record required attributes that are null now; a later operation may set them."""
    for name, column in required_columns(type_):
        if column in attributes.columns and attributes.columns[column] is None:
            batch.emptied.append((type_, row, name, column))


def _refuse_by_action(type_: EntityType) -> None:
    """Raise :exc:`ValidationError` if only special actions change a *type_*, as since 4.2."""
    if type_.name == "UserSecurityRole":
        raise ValidationError(
            "A UserSecurityRole cannot be updated. Use the actions update_user_security_role, "
            "grant_user_security_role_project and revoke_user_security_role_project."
        )


def _refuse_fixed(type_: EntityType, row: Row, attributes: SentAttributes) -> None:
    """Raise :exc:`ValidationError` if *attributes* change an immutable attribute."""
    for name, column in attributes.names.items():
        # A collection has no column.
        if name in type_.immutable and not (column and attributes.columns[column] == row[column]):
            raise ValidationError(f"Attribute {name!r} of {type_.name} cannot be changed.")


def _answer(
    action: str,
    batch: Batch,
    type_: EntityType,
    row: Row,
    data: Mapping[str, Any],
    shown: Sequence[str] = (),
) -> dict[str, Any]:
    """Return an answer that the batch completes at its end, with the values that the server set.

    *shown* names further attributes to answer.
    """
    record: dict[str, Any] = {}
    batch.answer_later(lambda: record.update(answer_record(type_, row, data, shown)))
    return {"action": action, "data": record}


ACTIONS = (
    ApiAction("create", create),
    ApiAction("delete", delete, run_together=delete_all),
    ApiAction("update", update),
)
