"""Changing values."""

from __future__ import annotations

import datetime
from typing import Any

import arrow
from book import Stage, step


def read_back(stage: Stage, entity: Any) -> Any:
    """Return *entity* as a new session sees it."""
    return stage.new_session().get(entity.entity_type, entity["id"])


@step()
def text(stage: Stage) -> Any:
    """A changed text is pending, then committed, then seen by others."""
    shot = stage.shot("text", description="before")
    shot["description"] = "after"
    pending = stage.module("inspection").state(shot)
    stage.session.commit()
    return [pending, stage.module("inspection").state(shot), read_back(stage, shot)["description"]]


@step()
def pending_change(stage: Stage) -> Any:
    """A change that is not committed is in the session's state."""
    shot = stage.shot("pending")
    shot["description"] = "new"
    return shot["description"]


@step()
def none(stage: Stage) -> Any:
    """A value can be taken away."""
    shot = stage.shot("none", description="something")
    shot["description"] = None
    stage.session.commit()
    return read_back(stage, shot)["description"]


@step(asks="A")
def reference(stage: Stage) -> Any:
    """A reference can point elsewhere; the key follows."""
    task = stage.task("reference")
    status = next(s for s in statuses(stage, task) if s != task["status"])
    task["status"] = status
    stage.session.commit()
    found = read_back(stage, task)
    return [found["status"] == status, found["status_id"] == status["id"], found["status"]["name"]]


def statuses(stage: Stage, task: Any) -> list[Any]:
    """Return the statuses that the project allows for *task*."""
    return stage.project["project_schema"].get_statuses("Task", task["type_id"])


@step()
def foreign_key(stage: Stage) -> Any:
    """A key can be set in place of the reference."""
    task = stage.task("foreign_key")
    status = next(s for s in statuses(stage, task) if s != task["status"])
    task["status_id"] = status["id"]
    stage.session.commit()
    return read_back(stage, task)["status"]["name"] == status["name"]


@step()
def wrong_kind_of_reference(stage: Stage) -> Any:
    """A reference set to something that is no entity."""
    task = stage.task("wrong_kind")
    task["status"] = "Approved"
    return stage.session.commit()


@step()
def immutable(stage: Stage) -> Any:
    """An immutable attribute cannot be changed."""
    shot = stage.shot("immutable")
    shot["id"] = "00000000-0000-0000-0000-000000000000"


@step()
def unknown_attribute(stage: Stage) -> Any:
    """An attribute that does not exist cannot be set."""
    shot = stage.shot("unknown")
    shot["warp"] = 9


@step()
def read_unknown_attribute(stage: Stage) -> Any:
    """An attribute that does not exist cannot be read."""
    return stage.shot("unknown_read")["warp"]


@step()
def contains_and_get(stage: Stage) -> Any:
    """An entity is a mapping of its attributes."""
    shot = stage.shot("mapping")
    return [
        "name" in shot,
        "warp" in shot,
        shot.get("warp", "none"),
        len(shot),
        sorted(shot.keys()),
    ]


@step()
def delete_attribute(stage: Stage) -> Any:
    """Deleting an attribute from an entity."""
    del stage.shot("del_attribute")["description"]


@step()
def moments(stage: Stage) -> Any:
    """Moments may be given by arrow or by datetime, with a zone or without."""
    task = stage.task("moments")
    answers = []
    zone = datetime.timezone(datetime.timedelta(hours=2))
    for value in (
        arrow.get("2024-05-06T07:08:09+00:00"),
        datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=zone),
        datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc),
    ):
        task["start_date"] = value
        stage.session.commit()
        answers.append(read_back(stage, task)["start_date"])
    return answers


@step()
def set_moment_reads_as_set(stage: Stage) -> Any:
    """A moment reads the same before the commit as it was set."""
    task = stage.task("moment_local")
    moment = arrow.get("2024-05-06T07:08:09+00:00")
    task["end_date"] = moment
    return [task["end_date"] == moment, type(task["end_date"]).__name__]


