"""What project schemas say: the statuses and types that contexts and versions begin with."""

from __future__ import annotations

from typing import Any, Optional

import sqlalchemy

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.schema.contexts import DEFAULT_PRIORITY_ID, OBJECT_TYPE_IDS
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["first_values", "first_version_status"]

_TASK = OBJECT_TYPE_IDS["Task"]


def first_values(batch: Batch, row: Row) -> dict[str, Any]:
    """Return type, status and priority for the typed context *row*, where it has none."""
    found: dict[str, Any] = {}
    schema = _schema_of(batch, row["project_id"])
    if row["type_id"] is None:
        found["type_id"] = _first_type(batch, schema, row["object_type_id"])
    if row["status_id"] is None:
        type_id = row["type_id"] or found.get("type_id")
        found["status_id"] = _first_status(batch, schema, row["object_type_id"], type_id)
    if row["priority_id"] is None:
        found["priority_id"] = DEFAULT_PRIORITY_ID
    return found


def first_version_status(batch: Batch, project_id: Optional[str]) -> Optional[str]:
    """Return the id of the status that a new version in a project has."""
    schema = _schema_of(batch, project_id)
    workflow_id = schema["asset_version_workflow_schema_id"] if schema is not None else None
    return _first_of_workflow(batch, workflow_id) or _first(batch, "status")


def _schema_of(batch: Batch, project_id: Optional[str]) -> Optional[Row]:
    project = batch.store.get("context", (project_id,)) if project_id is not None else None
    schema_id = project["project_schema_id"] if project is not None else None
    return batch.store.get("project_schema", (schema_id,)) if schema_id is not None else None


def _first_type(batch: Batch, schema: Optional[Row], object_type_id: str) -> Optional[str]:
    if schema is None:
        return _first(batch, "type")
    if object_type_id == _TASK:
        found = _first_linked(
            batch,
            "type",
            "task_type_schema_type",
            "type_id",
            task_type_schema_id=schema["task_type_schema_id"],
        )
    else:
        found = _first_of_object_type(batch, schema, object_type_id, "type")
    return found or _first(batch, "type")


def _first_status(
    batch: Batch, schema: Optional[Row], object_type_id: str, type_id: Optional[str]
) -> Optional[str]:
    if schema is None:
        return _first(batch, "status")
    if object_type_id == _TASK:
        found = _first_of_workflow(batch, _task_workflow(batch, schema, type_id))
    else:
        found = _first_of_object_type(batch, schema, object_type_id, "status")
    return found or _first(batch, "status")


def _task_workflow(batch: Batch, schema: Row, type_id: Optional[str]) -> Optional[str]:
    """Return the id of the workflow of tasks of a type: an override, or the schema's own."""
    overrides = _remembered(batch, "project_schema_override", project_schema_id=schema["id"])
    for override in overrides:
        if override["type_id"] == type_id:
            return override["workflow_schema_id"]  # type: ignore[no-any-return]
    return schema["task_workflow_schema_id"]  # type: ignore[no-any-return]


def _first_of_workflow(batch: Batch, workflow_id: Optional[str]) -> Optional[str]:
    if workflow_id is None:
        return None
    return _first_linked(
        batch, "status", "workflow_schema_status", "status_id", workflow_schema_id=workflow_id
    )


def _first_of_object_type(
    batch: Batch, schema: Row, object_type_id: str, what: str
) -> Optional[str]:
    """Return the first ``status`` or ``type`` that the schema gives an object type."""
    for one in _remembered(batch, "schema", project_schema_id=schema["id"]):
        if one["object_type_id"] == object_type_id:
            return _first_linked(batch, what, f"schema_{what}", f"{what}_id", schema_id=one["id"])
    return None


def _first_linked(batch: Batch, table: str, links: str, column: str, **where: Any) -> Optional[str]:
    """Return the first row of *table*, by its order, that a row of *links* leads to."""
    note = ("first", links, *where.values())
    if note not in batch.notes:
        linked, target = TABLES[links], TABLES[table]
        # Where the link has an order of its own, that one counts.
        order = [one.c.sort for one in (linked, target) if "sort" in one.c]
        statement = (
            sqlalchemy.select(target.c.id)
            .join(linked, linked.c[column] == target.c.id)
            .where(*(linked.c[name] == value for name, value in where.items()))
            .order_by(*order, target.c.name)
        )
        batch.notes[note] = batch.store.execute(statement).scalars().first()
    return batch.notes[note]  # type: ignore[no-any-return]


def _first(batch: Batch, table: str) -> Optional[str]:
    """Return the first row of *table* by its order."""
    note = ("first", table)
    if note not in batch.notes:
        columns = TABLES[table].c
        statement = sqlalchemy.select(columns.id).order_by(columns.sort, columns.name)
        batch.notes[note] = batch.store.execute(statement).scalars().first()
    return batch.notes[note]  # type: ignore[no-any-return]


def _remembered(batch: Batch, table: str, **where: Any) -> list[Row]:
    """Return rows of *table* that fit *where*, read once a batch."""
    note = ("rows", table, *where.values())
    if note not in batch.notes:
        batch.notes[note] = batch.store.find(table, **where)
    return batch.notes[note]  # type: ignore[no-any-return]
