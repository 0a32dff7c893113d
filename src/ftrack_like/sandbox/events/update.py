"""The event `ftrack.update`: what a transaction changed, in the words of the server.

Attributes bear their server-side names (`statusid`, `showid`, …, see `alias_for` in the schemas),
types the server-side ones beside those that clients know. A custom attribute that changed shows
as a change of its entity, under its own key; so does a collection whose members are held by link
rows (`scopes`, items of a list, `usesversions`), as the ids before and after.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.actions.batch import Batch, Change
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import EntityType, Scalar
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["Updates", "update_event"]

_LOGGER = logging.getLogger(__name__)

Row = Mapping[str, Any]
#: Returns the row of a table with a value of a column, or None.
Find = Callable[[str, str, Any], Optional[Row]]

#: Types that no event tells of: they are about credentials.
SECRET_TYPES = frozenset({"ApiKey", "UserSession"})

#: Where the parent of a row is found, the first one that is set: own column, table, type.
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
#: Tables of things that may belong to several kinds of entities, which `parent_id` tells.
ANY_PARENT = frozenset({"note", "metadata"})
#: Where to look for the owner of a custom attribute or of anything in `ANY_PARENT`.
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


@dataclass
class Edit:
    """All that a transaction did to one entity."""

    type: EntityType
    key: tuple[Any, ...]
    action: str
    row: Row
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)


class Updates:
    """Tells a publisher of each transaction; a listener of the sandbox's service."""

    def __init__(self, database: Database, publish: Callable[[Mapping[str, Any]], Any]) -> None:
        """Initialise with the *database* to look parents up in, and what publishes an event."""
        self._database = database
        self._publish = publish

    def __call__(self, batch: Batch) -> None:
        """Publish what *batch*, which is committed, changed.

        A fault here is logged: who sent the batch must not take it for refused.
        """
        try:
            self._tell(batch)
        except Exception:
            _LOGGER.exception("A committed batch was not told by an event.")

    def _tell(self, batch: Batch) -> None:
        with self._database.read() as connection:
            event = update_event(
                batch.changes,
                user_id=batch.context.user_id,
                username=batch.context.username,
                client_token=batch.context.client_token,
                find=_Finder(connection, batch.changes),
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
    """Return the event that tells of *changes*, or None if there is nothing to tell.

    *user_id* and *username* say who made them, *client_token* in which program; *find* looks up
    rows that are not among the changes.
    """
    edits = _merge(changes, find)
    entities = [_entity(edit, find) for edit in edits if edit.changes or edit.action != "update"]
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


def server_type(type_: EntityType) -> str:
    """Return the name that the server has for *type_*: `task`, `show`, `assetversion`, …"""
    alias = type_.alias_for
    if isinstance(alias, Mapping):
        alias = alias.get("id")
    if alias is None and "Component" in type_.bases:
        alias = "Component"
    return str(alias or type_.name).lower()


# From changes to edits: one for each entity, in the order in which they were first touched.


def _merge(changes: Iterable[Change], find: Find) -> list[Edit]:
    edits: dict[tuple[str, tuple[Any, ...]], Edit] = {}
    for change in changes:
        type_ = MODEL.types[change.entity_type]
        if type_.name in SECRET_TYPES:
            continue
        if type_.table == "custom_attribute_value":
            _merge_custom_attribute(edits, change, find)
            continue
        edit = _edit_of(edits, type_, change.key, change.action, change.row)
        if change.action == "remove":
            if edit.action == "add":  # nobody else has ever seen it
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
    """Note the values before and after; what was before the first change stays so."""
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
        return  # gone with its entity
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
    """Drop what ended as it began, and name a change of parent."""
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


# From edits to what travels.


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
            return MODEL.type_of_row(name, found), found
    return None


def _owner_of(entity_id: Any, find: Find) -> Optional[tuple[EntityType, Row]]:
    if entity_id is None:
        return None
    for table, name in OWNERS:
        row = find(table, "id", entity_id)
        if row is not None:
            return MODEL.type_of_row(name, row), row
    return None


class _Finder:
    """Looks rows up: among those that changed, then in the database, each one once."""

    def __init__(self, connection: Connection, changes: Iterable[Change]) -> None:
        self._connection = connection
        self._rows: dict[tuple[str, Any], Optional[Row]] = {}
        for change in changes:
            table = MODEL.types[change.entity_type].table
            if len(change.key) == 1:
                self._rows[table, change.key[0]] = change.row

    def __call__(self, table: str, column: str, value: Any) -> Optional[Row]:
        if (table, value) not in self._rows:
            columns = TABLES[table].c
            statement = sqlalchemy.select(TABLES[table]).where(columns[column] == value).limit(1)
            found = self._connection.execute(statement).mappings().first()
            self._rows[table, value] = None if found is None else dict(found)
        return self._rows[table, value]
