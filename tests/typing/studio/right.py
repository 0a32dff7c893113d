"""A program of a studio that uses the types of its site. Checkers must report nothing in it.

A call of ``reveal_type`` is followed by a comment with the type, names without their modules.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, cast

from typing_extensions import reveal_type

import ftrack_like
from ftrack_like import attr

if TYPE_CHECKING:
    from ftrack_types import Session, Shot, Task, TaskData, User
else:
    from ftrack_like import Session


def late(session: Session) -> list[Task]:
    return session.select("Task").where(attr.end_date < datetime.datetime.now()).all()


def path(task: Task) -> str:
    return "/".join(part["name"] for part in task["link"])


def schedule(session: Session, shot: Shot, names: list[str]) -> None:
    for name in names:
        data: TaskData = {"name": name, "parent": shot, "bid": 4.0}
        task = session.create("Task", data)
        reveal_type(task)  # Task
        reveal_type(task["name"])  # str
        reveal_type(task["status"]["name"])  # str
        reveal_type(task["bid"])  # float
        reveal_type(task["start_date"])  # Arrow
        reveal_type(task["assignments"][0]["resource"]["username"])  # str
        reveal_type(task["parent"]["status"]["name"])  # str
        task["start_date"] = datetime.datetime.now()
        task["description"] = None
        task["metadata"]["reel"] = "A1"
        task.create_note("Look at this.", session.select("User").one())
    session.commit()


def read(session: Session, shot: Shot) -> None:
    reveal_type(shot["custom_attributes"]["fstart"])  # int
    reveal_type(shot["custom_attributes"]["colorspace"])  # list[str]
    reveal_type(shot["project"]["custom_attributes"]["fps"])  # float
    shot["custom_attributes"]["fstart"] = 1001
    reveal_type(session.get("Task", "an id"))  # Task | None
    reveal_type(session.query("Task"))  # QueryResult[Task]
    reveal_type(session.query("Task where bid > 1"))  # QueryResult[Any]
    reveal_type(session.select("Task").order_by(-attr.bid).first())  # Task | None
    reveal_type(session.ensure("Status", {"name": "Done"}))  # Status
    for child in shot["children"]:
        reveal_type(child["name"])  # str
    for name in shot:
        shot.get(name)
    shot["children"].append(session.create("Task", {"name": "comp"}))
    asset = session.create("Asset", {"name": "plate", "parent": shot})
    version = session.create("AssetVersion", {"asset": asset})
    version.create_component("/path/to/plate.mov")
    reveal_type(version["asset"]["name"])  # str


def publish(session: Session, task: Task, author: User) -> None:
    component = session.create_component("/path/to/plate.exr", {"name": "main"}, location=None)
    task["thumbnail"] = component
    session.create("ComponentLocation", {"component": component})
    note = task.create_note("Look at this.", author)
    task["notes"].append(note)
    reveal_type(note.create_reply("I did.", author))  # Note
    reveal_type(task.create_thumbnail("/path/to/plate.jpg"))  # Component
    version = session.create("AssetVersion", {"task": task})
    version["components"].append(version.create_component("/path/to/plate.exr", {"name": "main"}))
    reveal_type(version.encode_media("/path/to/plate.mov"))  # Job
    reveal_type(session.encode_media("/path/to/plate.mov")["status"])  # str
    schema = task["project"]["project_schema"]
    task["status"] = schema.get_statuses("Task")[0]
    reveal_type(schema.get_types("Task"))  # list[Type]
    reveal_type(author.start_timer(task))  # Timer
    reveal_type(author.stop_timer()["duration"])  # float
    reveal_type(session.pick_location())  # Location | None
    reveal_type(session.pick_locations([component]))  # list[Location | None]
    reveal_type(session.get_many("Task", ["an id"]))  # list[Task | None]
    found, _ = session.query_many(["Task", "Shot"])
    tasks: list[Task] = found.all()
    print(tasks)


def make(session: Session, type_name: str) -> None:
    plain = cast("ftrack_like.Session", session)
    reveal_type(plain.create(type_name))  # Entity


with Session() as session:
    reveal_type(session)  # Session
    tasks: list[Task] = session.query("Task where bid > 1").all()
    print([path(task) for task in [*tasks, *late(session)]])
