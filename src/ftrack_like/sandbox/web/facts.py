"""Collect the facts that a page shows about an entity of any type.

Tables list the attributes to show. An entity shows those that its type has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Optional

from ftrack_like.sandbox.schema import MODEL, stock_type
from ftrack_like.sandbox.schema.model import Collection, EntityType, Reference
from ftrack_like.sandbox.web.pages import person_name
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = ["Portrait", "duration", "portray"]

_PERSON = ("first_name", "last_name", "username")

#: The label and the attribute of each fact. A dotted path follows references.
_FACTS: Sequence[tuple[str, str]] = (
    ("Full name", "full_name"),
    ("Kind", "object_type.name"),
    ("Type", "type.name"),
    ("Priority", "priority.name"),
    ("Description", "description"),
    ("Comment", "comment"),
    ("Text", "content"),
    ("Asset", "asset.name"),
    ("Version", "version"),
    ("Task", "task.name"),
    ("Start", "start_date"),
    ("End", "end_date"),
    ("Bid", "bid"),
    ("Time logged", "time_logged"),
    ("Project schema", "project_schema.name"),
    ("User name", "username"),
    ("Mail", "email"),
    ("File type", "file_type"),
    ("Size", "size"),
    ("Date", "date"),
    ("Created", "created_at"),
)

#: The label and the attribute of each reference to a person.
_PEOPLE: Sequence[tuple[str, str]] = (
    ("Author", "author"),
    ("By", "user"),
    ("Created by", "created_by"),
)

_DURATIONS = {"bid", "time_logged"}


@dataclass(frozen=True)
class Portrait:
    """An entity to show.

    *facts* are pairs of label and value, *fields* pairs of custom attribute key and value. *link*
    is the entity's ``link`` from the project down.
    """

    type_name: str
    id: str
    title: str
    status: Optional[Record]
    thumbnail_id: Optional[str]
    link: Sequence[Mapping[str, str]]
    facts: Sequence[tuple[str, Any]]
    fields: Sequence[tuple[str, Any]]


def portray(reader: PageReader, type_name: str, key: Sequence[Any]) -> Optional[Portrait]:
    """Return the facts of the entity of *type_name* with the primary *key*.

    Return None if it does not exist.
    """
    type_ = stock_type(type_name)
    facts = [(label, path) for label, path in _FACTS if _leads_somewhere(type_, path)]
    people = [(label, name) for label, name in _PEOPLE if _is_person(type_, name)]
    record = reader.one(_expression(type_, key, facts, people))
    if record is None:
        return None
    found = [(label, _value(record, path)) for label, path in facts]
    found += [(label, person_name(record[name])) for label, name in people if record.get(name)]
    assigned = [person_name(one["resource"]) for one in record.get("assignments", ())]
    found.append(("Assigned to", ", ".join(assigned)))
    return Portrait(
        record["__entity_type__"],
        ", ".join(str(part) for part in key),
        _title(record, type_name),
        record.get("status") if _leads_somewhere(type_, "status.color") else None,
        record.get("thumbnail_id"),
        record.get("link") or (),
        [(label, value) for label, value in found if value not in (None, "")],
        _fields(record),
    )


def duration(seconds: float) -> str:
    """Return *seconds* of work as text in hours."""
    hours = seconds / 3600
    return f"{hours:g} h" if hours < 1000 else f"{hours:,.0f} h"


def _expression(
    type_: EntityType,
    key: Sequence[Any],
    facts: Sequence[tuple[str, str]],
    people: Sequence[tuple[str, str]],
) -> str:
    wanted = [path for _, path in facts]
    wanted += [f"{name}.{part}" for _, name in people for part in _PERSON]
    for path in ("name", "link", "thumbnail_id", "status.name", "status.color", *_PERSON):
        if _leads_somewhere(type_, path):
            wanted.append(path)
    if isinstance(type_.properties.get("assignments"), Collection):
        wanted += [f"assignments.resource.{part}" for part in _PERSON]
    if "custom_attributes" in type_.properties:
        wanted += ["custom_attributes.key", "custom_attributes.value"]
    conditions = " and ".join(
        f"{name} is {quoted(str(value))}" for name, value in zip(type_.primary_key, key)
    )
    names = ", ".join(wanted or type_.primary_key)
    return f"select {names} from {type_.name} where {conditions}"


def _leads_somewhere(type_: EntityType, path: str) -> bool:
    """Return whether *path* leads from *type_* over references to a scalar."""
    name, _, rest = path.partition(".")
    property_ = type_.properties.get(name)
    if not rest:
        return property_ is not None and not isinstance(property_, (Reference, Collection))
    return isinstance(property_, Reference) and _leads_somewhere(
        MODEL.types[property_.target], rest
    )


def _is_person(type_: EntityType, name: str) -> bool:
    property_ = type_.properties.get(name)
    return isinstance(property_, Reference) and property_.target in {"BaseUser", "User"}


def _title(record: Record, type_name: str) -> str:
    link = record.get("link")
    steps = [step["name"] for step in link if step.get("name")] if isinstance(link, list) else []
    person = person_name(record) if type_name in {"User", "Collaborator"} else ""
    name = record.get("full_name") or record.get("name")
    return person or name or (steps[-1] if steps else "") or type_name


def _value(record: Record, path: str) -> Any:
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if path in _DURATIONS:
        return duration(value) if value else None
    return _readable(value)


def _fields(record: Record) -> list[tuple[str, Any]]:
    """Return the custom attributes that have a value, sorted by key."""
    fields = [(one["key"], _readable(one["value"])) for one in record.get("custom_attributes", ())]
    return sorted((key, value) for key, value in fields if value not in (None, ""))


_READERS: Mapping[type, Callable[[Any], str]] = {
    bool: lambda value: "yes" if value else "no",
    datetime: lambda value: f"{value:%Y-%m-%d %H:%M}".replace(" 00:00", ""),
    date: lambda value: f"{value:%Y-%m-%d}",
    float: lambda value: f"{value:g}",
    list: lambda value: ", ".join(map(str, value)),
    dict: json.dumps,
}


def _readable(value: Any) -> Any:
    reader = _READERS.get(type(value))
    return reader(value) if reader else value
