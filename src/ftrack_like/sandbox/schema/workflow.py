"""Object types, types, statuses, priorities, and the project schemas that combine them.

A project schema lists the object types of a project, and for each the types and statuses. A
workflow schema is an ordered set of statuses. A task type schema is an ordered set of types. An
override gives one type of task a different workflow schema.
"""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace
from ftrack_like.sandbox.schema.declare import (
    Declared,
    boolean,
    date_time,
    entity_type,
    foreign_key,
    integer,
    many_to_many,
    number,
    one_to_many,
    reference,
    text,
    to_one,
    unique_id,
)
from ftrack_like.sandbox.schema.model import Property

__all__ = ["TYPES"]


def _tasks(column: str) -> Declared:
    """Return the collection of the contexts whose *column* refers to the owner."""
    return one_to_many("tasks", "TypedContext", column, served_target="Task")


def _schema_for(name: str, older: str, target: str, alias: str) -> list[Property]:
    """Return the reference *name* of a project schema twice, also by its *older* name.

    Published clients still query the older names, which begin with an underscore.
    """
    return [
        *to_one(name, target, alias=alias, key_alias=f"{alias}id"),
        reference(older, target, alias=alias, column=f"{name}_id"),
    ]


OBJECT_TYPE = entity_type(
    "ObjectType",
    unique_id("typeid"),
    text("name"),
    text("icon", default="default"),
    integer("sort", default=0),
    boolean("is_leaf", alias="isleaf", default=False),
    boolean("is_prioritizable", alias="ispriority", default=True),
    boolean("is_schedulable", alias="isschedulable", default=False),
    boolean("is_statusable", alias="isstatusable", default=True),
    boolean("is_taskable", alias="istaskable", default=True),
    boolean("is_time_reportable", alias="istimereportable", default=False),
    boolean("is_typeable", alias="istypeable", default=True),
    many_to_many(
        "project_schemas",
        "ProjectSchema",
        "project_schema_object_type",
        own="object_type_id",
        other="project_schema_id",
    ),
    _tasks("object_type_id"),
    required=(
        "id",
        "name",
        "icon",
        "sort",
        "is_time_reportable",
        "is_taskable",
        "is_typeable",
        "is_statusable",
        "is_schedulable",
    ),
)

TYPE = entity_type(
    "Type",
    unique_id("typeid"),
    text("name"),
    text("color", default="#510100"),
    integer("sort", default=0),
    boolean("is_billable", alias="isbillable", default=True),
    many_to_many(
        "task_type_schemas",
        "TaskTypeSchema",
        "task_type_schema_type",
        own="type_id",
        other="task_type_schema_id",
        alias="schemes",
    ),
    _tasks("type_id"),
    alias_for="TaskType",
    required=("id", "color", "sort", "is_billable"),
)

STATE = entity_type(
    "State", unique_id("typeid"), text("name"), text("short"), alias_for="StatusType"
)

STATUS = entity_type(
    "Status",
    unique_id("statusid"),
    text("name"),
    text("color"),
    integer("sort", default=0),
    boolean("is_active", alias="isactive"),
    reference("state", "State", alias="statustype"),
    _tasks("status_id"),
    alias_for="TaskStatus",
    required=("id", "is_active"),
)

PRIORITY = entity_type(
    "Priority",
    unique_id("priorityid"),
    text("name"),
    text("color"),
    integer("sort", default=0),
    number("value", default=0),
    _tasks("priority_id"),
    alias_for="PriorityType",
)

# Project schemas

