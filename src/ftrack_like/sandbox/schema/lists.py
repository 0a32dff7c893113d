"""Lists of contexts and lists of versions. ``system_type`` is ``task`` or ``assetversion``."""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace
from ftrack_like.sandbox.schema.declare import (
    boolean,
    custom_attribute_values,
    custom_attributes,
    date_time,
    entity_type,
    many_to_many,
    one_to_many,
    text,
    to_one,
    unique_id,
)
from ftrack_like.sandbox.schema.model import Scalar

__all__ = ["TYPES"]


def _system_type(default: str) -> Scalar:
    """Return the property that gives the type of a list's items."""
    description = "Defines the type of the items this list accepts."
    return text("system_type", alias="entity", default=default, description=description)


LIST = entity_type(
    "List",
    unique_id("listid"),
    text("name", default=""),
    date_time("date"),
    boolean("is_open", alias="isopen", default=True),
    _system_type("task"),
    to_one("category", "ListCategory", alias="type", key_alias="typeid"),
    to_one("owner", "User", alias="user", key="user_id", shown="user_id", key_alias="userid"),
    to_one("project", "Project", alias="show", key_alias="showid"),
    custom_attributes("List"),
    concrete=False,
    required=("id", "is_open", "category_id", "project_id"),
    system_projections=("showid",),
    family="work",
    place=RowPlace(project="project_id"),
)

TYPED_CONTEXT_LIST = entity_type(
    "TypedContextList",
    many_to_many(
        "items",
        "TypedContext",
        "list_object",
        own="list_id",
        other="entity_id",
        alias="_task_items",
        served_target="Task",
    ),
    extends=LIST,
    classifier={"system_type": "task"},
    alias_for={"id": "List", "classifiers": {"entity": "task"}},
    immutable=("type",),
)

ASSET_VERSION_LIST = entity_type(
    "AssetVersionList",
    many_to_many(
        "items",
        "AssetVersion",
        "list_object",
        own="list_id",
        other="entity_id",
        alias="_asset_version_items",
    ),
    _system_type("assetversion"),
    extends=LIST,
    classifier={"system_type": "assetversion"},
    alias_for={"id": "List", "classifiers": {"entity": "assetversion"}},
    immutable=("type",),
)

LIST_CATEGORY = entity_type(
    "ListCategory",
    unique_id("typeid"),
    text("name"),
    one_to_many("lists", "List", "category_id"),
    alias_for="ListType",
)

LIST_OBJECT = entity_type(
    "ListObject",
    unique_id(),
    text("entity_id", alias="entityid"),
    to_one("list", "List", key_alias="listid"),
    custom_attribute_values("ListObject"),
    required=("id", "entity_id", "list_id"),
    default_projections=("id", "entity_id", "list_id"),
    family="work",
    place=RowPlace(through=(("list_id", "list"),), anything=("entity_id",)),
)

TYPES = (LIST, TYPED_CONTEXT_LIST, ASSET_VERSION_LIST, LIST_CATEGORY, LIST_OBJECT)
