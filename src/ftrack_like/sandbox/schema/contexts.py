"""Contexts (projects and the entities below them), appointments, managers and links.

One table stores all contexts. ``context_type`` is ``show`` for a project, and ``task`` for every
other context; ``object_type_id`` then gives the entity type (:mod:`.object_types`). ``project_id``
of a project is its own id.
"""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace, part_of
from ftrack_like.sandbox.schema.declare import (
    boolean,
    custom_attributes,
    date_time,
    entity_type,
    foreign_key,
    many_to_many,
    mapping,
    metadata,
    number,
    one_to_many,
    text,
    to_one,
    unique_id,
)
from ftrack_like.sandbox.schema.model import Property

__all__ = ["CREATED", "DEFAULT_PRIORITY_ID", "THUMBNAIL", "TYPED_CONTEXT", "TYPES"]

#: The priority of a new context on a stock site. Its name is ``None``.
DEFAULT_PRIORITY_ID = "9661b320-3a0c-11e2-81c1-0800200c9a66"

CREATED_BY = to_one(
    "created_by", "User", alias="createdBy", shown="user_id", key_alias="created_by"
)
CREATED: tuple[Property, ...] = (date_time("created_at"), *CREATED_BY)

THUMBNAIL: tuple[Property, ...] = (
    *to_one("thumbnail", "Component", key_alias="thumbid"),
    mapping("thumbnail_url", computed="thumbnail_url"),
)

LINK = (
    text("link", alias="_api_link", computed="context_link"),
    text(
        "_link",
        alias="_api_link",
        computed="context_link",
        description="This attribute has been deprecated, use `link` attribute instead.",
    ),
)

ANCESTORS = many_to_many(
    "ancestors",
    "TypedContext",
    "context_ancestry",
    own="descendant_id",
    other="ancestor_id",
    read_only=True,
    unless={"depth": 0},
)
DESCENDANTS = many_to_many(
    "descendants",
    "TypedContext",
    "context_ancestry",
    own="ancestor_id",
    other="descendant_id",
    read_only=True,
    unless={"depth": 0},
)

CONTEXT = entity_type(
    "Context",
    unique_id(),
    text("name", default=""),
    text("context_type"),
    LINK,
    CREATED,
    THUMBNAIL,
    to_one("parent", "Context"),
    foreign_key("project_id", "Project.id"),
    one_to_many("children", "Context", "parent_id"),
    one_to_many("assets", "Asset", "context_id"),
    one_to_many("notes", "Note", "parent_id"),
    one_to_many("timelogs", "Timelog", "context_id"),
    one_to_many("managers", "Manager", "context_id"),
    many_to_many("scopes", "Scope", "context_scope", own="context_id", other="scope_id"),
    [
        one_to_many(
            name, "Appointment", "context_id", alias=f"context_{name}", where={"type": name[:-1]}
        )
        for name in ("allocations", "assignments")
    ],
    one_to_many("appointments", "Appointment", "context_id", alias="context_appointments"),
    custom_attributes("Context"),
    concrete=False,
    required=("context_type", "id", "name"),
    immutable=(
        "id",
        "_link",
        "link",
        "thumbnail_url",
        "created_by_id",
        "created_by",
        "created_at",
    ),
    computed=("thumbnail_url",),
    default_projections=("context_type", "id", "name"),
    system_projections=("context_type",),
    family="planning",
    place=RowPlace(project="project_id"),
)

PROJECT = entity_type(
    "Project",
    text("full_name", alias="fullname"),
    text("status"),
    text("color"),
    text("root"),
    date_time("start_date", alias="startdate"),
    date_time("end_date", alias="enddate"),
    boolean("is_global", alias="isglobal", default=False),
    boolean("is_private", alias="private", default=False),
    to_one("disk", "Disk", key_alias="diskid"),
    to_one("project_schema", "ProjectSchema", alias="projectscheme", key_alias="projectschemeid"),
    DESCENDANTS,
    one_to_many("calendar_events", "CalendarEvent", "project_id"),
    one_to_many("review_session_folders", "ReviewSessionFolder", "project_id"),
    one_to_many("review_sessions", "ReviewSession", "project_id", alias="reviewSessions"),
    one_to_many(
        "user_security_role_projects",
        "UserSecurityRoleProject",
        "project_id",
        alias="user_role_projects",
    ),
    metadata(),
    extends=CONTEXT,
    classifier={"context_type": "show"},
    alias_for="Show",
    required=("is_global", "status", "project_schema_id"),
)

