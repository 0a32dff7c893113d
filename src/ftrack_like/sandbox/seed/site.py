"""Make the rows of a fresh site from :mod:`ftrack_like.sandbox.seed.data`.

Ids are computed from names (:func:`named_id`), so that each run of a test has the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from ftrack_like.sandbox.access.keys import digest_key
from ftrack_like.sandbox.seed.data import attributes, site, work
from ftrack_like.sandbox.seed.demo_project import seed_demo_project
from ftrack_like.sandbox.seed.users import add_user
from ftrack_like.sandbox.tables.migrations import LAYOUT_VERSION
from ftrack_like.sandbox.tables.rowset import RowSet, as_moment, named_id

__all__ = ["named_id", "seed", "seed_demo_project"]


def seed(connection: Connection, *, api_user: str, api_key: str, now: datetime) -> str:
    """Insert the data of a fresh site into empty tables, and return the administrator's id.

    *api_user* is the administrator's user name. The database stores a digest of *api_key*. *now*
    is the time of creation; without a time zone it must be in UTC.
    """
    rows = RowSet()
    _add_work(rows)
    _add_project_schemas(rows)
    _add_custom_attributes(rows)
    _add_site(rows)
    user_id = add_user(rows, api_user, "Site", "Administrator", site.ADMINISTRATOR_ROLE)
    moment = as_moment(now)
    rows.link("user_api_key", user_id=user_id, digest=digest_key(api_key), created_at=moment)
    rows.link("server_value", name="layout", value=str(LAYOUT_VERSION))
    rows.link("server_value", name="seeded_at", value=moment)
    rows.insert(connection)
    return user_id


def _add_named(rows: RowSet, type_name: str, names: Iterable[str]) -> None:
    """Add entities of *type_name* that have only a name."""
    for name in names:
        rows.add(type_name, id=named_id(type_name, name), name=name)


# Work


def _add_work(rows: RowSet) -> None:
    for name, short in work.STATES.items():
        rows.add("State", id=named_id("State", name), name=name, short=short)
    for sort, status in enumerate(work.STATUSES):
        rows.add(
            "Status",
            id=named_id("Status", status.name),
            name=status.name,
            color=status.color,
            sort=sort,
            is_active=True,
            state=named_id("State", status.state),
        )
    for sort, type_ in enumerate(work.TYPES):
        rows.add("Type", id=named_id("Type", type_.name), sort=sort, **type_._asdict())
    for sort, priority in enumerate(work.PRIORITIES):
        id_ = priority.id or named_id("Priority", priority.name)
        rows.add("Priority", sort=sort, **{**priority._asdict(), "id": id_})
    for asset_type in work.ASSET_TYPES:
        rows.add("AssetType", id=named_id("AssetType", asset_type.name), **asset_type._asdict())
    for sort, object_type in enumerate(work.OBJECT_TYPES):
        _add_object_type(rows, object_type, sort)


def _add_object_type(rows: RowSet, object_type: work.ObjectType, sort: int) -> None:
    flags = {f"is_{name}": name in object_type.flags for name in work.OBJECT_TYPE_FLAGS}
    rows.add(
        "ObjectType",
        id=object_type.id,
        name=object_type.name,
        icon=object_type.icon,
        sort=sort,
        **flags,
    )


# Project schemas


def _add_project_schemas(rows: RowSet) -> None:
    for name, statuses in work.WORKFLOWS.items():
        workflow_id = rows.add("WorkflowSchema", id=named_id("WorkflowSchema", name), name=name)
        for status in statuses:
            rows.add(
                "WorkflowSchemaStatus",
                workflow_schema_id=workflow_id,
                status_id=named_id("Status", status),
            )
    for name, types in work.TASK_TYPE_SCHEMAS.items():
        schema_id = rows.add("TaskTypeSchema", id=named_id("TaskTypeSchema", name), name=name)
        for type_ in types:
            rows.add(
                "TaskTypeSchemaType",
                task_type_schema_id=schema_id,
                type_id=named_id("Type", type_),
            )
    for schema in work.PROJECT_SCHEMAS:
        _add_project_schema(rows, schema)


def _add_project_schema(rows: RowSet, schema: work.SeedProjectSchema) -> None:
    schema_id = rows.add(
        "ProjectSchema",
        id=named_id("ProjectSchema", schema.name),
        name=schema.name,
        task_type_schema_id=named_id("TaskTypeSchema", schema.task_type_schema),
        task_workflow_schema_id=named_id("WorkflowSchema", schema.workflow),
        asset_version_workflow_schema_id=named_id("WorkflowSchema", schema.version_workflow),
    )
    for type_, workflow in schema.overrides.items():
        rows.add(
            "ProjectSchemaOverride",
            id=named_id("ProjectSchemaOverride", schema.name, type_),
            project_schema_id=schema_id,
            type_id=named_id("Type", type_),
            workflow_schema_id=named_id("WorkflowSchema", workflow),
        )
    object_types = {one.name: one for one in work.OBJECT_TYPES}
    for name in schema.object_types:
        _add_schema_of_object_type(rows, schema, schema_id, object_types[name])
    for name, types in schema.templates.items():
        _add_task_template(rows, schema, name, types)


def _add_schema_of_object_type(
    rows: RowSet,
    schema: work.SeedProjectSchema,
    project_schema_id: str,
    object_type: work.ObjectType,
) -> None:
    """Add the types and statuses of contexts of *object_type* in *schema*."""
    rows.add(
        "ProjectSchemaObjectType",
        project_schema_id=project_schema_id,
        object_type_id=object_type.id,
    )
    schema_id = rows.add(
        "Schema",
        id=named_id("Schema", schema.name, object_type.name),
        project_schema_id=project_schema_id,
        object_type_id=object_type.id,
    )
    for sort, name in enumerate(schema.types_of(object_type.name)):
        rows.add("SchemaType", schema_id=schema_id, type_id=named_id("Type", name), sort=sort)
    for sort, name in enumerate(schema.statuses_of(object_type.name)):
        status_id = named_id("Status", name)
        rows.add("SchemaStatus", schema_id=schema_id, status_id=status_id, sort=sort)


def _add_task_template(
    rows: RowSet, schema: work.SeedProjectSchema, name: str, types: Iterable[str]
) -> None:
    template_id = rows.add(
        "TaskTemplate",
        id=named_id("TaskTemplate", schema.name, name),
        name=name,
        project_schema_id=named_id("ProjectSchema", schema.name),
    )
    for type_ in types:
        rows.add(
            "TaskTemplateItem",
            id=named_id("TaskTemplateItem", schema.name, name, type_),
            template_id=template_id,
            task_type_id=named_id("Type", type_),
        )


# Custom attributes


def _add_custom_attributes(rows: RowSet) -> None:
    for name in attributes.CUSTOM_ATTRIBUTE_TYPES:
        id_ = named_id("CustomAttributeType", name)
        rows.add("CustomAttributeType", id=id_, name=name, core=True)
    _add_named(rows, "CustomAttributeGroup", attributes.CUSTOM_ATTRIBUTE_GROUPS)
    object_type_ids = {one.name: one.id for one in work.OBJECT_TYPES}
    for sort, one in enumerate(attributes.CUSTOM_ATTRIBUTE_CONFIGURATIONS):
        configuration_id = rows.add(
            "CustomAttributeConfiguration",
            id=named_id("CustomAttributeConfiguration", one.entity_type, one.key),
            key=one.key,
            label=one.label,
            type_id=named_id("CustomAttributeType", one.type),
            entity_type=one.entity_type,
            object_type_id=object_type_ids.get(one.object_type or ""),
            group_id=one.group and named_id("CustomAttributeGroup", one.group),
            default=one.default,
            is_hierarchical=one.is_hierarchical,
            config=one.config,
            sort=sort,
        )
        _add_rights(rows, configuration_id)


def _add_rights(rows: RowSet, configuration_id: str) -> None:
    """Allow each role to read and write the values of a configuration."""
    for table in ("custom_attribute_read_role", "custom_attribute_write_role"):
        for role in site.SECURITY_ROLES:
            role_id = named_id("SecurityRole", role)
            rows.link(table, configuration_id=configuration_id, role_id=role_id)


# The site


def _add_site(rows: RowSet) -> None:
    for location in site.LOCATIONS:
        rows.add("Location", **location._asdict())
    for name, kind in site.SECURITY_ROLES.items():
        rows.add("SecurityRole", id=named_id("SecurityRole", name), name=name, type=kind)
    for sort, label in enumerate(site.NOTE_LABELS):
        rows.add("NoteLabel", id=named_id("NoteLabel", label.name), sort=sort, **label._asdict())
    for disk in site.DISKS:
        rows.add("Disk", id=named_id("Disk", disk.name), **disk._asdict())
    for setting in site.SETTINGS:
        rows.add("Setting", **setting._asdict())
    _add_named(rows, "UserType", site.USER_TYPES)
    _add_named(rows, "ManagerType", site.MANAGER_TYPES)
    _add_named(rows, "ListCategory", site.LIST_CATEGORIES)
    _add_named(rows, "Scope", site.SCOPES)
