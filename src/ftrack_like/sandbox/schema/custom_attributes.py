"""Custom attributes: configurations, values, and links between entities.

A *family* is an entity type that can have values or links, together with its sub-types. This
module makes the same types for each family:

- ``<Family>CustomAttributeValue``: the values of its entities.
- ``<Family>CustomAttributeLink``: the links *to* its entities. The column ``to_entity_type``
  contains the name of the family.
- ``<Family>CustomAttributeLinkFrom``: the links *from* its entities. The column
  ``from_entity_type`` contains the name of the family.

One table stores the values of all families, another the links.
"""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace
from ftrack_like.sandbox.schema.declare import (
    boolean,
    entity_type,
    foreign_key,
    integer,
    many_to_many,
    one_to_many,
    reference,
    snake_case,
    text,
    to_one,
    type_named,
    unique_id,
    variable,
)
from ftrack_like.sandbox.schema.model import EntityType

__all__ = ["LINK_FAMILIES", "TYPES", "VALUE_FAMILIES"]

#: The types whose entities have custom attribute values.
VALUE_FAMILIES = ("Asset", "AssetVersion", "Context", "List", "ListObject", "User")

#: The types whose entities custom attribute links can connect.
LINK_FAMILIES = ("Asset", "AssetVersion", "Component", "Context", "Group", "List", "User")

# Configurations

CUSTOM_CONFIGURATION_BASE = entity_type(
    "CustomConfigurationBase",
    unique_id("registerid"),
    text("key", description="Attribute name unique to entity type."),
    text("label", description="Display name for attribute."),
    text("config", description="JSON blob of relevant menu options."),
    boolean("core", description="Whether a non-alterable builtin.", default=False),
    integer("sort", description="Graphical interface sort order.", default=0),
    text("entity_type", alias="entity", description="The entity type (table name)."),
    reference("object_type", "ObjectType", alias="object_type"),
    text(
        "object_type_id",
        alias="entity_key",
        references=("ObjectType", "id"),
        description="Id of object type attribute applies to.",
    ),
    text(
        "project_id",
        alias="topid",
        references=("Project", "id"),
        description="Id of project attribute is configured for.",
    ),
    to_one("group", "CustomAttributeGroup", key_alias="groupid"),
    [
        many_to_many(
            f"{right}_security_roles",
            "SecurityRole",
            f"custom_attribute_{right}_role",
            own="configuration_id",
            other="role_id",
            alias=f"{right}_roles",
        )
        for right in ("read", "write")
    ],
    table="custom_attribute_configuration",
    concrete=False,
    alias_for="RegisterBase",
    required=("id", "core", "config"),
    system_projections=("write_permissionid", "permissionid", "topid"),
    place=RowPlace(project="project_id"),
)

CONFIGURATION = entity_type(
    "CustomAttributeConfiguration",
    variable(
        "default",
        alias="casted_default",
        column="default_value",
        default="",
        description="Default value to use when no specific attribute value set on an instance.",
    ),
    boolean(
        "is_hierarchical",
        alias="ishierarchical",
        default=False,
        description="Whether overridable at different levels.",
    ),
    to_one("type", "CustomAttributeType", key_alias="typeid"),
    one_to_many("values", "CustomAttributeValue", "configuration_id"),
    extends=CUSTOM_CONFIGURATION_BASE,
    classifier={"kind": "value"},
    alias_for="Variable_Register",
)

LINK_CONFIGURATION = entity_type(
    "CustomAttributeLinkConfiguration",
    text("entity_type_to", alias="entity_to", description="The entity type (table name)."),
    to_one(
        "object_type_to",
        "ObjectType",
        key="object_type_id_to",
        alias="object_type_to",
        key_alias="entity_key_to",
    ),
    boolean("one_to_one"),
    extends=CUSTOM_CONFIGURATION_BASE,
    classifier={"kind": "link"},
    alias_for="LinkRegister",
    required=("id", "entity_type", "entity_type_to", "core", "config"),
    immutable=("id", "entity_type_to", "object_type_id_to"),
)