@step(10, "a value that the server already holds is no change")
def same_value(stage: Stage) -> Any:
    """Setting the value that is there already."""
    shot = stage.shot("same", description="constant")
    shot["description"] = "constant"
    return stage.module("inspection").state(shot)


@step()
def numbers(stage: Stage) -> Any:
    """Numbers and truth values."""
    task = stage.task("numbers", bid=3600.0)
    task["bid"] = 7200.5
    task["sort"] = 3.5
    stage.session.commit()
    found = read_back(stage, task)
    return [found["bid"], found["sort"]]


@step()
def two_changes_of_one_attribute(stage: Stage) -> Any:
    """Only the last of several changes counts."""
    shot = stage.shot("twice")
    shot["description"] = "one"
    shot["description"] = "two"
    stage.session.commit()
    return read_back(stage, shot)["description"]


@step()
def every_local_change_is_recorded(stage: Stage) -> Any:
    """Setting again a value that is only local records an operation."""
    shot = stage.shot("recorded_twice")
    shot["description"] = "local"
    shot["description"] = "local"
    return len(stage.session.recorded_operations)


@step()
def several_entities(stage: Stage) -> Any:
    """Changes of several entities in one commit."""
    changed = [stage.shot(f"several{number}") for number in range(3)]
    for shot in changed:
        shot["description"] = shot["name"].upper()
    pending = len(stage.session.modified)
    stage.session.commit()
    return [pending, [read_back(stage, shot)["description"] for shot in changed]]


@step()
def refused_value(stage: Stage) -> Any:
    """A value of the wrong type is refused by the server."""
    task = stage.task("refused")
    task["bid"] = "a lot"
    stage.session.commit()


@step()
def refused_change_stays_pending(stage: Stage) -> Any:
    """After a refused commit the value and the operation are still there."""
    task = stage.task("refused_pending")
    task["bid"] = "a lot"
    try:
        stage.session.commit()
    except stage.error("ServerError"):
        return [task["bid"], stage.module("inspection").state(task)]
    return None


@step(10, "clearing an attribute that was not changed is no change")
def clear(stage: Stage) -> Any:
    """Clearing an entity takes its local values back."""
    shot = stage.shot("clear", description="remote")
    shot["description"] = "local"
    shot.clear()
    return shot["description"]


@step()
def query_keeps_local_changes(stage: Stage) -> Any:
    """A query does not overwrite what was changed locally."""
    shot = stage.shot("kept", description="remote")
    shot["description"] = "local"
    found = stage.session.query(f'select description from Shot where id is "{shot["id"]}"').one()
    return [found is shot, shot["description"]]


@step()
def others_changes_arrive_with_a_query(stage: Stage) -> Any:
    """What another session changed arrives with the next query."""
    shot = stage.shot("others", description="old")
    other = read_back(stage, shot)
    other["description"] = "new"
    other.session.commit()
    before = shot["description"]
    stage.session.query(f'select description from Shot where id is "{shot["id"]}"').one()
    return [before, shot["description"]]


@step()
def values_and_items(stage: Stage) -> Any:
    """Values and items of an entity, with everything loaded on the way."""
    priority = stage.session.query("Priority order by name").first()
    return [dict(priority.items())["name"], sorted(key for key, _ in priority.items())]


@step()
def recording_off(stage: Stage) -> Any:
    """Without recording a change leaves no operation."""
    shot = stage.shot("unrecorded")
    with stage.session.operation_recording(False):
        shot["description"] = "silent"
    return [shot["description"], stage.session.record_operations]


@step()
def equality(stage: Stage) -> Any:
    """Entities equal by type and key."""
    shot = stage.shot("equal")
    return [
        shot == shot,
        shot == stage.project,
        shot != stage.project,
        shot == "equal",
        shot in {shot},
    ]


@step()
def text_forms(stage: Stage) -> Any:
    """Entities and their classes as text."""
    shot = stage.shot("text_form")
    return [str(shot), repr(type(shot)), type(shot).__name__]
