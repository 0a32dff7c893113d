"""The event `ftrack.update`: the changes of a transaction, under server-side names.

Attributes have their server-side names (`statusid`, `showid`, …, see `alias_for` in the schemas).
Types have both the server-side name and the client's name. A changed custom attribute appears as a
change of its entity, under its key. A changed collection with link rows (`scopes`, items of a list,
`usesversions`) also appears as a change of its entity, as the ids before and after.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Protocol, TypeVar

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.actions.batch import Batch, Change
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.schema import stock_type
from ftrack_like.sandbox.schema.model import EntityType, Model, Scalar
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.tables.site_model import model_of

__all__ = ["Updates", "update_event"]

_LOGGER = logging.getLogger(__name__)

_Item = TypeVar("_Item")

Row = Mapping[str, Any]


class Find(Protocol):
    """Finds rows, and knows the *model* of the site."""

    model: Model

    def __call__(self, table: str, column: str, value: Any) -> Optional[Row]:
        """Return the row of *table* with *value* in *column*, or None."""


#: Types without events, because they contain credentials.
SECRET_TYPES = frozenset({"ApiKey", "UserSession", "WebhookAction"})

#: The parent of a row, by table: own column, table, type. The first column with a value counts.
PARENTS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "context": (("parent_id", "context", "Context"),),
    "asset": (("context_id", "context", "Context"),),
    "asset_version": (("asset_id", "asset", "Asset"),),
    "component": (
        ("version_id", "asset_version", "AssetVersion"),
        ("container_id", "component", "Component"),
    ),
    "component_location": (("component_id", "component", "Component"),),
    "timelog": (("context_id", "context", "Context"),),
    "appointment": (("context_id", "context", "Context"),),
    "list": (("project_id", "context", "Project"),),
    "list_object": (("list_id", "list", "List"),),
    "review_session": (("project_id", "context", "Project"),),
    "review_session_object": (("review_session_id", "review_session", "ReviewSession"),),
    "typed_context_link": (("to_id", "context", "Context"),),
    "note_component": (("note_id", "note", "Note"),),
    "recipient": (("note_id", "note", "Note"),),
}
#: Tables whose rows may belong to several types of entities, by `parent_id`.
ANY_PARENT = frozenset({"note", "metadata"})
#: Where to look for the owner of a custom attribute or of a row in `ANY_PARENT`.
OWNERS = (
    ("context", "Context"),
    ("asset_version", "AssetVersion"),
    ("asset", "Asset"),
    ("note", "Note"),
    ("list", "List"),
    ("resource", "Resource"),
    ("component", "Component"),
    ("list_object", "ListObject"),
)


#: How many changes are worked on in one go, a few milliseconds.
_SLICE = 50

#: How long other threads get their turn after that, in seconds. A thread that sleeps gives away
#: Python's lock. Without a sleep it takes the lock back before a thread that waits for it wakes up.
_PAUSE = 0.0002


@dataclass
class Edit:
    """All changes of a transaction to one entity."""

    type: EntityType
    key: tuple[Any, ...]
    action: str
    row: Row
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)


class Updates:
    """Publishes an event for each transaction, as a listener of the sandbox's service."""

    def __init__(self, database: Database, publish: Callable[[Mapping[str, Any]], Any]) -> None:
        """Initialise with the *database* for the lookup of parents; *publish* takes an event."""
        self._database = database
        self._publish = publish

    def __call__(self, batch: Batch) -> None:
        """Publish the changes of the committed *batch*.

        An error is only logged, because the client must not conclude that the batch was refused.
        """
        try:
            self._tell(batch)
        except Exception:
            _LOGGER.exception("The event for a committed batch could not be published.")

    def _tell(self, batch: Batch) -> None:
        with self._database.read() as connection:
            event = update_event(
                batch.changes,
                user_id=batch.context.user_id,
                username=batch.context.username,
                client_token=batch.context.client_token,
                find=_RowFinder(connection, batch.changes),
            )
        if event is not None:
            self._publish(event)


