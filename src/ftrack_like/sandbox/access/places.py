"""The place of each table's rows: a project, certain users, or the whole site.

A row is visible to a user who can see its place. Few tables have a column with the project. Most
rows are a part of another row, and their place is that of the other row: a note's attachment
belongs to the note, and the note to a project. :data:`PLACES` records these links as data, because
both halves of the permission model need them. Queries make SQL conditions from them, and the
checks of changes follow them from row to row. With one table the halves cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

__all__ = ["ANY_PARENT", "CLOSED", "OWNERS", "PLACES", "MemberRows", "RowPlace", "Use"]


@dataclass(frozen=True)
class MemberRows:
    """A table that lists users who can see a row.

    Column *own* of *table* contains the id of the row, and column *resource* the id of the user.
    """

    table: str
    own: str
    resource: str = "resource_id"


@dataclass(frozen=True)
class Use:
    """A way in which another row uses a row, and so determines its place.

    *column* of *table* contains the id of the used row. *through* is the (column, table) of a row
    to which the using row belongs, or None if the using row itself determines the place.
    """

    table: str
    column: str
    through: Optional[tuple[str, str]] = None


@dataclass(frozen=True)
class RowPlace:
    """The rules for one table. A user can see a row if all of its rules allow it.

    - *project*: the column with the id of a project. The user must be able to see the project.
    - *through*: (column, table) of rows of which this row is a part. The user must be able to see
      them.
    - *anything*: columns with the id of an entity in any table of :data:`ANY_PARENT`. The user must
      be able to see the entity.
    - *private*: columns with the ids of the users who can see the row. *shared* is a column that
      is true if all users can see it. *members* lists further users.
    - *uses*: if the row is not a part of another row, the user must be able to see one of the rows
      that use it. An unused row is visible.

    If the column of one of the first three rules is empty, this rule allows the row. A row without
    a project, for example, belongs to the whole site.
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


#: The rules by table. All users can see the rows of the other tables.
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
