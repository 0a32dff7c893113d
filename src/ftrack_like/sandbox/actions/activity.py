"""The activity: an ``Event`` and a ``Feed`` row for each entity that a batch changes.

The rows are part of the transaction, so they tell of exactly the commits that happened. Ids of
events only grow: a program that remembers the last one finds later what it missed. The rows of one
commit share the ``cluster_id`` of their ``Feed``.

A row is about an entity of a project, and everybody who sees the project sees the row. So it
tells neither of entities with other rules, nor the values of custom attributes, which may be
restricted to roles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import sqlalchemy

from ftrack_like.sandbox.actions.batch import Batch, Change, Hooks, new_id
from ftrack_like.sandbox.actions.store import Key, Row, one_of_keys
from ftrack_like.sandbox.schema import general_type, stock_type
from ftrack_like.sandbox.schema.server_names import server_columns, server_type
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["HOOKS", "told_projects", "write_activity"]

#: The tables whose changes are recorded, with the column of the project.
_RECORDED = {
    "context": "project_id",
    "asset": "project_id",
    "asset_version": "project_id",
    "note": "project_id",
    "list": "project_id",
    "review_session": "project_id",
}

#: The key in ``Batch.notes`` of the ids of the changed entities, by project.
_TOLD = "activity"

#: The row of ``server_value`` with the id of the last event.
_LAST = "last_event"

#: Old events are deleted each time after so many new ones, because each deletion has a price.
_STEP = 1000


@dataclass
class _Happening:
    """What a batch did to an entity. *action* is ``add``, ``update``, ``move`` or ``remove``."""

    type_name: str
    action: str
    row: Row
    old: dict[str, Any] = field(default_factory=dict)
    #: The keys of custom attributes, and the server-side names of collections, that changed.
    others: list[str] = field(default_factory=list)


def write_activity(batch: Batch, kept: int) -> None:
    """Write the rows about the changes of *batch*; keep about *kept* events of all batches.

    Write nothing if the request asked for that by its header ``ftrack-bulk``.
    """
    if batch.context.bulk or not batch.changes:
        return
    gone = {
        change.key[0]
        for change in batch.changes
        if change.action == "remove" and change.entity_type == "Project"
    }
    rows = [
        values
        for happening in _happenings(batch)
        for values in [_event(happening, gone)]
        if values is not None
    ]
    if not rows:
        return
    # The user may be one who is not stored, such as a guest of a review.
    known = not batch.context.by_server and batch.store.get("resource", (batch.user_id,))
    shared = {"user_id": batch.user_id if known else None, "created_at": batch.now}
    last = _take_numbers(batch, len(rows))
    group = new_id()
    batch.store.flush()
    for number, values in enumerate(rows, last - len(rows) + 1):
        values.update(shared, id=number)
    batch.store.insert_all("event", rows)
    feeds = [
        {
            "id": new_id(),
            "social_id": values["id"],
            "owner_id": values["parent_id"],
            "cluster_id": group,
            "created_at": batch.now,
            "distance": 0,
            "relation": "self",
        }
        for values in rows
    ]
    batch.store.insert_all("feed", feeds)
    told: dict[str, list[str]] = {}
    for values in rows:
        if values["project_id"] is not None:
            told.setdefault(values["project_id"], []).append(values["parent_id"])
    batch.notes[_TOLD] = told
    _delete_old(batch, last, len(rows), kept)


def told_projects(batch: Batch) -> Mapping[str, Sequence[str]]:
    """Return the ids of the entities with activity in the committed *batch*, by project."""
    found: Mapping[str, Sequence[str]] = batch.notes.get(_TOLD, {})
    return found


def _happenings(batch: Batch) -> list[_Happening]:
    """Return what *batch* did, one entry for each recorded entity, in order."""
    found: dict[tuple[str, Key], _Happening] = {}
    for change in batch.changes:
        type_ = batch.model.types.get(change.entity_type) or stock_type(change.entity_type)
        if type_.table == "custom_attribute_value":
            _add_custom_attribute(batch, found, change)
            continue
        if type_.table not in _RECORDED:
            continue
        place = (type_.table, change.key)
        known = found.get(place)
        if known is None:
            known = found[place] = _Happening(type_.name, change.action, change.row)
        elif change.action == "remove":
            if known.action == "add":
                del found[place]
                continue
            known.action = "remove"
        elif change.action == "add":
            known.action = "update"  # deleted, and created again with the same key
        known.row = change.row
        for name, value in change.old.items():
            known.old.setdefault(name, value)
        known.others += [name for name in change.members if name not in known.others]
    return list(found.values())


def _add_custom_attribute(
    batch: Batch, found: dict[tuple[str, Key], _Happening], change: Change
) -> None:
    """Record the key of a changed custom attribute, which tells of its entity."""
    configuration_id, entity_id = change.key
    configuration = batch.store.get("custom_attribute_configuration", (configuration_id,))
    if configuration is None:
        return
    for table in ("context", "asset_version", "asset", "list"):
        row = batch.store.get(table, (entity_id,))
        if row is None:
            continue
        known = found.get((table, (entity_id,)))
        if known is None:
            name = batch.model.type_of_row(general_type(table), row).name
            known = found[table, (entity_id,)] = _Happening(name, "update", row)
        if configuration["key"] not in known.others:
            known.others.append(configuration["key"])
        return


def _event(happening: _Happening, gone: set[Any]) -> Optional[dict[str, Any]]:
    """Return the row about *happening*, None if there is nothing to tell.

    *gone* are the ids of the projects that the batch deletes. What was in them is not told, and of
    themselves only where everybody could see them.
    """
    row = happening.row
    type_ = stock_type(happening.type_name)
    is_project = type_.name == "Project"
    project_id = row["id"] if is_project else row[_RECORDED[type_.table]]
    if project_id in gone and not (is_project and not row.get("is_private")):
        return None
    changes = _changes(happening) if happening.action == "update" else {}
    if happening.action == "update" and not changes and not happening.others:
        return None
    action = happening.action
    if type_.table == "context" and "parent_id" in changes:
        action = "move"
    kind = server_type(type_.name)
    told: dict[str, Any] = {
        "entityType": kind,
        "entity_type": happening.type_name,
        "name": row.get("name"),
    }
    if changes or happening.others:
        told.update(keys=[*changes, *happening.others], changes=changes)
    return {
        "action": f"{action}.{kind}",
        "insert": action,
        "data": json.dumps(told),
        "parent_id": row["id"],
        "parent_type": row["context_type"] if type_.table == "context" else type_.table,
        "project_id": None if project_id in gone else project_id or None,
    }


def _changes(happening: _Happening) -> dict[str, Any]:
    """Return the changed attributes by their server-side names, with the values around it."""
    columns = server_columns(happening.type_name)
    return {
        name: {"old": happening.old[column], "new": happening.row[column]}
        for name, column in columns.items()
        if column in happening.old and happening.old[column] != happening.row[column]
    }


def _take_numbers(batch: Batch, count: int) -> int:
    """Return the last of the next *count* ids of events, which are then taken.

    The id of the newest row would not do: the row may be deleted with its project, and a program
    that remembers its id would miss the next event. Writers take turns, so ids follow the commits.
    """
    row = batch.store.get("server_value", (_LAST,))
    if row is None:
        events = TABLES["event"].c
        newest = batch.store.execute(sqlalchemy.select(sqlalchemy.func.max(events.id))).scalar()
        last = int(newest or 0) + count
        batch.store.insert("server_value", {"name": _LAST, "value": str(last)})
    else:
        last = int(row["value"]) + count
        batch.store.update("server_value", row, {"value": str(last)})
    return last


def _delete_old(batch: Batch, last: int, count: int, kept: int) -> None:
    """Delete all but the newest *kept* events, where the ids pass a multiple of a step."""
    step = max(1, min(_STEP, kept))
    if last // step > (last - count) // step:
        for table, column in (("feed", "social_id"), ("event", "id")):
            old = TABLES[table].c[column] <= last - kept
            batch.store.connection.execute(sqlalchemy.delete(TABLES[table]).where(old))


# Deletions, without reading the rows: there may be very many


def _delete_with_projects(batch: Batch, rows: Sequence[Row]) -> None:
    ids = [row["id"] for row in rows if row["context_type"] == "show"]
    if not ids:
        return
    event, feed = TABLES["event"], TABLES["feed"]
    of_projects = one_of_keys(event.c.project_id, "values")
    events = sqlalchemy.select(event.c.id).where(of_projects)
    batch.store.execute(
        sqlalchemy.delete(feed).where(feed.c.social_id.in_(events)), {"values": ids}
    )
    batch.store.execute(sqlalchemy.delete(event).where(of_projects), {"values": ids})


def _keep_without_users(batch: Batch, rows: Sequence[Row]) -> None:
    event = TABLES["event"]
    of_users = one_of_keys(event.c.user_id, "values")
    statement = sqlalchemy.update(event).where(of_users).values(user_id=None)
    batch.store.execute(statement, {"values": [row["id"] for row in rows]})


HOOKS: dict[str, tuple[Hooks, ...]] = {
    "Context": (Hooks(deleting=_delete_with_projects),),
    "Resource": (Hooks(deleting=_keep_without_users),),
}
