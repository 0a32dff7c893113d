"""Deleting entities."""

from __future__ import annotations

from typing import Any

from book import Stage, step


def state(stage: Stage, entity: Any) -> str:
    """Return the state of *entity* as text."""
    return str(stage.module("inspection").state(entity))


@step()
def delete(stage: Stage) -> Any:
    """A deleted entity is gone for others after the commit."""
    shot = stage.shot("gone")
    stage.session.delete(shot)
    before = stage.new_session().get("Shot", shot["id"]) is not None
    stage.session.commit()
    return [before, stage.new_session().get("Shot", shot["id"])]


@step()
def pending(stage: Stage) -> Any:
    """A deletion that is not committed is in the session's state."""
    shot = stage.shot("pending")
    stage.session.delete(shot)
    return state(stage, shot)


@step()
def pending_after_change(stage: Stage) -> Any:
    """A change followed by a deletion."""
    shot = stage.shot("changed")
    shot["description"] = "last words"
    stage.session.delete(shot)
    return state(stage, shot)


@step()
def created_and_deleted(stage: Stage) -> Any:
    """A creation followed by a deletion."""
    shot = stage.session.create("Shot", {"name": "brief", "parent": stage.project})
    stage.session.delete(shot)
    return state(stage, shot)


@step(9, "an entity whose deletion was committed is not found again")
def get_after_delete(stage: Stage) -> Any:
    """Getting an entity again that this very session deleted."""
    shot = stage.shot("got_again")
    key = shot["id"]
    stage.session.delete(shot)
    stage.session.commit()
    return stage.session.get("Shot", key)


@step()
def query_after_delete(stage: Stage) -> Any:
    """A query does not find what was deleted."""
    shot = stage.shot("queried")
    stage.session.delete(shot)
    stage.session.commit()
    return stage.session.query(f'Shot where id is "{shot["id"]}"').first()


@step()
def with_children(stage: Stage) -> Any:
    """Deleting a shot takes its tasks along."""
    shot = stage.shot("family")
    task = stage.task("child", parent=shot)
    stage.session.delete(shot)
    stage.session.commit()
    return stage.new_session().get("Task", task["id"])


@step()
def twice(stage: Stage) -> Any:
    """Deleting an entity that another session has deleted already."""
    shot = stage.shot("twice")
    other = stage.new_session()
    other.delete(other.get("Shot", shot["id"]))
    other.commit()
    stage.session.delete(shot)
    stage.session.commit()


@step()
def change_after_others_deletion(stage: Stage) -> Any:
    """Changing an entity that another session has deleted."""
    shot = stage.shot("vanished")
    other = stage.new_session()
    other.delete(other.get("Shot", shot["id"]))
    other.commit()
    shot["description"] = "too late"
    stage.session.commit()


@step()
def project(stage: Stage) -> Any:
    """Deleting a project takes everything below it along."""
    schema = stage.project["project_schema"]
    data = {"name": "doomed", "full_name": "Doomed", "project_schema": schema}
    doomed = stage.session.create("Project", data)
    shot = stage.session.create("Shot", {"name": "doomed", "parent": doomed})
    stage.session.commit()
    stage.session.delete(doomed)
    stage.session.commit()
    return stage.new_session().get("Shot", shot["id"])


@step()
def several(stage: Stage) -> Any:
    """Several deletions in one commit."""
    shots = [stage.shot(f"several{number}") for number in range(3)]
    for shot in shots:
        stage.session.delete(shot)
    pending = len(stage.session.deleted)
    stage.session.commit()
    other = stage.new_session()
    return [pending, [other.get("Shot", shot["id"]) for shot in shots]]