GROUP = entity_type(
    "CustomAttributeGroup",
    unique_id("groupid"),
    text("name", description="Name of custom attribute group"),
    one_to_many(
        "custom_attribute_configurations",
        "CustomAttributeConfiguration",
        "group_id",
        alias="registers",
    ),
    alias_for="AttributeGroup",
    default_projections=("id", "name"),
)

TYPE = entity_type(
    "CustomAttributeType",
    unique_id("typeid"),
    text("name", description="Name of custom attribute type"),
    text("form_config", alias="formconfig"),
    boolean("core", description="Whether a non-alterable builtin.", default=False),
    one_to_many(
        "custom_attribute_configurations",
        "CustomAttributeConfiguration",
        "type_id",
        alias="variables",
    ),
    required=("id", "core"),
)

# Values

VALUE_KEY = ("configuration_id", "entity_id")

VALUE = variable("value", alias="casted_value", computed="custom_attribute_value")

CUSTOM_ATTRIBUTE_VALUE = entity_type(
    "CustomAttributeValue",
    to_one(
        "configuration", "CustomAttributeConfiguration", alias="register", key_alias="registerid"
    ),
    text("entity_id", alias="entityid"),
    VALUE,
    alias_for="Variable_Value",
    primary_key=VALUE_KEY,
    place=RowPlace(anything=("entity_id",)),
)


def _value_type(family: str) -> EntityType:
    """Return the type of the values of *family*."""
    in_project = () if family in {"ListObject", "User"} else ("project_id",)
    return entity_type(
        f"{family}CustomAttributeValue",
        to_one(
            "configuration",
            "CustomAttributeConfiguration",
            alias="register",
            key_alias="register_id",
        ),
        foreign_key("entity_id", f"{family}.id"),
        text("key", computed="custom_attribute_key"),
        VALUE,
        table="custom_attribute_value",
        primary_key=VALUE_KEY,
        default_projections=(*VALUE_KEY, "key"),
        system_projections=("entity_id", "key", "_casted_value", *in_project, "permission_id"),
    )


# Links

LINK = entity_type(
    "CustomAttributeLink",
    unique_id(),
    to_one(
        "configuration",
        "CustomAttributeLinkConfiguration",
        alias="register",
        key_alias="registerid",
    ),
    text("from_id"),
    type_named("from_entity_type"),
    text("to_id"),
    type_named("to_entity_type"),
    required=("configuration_id", "from_id", "to_id"),
    immutable=("configuration_id", "id"),
    default_projections=("configuration_id", "from_id", "to_id"),
    place=RowPlace(anything=("from_id", "to_id")),
)

LINK_FROM = entity_type(
    "CustomAttributeLinkFrom",
    *LINK.properties.values(),
    table=LINK.table,
    required=LINK.required,
    immutable=LINK.immutable,
    default_projections=LINK.default_projections,
)


def _link_type(base: EntityType, family: str, end: str) -> EntityType:
    """Return the type of the links whose *end* (``to`` or ``from``) is an entity of *family*."""
    return entity_type(
        base.name.replace("CustomAttribute", f"{family}CustomAttribute"),
        reference(snake_case(family), family, column=f"{end}_id"),
        extends=base,
        classifier={f"{end}_entity_type": family},
        required=(
            "configuration_id",
            "from_id",
            "to_id",
            "from_entity_type",
            "to_entity_type",
            "id",
        ),
        immutable=("id", "configuration_id"),
        default_projections=("id", "to_id", "to_entity_type", "configuration_id", "from_id"),
    )


TYPES = (
    CUSTOM_CONFIGURATION_BASE,
    CONFIGURATION,
    LINK_CONFIGURATION,
    GROUP,
    TYPE,
    CUSTOM_ATTRIBUTE_VALUE,
    *map(_value_type, VALUE_FAMILIES),
    LINK,
    LINK_FROM,
    *(_link_type(LINK, family, "to") for family in LINK_FAMILIES),
    *(_link_type(LINK_FROM, family, "from") for family in LINK_FAMILIES),
)
