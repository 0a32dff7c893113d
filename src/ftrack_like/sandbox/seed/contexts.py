"""Add contexts and their ancestry to the rows of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftrack_like.sandbox.schema.object_types import OBJECT_TYPE_IDS
from ftrack_like.sandbox.seed.ids import row_id
from ftrack_like.sandbox.tables.rowset import RowSet

__all__ = ["add_ancestry", "add_context"]


def add_context(
    rows: RowSet,
    type_name: str,
    id_: str,
    name: str,
    parents: Sequence[str],
    *,
    type: str = "",
    status: str = "",
    **values: Any,
) -> list[str]:
    """Add the context *id_* below the path *parents*, and return its path.

    A path contains the ids from the project down to a context. *type* and *status* are names;
    contexts of some object types have neither.
    """
    if type:
        values["type_id"] = row_id("Type", type)
    if status:
        values["status_id"] = row_id("Status", status)
    rows.add(
        type_name,
        id=id_,
        name=name,
        parent_id=parents[-1],
        project_id=parents[0],
        object_type_id=OBJECT_TYPE_IDS[type_name],
        **{"sort": 0.0, "bid": 0.0, "description": "", **values},
    )
    path = [*parents, id_]
    add_ancestry(rows, path)
    return path


def add_ancestry(rows: RowSet, path: Sequence[str]) -> None:
    """Add the ancestors of the last context on *path*, including itself."""
    for depth, ancestor_id in enumerate(reversed(path)):
        rows.link("context_ancestry", ancestor_id=ancestor_id, descendant_id=path[-1], depth=depth)
