"""Mistakes that checkers must report with the types of a site: on the lines that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftrack_types import Session, Shot, Task
else:
    from ftrack_like import Session


def mistakes(session: Session, task: Task, shot: Shot) -> None:
    task["stauts"]  # mistake
    task["status"]["nme"]  # mistake
    task["parent"]["nme"]  # mistake
    task["assignments"][0]["resource"]["usrname"]  # mistake
    task["bid"] = "four"  # mistake
    task["status"] = "Done"  # mistake
    task["time_logged"] = 5  # mistake
    task["link"] = []  # mistake
    task["nme"] = "comp"  # mistake
    number: int = task["name"]  # mistake
    print(number)
    session.create("Task", {"nmae": "comp"})  # mistake
    session.create("Task", {"bid": "four"})  # mistake
    session.create("Task", {"parent": task["status"]})  # mistake
    session.create("Tsk", {"name": "comp"})  # mistake
    session.create("Task", {"link": []})  # mistake
    session.ensure("Status", {"nmae": "Done"})  # mistake
    session.get("Tsk", "an id")  # mistake
    session.get("Task", "an id")["name"]  # mistake
    session.select("Tsk")  # mistake
    session.query("Task").one()["stauts"]  # mistake
    session.select("Task").one()["stauts"]  # mistake
    session.select("Task").ordr_by("name")  # mistake
    shot["custom_attributes"]["fstrat"]  # mistake
    shot["custom_attributes"]["fstart"] = "first"  # mistake
    shot["children"].append(task["status"])  # mistake
    task.create_nte("Look at this.", session.select("User").one())  # mistake
    session.get_many("Tsk", ["an id"])  # mistake
    session.create_component(5)  # mistake
    session.create_component("/path")["nmae"]  # mistake
    session.encode_media("/path")["stauts"]  # mistake
    task.create_note("Look at this.", task)["contnt"]  # mistake
    task.create_note("Look at this.")  # mistake
    shots: list[Shot] = session.select("Task").all()  # mistake
    print(shots)


Session().qeury("Task")  # mistake
