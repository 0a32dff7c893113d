"""Assets and their versions."""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace, part_of
from ftrack_like.sandbox.schema.contexts import THUMBNAIL
from ftrack_like.sandbox.schema.declare import (
    boolean,
    custom_attributes,
    date_time,
    entity_type,
    integer,
    many_to_many,
    metadata,
    one_to_many,
    reference,
    text,
    to_one,
    unique_id,
)

__all__ = ["TYPES"]

ASSET = entity_type(
    "Asset",
    unique_id("assetid"),
    text("name"),
    to_one("parent", "Context", key="context_id"),
    to_one("project", "Project"),
    to_one("type", "AssetType", key_alias="typeid"),
    one_to_many("versions", "AssetVersion", "asset_id"),
    reference("latest_version", "AssetVersion", computed="latest_version"),
    many_to_many(
        "ancestors",
        "TypedContext",
        "context_ancestry",
        own="descendant_id",
        other="ancestor_id",
        own_column="context_id",
        read_only=True,
    ),
    metadata(),
    custom_attributes("Asset"),
    computed=("latest_version",),
    system_projections=("context_id", "project_id"),
    family="work",
    place=RowPlace(project="project_id"),
)

ASSET_TYPE = entity_type(
    "AssetType",
    unique_id("typeid"),
    text("name"),
    text("short"),
    text("component", default="main"),
    one_to_many("assets", "Asset", "type_id"),
    required=("id", "name", "short"),
)

ASSET_VERSION = entity_type(
    "AssetVersion",
    unique_id("versionid"),
    integer("version"),
    text("comment", default=""),
    date_time("date"),
    boolean("is_published", alias="ispublished", default=True),
    boolean("is_latest_version", computed="is_latest_version"),
    text("link", alias="_api_link", computed="version_link"),
    text(
        "_link",
        alias="_api_link",
        computed="version_link",
        description="This attribute has been deprecated, use `link` attribute instead.",
    ),
    THUMBNAIL,
    to_one("asset", "Asset", key_alias="assetid"),
    to_one("project", "Project"),
    to_one("status", "Status", key_alias="statusid"),
    to_one("task", "TypedContext", key_alias="taskid", served_target="Task"),
    to_one("user", "User", shown="user_id", key_alias="userid"),
    one_to_many("components", "Component", "version_id"),
    one_to_many("notes", "Note", "parent_id"),
    one_to_many("status_changes", "StatusChange", "parent_id"),
    one_to_many("incoming_links", "AssetVersionLink", "to_id", alias="incoming_links"),
    one_to_many("outgoing_links", "AssetVersionLink", "from_id", alias="outgoing_links"),
    many_to_many(
        "uses_versions",
        "AssetVersion",
        "asset_version_link",
        own="to_id",
        other="from_id",
        alias="usesversions",
    ),
    many_to_many(
        "used_in_versions",
        "AssetVersion",
        "asset_version_link",
        own="from_id",
        other="to_id",
        alias="usedinversions",
    ),
    many_to_many(
        "lists",
        "AssetVersionList",
        "list_object",
        own="entity_id",
        other="list_id",
        alias="_lists",
    ),
    one_to_many(
        "review_session_objects",
        "ReviewSessionObject",
        "version_id",
        alias="reviewSessionObjects",
    ),
    metadata(),
    custom_attributes("AssetVersion"),
    required=("id", "is_published", "status_id"),
    immutable=("id", "_link", "link", "is_latest_version", "thumbnail_url"),
    computed=("thumbnail_url",),
    system_projections=("assetid", "project_id"),
    family="work",
    place=RowPlace(project="project_id"),
)

ASSET_VERSION_LINK = entity_type(
    "AssetVersionLink",
    unique_id(),
    to_one("from", "AssetVersion", alias="linked_version", key_alias="linkedversionid"),
    to_one("to", "AssetVersion", alias="version", key_alias="versionid"),
    metadata(),
    required=("id", "from_id", "to_id"),
    default_projections=("id", "from_id", "to_id"),
    family="work",
    place=part_of(("from_id", "asset_version"), ("to_id", "asset_version")),
)

TYPES = (ASSET, ASSET_TYPE, ASSET_VERSION, ASSET_VERSION_LINK)
