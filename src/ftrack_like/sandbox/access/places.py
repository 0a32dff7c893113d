"""Where the rows of each table belong: to projects, to users, or to the whole site.

Both sides of the permission model read these tables: queries make SQL conditions of them, and
changes follow them from row to row. Types declare them, see
:mod:`ftrack_like.sandbox.schema.belonging`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.belonging import RowPlace

__all__ = ["ANY_PARENT", "CLOSED", "OWNERS", "PLACES"]

#: By table. Rows of other tables are the site's: everybody sees them.
PLACES: Mapping[str, RowPlace] = {
    one.table: one.place for one in MODEL.types.values() if one.place is not None
}

#: Tables that administrators alone see: they hold addresses and secrets of other programs.
CLOSED = frozenset({"action", "action_log", "automation", "trigger"})

#: Tables of entities that may be the parent of something, and belong to projects.
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

#: By table: the column with the user whose row it is, or (column, table) of what tells.
OWNERS: Mapping[str, tuple[str, Optional[str]]] = {
    one.table: one.owner for one in MODEL.types.values() if one.owner is not None
}
