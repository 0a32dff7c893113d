"""The data that the canned server answers with: tasks with status, type, parent and assignments."""

from __future__ import annotations

import datetime
import json
import uuid
from typing import Any

PAGE_SIZE = 500
STATUSES = 8
TYPES = 12
USERS = 40
TASKS_IN_A_SHOT = 8

#: Ten attributes of each task come with a query; the others stay on the server.
EXPRESSION = (
    "select name, bid, description, link, start_date, end_date, status.name, status.color, "
    "type.name, parent.name, assignments.resource.username from Task"
)

Record = dict  # a wire mapping, attribute name → value


def make_id(kind: str, number: int) -> str:
    """Return the id of the entity *number* of a *kind*; the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"canned/{kind}/{number}"))


def wire_date(number: int) -> dict[str, str]:
    """Return the wire date-time *number*. The dates of different numbers differ."""
    date = datetime.datetime(2026, 1, 1, 10) + datetime.timedelta(minutes=7 * number)
    return {"__type__": "datetime", "value": date.isoformat()}


def reference(entity_type: str, kind: str, number: int) -> Record:
    """Return the short form in which an entity appears that was sent before."""
    return {"__entity_type__": entity_type, "id": make_id(kind, number)}


def status(number: int) -> Record:
    """Return the status *number*."""
    return {
        **reference("Status", "status", number),
        "name": f"Status {number}",
        "color": f"#{number:02}44aa",
    }


def task_type(number: int) -> Record:
    """Return the task type *number*."""
    return {**reference("Type", "type", number), "name": f"Department {number}"}


def shot(number: int) -> Record:
    """Return the shot *number* as the parent of a task."""
    return {**reference("Shot", "shot", number), "name": f"sh{number:05}", "context_type": "task"}


def user(number: int) -> Record:
    """Return the user *number*."""
    return {**reference("User", "user", number), "username": f"artist{number:02}"}


def scalars(number: int) -> Record:
    """Return the task *number* with everything but its relations."""
    return {
        "__entity_type__": "Task",
        "id": make_id("task", number),
        "name": f"task {number}",
        "bid": float(number % 40 * 3600),
        "description": f"What artist {number % USERS} has to do, and by when.",
        "start_date": wire_date(2 * number),
        "end_date": wire_date(2 * number + 1),
        "context_type": "task",
        "object_type_id": "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c",
        "link": [
            {"type": "Project", "id": make_id("project", 0), "name": "canned"},
            {
                "type": "TypedContext",
                "id": make_id("shot", number // TASKS_IN_A_SHOT),
                "name": "sh",
            },
            {"type": "TypedContext", "id": make_id("task", number), "name": f"task {number}"},
        ],
    }


def assignment(number: int) -> Record:
    """Return the appointment that assigns the task *number* to somebody."""
    return {
        **reference("Appointment", "appointment", number),
        "resource": user(number % USERS),
    }


def task(number: int) -> Record:
    """Return the whole record of the task *number*, as :data:`EXPRESSION` asks for it."""
    record = scalars(number)
    del record["context_type"], record["object_type_id"]
    record["status"] = status(number % STATUSES)
    record["type"] = task_type(number % TYPES)
    record["parent"] = shot(number // TASKS_IN_A_SHOT)
    record["assignments"] = [assignment(number)]
    return record


def shorten(value: Any, seen: set[str]) -> Any:
    """Return *value* with every entity after its first appearance as a mere reference.

    *seen* holds the ids that were sent in this result, and grows. That is how servers answer.
    """
    if isinstance(value, list):
        return [shorten(item, seen) for item in value]
    if not isinstance(value, dict) or "__entity_type__" not in value:
        return value
    if value["id"] in seen:
        return {"__entity_type__": value["__entity_type__"], "id": value["id"]}
    seen.add(value["id"])
    return {key: shorten(item, seen) for key, item in value.items()}


def result(records: list[Record], next_offset: int | None) -> Record:
    """Return the result of a query: *records*, and where the next page starts (None: nowhere)."""
    seen: set[str] = set()
    data = [shorten(record, seen) for record in records]
    return {"action": "query", "data": data, "metadata": {"next": {"offset": next_offset}}}


def page(offset: int, limit: int, total: int) -> bytes:
    """Return the page of at most *limit* of *total* tasks from *offset* on, as sent."""
    end = min(offset + limit, total)
    following = end if end < total else None
    return json.dumps([result([task(n) for n in range(offset, end)], following)]).encode()
