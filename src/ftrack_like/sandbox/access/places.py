"""Where the rows of each table belong: to projects, to users, or to the whole site.

Both sides of the permission model read this table: queries make SQL conditions of it, and
changes follow it from row to row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

__all__ = ["ANY_PARENT", "CLOSED", "OWNERS", "PLACES", "MemberRows", "RowPlace", "Use"]


@dataclass(frozen=True)
class MemberRows:
    """Rows of *table* whose *own* is the row's id name those who see it in *resource*."""

    table: str
    own: str
    resource: str = "resource_id"


@dataclass(frozen=True)
class Use:
    """Rows of *table* point with *column* at a row, and so make it a part of theirs.

    *through* is the (column, table) of what the pointing row belongs to, None where it counts
    itself.
    """

    table: str
    column: str
    through: Optional[tuple[str, str]] = None


@dataclass(frozen=True)
class RowPlace:
    """What a row belongs to; a user sees the row who sees all of that.

    *project* is the column with the id of a project, *through* are (column, table) of rows that
    it is a part of, *anything* are columns with the id of an entity of one of several types.
    What belongs to none is the site's. *private* are columns that name the only users who see
    the row, *shared* is a column that is true for what all may see, *members* name more who
    see it. What *uses* the row decides where it belongs while nothing else does.
    """

    project: Optional[str] = None
    through: tuple[tuple[str, str], ...] = ()
    anything: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    shared: Optional[str] = None
    members: Optional[MemberRows] = None
    uses: tuple[Use, ...] = ()


def _part_of(*through: tuple[str, str]) -> RowPlace:
    return RowPlace(through=through)


#: By table. Rows of other tables are the site's: everybody sees them.
PLACES: Mapping[str, RowPlace] = {
    "appointment": _part_of(("context_id", "context")),
    "api_key": RowPlace(private=("resource_id",)),
    "asset": RowPlace(project="project_id"),
    "asset_version": RowPlace(project="project_id"),
    "asset_version_link": _part_of(("from_id", "asset_version"), ("to_id", "asset_version")),
    "calendar_event": RowPlace(project="project_id"),
    "calendar_event_resource": _part_of(("calendar_event_id", "calendar_event")),
    "component": RowPlace(
        through=(("version_id", "asset_version"), ("container_id", "component")),
        uses=(
            Use("note_component", "component_id", ("note_id", "note")),
            Use("context", "thumbnail_id"),
            Use("asset_version", "thumbnail_id"),
            Use(
                "review_session_object_annotation_component",
                "component_id",
                ("review_session_object_id", "review_session_object"),
            ),
        ),
    ),
    "component_location": _part_of(("component_id", "component")),
    "context": RowPlace(project="project_id"),
    "conversation": RowPlace(
        private=("created_by_id",), members=MemberRows("participant", "conversation_id")
    ),
    "custom_attribute_configuration": RowPlace(project="project_id"),
    "custom_attribute_link": RowPlace(anything=("from_id", "to_id")),
    "custom_attribute_value": RowPlace(anything=("entity_id",)),
    "dashboard": RowPlace(
        private=("created_by_id",),
        shared="is_shared_with_everyone",
        members=MemberRows("dashboard_resource", "dashboard_id"),
    ),
    "dashboard_resource": _part_of(("dashboard_id", "dashboard")),
    "dashboard_widget": _part_of(("dashboard_id", "dashboard")),
    "entity_setting": RowPlace(anything=("parent_id",)),
    "event": RowPlace(project="project_id"),
    "feed": _part_of(("social_id", "event")),
    "job": RowPlace(private=("user_id",)),
    "job_component": _part_of(("job_id", "job")),
    "list": RowPlace(project="project_id"),
    "list_object": RowPlace(through=(("list_id", "list"),), anything=("entity_id",)),
    "manager": _part_of(("context_id", "context")),
    "message": _part_of(("conversation_id", "conversation")),
    "metadata": RowPlace(anything=("parent_id",)),
    "note": RowPlace(project="project_id"),
    "note_component": _part_of(("note_id", "note")),
    "note_label_link": _part_of(("note_id", "note")),
    "participant": _part_of(("conversation_id", "conversation")),
    "recipient": _part_of(("note_id", "note")),
    "review_session": RowPlace(project="project_id"),
    "review_session_folder": RowPlace(project="project_id"),
    "review_session_invitee": _part_of(("review_session_id", "review_session")),
    "review_session_object": _part_of(("review_session_id", "review_session")),
    "review_session_object_annotation": _part_of(
        ("review_session_object_id", "review_session_object")
    ),
    "review_session_object_annotation_component": _part_of(
        ("review_session_object_id", "review_session_object")
    ),
    "review_session_object_status": _part_of(("review_session_object_id", "review_session_object")),
    "split_task_part": _part_of(("task_id", "context")),
    "status_change": RowPlace(anything=("parent_id",)),
    "timelog": _part_of(("context_id", "context")),
    "timer": _part_of(("context_id", "context")),
    "typed_context_link": _part_of(("from_id", "context"), ("to_id", "context")),
    "user_application_state": RowPlace(private=("user_id",)),
    "user_security_role_project": RowPlace(project="project_id"),
    "user_session": RowPlace(private=("user_id",)),
    "user_view": RowPlace(
        private=("user_id",),
        shared="global",
        members=MemberRows("user_view_resource", "user_view_id"),
    ),
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
    "calendar_event": ("created_by_id", None),
    "calendar_event_resource": ("calendar_event_id", "calendar_event"),
    "conversation": ("created_by_id", None),
    "dashboard": ("created_by_id", None),
    "dashboard_resource": ("dashboard_id", "dashboard"),
    "dashboard_widget": ("dashboard_id", "dashboard"),
    "job": ("user_id", None),
    "job_component": ("job_id", "job"),
    "message": ("created_by_id", None),
    "note": ("user_id", None),
    "note_component": ("note_id", "note"),
    "note_label_link": ("note_id", "note"),
    "participant": ("conversation_id", "conversation"),
    "recipient": ("note_id", "note"),
    "timelog": ("user_id", None),
    "timer": ("user_id", None),
    "user_application_state": ("user_id", None),
    "user_task_type_link": ("user_id", None),
    "user_view": ("user_id", None),
}
