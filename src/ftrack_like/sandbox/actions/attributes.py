"""Parse the keys, references and attributes of an operation into columns and collections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftrack_like._base.words import with_article
from ftrack_like.sandbox.actions.batch import Batch, Existence, Operation, new_id
from ftrack_like.sandbox.actions.store import Key, Row, key_columns
from ftrack_like.sandbox.actions.values import shown, to_stored, to_wire
from ftrack_like.sandbox.errors import NotFoundError, UnknownNameError, ValidationError
from ftrack_like.sandbox.language import did_you_mean
from ftrack_like.sandbox.schema.model import Collection, EntityType, Property, Reference, Scalar

__all__ = [
    "SentAttributes",
    "answer_record",
    "columns_of_key",
    "defaults",
    "expect_key",
    "find_row",
    "read_attributes",
    "read_entity_data",
    "read_key",
    "read_reference",
]


@dataclass
class SentAttributes:
    """The attributes that a client sent for one entity.

    *columns* are the values by column. *collections* are pairs of a collection and its new members.
    *names* maps each attribute to its column (empty for a collection), in the order of the request.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    collections: list[tuple[Collection, list[Any]]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


# Keys


def read_key(type_: EntityType, operation: Operation) -> dict[str, Any]:
    """Return the key in *operation* by column; empty if the operation has none.

    ``entity_key`` is a list in the order of the type's primary key. A single value is allowed too.
    Raise :exc:`ValidationError` if the list does not match the primary key.
    """
    key = operation.get("entity_key")
    if key is None:
        return {}
    values = list(key.values()) if isinstance(key, Mapping) else key
    if not isinstance(values, list):
        values = [values]
    if len(values) != len(type_.primary_key):
        wanted = ", ".join(type_.primary_key)
        raise ValidationError(
            f"The key of {with_article(type_.name)} is [{wanted}]; {shown(key)} does not fit it."
        )
    return columns_of_key(type_, dict(zip(type_.primary_key, values)))


def columns_of_key(type_: EntityType, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the primary key in *values* (by attribute) as a mapping by column.

    Raise :exc:`ValidationError` if a part of the key is missing.
    """
    columns = {}
    for name in type_.primary_key:
        property_ = type_.properties[name]
        assert isinstance(property_, Scalar)
        assert property_.column is not None
        if values.get(name) is None:
            raise ValidationError(f"The key of {with_article(type_.name)} lacks {name!r}.")
        columns[property_.column] = to_stored(type_.name, property_, values[name])
    return columns


def table_key(type_: EntityType, columns: Mapping[str, Any]) -> Key:
    """Return the key of the row with *columns* in the table of *type_*."""
    return tuple([columns[name] for name in key_columns(type_.table)])


def find_row(batch: Batch, type_: EntityType, columns: Mapping[str, Any]) -> Row:
    """Return the row of *type_* with the key *columns*, or raise :exc:`NotFoundError`."""
    row = batch.store.get(type_.table, table_key(type_, columns))
    if row is None or not fits(batch, type_, row):
        raise NotFoundError(f"There is no {type_.name} with the key {list(columns.values())}.")
    return row


def fits(batch: Batch, type_: EntityType, row: Row) -> bool:
    """Return whether *row* is a *type_*; several types can share its table."""
    alternatives = batch.model.alternatives(type_.name)
    return not alternatives or any(
        all(row[column] == value for column, value in one.items()) for one in alternatives
    )


def read_reference(batch: Batch, value: Any, where: str) -> tuple[EntityType, dict[str, Any]]:
    """Return the type and the key by column of the reference *value*.

    *where* names the attribute in errors. Raise :exc:`ValidationError` if *value* is not a
    reference.
    """
    if not isinstance(value, Mapping) or "__entity_type__" not in value:
        # Programs look for these words.
        known = "Cannot set relationship to string value: " if isinstance(value, str) else ""
        # No braces: the published client formats the text of an error again.
        raise ValidationError(
            f'{known}{where} must be a reference with "__entity_type__" and the key, '
            f"not {shown(value)}."
        )
    type_ = batch.entity_type(value["__entity_type__"])
    return type_, columns_of_key(type_, value)


# Data


def read_entity_data(operation: Operation) -> Mapping[str, Any]:
    """Return the ``entity_data`` of *operation*; raise :exc:`ValidationError` if not a mapping."""
    data = operation.get("entity_data", {})
    if not isinstance(data, Mapping):
        raise ValidationError(f"entity_data must be a mapping, not {shown(data)}.")
    return data


def read_attributes(batch: Batch, type_: EntityType, data: Mapping[str, Any]) -> SentAttributes:
    """Return the attributes in *data*, sent for an entity of *type_*.

    Raise :exc:`ValidationError` for an attribute that the type lacks or that the server computes,
    and for a value of the wrong type.
    """
    attributes = SentAttributes()
    for name, value in data.items():
        if name == "__entity_type__":
            continue
        property_ = type_.properties.get(name)
        if property_ is None:
            raise _unknown_attribute(type_, name)
        _READERS[type(property_)](batch, type_, property_, value, attributes)
    return attributes


def defaults(type_: EntityType) -> dict[str, Any]:
    """Return the default values of a new entity of *type_*, by column."""
    columns = {}
    for property_ in type_.properties.values():
        if isinstance(property_, Scalar) and property_.column and "default" in property_.facets:
            value = property_.facets["default"]
            columns[property_.column] = (
                new_id() if value == "{uid}" else to_stored(type_.name, property_, value)
            )
    columns.update(type_.classifier)
    return columns


def answer_record(
    type_: EntityType, row: Row, data: Mapping[str, Any], shown: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the answer to a create or update: key, default projections, and *data* as sent.

    *shown* names further attributes to answer.
    """
    record = {"__entity_type__": type_.name}
    names = (*type_.primary_key, *type_.default_projections, *type_.system_projections, *shown)
    for name in names:
        property_ = _by_name_or_alias(type_, name)
        if property_ is not None and property_.column is not None:
            record[property_.name] = to_wire(property_, row[property_.column])
    record.update(data)
    record["__entity_type__"] = type_.name
    return record


def expect_key(batch: Batch, type_: EntityType, columns: Mapping[str, Any]) -> None:
    """Require that the entities in the key *columns* of a new *type_* exist when the batch ends."""
    for name in type_.primary_key:
        property_ = type_.properties[name]
        assert isinstance(property_, Scalar)
        assert property_.column is not None
        if property_.column in columns and property_.column != "id":
            _expect(batch, type_, property_, columns[property_.column])


def _expect(batch: Batch, type_: EntityType, property_: Scalar, stored: Any) -> None:
    """Require that the entity that *property_* refers to by *stored* exists when the batch ends."""
    if property_.references is None or stored is None:
        return
    owner, target_name = property_.references
    target = batch.model.types.get(owner)
    column = getattr(target.properties.get(target_name), "column", None) if target else None
    if target is not None and column is not None:
        wanted = Existence(target.name, column, stored)
        batch.refer(wanted, f"{property_.name!r} of {type_.name}")


# Readers, one for each class of property


def _read_scalar(
    batch: Batch, type_: EntityType, property_: Scalar, value: Any, attributes: SentAttributes
) -> None:
    if property_.column is None:
        raise _computed_attribute(type_, property_.name)
    stored = to_stored(type_.name, property_, value)
    attributes.columns[property_.column] = stored
    attributes.names[property_.name] = property_.column
    _expect(batch, type_, property_, stored)


def _read_reference(
    batch: Batch, type_: EntityType, property_: Reference, value: Any, attributes: SentAttributes
) -> None:
    if property_.column is None:
        raise _computed_attribute(type_, property_.name)
    attributes.names[property_.name] = property_.column
    if value is None:
        attributes.columns[property_.column] = None
        return
    where = f"Attribute {property_.name!r} of {type_.name}"
    found, key = read_reference(batch, value, where)
    target = batch.model.types[property_.target]
    if found.table != target.table:
        raise ValidationError(
            f"{where} must be {with_article(target.name)}, not {with_article(found.name)}."
        )
    attributes.columns[property_.column] = key[property_.target_column]
    attributes.columns.update({own: key[other] for other, own in property_.also.items()})
    wanted = Existence(target.name, property_.target_column, key[property_.target_column])
    batch.refer(wanted, f"{property_.name!r} of {type_.name}")


def _read_collection(
    batch: Batch, type_: EntityType, property_: Collection, value: Any, attributes: SentAttributes
) -> None:
    if value is None:
        value = []
    if not isinstance(value, list):
        raise ValidationError(
            f"Attribute {property_.name!r} of {type_.name} must be a list of references, "
            f"not {shown(value)}."
        )
    attributes.names[property_.name] = ""
    attributes.collections.append((property_, value))


_READERS: dict[type[Property], Callable[..., None]] = {
    Scalar: _read_scalar,
    Reference: _read_reference,
    Collection: _read_collection,
}


def _by_name_or_alias(type_: EntityType, name: str) -> Any:
    """Return the scalar attribute with the name or alias *name*, None if there is none."""
    property_ = type_.properties.get(name)
    if property_ is not None:
        return property_ if isinstance(property_, Scalar) else None
    for one in type_.properties.values():
        if isinstance(one, Scalar) and one.alias == name:
            return one
    return None


def _unknown_attribute(type_: EntityType, name: str) -> ValidationError:
    near = did_you_mean(name, type_.properties)
    return ValidationError(f"No attribute {name!r} exists for {type_.name}.{near}")


def _computed_attribute(type_: EntityType, name: str) -> ValidationError:
    return ValidationError(
        f"Attribute {name!r} of {type_.name} is computed by the server and cannot be set."
    )


def required_key(operation: Operation, name: str) -> Any:
    """Return the value of *name* in *operation*, or raise :exc:`UnknownNameError`."""
    if name not in operation:
        raise UnknownNameError(f"The operation {operation.get('action')!r} needs {name!r}.")
    return operation[name]