PROJECT_SCHEMA = entity_type(
    "ProjectSchema",
    unique_id("schemeid"),
    text("name"),
    _schema_for(
        "asset_version_workflow_schema", "_version_workflow", "WorkflowSchema", "versionworkflow"
    ),
    _schema_for("task_workflow_schema", "_task_workflow", "WorkflowSchema", "taskworkflow"),
    _schema_for("task_type_schema", "_task_type_schema", "TaskTypeSchema", "tasktypescheme"),
    [
        one_to_many(name, "ProjectSchemaOverride", "project_schema_id", alias="overrides")
        for name in ("task_workflow_schema_overrides", "_overrides")
    ],
    [
        one_to_many(name, "Schema", "project_schema_id", alias="schemas")
        for name in ("object_type_schemas", "_schemas")
    ],
    many_to_many(
        "object_types",
        "ObjectType",
        "project_schema_object_type",
        own="project_schema_id",
        other="object_type_id",
    ),
    one_to_many("task_templates", "TaskTemplate", "project_schema_id", alias="templates"),
    alias_for="ProjectScheme",
)

PROJECT_SCHEMA_OBJECT_TYPE = entity_type(
    "ProjectSchemaObjectType",
    to_one("object_type", "ObjectType"),
    to_one("project_schema", "ProjectSchema"),
    primary_key=("object_type_id", "project_schema_id"),
)

PROJECT_SCHEMA_OVERRIDE = entity_type(
    "ProjectSchemaOverride",
    unique_id("overrideid"),
    foreign_key("project_schema_id", "ProjectSchema.id", alias="projectschemeid"),
    foreign_key("type_id", "Type.id", alias="typeid"),
    to_one(
        "workflow_schema",
        "WorkflowSchema",
        alias="workflowscheme",
        key_alias="workflowschemeid",
    ),
    alias_for="ProjectSchemeOverride",
)

SCHEMA = entity_type(
    "Schema",
    unique_id(),
    foreign_key("object_type_id", "ObjectType.id", alias="typeid"),
    foreign_key("type_id", "ObjectType.id", alias="typeid", column="object_type_id"),
    foreign_key("project_schema_id", "ProjectSchema.id", alias="projectschemeid"),
    one_to_many("statuses", "SchemaStatus", "schema_id"),
    one_to_many("types", "SchemaType", "schema_id"),
    required=("id", "type_id", "project_schema_id"),
)

SCHEMA_STATUS = entity_type(
    "SchemaStatus",
    foreign_key("schema_id", "Schema.id", alias="schemaid"),
    to_one("task_status", "Status", alias="taskstatus", key="status_id", key_alias="statusid"),
    integer("sort", default=0),
    primary_key=("status_id", "schema_id"),
)

SCHEMA_TYPE = entity_type(
    "SchemaType",
    foreign_key("schema_id", "Schema.id", alias="schemaid"),
    to_one("task_type", "Type", alias="tasktype", key="type_id", key_alias="typeid"),
    integer("sort", default=0),
    primary_key=("type_id", "schema_id"),
)

TASK_TEMPLATE = entity_type(
    "TaskTemplate",
    unique_id(),
    text("name"),
    to_one("project_schema", "ProjectSchema", alias="schema", key_alias="projectschemeid"),
    one_to_many("items", "TaskTemplateItem", "template_id"),
    required=("id", "name", "project_schema_id"),
    default_projections=("id", "name"),
)

TASK_TEMPLATE_ITEM = entity_type(
    "TaskTemplateItem",
    unique_id(),
    to_one("task_type", "Type", alias="taskType", key_alias="tasktype_id"),
    to_one("template", "TaskTemplate"),
    required=("id", "template_id", "task_type_id"),
)

TASK_TYPE_SCHEMA = entity_type(
    "TaskTypeSchema",
    unique_id("schemeid"),
    text("name", default="TaskType Schema Name"),
    many_to_many(
        "types",
        "Type",
        "task_type_schema_type",
        own="task_type_schema_id",
        other="type_id",
    ),
    alias_for="TaskTypeScheme",
)

TASK_TYPE_SCHEMA_TYPE = entity_type(
    "TaskTypeSchemaType",
    foreign_key("task_type_schema_id", "TaskTypeSchema.id", alias="schemeid"),
    foreign_key("type_id", "Type.id", alias="typeid"),
    primary_key=("task_type_schema_id", "type_id"),
)

