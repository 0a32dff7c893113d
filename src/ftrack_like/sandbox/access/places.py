"""The place of each table's rows: a project, certain users, or the whole site.

A row is visible to a user who can see its place. Few tables have a column with the project. Most
rows are a part of another row, and their place is that of the other row: a note's attachment
belongs to the note, and the note to a project. These links are data, because both halves of the
permission model need them. Queries make SQL conditions from them, and the checks of changes follow
them from row to row. With one table the halves cannot disagree.

The entity types declare the places; see :mod:`ftrack_like.sandbox.schema.belonging`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.belonging import RowPlace

__all__ = ["ANY_PARENT", "CLOSED", "OWNERS", "PLACES"]

#: The rules by table. All users can see the rows of the other tables.
PLACES: Mapping[str, RowPlace] = {
    one.table: one.place for one in MODEL.types.values() if one.place is not None
}

#: Tables that only administrators can see, because they contain addresses and secrets of other
#: programs.
CLOSED = frozenset({"action", "action_log", "automation", "trigger"})

#: Tables of entities that belong to projects and can be the parent of other entities.
ANY_PARENT = (
    "context",
    "asset_version",
    "asset",
    "component",
    "list",
    "list_object",
    "note",
    "review_session",
    "review_session_object",
    "asset_version_link",
    "calendar_event",
    "typed_context_link",
)

#: The owner by table: a column with the id of a user (then the table is None), or a column with
#: the id of a row of another table, which has the owner.
OWNERS: Mapping[str, tuple[str, Optional[str]]] = {
    one.table: one.owner for one in MODEL.types.values() if one.owner is not None
}
