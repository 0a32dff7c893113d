"""Security roles, their assignments to users and projects, and API keys."""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace
from ftrack_like.sandbox.schema.declare import (
    boolean,
    entity_type,
    foreign_key,
    many_to_many,
    one_to_many,
    text,
    to_one,
    unique_id,
)

__all__ = ["TYPES"]

API_KEY = entity_type(
    "ApiKey",
    unique_id(),
    text("description"),
    text("identifier"),
    text("prefix"),
    foreign_key("resource_id", "Resource.id"),
    many_to_many("projects", "Project", "api_key_project", own="api_key_id", other="project_id"),
    many_to_many("roles", "SecurityRole", "api_key_role", own="api_key_id", other="role_id"),
    alias_for="AccessKey",
    system_projections=("identifier", "resource_id", "prefix"),
    place=RowPlace(private=("resource_id",)),
)

SECURITY_ROLE = entity_type(
    "SecurityRole",
    unique_id("roleid"),
    text("name"),
    # The schema names SecurityRoleType but has no such type.
    text(
        "type",
        alias="typeid",
        column="type_id",
        description="Foreign key(s): SecurityRoleType.id",
        format="foreign_key",
    ),
    one_to_many("user_security_roles", "UserSecurityRole", "security_role_id", alias="userRoles"),
    alias_for="Auth_Role",
    default_projections=("id", "name"),
)

USER_SECURITY_ROLE = entity_type(
    "UserSecurityRole",
    unique_id(),
    boolean("is_all_open_projects", alias="isallprojects"),
    boolean(
        "is_all_projects",
        alias="isallprojects",
        column="is_all_open_projects",
        description=(
            "This attribute has been deprecated, use `is_all_open_projects` attribute instead."
        ),
    ),
    to_one("security_role", "SecurityRole", alias="role", key_alias="roleid"),
    to_one("user", "User", key_alias="userid"),
    one_to_many(
        "user_security_role_projects",
        "UserSecurityRoleProject",
        "user_security_role_id",
        alias="user_role_projects",
    ),
    alias_for="Auth_UserRole",
    default_projections=("id", "user_id", "security_role_id"),
)

USER_SECURITY_ROLE_PROJECT = entity_type(
    "UserSecurityRoleProject",
    unique_id(),
    to_one("project", "Project"),
    to_one("user_security_role", "UserSecurityRole", alias="user_role", key_alias="user_role_id"),
    alias_for="UserRoleProject",
    default_projections=("id", "user_security_role_id", "project_id"),
    place=RowPlace(project="project_id"),
)

TYPES = (API_KEY, SECURITY_ROLE, USER_SECURITY_ROLE, USER_SECURITY_ROLE_PROJECT)
