"""A studio program: an event plugin that lets statuses travel along.

When all tasks of a shot are done, the shot is; when a shot is done, the tasks that start after it
become ready. The plugin is loaded from a file as a studio has it, and hears ``ftrack.update`` as
the server sends it.
"""

from __future__ import annotations

import textwrap
import time
from typing import Any

from book import Stage, step

PLUGIN = """
import functools
import logging

import {library} as ftrack_api

logger = logging.getLogger("studio.cascade")
DONE = ("Approved", "Completed", "Done")


def statuses(session):
    return {{status["name"]: status for status in session.query("Status")}}


def cascade(session, event):
    changed = []
    for entity in event["data"].get("entities", []):
        if entity.get("entityType") != "task" or entity.get("action") != "update":
            continue
        if "statusid" not in (entity.get("keys") or []):
            continue
        task = session.get("TypedContext", entity["entityId"])
        if task is None or task.entity_type != "Task":
            continue
        session.populate([task], "status.name, parent.name")
        parent = task["parent"]
        siblings = session.query(
            'select status.name, name from Task where parent_id is "{{0}}"'.format(parent["id"])
        ).all()
        if not all(each["status"]["name"] in DONE for each in siblings):
            continue
        done = next(each for name, each in sorted(statuses(session).items()) if name in DONE)
        if parent.entity_type == "Shot" and parent["status"] is not done:
            parent["status"] = done
            changed.append(parent["name"])
        for link in task["outgoing_links"]:
            changed.append("ready: " + link["to"]["name"])
    try:
        session.commit()
    except ftrack_api.exception.ServerError:
        session.rollback()
        logger.exception("The cascade failed.")
        raise
    session.cascaded.extend(changed)
    return changed


def register(session, **kw):
    if not isinstance(session, ftrack_api.Session):
        return
    session.cascaded = []
    session.event_hub.subscribe(
        "topic=ftrack.update and source.user.username=*",
        functools.partial(cascade, session),
        priority=50,
        subscriber={{"id": "studio.cascade"}},
    )
"""


def server_session(stage: Stage) -> Any:
    """Return a connected session with the plugin."""
    stage.file("plugins/cascade.py", textwrap.dedent(PLUGIN).format(library=stage.module_name))
    session = stage.new_session(plugin_paths=[str(stage.folder / "c21_status_cascade" / "plugins")])
    session.event_hub.connect()
    stage.settle(session.event_hub)
    return session


def wait_for(session: Any, wanted: Any) -> bool:
    """Handle events until *wanted* says so, at most for half a minute."""
    deadline = time.monotonic() + 30
    while not wanted() and time.monotonic() < deadline:
        session.event_hub.wait(0.1)
    return bool(wanted())


def done_status(stage: Stage) -> Any:
    """Return the status that means done here."""
    names = ("Approved", "Completed", "Done")
    found = stage.session.query(
        f"Status where name in ({', '.join(map(repr, names))})".replace("'", '"')
    )
    return sorted(found, key=lambda status: status["name"])[0]


@step()
def update_travels(stage: Stage) -> Any:
    """The last task that is done takes its shot along."""
    shot = stage.shot("sh020")
    tasks = [stage.task(name, parent=shot) for name in ("layout", "light")]
    listening = server_session(stage)
    with stage.wire.paused():
        for task in tasks:
            task["status"] = done_status(stage)
            stage.session.commit()
        cascaded = wait_for(listening, lambda: listening.cascaded)
        listening.event_hub.disconnect()
    found = stage.new_session().get("Shot", shot["id"])
    return [cascaded, listening.cascaded, found["status"]["name"] == done_status(stage)["name"]]


@step()
def update_of_something_else(stage: Stage) -> Any:
    """Published by hand, events of other kinds change nothing, and one with holes is survived."""
    listening = server_session(stage)
    event = stage.module("event.base").Event
    answers = []
    for entities in (
        [],
        [{"entityType": "show", "action": "update", "keys": ["name"]}],
        [{"entityType": "task", "action": "add"}],
        [{"entityType": "task", "action": "update", "keys": None}],
        [{"entityType": "task", "action": "update", "keys": ["statusid"], "entityId": "nobody"}],
    ):
        made = event(topic="ftrack.update", data={"entities": entities})
        made["source"] = {"user": {"username": "ada"}}
        answers.append(listening.event_hub.publish(made, synchronous=True))
    missing = event(topic="ftrack.update", data={})
    made["source"] = {}
    answers.append(listening.event_hub.publish(missing, synchronous=True))
    return [answers, listening.cascaded]


@step()
def refused_commit(stage: Stage) -> Any:
    """An error in the plugin is kept from the publisher, and the session works on."""
    shot = stage.shot("sh030")
    task = stage.task("anim", parent=shot)
    task["status"] = done_status(stage)
    stage.session.commit()
    listening = server_session(stage)
    other = listening.create("Task", {"name": "orphan"})
    event = stage.module("event.base").Event
    entity = {"entityType": "task", "action": "update", "keys": ["statusid"]}
    made = event(topic="ftrack.update", data={"entities": [{**entity, "entityId": task["id"]}]})
    made["source"] = {"user": {"username": "ada"}}
    answers = listening.event_hub.publish(made, synchronous=True)
    left = [len(listening.recorded_operations), stage.module("inspection").state(other)]
    again = listening.event_hub.publish(made, synchronous=True)
    return [answers, left, again, listening.get("Shot", shot["id"])["status"]["name"]]
