"""The changes of a transaction, joined: one edit for each entity."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, TypeVar

from ftrack_like.sandbox.actions.batch import Change
from ftrack_like.sandbox.events.lineage import Find, Row, owner_of
from ftrack_like.sandbox.schema import stock_type
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.schema.server_names import server_columns

__all__ = ["Edit", "in_slices", "join_changes"]

_Item = TypeVar("_Item")

#: Types without events, because they contain credentials.
_SECRET_TYPES = frozenset({"ApiKey", "UserSession", "WebhookAction"})

#: All names that a site tells of a new task, sequence, and so on. The sandbox tells other names too
#: if they have a value.
_TOLD_OF_TASKS = (
    "typeid",
    "showid",
    "enddate",
    "name",
    "isopen",
    "startdate",
    "context_type",
    "created_at",
    "priorityid",
    "created_by",
    "id",
    "statusid",
    "isrequirecomment",
    "object_typeid",
    "parent_id",
    "taskid",
    "bid",
    "description",
)
#: What they hold where the row has no value. The sandbox does not store the first two.
_FIXED_OF_TASKS: Mapping[str, Any] = {
    "isopen": False,
    "isrequirecomment": False,
    "bid": 0.0,
    "description": "",
}

#: How many changes are worked on in one go, a few milliseconds.
_SLICE = 50

#: How long other threads get their turn after that, in seconds. A thread that sleeps gives away
#: Python's lock. Without a sleep it takes the lock back before a thread that waits for it wakes up.
_PAUSE = 0.0002


@dataclass
class Edit:
    """All changes of a transaction to one entity, by the server-side names of its attributes."""

    type: EntityType
    key: tuple[Any, ...]
    action: str
    row: Row
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)


def in_slices(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield *items*, and let other threads work after each slice of them.

    A thread that waits for a busy one gets Python's lock only after 5 ms. A request takes that
    lock dozens of times, so that it would wait for most of the work on a large event.
    """
    for number, item in enumerate(items):
        if number and number % _SLICE == 0:
            time.sleep(_PAUSE)
        yield item


def join_changes(changes: Iterable[Change], find: Find) -> list[Edit]:
    """Return one edit for each entity in *changes*, in the order of the first changes."""
    edits: dict[tuple[str, tuple[Any, ...]], Edit] = {}
    for change in in_slices(changes):
        type_ = find.model.types.get(change.entity_type) or stock_type(change.entity_type)
        if type_.name in _SECRET_TYPES:
            continue
        if type_.table == "custom_attribute_value":
            _join_custom_attribute(edits, change, find)
            continue
        edit = _edit_of(edits, type_, change.key, change.action, change.row)
        if change.action == "remove":
            if edit.action == "add":  # no other client has seen it
                del edits[type_.table, edit.key]
                continue
            edit.action = "remove"
        _join_columns(edit, change)
    for edit in edits.values():
        _settle(edit)
    return [edit for edit in edits.values() if edit.changes or edit.action != "update"]


def _edit_of(
    edits: dict[tuple[str, tuple[Any, ...]], Edit],
    type_: EntityType,
    key: tuple[Any, ...],
    action: str,
    row: Row,
) -> Edit:
    edit = edits.get((type_.table, key))
    if edit is None:
        edit = edits[type_.table, key] = Edit(type_, key, action, row)
    elif edit.action == "remove" and action == "add":
        edit.action = "update"  # deleted, and created again with the same key
    edit.row = row
    return edit


def _join_columns(edit: Edit, change: Change) -> None:
    """Record the values before and after; keep the value before the first change."""
    if edit.action != "add":  # all values of a new entity are told at the end
        for name, column in server_columns(edit.type.name).items():
            if change.action == "remove":
                _note(edit, name, change.row.get(column), None)
            elif column in change.old:
                _note(edit, name, change.old[column], change.row.get(column))
    for name, (before, after) in change.members.items():
        _note(edit, name, before, after)


def _note(edit: Edit, name: str, old: Any, new: Any) -> None:
    if name in edit.changes:
        edit.changes[name]["new"] = new
    elif old is not None or new is not None:
        edit.changes[name] = {"old": old, "new": new}


def _join_custom_attribute(
    edits: dict[tuple[str, tuple[Any, ...]], Edit], change: Change, find: Find
) -> None:
    configuration_id, entity_id = change.key
    configuration = find("custom_attribute_configuration", "id", configuration_id)
    owner = owner_of(entity_id, find)
    if configuration is None or owner is None:
        return
    type_, row = owner
    known = edits.get((type_.table, (entity_id,)))
    if known is not None and known.action == "remove":
        return  # deleted with its entity
    edit = _edit_of(edits, type_, (entity_id,), "update", row)
    kind = find("custom_attribute_type", "id", configuration.get("type_id"))
    kind_name = "text" if kind is None else kind["name"]
    old = _custom_text(kind_name, change.old if change.action == "update" else change.row)
    new = _custom_text(kind_name, change.row)
    if change.action == "add":
        old = None
    elif change.action == "remove":
        new = None
    edit.changes.setdefault(configuration["key"], {"old": old, "new": new})["new"] = new


def _custom_text(kind: str, columns: Mapping[str, Any]) -> Optional[str]:
    """Return a stored value of a custom attribute as text, None if there is none."""
    text, number = columns.get("text"), columns.get("number")
    if kind == "boolean" and number is not None:
        return "1" if number else "0"
    if text is None:
        return None if number is None else str(float(number))
    return _joined(text) if kind.endswith("enumerator") else str(text)


def _joined(text: str) -> str:
    """Return the choices in *text*, which is a JSON list or one choice, joined by commas."""
    try:
        chosen = json.loads(text)
    except ValueError:
        return text
    return ", ".join(map(str, chosen)) if isinstance(chosen, list) else text


def _settle(edit: Edit) -> None:
    """Complete the changes of *edit*, and drop values that ended as they began."""
    edit.changes = {
        name: change for name, change in edit.changes.items() if change["old"] != change["new"]
    }
    if edit.action == "add":
        edit.changes = {**_new_values(edit), **edit.changes}
    elif edit.action == "update" and edit.type.table == "context" and "parent_id" in edit.changes:
        edit.action = "move"
    for name, change in edit.changes.items():
        if name == "created_at":
            change.update(old=_with_microseconds(change["old"]))
            change.update(new=_with_microseconds(change["new"]))


def _new_values(edit: Edit) -> dict[str, dict[str, Any]]:
    """Return all values of a new entity, also those that are null, as changes."""
    columns = server_columns(edit.type.name)
    values = {name: edit.row.get(column) for name, column in columns.items()}
    if edit.type.table == "context" and edit.type.name != "Project":
        told = dict.fromkeys(_TOLD_OF_TASKS)
        told.update((name, value) for name, value in values.items() if value or name in told)
        told.update((name, one) for name, one in _FIXED_OF_TASKS.items() if told[name] is None)
        told["taskid"] = told["id"]
        values = told
    return {name: {"old": None, "new": value} for name, value in values.items()}


def _with_microseconds(moment: Any) -> Any:
    """Return the stored *moment* in the form in which a site tells when something was created."""
    return f"{moment}.000000" if isinstance(moment, str) and "." not in moment else moment
