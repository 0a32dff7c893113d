"""The first statuses, types and priorities of contexts and versions, from project schemas."""

from __future__ import annotations

from typing import Any, Optional

import sqlalchemy

from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.schema.model import EntityType
from ftrack_like.sandbox.schema.object_types import OBJECT_TYPE_IDS
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["drop_flagged", "first_values", "first_version_status"]

_TASK = OBJECT_TYPE_IDS["Task"]


def drop_flagged(type_: EntityType, row: Row) -> None:
    """Empty the type, status and priority of the new *row* that its object type does not have."""
    for column in ("type_id", "status_id", "priority_id"):
        if column in type_.immutable:
            row[column] = None


def first_values(batch: Batch, type_: EntityType, row: Row) -> dict[str, Any]:
    """Return the missing type, status and priority of *row*, by column.

    *type_* is its concrete type. The flags of an object type decide which of them it has.
    """
    found: dict[str, Any] = {}
    schema = _schema_of(batch, row["project_id"])
    missing = {
        column
        for column in ("type_id", "status_id", "priority_id")
        if row[column] is None and column not in type_.immutable
    }
    if "type_id" in missing:
        found["type_id"] = _first_type(batch, schema, row["object_type_id"])
    if "status_id" in missing:
        type_id = row["type_id"] or found.get("type_id")
        found["status_id"] = _first_status(batch, schema, row["object_type_id"], type_id)
    if "priority_id" in missing:
        default = type_.properties["priority_id"].facets.get("default")
        found["priority_id"] = default or _least_urgent(batch)
    return found


def usual_project_schema(batch: Batch) -> Optional[str]:
    """Return the id of the project schema for a project that names none, None if there is none.

    It is the schema named VFX, or the first one by name.
    """
    columns = TABLES["project_schema"].c
    order = (sqlalchemy.case((columns.name == "VFX", 0), else_=1), columns.name, columns.id)
    statement = sqlalchemy.select(columns.id).order_by(*order).limit(1)
    found: Optional[str] = batch.store.execute(statement).scalar()
    return found


def first_version_status(batch: Batch, project_id: Optional[str]) -> Optional[str]:
    """Return the id of the first status of a new version in a project."""
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
    """Return the id of the workflow of a task type: an override, or the default of *schema*."""
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
    """Return the id of the first ``status`` or ``type`` that *schema* gives an object type."""
    for one in _remembered(batch, "schema", project_schema_id=schema["id"]):
        if one["object_type_id"] == object_type_id:
            return _first_linked(batch, what, f"schema_{what}", f"{what}_id", schema_id=one["id"])
    return None


def _first_linked(batch: Batch, table: str, links: str, column: str, **where: Any) -> Optional[str]:
    """Return the id of the first row of *table*, by its order, that a row of *links* points at."""
    note = ("first", links, *where.values())
    if note not in batch.notes:
        linked, target = TABLES[links], TABLES[table]
        # The order of the links, if they have one, comes first.
        order = [linked.c.sort] if "sort" in linked.c else []
        order.append(_from_start(target))
        statement = (
            sqlalchemy.select(target.c.id)
            .join(linked, linked.c[column] == target.c.id)
            .where(*(linked.c[name] == value for name, value in where.items()))
            .order_by(*order, target.c.name)
        )
        batch.notes[note] = batch.store.execute(statement).scalars().first()
    return batch.notes[note]  # type: ignore[no-any-return]


def _first(batch: Batch, table: str) -> Optional[str]:
    """Return the id of the first row of *table* by its order."""
    note = ("first", table)
    if note not in batch.notes:
        columns = TABLES[table].c
        order = (_from_start(TABLES[table]), columns.name)
        statement = sqlalchemy.select(columns.id).order_by(*order)
        batch.notes[note] = batch.store.execute(statement).scalars().first()
    return batch.notes[note]  # type: ignore[no-any-return]


def _from_start(table: sqlalchemy.Table) -> Any:
    """Return the order of *table* that begins with the value of new work.

    The order of statuses runs from the end of the work to its start.
    """
    return table.c.sort.desc() if table.name == "status" else table.c.sort


def _least_urgent(batch: Batch) -> Optional[str]:
    """Return the id of the least urgent priority."""
    columns = TABLES["priority"].c
    statement = sqlalchemy.select(columns.id).order_by(columns.sort.desc(), columns.name)
    found: Optional[str] = batch.store.execute(statement).scalars().first()
    return found


def _remembered(batch: Batch, table: str, **where: Any) -> list[Row]:
    """Return the rows of *table* that match *where*; read them once per batch."""
    note = ("rows", table, *where.values())
    if note not in batch.notes:
        batch.notes[note] = batch.store.find(table, **where)
    return batch.notes[note]  # type: ignore[no-any-return]
