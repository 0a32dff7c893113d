"""Users, groups and collaborators. One table, ``resource``, stores them all."""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import MemberRows, RowPlace
from ftrack_like.sandbox.schema.contexts import THUMBNAIL
from ftrack_like.sandbox.schema.declare import (
    boolean,
    custom_attributes,
    date_time,
    entity_type,
    foreign_key,
    many_to_many,
    metadata,
    one_to_many,
    reference,
    text,
    to_one,
    unique_id,
)

__all__ = ["TYPES", "USER_TYPE_ID"]

#: The id of the type that a new user gets. It is the same on every site.
USER_TYPE_ID = "ac9fa5aa-4361-11e0-b7cc-0019bb4983d8"

RESOURCE = entity_type(
    "Resource",
    unique_id(),
    text("resource_type"),
    [
        one_to_many(
            name, "Appointment", "resource_id", alias=f"resource_{name}", where={"type": name[:-1]}
        )
        for name in ("allocations", "assignments")
    ],
    one_to_many("appointments", "Appointment", "resource_id", alias="resource_appointments"),
    one_to_many("dashboard_resources", "DashboardResource", "resource_id"),
    concrete=False,
    required=("resource_type", "id"),
    system_projections=("resource_type",),
)

BASE_USER = entity_type(
    "BaseUser",
    text("email"),
    text("first_name", alias="firstname"),
    text("last_name", alias="lastname"),
    THUMBNAIL,
    extends=RESOURCE,
    concrete=False,
    mixin="Resource",
    immutable=("thumbnail_url",),
    computed=("thumbnail_url",),
)

COLLABORATOR = entity_type(
    "Collaborator",
    text("created_from_shared_url"),
    extends=BASE_USER,
    classifier={"resource_type": "collaborator"},
    mixin="BaseUser",
)

USER = entity_type(
    "User",
    text("username"),
    text("resource_type", default="user"),
    boolean("is_active", alias="isactive"),
    boolean("is_otp_enabled", alias="otp_enabled"),
    boolean("is_totp_enabled", alias="totp_enabled"),
    boolean("require_details_update"),
    reference("user_type", "UserType", alias="type"),
    foreign_key("user_type_id", "UserType.id", alias="typeid", type_=None),
    one_to_many("memberships", "Membership", "user_id", alias="user_memberships"),
    one_to_many("task_type_links", "UserTaskTypeLink", "user_id", alias="user_task_type_link"),
    one_to_many("timelogs", "Timelog", "user_id"),
    one_to_many("user_security_roles", "UserSecurityRole", "user_id", alias="userRoles"),
    metadata(),
    custom_attributes("User"),
    extends=BASE_USER,
    classifier={"resource_type": "user"},
    required=("username", "is_active"),
    immutable=("resource_type",),
)

GROUP = entity_type(
    "Group",
    text("name", default=""),
    text("resource_type", default="group"),
    boolean("local"),
    text("link", alias="api_link", computed="group_link"),
    to_one("parent", "Group", key_alias="group_id"),
    one_to_many("children", "Group", "parent_id"),
    one_to_many("memberships", "Membership", "group_id", alias="group_memberships"),
    metadata(),
    custom_attributes(),
    extends=RESOURCE,
    classifier={"resource_type": "group"},
    required=("name", "local"),
    immutable=("resource_type", "link"),
)

MEMBERSHIP = entity_type(
    "Membership",
    unique_id(),
    to_one("group", "Group", alias="membership_group"),
    to_one("user", "User", alias="membership_user"),
    required=("group_id", "user_id", "id"),
)

USER_APPLICATION_STATE = entity_type(
    "UserApplicationState",
    foreign_key("user_id", "User.id", alias="userid"),
    text("key"),
    text("value"),
    alias_for="UserSetting",
    primary_key=("user_id", "key"),
    required=("user_id", "key", "value"),
    default_projections=("user_id", "key", "value"),
    family="personal",
    place=RowPlace(private=("user_id",)),
    owner=("user_id", None),
)

USER_SESSION = entity_type(
    "UserSession",
    unique_id(),
    date_time("creation_time"),
    date_time("accessed_time"),
    to_one("user", "User"),
    read_only=True,
    system_projections=("user_id",),
    place=RowPlace(private=("user_id",)),
)

USER_TASK_TYPE_LINK = entity_type(
    "UserTaskTypeLink",
    to_one("type", "Type", alias="task_type", key_alias="task_type_id"),
    to_one("user", "User"),
    primary_key=("type_id", "user_id"),
    family="personal",
    owner=("user_id", None),
)

USER_TYPE = entity_type(
    "UserType", unique_id("typeid"), text("name"), required=("id",), immutable=("id", "name")
)

USER_VIEW = entity_type(
    "UserView",
    unique_id("viewid"),
    text("name"),
    boolean("global", alias="isglobal"),
    to_one("user", "User", key_alias="userid"),
    many_to_many(
        "shared_with",
        "Resource",
        "user_view_resource",
        own="user_view_id",
        other="resource_id",
        alias="sharedviews",
    ),
    family="personal",
    place=RowPlace(
        private=("user_id",),
        shared="global",
        members=MemberRows("user_view_resource", "user_view_id"),
    ),
    owner=("user_id", None),
)

TYPES = (
    RESOURCE,
    BASE_USER,
    COLLABORATOR,
    USER,
    GROUP,
    MEMBERSHIP,
    USER_APPLICATION_STATE,
    USER_SESSION,
    USER_TASK_TYPE_LINK,
    USER_TYPE,
    USER_VIEW,
)
