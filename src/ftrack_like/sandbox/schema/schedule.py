"""Logged time (time logs and timers) and planned time (calendar events)."""

from __future__ import annotations

from ftrack_like.sandbox.schema.belonging import RowPlace, part_of
from ftrack_like.sandbox.schema.contexts import CREATED
from ftrack_like.sandbox.schema.declare import (
    boolean,
    date_time,
    entity_type,
    metadata,
    number,
    one_to_many,
    text,
    to_one,
    unique_id,
)

__all__ = ["TYPES"]

TIMELOG = entity_type(
    "Timelog",
    unique_id(),
    text("name"),
    text("comment", default=""),
    date_time("start"),
    number("duration"),
    number("time_zone_offset"),
    to_one("context", "Context"),
    to_one("user", "User"),
    required=("comment", "start", "duration", "id"),
    system_projections=("user_id", "context_id"),
    family="diary",
    place=part_of(("context_id", "context")),
    owner=("user_id", None),
)

TIMER = entity_type(
    "Timer",
    unique_id(),
    text("name"),
    text("comment", default=""),
    date_time("start"),
    to_one("context", "Context"),
    to_one("user", "User", shown="user_id"),
    required=("comment", "start", "user_id", "id"),
    family="diary",
    place=part_of(("context_id", "context")),
    owner=("user_id", None),
)

CALENDAR_EVENT = entity_type(
    "CalendarEvent",
    unique_id(),
    text("name", default=""),
    date_time("start"),
    date_time("end"),
    number("effort"),
    number("estimate"),
    boolean("everyone"),
    boolean("forecast"),
    boolean("leave"),
    CREATED,
    to_one("project", "Project"),
    to_one("type", "Type"),
    one_to_many("calendar_event_resources", "CalendarEventResource", "calendar_event_id"),
    metadata(),
    required=("name", "start", "end", "id"),
    default_projections=("id", "start", "end"),
    system_projections=("project_id",),
    family="planning",
    place=RowPlace(project="project_id"),
    owner=("created_by_id", None),
)

CALENDAR_EVENT_RESOURCE = entity_type(
    "CalendarEventResource",
    unique_id(),
    CREATED,
    to_one("calendar_event", "CalendarEvent"),
    to_one("resource", "Resource"),
    required=("calendar_event_id", "resource_id", "id"),
    default_projections=("id", "calendar_event_id", "resource_id"),
    family="planning",
    place=part_of(("calendar_event_id", "calendar_event")),
    owner=("calendar_event_id", "calendar_event"),
)

TYPES = (TIMELOG, TIMER, CALENDAR_EVENT, CALENDAR_EVENT_RESOURCE)
