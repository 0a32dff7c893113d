"""Find tasks with the filters that a viewer selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from ftrack_like.sandbox.web.listing import Listing, list_records
from ftrack_like.sandbox.web.pages import person_name
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = ["PAGE_SIZE", "Choices", "choices", "find_tasks", "scope_of"]

#: The number of tasks on a page.
PAGE_SIZE = 50

_TASKS = (
    "select id, name, link, type.name, status.name, status.color, priority.name, priority.color,"
    " start_date, end_date, assignments.resource.first_name, assignments.resource.last_name,"
    " assignments.resource.username, project.full_name from Task"
)


@dataclass(frozen=True)
class Choices:
    """The values of the filters: records of projects and users, and names of statuses."""

    projects: list[Record]
    statuses: list[str]
    users: list[Record]


def choices(reader: PageReader) -> Choices:
    """Return the values that a viewer can select in the filters."""
    statuses = reader.query("select name from Status order by sort, name")
    return Choices(
        reader.query(
            'select id, full_name, name from Project where status is "active" order by full_name'
        ),
        list(dict.fromkeys(one["name"] for one in statuses)),
        reader.query(
            "select id, username, first_name, last_name from User where is_active is true"
            " order by first_name, last_name, username"
        ),
    )


def scope_of(type_name: str, id_: str) -> str:
    """Return the criteria for the tasks of a project, another context or a user.

    The tasks of a user are the assigned ones.
    """
    id_ = quoted(id_)
    if type_name == "User":
        return f"assignments any (resource_id is {id_})"
    if type_name == "Project":
        return f"project_id is {id_}"
    return f"(id is {id_} or ancestors any (id is {id_}))"


def find_tasks(
    reader: PageReader, chosen: Mapping[str, str], scope: Optional[str] = None
) -> Listing[Record]:
    """Return a page of tasks that match the criteria *scope* and the filters in *chosen*.

    *chosen* may contain ``project`` and ``assignee`` (ids), ``status`` (a name), ``text`` (part of
    the name of a task or its parent) and ``offset``. Empty filters are ignored.
    """
    conditions = [scope] if scope else []
    if chosen.get("project"):
        conditions.append(f"project_id is {quoted(chosen['project'])}")
    if chosen.get("status"):
        conditions.append(f"status.name is {quoted(chosen['status'])}")
    if chosen.get("assignee"):
        conditions.append(scope_of("User", chosen["assignee"]))
    if chosen.get("text"):
        part = quoted(f"%{chosen['text']}%")
        conditions.append(f"(name like {part} or parent.name like {part})")
    criteria = " and ".join(conditions)
    order = "end_date, name, id"
    page = list_records(reader, _TASKS, criteria, order, chosen, PAGE_SIZE, "offset")
    for task in page.entries:
        task["people"] = [person_name(one["resource"]) for one in task["assignments"]]
    return page
