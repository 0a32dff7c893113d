"""Make the rows of a fresh site from :mod:`ftrack_like.sandbox.seed.data`.

Stock rows have the ids of every site. Other ids are computed from names (:func:`named_id`), so that
each run of a test has the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from ftrack_like.sandbox.access.keys import digest_key
from ftrack_like.sandbox.schema.object_types import FLAGS, STOCK_OBJECT_TYPES, ObjectType
from ftrack_like.sandbox.seed.data import attributes, project_schemas, site, work
from ftrack_like.sandbox.seed.demo_project import has_demo_project, seed_demo_project
from ftrack_like.sandbox.seed.ids import configuration_id, row_id
from ftrack_like.sandbox.seed.users import add_user
from ftrack_like.sandbox.tables.migrations import LAYOUT_VERSION
from ftrack_like.sandbox.tables.rowset import RowSet, as_moment, named_id

__all__ = ["has_demo_project", "named_id", "seed", "seed_demo_project"]


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
        rows.add(type_name, id=row_id(type_name, name), name=name)


# Work


def _add_work(rows: RowSet) -> None:
    for state in work.STATES:
        rows.add("State", **state._asdict())
    for sort, status in enumerate(work.STATUSES):
        values = {**status._asdict(), "state": row_id("State", status.state)}
        rows.add("Status", sort=sort, is_active=True, **values)
    for sort, type_ in enumerate(work.TYPES):
        rows.add("Type", sort=sort, **type_._asdict())
    for sort, priority in enumerate(work.PRIORITIES):
        rows.add("Priority", sort=sort, **priority._asdict())
    for asset_type in work.ASSET_TYPES:
        id_ = row_id("AssetType", asset_type.name)
        rows.add("AssetType", **{**asset_type._asdict(), "id": id_})
    for sort, object_type in enumerate(STOCK_OBJECT_TYPES):
        _add_object_type(rows, object_type, sort)


def _add_object_type(rows: RowSet, object_type: ObjectType, sort: int) -> None:
    flags = {f"is_{name}": name in object_type.flags for name in FLAGS}
    rows.add(
        "ObjectType",
        id=object_type.id,
        name=object_type.name,
        icon=project_schemas.ICONS.get(object_type.name, "default"),
        sort=sort,
        **flags,
    )


# Project schemas


def _add_project_schemas(rows: RowSet) -> None:
    for schema in project_schemas.PROJECT_SCHEMAS:
        _add_workflow(
            rows,
            schema.workflow_id,
            f"{schema.name} task workflow",
            project_schemas.TASK_STATUSES,
        )
        _add_workflow(
            rows,
            schema.version_workflow_id,
            f"{schema.name} version workflow",
            project_schemas.VERSION_STATUSES,
        )
        rows.add("TaskTypeSchema", id=schema.task_type_schema_id, name=f"{schema.name} task types")
        for type_ in schema.task_types:
            rows.add(
                "TaskTypeSchemaType",
                task_type_schema_id=schema.task_type_schema_id,
                type_id=row_id("Type", type_),
            )
        _add_project_schema(rows, schema)


def _add_workflow(rows: RowSet, id_: str, name: str, statuses: Iterable[str]) -> None:
    rows.add("WorkflowSchema", id=id_, name=name)
    for status in statuses:
        rows.add("WorkflowSchemaStatus", workflow_schema_id=id_, status_id=row_id("Status", status))


def _add_project_schema(rows: RowSet, schema: project_schemas.ProjectSchema) -> None:
    rows.add(
        "ProjectSchema",
        id=schema.id,
        name=schema.name,
        task_type_schema_id=schema.task_type_schema_id,
        task_workflow_schema_id=schema.workflow_id,
        asset_version_workflow_schema_id=schema.version_workflow_id,
    )
    for name in schema.object_types:
        rows.add(
            "ProjectSchemaObjectType",
            project_schema_id=schema.id,
            object_type_id=row_id("ObjectType", name),
        )
        if name in schema.statuses:
            _add_schema_of_object_type(rows, schema, name)
    for name, types in schema.templates.items():
        _add_task_template(rows, schema, name, types)


def _add_schema_of_object_type(
    rows: RowSet, schema: project_schemas.ProjectSchema, object_type: str
) -> None:
    """Add the types and statuses of contexts of *object_type* in *schema*."""
    schema_id = rows.add(
        "Schema",
        id=named_id("Schema", schema.name, object_type),
        project_schema_id=schema.id,
        object_type_id=row_id("ObjectType", object_type),
    )
    for sort, name in enumerate(schema.types.get(object_type, ())):
        rows.add("SchemaType", schema_id=schema_id, type_id=row_id("Type", name), sort=sort)
    for sort, name in enumerate(schema.statuses[object_type]):
        status_id = row_id("Status", name)
        rows.add("SchemaStatus", schema_id=schema_id, status_id=status_id, sort=sort)


def _add_task_template(
    rows: RowSet, schema: project_schemas.ProjectSchema, name: str, types: Iterable[str]
) -> None:
    template_id = rows.add(
        "TaskTemplate",
        id=named_id("TaskTemplate", schema.name, name),
        name=name,
        project_schema_id=schema.id,
    )
    for type_ in types:
        rows.add(
            "TaskTemplateItem",
            id=named_id("TaskTemplateItem", schema.name, name, type_),
            template_id=template_id,
            task_type_id=row_id("Type", type_),
        )


# Custom attributes


def _add_custom_attributes(rows: RowSet) -> None:
    for name in attributes.CUSTOM_ATTRIBUTE_TYPES:
        id_ = row_id("CustomAttributeType", name)
        rows.add("CustomAttributeType", id=id_, name=name, core=True)
    _add_named(rows, "CustomAttributeGroup", attributes.CUSTOM_ATTRIBUTE_GROUPS)
    for sort, one in enumerate(attributes.CUSTOM_ATTRIBUTE_CONFIGURATIONS):
        id_ = rows.add(
            "CustomAttributeConfiguration",
            id=configuration_id(one),
            key=one.key,
            label=one.label,
            type_id=row_id("CustomAttributeType", one.type),
            entity_type=one.entity_type,
            object_type_id=one.object_type and row_id("ObjectType", one.object_type),
            group_id=one.group and row_id("CustomAttributeGroup", one.group),
            default=one.default,
            is_hierarchical=one.is_hierarchical,
            config=one.config,
            sort=sort,
        )
        _add_rights(rows, id_)


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
        rows.add(
            "NoteLabel", sort=sort, **{**label._asdict(), "id": row_id("NoteLabel", label.name)}
        )
    for disk in site.DISKS:
        rows.add("Disk", id=row_id("Disk", disk.name), **disk._asdict())
    for setting in site.SETTINGS:
        rows.add("Setting", **setting._asdict())
    for type_name, named in (
        ("UserType", site.USER_TYPES),
        ("ManagerType", site.MANAGER_TYPES),
        ("ListCategory", site.LIST_CATEGORIES),
        ("Scope", site.SCOPES),
    ):
        _add_named(rows, type_name, [one.name for one in named])