def update_event(
    changes: Iterable[Change],
    *,
    user_id: str,
    username: str,
    client_token: Optional[str],
    find: Find,
) -> Optional[dict[str, Any]]:
    """Return the event for *changes*, None if there is nothing to report.

    *user_id* and *username* are the author of the changes, *client_token* is the author's program.
    *find* looks up rows that are not among the changes.
    """
    edits = _merge(changes, find)
    entities = [
        _entity(edit, find) for edit in _in_slices(edits) if edit.changes or edit.action != "update"
    ]
    if not entities:
        return None
    parents = {parent["entityId"]: None for entity in entities for parent in entity["parents"]}
    return {
        "topic": "ftrack.update",
        "data": {
            "entities": entities,
            "user": {"userid": user_id, "name": username},
            "clientToken": client_token,
            "pushToken": None,
            "parents": list(parents),
        },
        "source": {
            "id": user_id,
            "user": {"id": user_id, "username": username},
            "applicationId": "ftrack.server",
        },
    }


def _in_slices(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield *items*, and let other threads work after each slice of them.

    A thread that waits for a busy one gets Python's lock only after 5 ms. A request takes that
    lock dozens of times, so that it would wait for most of the work on a large event.
    """
    for number, item in enumerate(items):
        if number and number % _SLICE == 0:
            time.sleep(_PAUSE)
        yield item


def server_type(type_: EntityType) -> str:
    """Return the server-side name of *type_*: `task`, `show`, `assetversion`, …"""
    alias = type_.alias_for
    if isinstance(alias, Mapping):
        alias = alias.get("id")
    if alias is None and "Component" in type_.bases:
        alias = "Component"
    return str(alias or type_.name).lower()


# From changes to edits: one edit per entity, in the order of the first changes


def _merge(changes: Iterable[Change], find: Find) -> list[Edit]:
    edits: dict[tuple[str, tuple[Any, ...]], Edit] = {}
    for change in _in_slices(changes):
        type_ = find.model.types.get(change.entity_type) or stock_type(change.entity_type)
        if type_.name in SECRET_TYPES:
            continue
        if type_.table == "custom_attribute_value":
            _merge_custom_attribute(edits, change, find)
            continue
        edit = _edit_of(edits, type_, change.key, change.action, change.row)
        if change.action == "remove":
            if edit.action == "add":  # no other client has seen it
                del edits[type_.table, edit.key]
                continue
            edit.action = "remove"
        _merge_columns(edit, change)
    for edit in edits.values():
        _settle(edit)
    return list(edits.values())


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
    edit.row = row
    return edit


def _merge_columns(edit: Edit, change: Change) -> None:
    """Record the values before and after; keep the value before the first change."""
    for name, column in _columns(edit.type).items():
        if change.action == "update" and column not in change.old:
            continue
        value = change.row.get(column)
        old, new = {
            "add": (None, value),
            "update": (change.old.get(column), value),
            "remove": (value, None),
        }[change.action]
        _note(edit, name, old, new)
    for name, (before, after) in change.members.items():
        _note(edit, name, before, after)


def _note(edit: Edit, name: str, old: Any, new: Any) -> None:
    if name in edit.changes:
        edit.changes[name]["new"] = new
    elif old is not None or new is not None:
        edit.changes[name] = {"old": old, "new": new}


def _merge_custom_attribute(
    edits: dict[tuple[str, tuple[Any, ...]], Edit], change: Change, find: Find
) -> None:
    if change.action == "remove":
        return  # deleted with its entity
    configuration_id, entity_id = change.key
    configuration = find("custom_attribute_configuration", "id", configuration_id)
    owner = _owner_of(entity_id, find)
    if configuration is None or owner is None:
        return
    type_, row = owner
    edit = _edit_of(edits, type_, (entity_id,), "update", row)
    old, new = _custom_value(change.old), _custom_value(change.row)
    known = edit.changes.setdefault(configuration["key"], {"old": old, "new": new})
    known["new"] = new


def _custom_value(columns: Mapping[str, Any]) -> Any:
    text = columns.get("text")
    return columns.get("number") if text is None else text


def _settle(edit: Edit) -> None:
    """Drop values that ended as they began; turn a change of the parent into a move."""
    edit.changes = {
        name: change for name, change in edit.changes.items() if change["old"] != change["new"]
    }
    if edit.action == "update" and edit.type.table == "context" and "parent_id" in edit.changes:
        edit.action = "move"


def _columns(type_: EntityType) -> dict[str, str]:
    """Return the columns of *type_* by their server-side names."""
    known = _columns_by_type.get(type_.name)
    if known is None:
        known = _columns_by_type[type_.name] = {
            each.alias: each.column
            for each in type_.properties.values()
            if isinstance(each, Scalar) and each.column is not None
        }
    return known


_columns_by_type: dict[str, dict[str, str]] = {}


# From edits to the wire form


def _entity(edit: Edit, find: Find) -> dict[str, Any]:
    parents = _lineage(edit.type, edit.row, find)
    return {
        "entityId": edit.key[0] if len(edit.key) == 1 else ",".join(map(str, edit.key)),
        "entityType": server_type(edit.type),
        "entity_type": edit.type.name,
        "action": edit.action,
        "keys": list(edit.changes),
        "changes": edit.changes or None,
        "objectTypeId": edit.row.get("object_type_id"),
        "parentId": parents[0]["parentId"],
        "parents": parents,
    }


def _lineage(type_: EntityType, row: Row, find: Find) -> list[dict[str, Any]]:
    """Return the entity itself and its parents, up to the project."""
    lineage: list[dict[str, Any]] = []
    seen: set[tuple[str, Any]] = set()
    current: Optional[tuple[EntityType, Row]] = (type_, row)
    while current is not None:
        type_, row = current
        identifier = row.get(type_.primary_key[0])
        if (type_.table, identifier) in seen:
            break
        seen.add((type_.table, identifier))
        current = _parent_of(type_, row, find)
        lineage.append(
            {
                "entityId": identifier,
                "entityType": server_type(type_),
                "entity_type": type_.name,
                "parentId": None if current is None else current[1].get("id"),
            }
        )
    return lineage


def _parent_of(type_: EntityType, row: Row, find: Find) -> Optional[tuple[EntityType, Row]]:
    if type_.table in ANY_PARENT:
        return _owner_of(row.get("parent_id"), find)
    for column, table, name in PARENTS.get(type_.table, ()):
        value = row.get(column)
        found = find(table, "id", value) if value is not None else None
        if found is not None:
            return find.model.type_of_row(name, found), found
    return None


def _owner_of(entity_id: Any, find: Find) -> Optional[tuple[EntityType, Row]]:
    if entity_id is None:
        return None
    for table, name in OWNERS:
        row = find(table, "id", entity_id)
        if row is not None:
            return find.model.type_of_row(name, row), row
    return None


class _RowFinder:
    """Finds rows, each once: first among the changed rows, then in the database."""

    def __init__(self, connection: Connection, changes: Iterable[Change]) -> None:
        self.model = model_of(connection)
        self._connection = connection
        self._rows: dict[tuple[str, Any], Optional[Row]] = {}
        for change in changes:
            table = stock_type(change.entity_type).table
            if len(change.key) == 1:
                self._rows[table, change.key[0]] = change.row

    def __call__(self, table: str, column: str, value: Any) -> Optional[Row]:
        if (table, value) not in self._rows:
            columns = TABLES[table].c
            statement = sqlalchemy.select(TABLES[table]).where(columns[column] == value).limit(1)
            found = self._connection.execute(statement).mappings().first()
            self._rows[table, value] = None if found is None else dict(found)
        return self._rows[table, value]
