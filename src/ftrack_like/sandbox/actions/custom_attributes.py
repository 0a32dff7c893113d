"""Custom attributes: values that fit their configuration, and links between entities."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like._base.words import with_article
from ftrack_like.sandbox.actions.batch import Batch, Change, Existence, Hooks
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.actions.value_types import to_columns, to_default, usual_config
from ftrack_like.sandbox.actions.values import shown
from ftrack_like.sandbox.errors import DuplicateEntryError, NotFoundError, ValidationError
from ftrack_like.sandbox.query.custom_attributes import IN_HIERARCHY
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import EntityType, Scalar

__all__ = ["HOOKS", "create_value", "set_value"]

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
        columns = to_columns(
            _type_name(batch, configuration),
            configuration["config"],
            configuration["key"],
            data["value"],
        )
        _store(batch, type_, key, columns)
    return {**key, "key": configuration["key"]}


def create_value(
    batch: Batch, type_: EntityType, key: Mapping[str, Any], data: Mapping[str, Any]
) -> dict[str, Any]:
    """Store a value as :func:`set_value` does, for an entity that has only the default so far.

    Raise :exc:`DuplicateEntryError` if a value is stored already.
    """
    if batch.store.get("custom_attribute_value", (key["configuration_id"], key["entity_id"])):
        raise DuplicateEntryError(
            f"DuplicateEntry: there is already {with_article(type_.name)} with the key "
            f"{list(key.values())}. Update it instead."
        )
    return set_value(batch, type_, key, {"value": None, **data})


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


# Configurations

#: The possible ``entity_type`` of a configuration for values.
_ENTITY_TYPES = tuple(sorted(_FAMILIES))

_KEY = re.compile(r"[a-z0-9_]+")


def _creating_configuration(batch: Batch, type_: EntityType, row: Row) -> None:
    """Complete the new configuration *row* for values, or refuse it."""
    _check_configuration(row)
    type_name = _type_name(batch, row)
    if not row.get("config"):
        row["config"] = usual_config(type_name)
    row["default_value"] = _default_value(batch, row)


def _created_configuration(batch: Batch, type_: EntityType, row: Row) -> None:
    """Require the attributes that a site needs, although its schema does not require them."""
    for name in ("key", "label", "entity_type"):
        if row[name] is None:
            batch.emptied.append((type_, row, name, name))


def _changing_configuration(
    batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]
) -> None:
    new = {**row, **changes}
    _check_configuration(new)
    if changes.get("project_id") and row["project_id"] is None:
        raise ValidationError(
            f"The custom attribute {row['key']!r} is for all projects: 'project_id' can be set "
            "only when the configuration is created. It can be cleared later."
        )
    if changes.keys() & {"default_value", "type_id"}:
        changes["default_value"] = _default_value(batch, new)


def _check_configuration(row: Mapping[str, Any]) -> None:
    """Raise :exc:`ValidationError` if the key or the entity type of a configuration is invalid."""
    key, entity_type = row.get("key"), row.get("entity_type")
    if key is not None and not _KEY.fullmatch(key):
        raise ValidationError(
            f"Attribute 'key' of CustomAttributeConfiguration cannot be {shown(key)}: a key "
            "contains only the letters a-z, digits and underscores."
        )
    if entity_type is not None and entity_type not in _FAMILIES:
        wanted = ", ".join(map(repr, _ENTITY_TYPES))
        raise ValidationError(
            f"Attribute 'entity_type' of CustomAttributeConfiguration cannot be "
            f"{shown(entity_type)}; it is one of {wanted}."
        )


def _default_value(batch: Batch, row: Mapping[str, Any]) -> Optional[str]:
    """Return the default of the configuration *row* as JSON text, in the form of its type."""
    sent = row.get("default_value")
    value = None if sent is None else json.loads(sent)
    default = to_default(
        _type_name(batch, row), row.get("config"), str(row.get("key")), _plain(value)
    )
    return None if default is None else json.dumps(default)


def _plain(value: Any) -> Any:
    """Return *value*, or the text of a date."""
    is_date = isinstance(value, dict) and value.get("__type__") in {"date", "datetime"}
    return value["value"] if is_date else value


def _type_name(batch: Batch, configuration: Mapping[str, Any]) -> str:
    type_id = configuration.get("type_id")
    row = batch.store.get("custom_attribute_type", (type_id,)) if type_id is not None else None
    return (row["name"] if row is not None else None) or "text"


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


def _created_link_configuration(batch: Batch, type_: EntityType, row: Row) -> None:
    """Require the object type at the end of links to contexts, as a site does since 4.8."""
    if row["entity_type_to"] == "task" and row["object_type_id_to"] is None:
        batch.emptied.append((type_, row, "object_type_id_to", "object_type_id_to"))


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
HOOKS["CustomAttributeConfiguration"] = (
    Hooks(
        creating=_creating_configuration,
        created=_created_configuration,
        changing=_changing_configuration,
    ),
)
HOOKS["CustomAttributeLinkConfiguration"] = (Hooks(created=_created_link_configuration),)
