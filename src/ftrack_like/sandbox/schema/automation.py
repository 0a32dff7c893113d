"""Jobs, automations, and the log of events."""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace, part_of
from ftrack_like.sandbox.schema.declare import (
    boolean,
    date_time,
    entity_type,
    foreign_key,
    integer,
    mapping,
    one_to_many,
    reference,
    text,
    to_one,
    unique_id,
)

__all__ = ["TYPES"]

AUTOMATION = entity_type(
    "Automation",
    unique_id(),
    text("name"),
    text("description"),
    boolean("enabled"),
    date_time("created_at"),
    foreign_key("created_by", "User.id"),
    one_to_many("actions", "Action", "automation_id"),
    one_to_many("triggers", "Trigger", "automation_id"),
    required=("id", "name"),
    immutable=("id", "created_by", "created_at"),
)

TRIGGER = entity_type(
    "Trigger",
    unique_id(),
    text("filter"),
    to_one("automation", "Automation"),
    required=("id", "filter"),
)

ACTION = entity_type(
    "Action",
    unique_id(description="The unique identifier of the action."),
    to_one("automation", "Automation"),
    required=("automation_id",),
    json_type=None,
)

WEBHOOK_ACTION = entity_type(
    "WebhookAction",
    text("webhook_url", description="The URL that the webhook should send requests to."),
    text("headers", description="The request headers to be used when executing webhook."),
    extends=ACTION,
    classifier={"action_type": "webhook"},
    mixin="Action",
    required=("webhook_url",),
    json_type=None,
)

ACTION_LOG = entity_type(
    "ActionLog",
    integer("id"),
    date_time("created_at"),
    text("message"),
    text("status", default="success", enum=["success", "failure"]),
    to_one("action", "Action"),
    read_only=True,
    required=("action_id",),
    immutable=("id", "message", "status", "action_id", "action", "created_at"),
)

JOB = entity_type(
    "Job",
    unique_id("jobid"),
    text("type", default="api_job"),
    text("status", default="queued", enum=["queued", "running", "done", "failed"]),
    text("data", format="json"),
    date_time("created_at"),
    date_time("finished_at"),
    to_one("user", "User", shown="user_id", key_alias="userid"),
    one_to_many("job_components", "JobComponent", "job_id"),
    required=("id", "status", "type"),
    immutable=("id", "type"),
    family="personal",
    place=RowPlace(private=("user_id",)),
    owner=("user_id", None),
)

JOB_COMPONENT = entity_type(
    "JobComponent",
    to_one("component", "Component"),
    to_one("job", "Job"),
    mapping("url", computed="component_url"),
    primary_key=("component_id", "job_id"),
    immutable=("component_id", "job_id", "url"),
    computed=("url",),
    family="personal",
    place=part_of(("job_id", "job")),
    owner=("job_id", "job"),
)

EVENT = entity_type(
    "Event",
    integer("id", alias="socialid"),
    text("action", alias="action"),
    text("insert", alias="insert"),
    text("data"),
    date_time("created_at"),
    text("parent_id"),
    text("parent_type"),
    to_one("project", "Project", alias="show", key_alias="showid"),
    to_one("user", "User", shown="user_id", key_alias="userid"),
    one_to_many("feeds", "Feed", "social_id"),
    read_only=True,
    alias_for="SocialEvent",
    system_projections=("showid",),
    place=RowPlace(project="project_id", gone=("parent_type", "show")),
)

FEED = entity_type(
    "Feed",
    unique_id(),
    date_time("created_at"),
    integer("distance", alias="distance", default=0),
    text("relation", alias="relation"),
    text("owner_id", alias="ownerid"),
    text("cluster_id", alias="clusterid"),
    foreign_key(
        "social_id",
        "Event.social_id",
        alias="socialid",
        references=("Event", "id"),
        type_="integer",
    ),
    reference("event", "Event", column="social_id"),
    read_only=True,
    alias_for="SocialFeed",
    place=part_of(("social_id", "event")),
)

TYPES = (
    AUTOMATION,
    TRIGGER,
    ACTION,
    WEBHOOK_ACTION,
    ACTION_LOG,
    JOB,
    JOB_COMPONENT,
    EVENT,
    FEED,
)