TYPED_CONTEXT = entity_type(
    "TypedContext",
    text("description"),
    number("sort"),
    number("bid"),
    number("time_logged", computed="time_logged"),
    number("bid_time_logged_difference", computed="bid_time_logged_difference"),
    date_time("start_date", alias="startdate"),
    date_time("end_date", alias="enddate"),
    to_one("project", "Project", alias="show", key_alias="showid"),
    to_one("object_type", "ObjectType", alias="objectType", key_alias="object_typeid"),
    to_one("type", "Type", key_alias="typeid"),
    to_one("status", "Status", key_alias="statusid"),
    to_one("priority", "Priority", key_alias="priorityid"),
    foreign_key("thumbnail_source_id", "Context.id"),
    ANCESTORS,
    DESCENDANTS,
    one_to_many("incoming_links", "TypedContextLink", "to_id", alias="predecessors"),
    one_to_many("outgoing_links", "TypedContextLink", "from_id", alias="successors"),
    many_to_many(
        "lists",
        "TypedContextList",
        "list_object",
        own="entity_id",
        other="list_id",
        alias="_lists",
    ),
    one_to_many("split_parts", "SplitTaskPart", "task_id"),
    one_to_many("status_changes", "StatusChange", "parent_id"),
    metadata(),
    extends=CONTEXT,
    concrete=False,
    classifier={"context_type": "task"},
    alias_for="Task",
    required=("bid", "status_id", "type_id", "priority_id", "object_type_id", "sort"),
    immutable=("time_logged", "bid_time_logged_difference"),
    computed=("time_logged", "bid_time_logged_difference"),
    system_projections=("showid",),
)


APPOINTMENT = entity_type(
    "Appointment",
    unique_id(),
    text("type"),
    to_one("context", "Context", alias="appointment_context"),
    to_one("resource", "Resource", alias="appointment_resource"),
    required=("id", "type", "resource_id", "context_id"),
    family="planning",
    place=part_of(("context_id", "context")),
)

DISK = entity_type(
    "Disk",
    unique_id("diskid"),
    text("name"),
    text("unix"),
    text("windows"),
    one_to_many("projects", "Project", "disk_id", alias="shows"),
    required=("id", "name"),
)

MANAGER = entity_type(
    "Manager",
    unique_id("managerid"),
    to_one("context", "Context"),
    to_one("type", "ManagerType", key_alias="typeid"),
    to_one("user", "User", key_alias="userid"),
    family="planning",
    place=part_of(("context_id", "context")),
)

MANAGER_TYPE = entity_type("ManagerType", unique_id("typeid"), text("name"))

SCOPE = entity_type("Scope", unique_id(), text("name"), required=("name", "id"))

SPLIT_TASK_PART = entity_type(
    "SplitTaskPart",
    unique_id(),
    text("label"),
    date_time("start_date"),
    date_time("end_date"),
    to_one("task", "TypedContext", served_target="Task"),
    required=("id", "start_date", "end_date", "task_id"),
    system_projections=("task_id",),
    json_type=None,
    family="planning",
    place=part_of(("task_id", "context")),
)

TYPED_CONTEXT_LINK = entity_type(
    "TypedContextLink",
    unique_id("dependencyid"),
    number("lag", alias="lag"),
    text(
        "type",
        default="end_to_start",
        enum=["start_to_start", "start_to_end", "end_to_start", "end_to_end"],
    ),
    to_one("from", "TypedContext", alias="fromTask"),
    to_one("to", "TypedContext", alias="toTask"),
    metadata(),
    alias_for="Dependency",
    required=("id", "from_id", "to_id"),
    default_projections=("id", "from_id", "to_id"),
    family="planning",
    place=part_of(("from_id", "context"), ("to_id", "context")),
)

TYPES = (
    CONTEXT,
    PROJECT,
    TYPED_CONTEXT,
    APPOINTMENT,
    DISK,
    MANAGER,
    MANAGER_TYPE,
    SCOPE,
    SPLIT_TASK_PART,
    TYPED_CONTEXT_LINK,
)
