"""Taking changes back."""

from __future__ import annotations

from typing import Any

from book import Stage, step


@step()
def of_a_change(stage: Stage) -> Any:
    """A changed value is what it was."""
    shot = stage.shot("changed", description="before")
    shot["description"] = "after"
    stage.session.rollback()
    return [shot["description"], stage.module("inspection").state(shot)]


@step()
def of_several_changes(stage: Stage) -> Any:
    """All values of all entities are what they were."""
    first, second = stage.shot("first", description="1"), stage.shot("second", description="2")
    first["description"], second["description"] = "x", "y"
    first["name"] = "renamed"
    stage.session.rollback()
    return [first["description"], first["name"], second["description"]]


@step()
def of_a_creation(stage: Stage) -> Any:
    """A created entity is not sent any more, and another may take its name."""
    stage.session.create("Shot", {"name": "undone", "parent": stage.project})
    stage.session.rollback()
    stage.session.commit()
    return stage.session.query('Shot where name is "undone"').first()


@step()
def of_a_deletion(stage: Stage) -> Any:
    """A deleted entity stays."""
    shot = stage.shot("stays")
    stage.session.delete(shot)
    stage.session.rollback()
    stage.session.commit()
    found = stage.new_session().get("Shot", shot["id"])
    return [found["name"], stage.module("inspection").state(shot)]


@step()
def of_a_reference(stage: Stage) -> Any:
    """A reference points where it did."""
    shot, other = stage.shot("referring"), stage.shot("other")
    task = stage.task("moved", parent=shot)
    task["parent"] = other
    stage.session.rollback()
    return task["parent"]["name"]


@step()
def of_metadata(stage: Stage) -> Any:
    """Metadata is what it was."""
    shot = stage.shot("metadata", metadata={"a": "1"})
    shot["metadata"]["a"] = "2"
    shot["metadata"]["b"] = "3"
    stage.session.rollback()
    return dict(shot["metadata"].items())


@step()
def after_a_refused_commit(stage: Stage) -> Any:
    """After a refused commit and a rollback the session can be used again."""
    session = stage.session
    session.create("Task", {"name": "orphan"})
    try:
        session.commit()
    except stage.error("ServerError"):
        session.rollback()
    return stage.shot("after")["name"]


@step()
def batch_is_one_transaction(stage: Stage) -> Any:
    """A commit that is refused leaves nothing on the server."""
    session = stage.session
    project = stage.project
    session.create("Shot", {"name": "half", "parent": project})
    session.create("Task", {"name": "orphan"})
    try:
        session.commit()
    except stage.error("ServerError"):
        session.rollback()
    return stage.new_session().query('Shot where name is "half"').first()


@step()
def without_changes(stage: Stage) -> Any:
    """Rolling back and committing nothing is fine."""
    stage.session.rollback()
    stage.session.commit()
    return len(stage.session.recorded_operations)


@step()
def reset(stage: Stage) -> Any:
    """A reset session forgets what it held, and goes on."""
    shot = stage.shot("reset")
    key = shot["id"]
    stage.session.reset()
    again = stage.session.get("Shot", key)
    return [again["name"], again is shot, len(stage.session.recorded_operations)]


@step()
def reset_with_changes(stage: Stage) -> Any:
    """A session with pending changes is reset."""
    shot = stage.shot("reset_pending")
    shot["description"] = "pending"
    stage.session.reset()
    return len(stage.session.recorded_operations)
