"""Custom attributes: values that fit their configuration, and links between entities."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Optional

from ftrack_like.sandbox.actions.batch import Batch, Change, Existence, Hooks
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.actions.values import moment, shown
from ftrack_like.sandbox.errors import NotFoundError, ValidationError
from ftrack_like.sandbox.query.custom_attributes import IN_HIERARCHY
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import EntityType, Scalar

__all__ = ["HOOKS", "set_value"]

#: The entity type for each ``entity_type`` of a configuration.
_FAMILIES = {
    "asset": "Asset",
    "assetversion": "AssetVersion",
    "list": "List",
    "listobject": "ListObject",
    "show": "Context",
    "task": "Context",
    "user": "User",
}


# Values


def set_value(
    batch: Batch, type_: EntityType, key: Mapping[str, Any], data: Mapping[str, Any]
) -> dict[str, Any]:
    """Store the value in *data* for the configuration and entity of *key*; return its row.

    The row also contains the ``key`` of the configuration. Raise :exc:`NotFoundError` if there is
    no such configuration. Raise :exc:`ValidationError` if the value has the wrong type, or if the
    configuration does not apply to the entity.
    """
    configuration = batch.store.get("custom_attribute_configuration", (key["configuration_id"],))
    if configuration is None or configuration["kind"] != "value":
        raise NotFoundError(
            f"There is no custom attribute configuration {key['configuration_id']!r}."
        )
    unknown = [name for name in data if name not in type_.properties and name != "__entity_type__"]
    if unknown:
        raise ValidationError(f"No attribute {unknown[0]!r} exists for {type_.name}.")
    _check_owner(batch, type_, configuration, key["entity_id"])
    if "value" in data:
        _store(batch, type_, key, _to_columns(batch, configuration, data["value"]))
    return {**key, "key": configuration["key"]}


def _store(
    batch: Batch, type_: EntityType, key: Mapping[str, Any], columns: Mapping[str, Any]
) -> None:
    table = "custom_attribute_value"
    row = batch.store.get(table, (key["configuration_id"], key["entity_id"]))
    if row is None:
        row = batch.store.insert(table, {**key, **columns})
        old: dict[str, Any] = {"text": None, "number": None}
    else:
        old = {name: row[name] for name in columns}
        batch.store.update(table, row, columns)
    if old != dict(columns):
        names = (key["configuration_id"], key["entity_id"])
        batch.changes.append(Change("update", type_.name, names, row, old))


def _check_owner(batch: Batch, type_: EntityType, configuration: Row, entity_id: str) -> None:
    """Raise :exc:`ValidationError` if *configuration* does not apply to the entity.

    An entity that does not exist yet must exist at the end of the batch.
    """
    for name in _families(type_, configuration):
        family = MODEL.types[name]
        owner = batch.store.get(family.table, (entity_id,))
        if owner is not None:
            break
    if owner is None:
        wanted = Existence(family.name, "id", entity_id)
        batch.refer(wanted, f"'entity_id' of {type_.name}")
    elif not _applies(configuration, family, owner):
        raise ValidationError(
            f"The custom attribute {configuration['key']!r} is not for this "
            f"{batch.model.type_of_row(family.name, owner).name}: it is for "
            f"{configuration['entity_type']!r}{_scope(configuration)}."
        )


def _families(type_: EntityType, configuration: Row) -> tuple[str, ...]:
    """Return the families that the owner of a value may belong to, the usual one last."""
    entity_id = type_.properties["entity_id"]
    assert isinstance(entity_id, Scalar)
    if entity_id.references is not None:
        return (entity_id.references[0],)
    if configuration["is_hierarchical"]:
        return IN_HIERARCHY[::-1]
    return (_FAMILIES.get(configuration["entity_type"] or "", "Context"),)


def _applies(configuration: Row, family: EntityType, owner: Row) -> bool:
    if family.name == "Context":
        of_type = configuration["entity_type"] == owner["context_type"]
        of_type = of_type or bool(configuration["is_hierarchical"])
    else:
        of_type = _FAMILIES.get(configuration["entity_type"] or "") == family.name
        of_type = of_type or (
            family.name in IN_HIERARCHY and bool(configuration["is_hierarchical"])
        )
    object_type_id = configuration["object_type_id"] or None
    project_id = configuration["project_id"] or None
    # The project of a new entity may not be known yet.
    return (
        of_type
        and object_type_id in {None, owner.get("object_type_id")}
        and (project_id is None or owner.get("project_id") in {None, project_id})
    )


def _scope(configuration: Row) -> str:
    names = ("object_type_id", "project_id")
    said = [f"{name} {configuration[name]!r}" for name in names if configuration[name]]
    return f" with {' and '.join(said)}" if said else ""


# Columns of a value


def _to_columns(batch: Batch, configuration: Row, value: Any) -> dict[str, Any]:
    """Return the columns ``text`` and ``number`` for *value* of *configuration*."""
    empty: dict[str, Any] = {"text": None, "number": None}
    if value is None:
        return empty
    type_name = _type_name(batch, configuration)
    column, wanted, read = _READERS.get(type_name, _READERS["text"])
    try:
        return {**empty, column: read(value)}
    except (TypeError, ValueError):
        raise ValidationError(
            f"The custom attribute {configuration['key']!r} is of the type {type_name} and takes "
            f"{wanted}, not {shown(value)} ({type(value).__name__})."
        ) from None


def _type_name(batch: Batch, configuration: Row) -> str:
    type_id = configuration["type_id"]
    row = batch.store.get("custom_attribute_type", (type_id,)) if type_id is not None else None
    return (row["name"] if row is not None else None) or "text"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    value.encode("utf-8")  # half of a surrogate pair raises UnicodeEncodeError, a ValueError
    return value


def _choice(value: Any) -> str:
    """Return the chosen item, or a list of items as JSON text."""
    if isinstance(value, list):
        return json.dumps([_text(item) for item in value])
    return _text(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("no number")
    return float(value)


def _boolean(value: Any) -> float:
    if not isinstance(value, bool):
        raise TypeError("no truth value")
    return float(value)


#: By the name of a custom attribute type: the column, the accepted values, the reader.
_READERS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "boolean": ("number", "true or false", _boolean),
    "date": ("text", "a time such as 2023-10-10T09:50:34", moment),
    "dynamic enumerator": ("text", "a text, or a list of texts", _choice),
    "enumerator": ("text", "a text, or a list of texts", _choice),
    "expression": ("text", "a text", _text),
    "number": ("number", "a number", _number),
    "text": ("text", "a text", _text),
}


# Links


def _creating_link(batch: Batch, type_: EntityType, row: Row) -> None:
    """Set the families at both ends of the new link, as its configuration defines them."""
    configuration = batch.store.get(
        "custom_attribute_configuration", (row.get("configuration_id"),)
    )
    if configuration is None or configuration["kind"] != "link":
        return
    for end, said in (("from", "entity_type"), ("to", "entity_type_to")):
        family = _family_of(configuration[said])
        column = f"{end}_entity_type"
        if family is not None and column not in type_.classifier:
            row[column] = family


def _family_of(entity_type: Optional[str]) -> Optional[str]:
    """Return the family of *entity_type*, in any spelling of configurations."""
    words = {**_FAMILIES, "component": "Component", "group": "Group"}
    return words.get((entity_type or "").replace("_", "").lower())


def _kept_family(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    for column in ("from_entity_type", "to_entity_type"):
        changes.pop(column, None)


HOOKS: dict[str, tuple[Hooks, ...]] = {
    name: (Hooks(creating=_creating_link, changing=_kept_family),)
    for name in ("CustomAttributeLink", "CustomAttributeLinkFrom")
}
