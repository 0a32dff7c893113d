"""Rules for projects and contexts: their places in the tree, and values that follow from them.

A batch may create a context before its parent. Until the parent is known, the context has no
project, no ancestors and no first status. The batch sets them as soon as it can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Optional

import sqlalchemy

from ftrack_like.sandbox.actions import workflow
from ftrack_like.sandbox.actions.batch import Batch, Hooks, new_id
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.actions.values import moment_text
from ftrack_like.sandbox.errors import ValidationError
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["HOOKS", "project_of", "record_status_change"]


# Projects

#: The time between start and end of a project that is created without dates.
_PROJECT_TIME = timedelta(days=30)


def _complete_project(batch: Batch, type_: EntityType, row: Row) -> None:
    row["project_id"] = row["id"]
    row["parent_id"] = None
    if row.get("status") is None:
        row["status"] = "active"
    if row.get("full_name") is None:
        row["full_name"] = row.get("name")
    if row.get("project_schema_id") is None:
        row["project_schema_id"] = workflow.usual_project_schema(batch)
    today = batch.context.now.replace(hour=0, minute=0, second=0)
    row.setdefault("start_date", moment_text(today))
    row.setdefault("end_date", moment_text(today + _PROJECT_TIME))


def _change_project(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    if changes.get("parent_id") is not None or changes.get("project_id", row["id"]) != row["id"]:
        raise ValidationError("A project cannot have a parent.")


# Places of new contexts


def _place_new(batch: Batch, type_: EntityType, row: Row) -> None:
    batch.placed[row["id"]] = row
    batch.notes[("settled", row["id"])] = type_.name == "Project"
    batch.store.insert(
        "context_ancestry",
        {"ancestor_id": row["id"], "descendant_id": row["id"], "depth": 0},
    )


def _complete_new(batch: Batch, type_: EntityType, row: Row) -> None:
    workflow.drop_flagged(type_, row)


def _settle_new(batch: Batch, type_: EntityType, row: Row) -> None:
    if not _settle(batch, type_, row):
        batch.settle_later(lambda: _settle(batch, type_, row))


def _settle(batch: Batch, type_: EntityType, row: Row) -> bool:
    """Set the values of the new *row* that depend on its place; return False if not known yet.

    A context with a project and without a parent becomes a child of the project.
    """
    if batch.notes.get(("settled", row["id"])):
        return True
    if row["parent_id"] is None:
        if row["project_id"] is None:
            return False
        batch.store.update("context", row, {"parent_id": row["project_id"]})
    parent = batch.store.get("context", (row["parent_id"],))
    if parent is None or (parent["project_id"] is None):
        return False
    batch.notes[("settled", row["id"])] = True
    batch.store.update("context", row, {"project_id": parent["project_id"]})
    for depth, ancestor in enumerate(_upwards(batch, parent), start=1):
        batch.store.insert(
            "context_ancestry",
            {"ancestor_id": ancestor["id"], "descendant_id": row["id"], "depth": depth},
        )
    missing = workflow.first_values(batch, type_, row)
    if missing:
        batch.store.update("context", row, missing)
    return True


def _upwards(batch: Batch, row: Optional[Row]) -> Iterator[Row]:
    """Yield *row* and the contexts above it, up to the project."""
    seen = set()
    while row is not None and row["id"] not in seen:
        yield row
        seen.add(row["id"])
        parent_id = row["parent_id"]
        row = batch.store.get("context", (parent_id,)) if parent_id is not None else None


def project_of(batch: Batch, context_id: Optional[str]) -> Optional[str]:
    """Return the id of the project of a context, None if not known."""
    context = batch.store.get("context", (context_id,)) if context_id is not None else None
    return context["project_id"] if context is not None else None


# Moves


def _change_place(batch: Batch, type_: EntityType, row: Row, changes: dict[str, Any]) -> None:
    if "project_id" in changes and "parent_id" not in changes:
        _follow_project(batch, row, changes)
    parent_id = changes.get("parent_id")
    if parent_id is None:
        return
    parent = batch.store.get("context", (parent_id,))
    if parent is None:
        return
    if any(one["id"] == row["id"] for one in _upwards(batch, parent)):
        raise ValidationError(
            f"{type_.name} {row['name']!r} cannot be below itself: {parent['name']!r} is below it."
        )
    if parent["project_id"] is not None:
        changes["project_id"] = parent["project_id"]


def _follow_project(batch: Batch, row: Row, changes: dict[str, Any]) -> None:
    """Move a context directly below its new project if only the project is given."""
    parent = batch.store.get("context", (row["parent_id"],)) if row["parent_id"] else None
    if parent is None or parent["project_id"] != changes["project_id"]:
        changes["parent_id"] = changes["project_id"]


def _after_change(batch: Batch, type_: EntityType, row: Row, old: Mapping[str, Any]) -> None:
    if "name" in old or "parent_id" in old:
        batch.placed[row["id"]] = row
    if "parent_id" in old and not _is_waiting(batch, row):
        _move_closure(batch, row)
    if "project_id" in old and row["project_id"] is not None and not _is_waiting(batch, row):
        _move_project(batch, row["id"], row["project_id"])
    if old.get("status_id") is not None and type_.name != "Project":
        record_status_change(batch, "task", row, old["status_id"])


def _is_waiting(batch: Batch, row: Row) -> bool:
    """Return whether *row* is new and still waits for its parent."""
    return batch.notes.get(("settled", row["id"])) is False


def _move_closure(batch: Batch, row: Row) -> None:
    """Move *row* and all contexts below it from the old ancestors to the new ones."""
    closure = TABLES["context_ancestry"]
    below = sqlalchemy.select(closure.c.descendant_id).where(closure.c.ancestor_id == row["id"])
    batch.store.execute(
        sqlalchemy.delete(closure).where(
            closure.c.descendant_id.in_(below), closure.c.ancestor_id.not_in(below)
        )
    )
    batch.store.forget("context_ancestry")
    if row["parent_id"] is None:
        return
    above, under = closure.alias(), closure.alias()
    joined = sqlalchemy.select(
        above.c.ancestor_id, under.c.descendant_id, above.c.depth + under.c.depth + 1
    )
    joined = joined.select_from(above.join(under, sqlalchemy.true())).where(
        above.c.descendant_id == row["parent_id"], under.c.ancestor_id == row["id"]
    )
    batch.store.execute(
        sqlalchemy.insert(closure).from_select(["ancestor_id", "descendant_id", "depth"], joined)
    )


def _move_project(batch: Batch, context_id: str, project_id: str) -> None:
    """Set the project of everything below *context_id*: contexts, assets, versions, notes."""
    closure, notes = TABLES["context_ancestry"].c, TABLES["note"].c
    below = sqlalchemy.select(closure.descendant_id).where(closure.ancestor_id == context_id)
    assets = _ids("asset", "context_id", below)
    versions = _ids("asset_version", "asset_id", assets)
    project = {"project_id": project_id}
    batch.store.update_where("context", project, id=below)
    batch.store.update_where("asset", project, context_id=below)
    batch.store.update_where("asset_version", project, asset_id=assets)
    for parents in (below, versions):
        threads = sqlalchemy.select(notes.id).where(notes.parent_id.in_(parents))
        batch.store.update_where("note", project, in_reply_to_id=threads)
        batch.store.update_where("note", project, parent_id=parents)


def _ids(table: str, column: str, values: Any) -> Any:
    """Return a query for the ids of rows of *table* whose *column* is one of *values*."""
    columns = TABLES[table].c
    return sqlalchemy.select(columns.id).where(columns[column].in_(values))


# Statuses


def record_status_change(batch: Batch, parent_type: str, row: Row, old: str) -> None:
    """Record that the status of *row* was *old* until now.

    *parent_type* is the kind of *row* as the table spells it, such as ``task``.
    """
    batch.store.insert(
        "status_change",
        {
            "id": new_id(),
            "date": batch.now,
            "parent_id": row["id"],
            "parent_type": parent_type,
            "from_status_id": old,
            "status_id": row["status_id"],
            "user_id": batch.user_id,
        },
    )


def _forget_places(batch: Batch, rows: Sequence[Row]) -> None:
    for row in rows:
        batch.placed.pop(row["id"], None)


HOOKS: dict[str, tuple[Hooks, ...]] = {
    "Context": (Hooks(created=_place_new, changed=_after_change, deleting=_forget_places),),
    "TypedContext": (Hooks(creating=_complete_new, created=_settle_new, changing=_change_place),),
    "Project": (Hooks(creating=_complete_project, changing=_change_project),),
}
