"""The bodies of webhooks: one event for each entity that a batch created or updated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ftrack_like.sandbox.actions.batch import Batch, Change
from ftrack_like.sandbox.actions.store import Key, Row
from ftrack_like.sandbox.schema.model import EntityType, Model, Scalar
from ftrack_like.sandbox.tables.values import wire_converter

__all__ = [
    "CONFIGURATION_HASH",
    "FEZ_ID",
    "EntityEvent",
    "direct_attributes",
    "entity_events",
    "metadata_of",
]

#: The name of the format, as sites send it.
FEZ_ID = "ftrack_entity_event_v1"

#: The name of the hash among the metadata.
CONFIGURATION_HASH = "configuration_hash"

#: Tables whose rows contain credentials of users, or addresses and headers of webhooks.
_SECRET = frozenset({"action", "api_key", "automation", "trigger", "user_session"})

#: Attributes that the recorded rows of contexts do not have.
_NOT_RECORDED = frozenset({"created_at", "created_by_id", "thumbnail_source_id"})

_VALUES = "custom_attribute_value"


@dataclass
class _Edit:
    """All changes of a batch to one entity. *before* maps changed columns to their old values."""

    type: EntityType
    key: Key
    operation: str
    row: Row
    before: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EntityEvent:
    """An entity that a batch created or updated. *row* has the values by column after the batch.

    *entity* is the value of the same name in the body.
    """

    type: EntityType
    key: Key
    row: Row
    entity: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """Return the event in words: ``update of Task 11c1…``."""
        key = ",".join(map(str, self.key))
        return f"{self.entity['operation']} of {self.type.name} {key}"

    def body(self, event_id: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of the webhook."""
        return {
            "id": event_id,
            "fez_id": FEZ_ID,
            "metadata": metadata,
            "entity": self.entity,
        }


def metadata_of(batch: Batch, moment: datetime) -> dict[str, Any]:
    """Return the metadata of the events of *batch*, without a hash; *moment* is in UTC."""
    return {
        "date": moment.isoformat(timespec="microseconds"),
        "resource_id": batch.user_id,
        "server_url": batch.context.public_url,
        CONFIGURATION_HASH: None,
    }


def entity_events(changes: Sequence[Change], model: Model) -> Iterator[EntityEvent]:
    """Yield an event for each entity that *changes* create or update.

    An entity that is deleted in the end has no event. An update that ends with the old values has
    none either.
    """
    names: dict[str, Mapping[str, Scalar]] = {}
    for edit in _merge(changes, model):
        type_ = edit.type
        if type_.name not in names:
            names[type_.name] = direct_attributes(type_)
        attributes = names[type_.name]
        new = _values(type_, attributes, edit.row)
        old: dict[str, Any] = {}
        if edit.operation == "update":
            old = _values(type_, attributes, {**edit.row, **edit.before})
            if old == new:
                continue
        entity = {
            "id": list(edit.key),
            "entity_type": type_.name,
            "operation": edit.operation,
            "new": new,
            "old": old,
        }
        yield EntityEvent(type_, edit.key, edit.row, entity)


def direct_attributes(type_: EntityType) -> dict[str, Scalar]:
    """Return the attributes that webhooks send for *type_*: neither relations nor computed ones."""
    left_out = _NOT_RECORDED if "TypedContext" in (type_.name, *type_.bases) else frozenset()
    return {
        name: one
        for name, one in type_.properties.items()
        if isinstance(one, Scalar) and one.column is not None and name not in left_out
    }


def _merge(changes: Sequence[Change], model: Model) -> Iterator[_Edit]:
    edits: dict[tuple[str, Key], _Edit] = {}
    for change in changes:
        type_ = model.types[change.entity_type]
        if type_.table in _SECRET or type_.read_only:
            continue
        place = (type_.table, change.key)
        if change.action == "remove":
            edits.pop(place, None)
        elif change.action == "add":
            edits[place] = _Edit(type_, change.key, "create", change.row)
        else:
            edit = edits.setdefault(place, _Edit(type_, change.key, "update", change.row))
            edit.row = change.row
            for column, value in change.old.items():
                edit.before.setdefault(column, value)
    yield from edits.values()


def _values(
    type_: EntityType, attributes: Mapping[str, Scalar], row: Mapping[str, Any]
) -> dict[str, Any]:
    values = {name: _value(one, row.get(str(one.column))) for name, one in attributes.items()}
    if type_.table == _VALUES:  # the value is in one of two columns, so it counts as computed
        text = row.get("text")
        values["value"] = row.get("number") if text is None else text
    return values


def _value(scalar: Scalar, stored: Any) -> Any:
    """Return *stored* as JSON; times are plain texts in UTC."""
    if scalar.format in {"date-time", "date"}:
        return stored
    convert = wire_converter(scalar)
    return stored if convert is None else convert(stored)
