"""Tests of a studio with the types of its site. Checkers report only the marked mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import reveal_type

from ftrack_like.actions import Action, ActionRequest
from ftrack_like.testing import EventRecorder, ProjectFactory

if TYPE_CHECKING:
    from ftrack_types import Session, Shot, Task
else:
    from ftrack_like import Session


def publish(session: Session, path: str, task: Task) -> None:
    task["name"]


def register(session: Session) -> None:
    Archive(session).register()


def register_nothing(name: int) -> None:
    print(name)


class Archive(Action):
    identifier = "studio.archive"
    label = "Archive"

    def launch(self, request: ActionRequest) -> str:
        tasks: list[Task] = request.selection.entities("name, bid")
        for task in tasks:
            reveal_type(task["bid"])  # float
            task["nme"] = "archived"  # mistake
        return "Archived."


def test_publish(
    ftrack_session: Session, ftrack_project: ProjectFactory, ftrack_events: EventRecorder
) -> None:
    shot: Shot = ftrack_project.shot()
    task: Task = ftrack_project.task(parent=shot)
    publish(ftrack_session, "/path", task)
    publish(ftrack_session, "/path", ftrack_project.task())
    reveal_type(task["bid"])  # float
    task["stauts"]  # mistake
    ftrack_events.listen(register)
    ftrack_events.listen(register_nothing)  # mistake
