"""Settings of the site and of single entities, and dashboards."""

from __future__ import annotations

from dataclasses import replace

from ftrack_like.sandbox.schema.belonging import MemberRows, RowPlace, part_of
from ftrack_like.sandbox.schema.declare import (
    boolean,
    date_time,
    entity_type,
    foreign_key,
    number,
    one_to_many,
    reference,
    text,
    to_one,
    type_named,
    unique_id,
)
from ftrack_like.sandbox.schema.model import Property, Reference
from ftrack_like.sandbox.schema.notes import ATTACHMENT_ADDRESSES

__all__ = ["TYPES"]

SETTING = entity_type(
    "Setting",
    text("name", default="default"),
    text("group", default="default"),
    text("value", default="default"),
    primary_key=("name", "group"),
)

SETTING_COMPONENT = entity_type(
    "SettingComponent",
    to_one("component", "Component"),
    foreign_key("name", "Setting.name"),
    foreign_key("group", "Setting.group"),
    Reference("setting", {}, "Setting", "name", "name", also={"group": "group"}),
    ATTACHMENT_ADDRESSES,
    primary_key=("component_id", "name", "group"),
    immutable=("component_id", "name", "group", "thumbnail_url", "url"),
    computed=("thumbnail_url", "url"),
)

ENTITY_SETTING = entity_type(
    "EntitySetting",
    text("parent_id"),
    type_named("parent_type"),
    text("group"),
    text("name"),
    text("value"),
    alias_for="SettingOverride",
    primary_key=("parent_id", "group", "name"),
    required=("parent_id", "group", "name", "value", "parent_type"),
    default_projections=("parent_id", "group", "name", "value", "parent_type"),
    place=RowPlace(anything=("parent_id",)),
)

DASHBOARD = entity_type(
    "Dashboard",
    unique_id("dashboardid"),
    text("name"),
    boolean("is_shared_with_everyone", alias="isglobal", default=False),
    to_one("created_by", "User", alias="user", shown="user_id", key_alias="userid"),
    one_to_many("widgets", "DashboardWidget", "dashboard_id"),
    one_to_many("dashboard_resources", "DashboardResource", "dashboard_id"),
    system_projections=("typeid",),
    family="personal",
    place=RowPlace(
        private=("created_by_id",),
        shared="is_shared_with_everyone",
        members=MemberRows("dashboard_resource", "dashboard_id"),
    ),
    owner=("created_by_id", None),
)


def _shared(name: str, target: str) -> list[Property]:
    """Return a reference and its foreign key.

    The published JSON schema gives the key a ``$ref`` too, although its values are ids.
    """
    key = foreign_key(f"{name}_id", f"{target}.id")
    return [reference(name, target), replace(key, facets={**key.facets, "$ref": target})]


DASHBOARD_RESOURCE = entity_type(
    "DashboardResource",
    _shared("dashboard", "Dashboard"),
    _shared("resource", "Resource"),
    boolean("is_shared_with_everyone", alias="isglobal", default=False),
    alias_for="LinkDashboardResource",
    primary_key=("dashboard_id", "resource_id"),
    system_projections=("dashboard_id", "resource_id"),
    family="personal",
    place=part_of(("dashboard_id", "dashboard")),
    owner=("dashboard_id", "dashboard"),
)

DASHBOARD_WIDGET = entity_type(
    "DashboardWidget",
    unique_id("widgetid"),
    text("type", alias="widget_typeid"),
    text("config", description="JSON blob of relevant widget options."),
    number("sort"),
    to_one("dashboard", "Dashboard", key_alias="dashboardid"),
    family="personal",
    place=part_of(("dashboard_id", "dashboard")),
    owner=("dashboard_id", "dashboard"),
)

#: Data that programs pass to one another by an id, such as a list of versions to play. The recorded
#: schemas lack the type.
TEMP_DATA = entity_type(
    "TempData",
    unique_id("dataid"),
    text("data"),
    date_time("expiry"),
    to_one("user", "User"),
    required=("id", "data", "expiry", "user_id"),
    family="personal",
    place=RowPlace(private=("user_id",)),
    owner=("user_id", None),
)

TYPES = (
    SETTING,
    SETTING_COMPONENT,
    ENTITY_SETTING,
    DASHBOARD,
    DASHBOARD_RESOURCE,
    DASHBOARD_WIDGET,
    TEMP_DATA,
)