WORKFLOW_SCHEMA = entity_type(
    "WorkflowSchema",
    unique_id("schemeid"),
    text("name", default="Workflow Name"),
    many_to_many(
        "statuses",
        "Status",
        "workflow_schema_status",
        own="workflow_schema_id",
        other="status_id",
    ),
    one_to_many("overrides", "ProjectSchemaOverride", "workflow_schema_id"),
    alias_for="WorkflowScheme",
)

WORKFLOW_SCHEMA_STATUS = entity_type(
    "WorkflowSchemaStatus",
    foreign_key("workflow_schema_id", "WorkflowSchema.id", alias="schemeid"),
    foreign_key("status_id", "Status.id", alias="statusid"),
    primary_key=("workflow_schema_id", "status_id"),
)

# Changes of statuses, and the rules for them

STATUS_CHANGE = entity_type(
    "StatusChange",
    text("id", alias="tracid"),
    date_time("date"),
    text("parent_id"),
    text("parent_type"),
    to_one("status", "Status"),
    to_one("from_status", "Status"),
    to_one("user", "User", shown="user_id", key_alias="userid"),
    concrete=False,
    read_only=True,
    alias_for="Trac",
    place=RowPlace(anything=("parent_id",)),
)

STATUS_RULE_GROUP = entity_type(
    "StatusRuleGroup",
    unique_id(),
    text("entity_type"),
    to_one("role", "SecurityRole"),
    to_one("schema", "ProjectSchema"),
    to_one("status", "Status"),
    one_to_many("status_rules", "StatusRule", "status_rule_group_id"),
    concrete=False,
    required=("id", "status_id", "schema_id", "entity_type"),
    default_projections=("id", "status_id", "entity_type"),
)

STATUS_RULE = entity_type(
    "StatusRule",
    unique_id(),
    to_one("status", "Status"),
    to_one("status_rule_group", "StatusRuleGroup"),
    required=("id", "status_id", "status_rule_group_id"),
    default_projections=("id", "status_id"),
)

TYPES = (
    OBJECT_TYPE,
    TYPE,
    STATE,
    STATUS,
    PRIORITY,
    PROJECT_SCHEMA,
    PROJECT_SCHEMA_OBJECT_TYPE,
    PROJECT_SCHEMA_OVERRIDE,
    SCHEMA,
    SCHEMA_STATUS,
    SCHEMA_TYPE,
    TASK_TEMPLATE,
    TASK_TEMPLATE_ITEM,
    TASK_TYPE_SCHEMA,
    TASK_TYPE_SCHEMA_TYPE,
    WORKFLOW_SCHEMA,
    WORKFLOW_SCHEMA_STATUS,
    STATUS_CHANGE,
    entity_type(
        "AssetVersionStatusChange",
        reference("parent", "AssetVersion"),
        extends=STATUS_CHANGE,
        classifier={"parent_type": "assetversion"},
        read_only=True,
    ),
    entity_type(
        "TypedContextStatusChange",
        reference("parent", "TypedContext"),
        extends=STATUS_CHANGE,
        classifier={"parent_type": "task"},
        read_only=True,
    ),
    STATUS_RULE_GROUP,
    entity_type(
        "AssetVersionStatusRuleGroup",
        extends=STATUS_RULE_GROUP,
        classifier={"entity_type": "assetversion"},
        mixin="StatusRuleGroup",
    ),
    entity_type(
        "TypedContextStatusRuleGroup",
        to_one("object_type", "ObjectType"),
        extends=STATUS_RULE_GROUP,
        classifier={"entity_type": "task"},
        mixin="StatusRuleGroup",
        alias_for="TaskStatusRuleGroup",
        required=("id", "status_id", "entity_type", "object_type_id", "schema_id"),
        default_projections=("object_type_id", "id", "status_id", "entity_type"),
    ),
    STATUS_RULE,
)
