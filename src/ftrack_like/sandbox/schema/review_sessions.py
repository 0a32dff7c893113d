"""Review sessions with their versions, invitees, annotations and statuses."""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace, part_of
from ftrack_like.sandbox.schema.contexts import CREATED
from ftrack_like.sandbox.schema.declare import (
    Declared,
    boolean,
    date_time,
    entity_type,
    foreign_key,
    integer,
    mapping,
    metadata,
    number,
    one_to_many,
    reference,
    text,
    to_one,
    unique_id,
)
from ftrack_like.sandbox.schema.notes import ATTACHMENT_ADDRESSES

__all__ = ["TYPES"]


def _part_of(name: str, target: str, alias: str) -> Declared:
    """Return a reference from a part of a review session to the object that contains it."""
    return to_one(name, target, alias=alias)


SESSION = _part_of("review_session", "ReviewSession", "reviewSession")
OBJECT = _part_of("review_session_object", "ReviewSessionObject", "reviewSessionObject")

REVIEW_SESSION = entity_type(
    "ReviewSession",
    unique_id(),
    text("name", default="New review session"),
    text("description", default=""),
    date_time("start_date", alias="start"),
    date_time("end_date", alias="end"),
    CREATED,
    text("availability"),
    boolean("is_open", computed="review_session_is_open"),
    boolean("is_moderated"),
    text("passphrase"),
    boolean("passphrase_enabled"),
    boolean("shareable_url_enabled"),
    reference("thumbnail", "Component", computed="review_session_thumbnail"),
    foreign_key(
        "thumbnail_id", "Component.id", alias="thumbid", computed="review_session_thumbnail_id"
    ),
    foreign_key("thumbnail_source_id", "AssetVersion.id"),
    mapping("thumbnail_url", computed="thumbnail_url"),
    to_one("project", "Project", shown="project_id"),
    to_one("review_session_folder", "ReviewSessionFolder", shown="review_session_folder_id"),
    one_to_many(
        "review_session_invitees",
        "ReviewSessionInvitee",
        "review_session_id",
        alias="reviewSessionInvitees",
    ),
    one_to_many(
        "review_session_objects",
        "ReviewSessionObject",
        "review_session_id",
        alias="reviewSessionObjects",
    ),
    one_to_many("settings", "EntitySetting", "parent_id", alias="settingOverrides"),
    metadata(),
    required=(
        "name",
        "description",
        "start_date",
        "end_date",
        "project_id",
        "id",
        "created_by_id",
        "created_at",
    ),
    immutable=("id", "thumbnail_id", "thumbnail_url", "is_open"),
    computed=("thumbnail_id", "thumbnail_url", "is_open"),
    family="work",
    place=RowPlace(project="project_id"),
)

REVIEW_SESSION_FOLDER = entity_type(
    "ReviewSessionFolder",
    unique_id(),
    text("name", default="New review session"),
    to_one("project", "Project", shown="project_id"),
    one_to_many(
        "review_sessions", "ReviewSession", "review_session_folder_id", alias="review_sessions"
    ),
    required=("name", "id"),
    family="work",
    place=RowPlace(project="project_id"),
)

REVIEW_SESSION_INVITEE = entity_type(
    "ReviewSessionInvitee",
    unique_id(),
    text("name"),
    text("email"),
    CREATED,
    boolean("created_from_shared_url"),
    date_time("last_sent_at"),
    to_one("resource", "Resource"),
    SESSION,
    one_to_many("statuses", "ReviewSessionObjectStatus", "review_session_invitee_id"),
    required=("email", "name", "review_session_id", "id", "created_by_id", "created_at"),
    immutable=("id", "created_from_shared_url"),
    system_projections=("review_session_id",),
    family="work",
    place=part_of(("review_session_id", "review_session")),
)

REVIEW_SESSION_OBJECT = entity_type(
    "ReviewSessionObject",
    unique_id(),
    text("name", default=""),
    text("description", default=""),
    text("version", default=""),
    number("sort_order"),
    date_time("created_at"),
    to_one("asset_version", "AssetVersion", alias="assetVersion", key="version_id"),
    SESSION,
    one_to_many("annotations", "ReviewSessionObjectAnnotation", "review_session_object_id"),
    one_to_many("statuses", "ReviewSessionObjectStatus", "review_session_object_id"),
    one_to_many("notes", "Note", "parent_id"),
    required=(
        "name",
        "description",
        "version",
        "version_id",
        "review_session_id",
        "id",
        "created_at",
        "sort_order",
    ),
    system_projections=("review_session_id",),
    family="work",
    place=part_of(("review_session_id", "review_session")),
)

REVIEW_SESSION_OBJECT_ANNOTATION = entity_type(
    "ReviewSessionObjectAnnotation",
    unique_id(),
    text("data"),
    integer("frame_number"),
    date_time("created_at"),
    date_time("updated_at"),
    OBJECT,
    required=("id", "created_at", "frame_number", "review_session_id"),
    system_projections=("review_session_object_id",),
    family="work",
    place=part_of(("review_session_object_id", "review_session_object")),
)

REVIEW_SESSION_OBJECT_ANNOTATION_COMPONENT = entity_type(
    "ReviewSessionObjectAnnotationComponent",
    to_one("component", "Component"),
    text("frame_number", format="integer"),
    OBJECT,
    ATTACHMENT_ADDRESSES,
    primary_key=("component_id", "review_session_object_id"),
    required=("component_id", "frame_number", "review_session_object_id"),
    immutable=(
        "component_id",
        "frame_number",
        "review_session_object_id",
        "thumbnail_url",
        "url",
    ),
    computed=("thumbnail_url", "url"),
    default_projections=("component_id", "frame_number", "review_session_object_id"),
    system_projections=("review_session_object_id",),
    family="work",
    place=part_of(("review_session_object_id", "review_session_object")),
)

REVIEW_SESSION_OBJECT_STATUS = entity_type(
    "ReviewSessionObjectStatus",
    unique_id(),
    text("status"),
    date_time("created_at"),
    to_one("invitee", "ReviewSessionInvitee", key="review_session_invitee_id"),
    to_one("resource", "Resource"),
    OBJECT,
    required=("id", "created_at"),
    system_projections=("review_session_object_id",),
    family="work",
    place=part_of(("review_session_object_id", "review_session_object")),
)

TYPES = (
    REVIEW_SESSION,
    REVIEW_SESSION_FOLDER,
    REVIEW_SESSION_INVITEE,
    REVIEW_SESSION_OBJECT,
    REVIEW_SESSION_OBJECT_ANNOTATION,
    REVIEW_SESSION_OBJECT_ANNOTATION_COMPONENT,
    REVIEW_SESSION_OBJECT_STATUS,
)
