"""Creating and ensuring entities."""

from __future__ import annotations

import uuid
from typing import Any

from book import Stage, step


@step()
def create_project(stage: Stage) -> Any:
    """A project, read back by a second session."""
    project = stage.project
    found = stage.new_session().get("Project", project["id"])
    return [found, found["name"], found["full_name"], found["status"], found["is_global"]]


@step()
def state_before_commit(stage: Stage) -> Any:
    """A created entity is pending and has an id before it is committed."""
    shot = stage.session.create("Shot", {"name": "pending", "parent": stage.project})
    return [shot, shot["name"], shot["parent"], stage.loaded(shot)]


@step()
def state_after_commit(stage: Stage) -> Any:
    """A committed entity is no longer pending."""
    shot = stage.shot("committed")
    return [stage.module("inspection").state(shot), shot["parent_id"], shot["project_id"]]


@step()
def values_filled_by_the_server(stage: Stage) -> Any:
    """Status, type and priority that nobody chose come from the project's schema."""
    task = stage.task("plain")
    return [task["status"]["name"], task["type"], task["priority"]["name"], task["context_type"]]


@step()
def tree_in_one_commit(stage: Stage) -> Any:
    """Sequence, shot and task that refer to each other in one commit."""
    session = stage.session
    sequence = session.create("Sequence", {"name": "seq", "parent": stage.project})
    shot = session.create("Shot", {"name": "sh", "parent": sequence})
    task = session.create("Task", {"name": "comp", "parent": shot})
    session.commit()
    found = stage.new_session().get("Task", task["id"])
    names = [item["name"] for item in found["link"]]
    return [names, [found["parent"]["name"], found["parent"]["parent"]["name"]]]


@step()
def foreign_key_in_place_of_reference(stage: Stage) -> Any:
    """The parent may be given by its id."""
    shot = stage.session.create("Shot", {"name": "by_id", "parent_id": stage.project["id"]})
    stage.session.commit()
    return [shot["parent"], shot["project"]]


@step()
def id_chosen_by_the_client(stage: Stage) -> Any:
    """An id that the script chooses is kept."""
    chosen = str(uuid.uuid5(uuid.NAMESPACE_URL, "chosen"))
    data = {"id": chosen, "name": "own_id", "parent": stage.project}
    shot = stage.session.create("Shot", data)
    stage.session.commit()
    return shot["id"] == chosen and stage.new_session().get("Shot", chosen)["name"]


@step()
def unknown_type(stage: Stage) -> Any:
    """A type that does not exist."""
    return stage.session.create("Wormhole", {"name": "x"})


@step()
def unknown_attribute(stage: Stage) -> Any:
    """An attribute that the type does not have."""
    shot = stage.session.create("Shot", {"name": "odd", "parent": stage.project, "warp": 9})
    return stage.loaded(shot)


@step()
def missing_required_value(stage: Stage) -> Any:
    """A task without a parent."""
    stage.session.create("Task", {"name": "orphan"})
    stage.session.commit()


@step()
def name_taken(stage: Stage) -> Any:
    """Two shots with one name under one parent."""
    stage.session.create("Shot", {"name": "twin", "parent": stage.project})
    stage.session.create("Shot", {"name": "twin", "parent": stage.project})
    stage.session.commit()


@step()
def failed_commit_keeps_operations(stage: Stage) -> Any:
    """After a refused commit the operations are still there."""
    session = stage.session
    session.create("Task", {"name": "orphan"})
    try:
        session.commit()
    except stage.error("ServerError"):
        return len(session.recorded_operations)
    return None


@step()
def create_and_delete(stage: Stage) -> Any:
    """What was created and deleted before the commit never reaches the server."""
    session = stage.session
    shot = session.create("Shot", {"name": "brief", "parent": stage.project})
    session.delete(shot)
    session.commit()
    # The published client keeps operations of which nothing was left to send.
    session.rollback()
    return session.query('Shot where name is "brief"').first()


@step()
def create_and_change(stage: Stage) -> Any:
    """Changes after the creation are in the same commit."""
    shot = stage.session.create("Shot", {"name": "first", "parent": stage.project})
    shot["name"] = "second"
    shot["description"] = "changed at once"
    stage.session.commit()
    found = stage.new_session().get("Shot", shot["id"])
    return [found["name"], found["description"]]


@step()
def reconstructing(stage: Stage) -> Any:
    """An entity that is said to exist already records nothing."""
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, "there"))
    shot = stage.session.create("Shot", {"id": key, "name": "there"}, reconstructing=True)
    return [shot, stage.loaded(shot)]


@step()
def text_in_any_language(stage: Stage) -> Any:
    """Names and descriptions may hold any text."""
    text = 'Große Düne — 影 "quoted" \\ back\nslash'
    shot = stage.shot("unicode", description=text)
    return stage.new_session().get("Shot", shot["id"])["description"] == text


@step()
def ensure_creates(stage: Stage) -> Any:
    """Ensure creates what is not there."""
    data = {"name": "ensured", "parent_id": stage.project["id"], "description": "one"}
    shot = stage.session.ensure("Shot", data, identifying_keys=["name", "parent_id"])
    return [shot["name"], stage.module("inspection").state(shot)]


@step()
def ensure_finds_and_updates(stage: Stage) -> Any:
    """Ensure finds what is there, and changes what differs."""
    data = {"name": "ensured", "parent_id": stage.project["id"], "description": "two"}
    shot = stage.session.ensure("Shot", data, identifying_keys=["name", "parent_id"])
    again = stage.new_session().get("Shot", shot["id"])
    return [again["description"], len(stage.session.query('Shot where name is "ensured"').all())]


@step()
def ensure_by_all_values(stage: Stage) -> Any:
    """Without identifying keys every value identifies."""
    data = {"name": "all_keys", "parent_id": stage.project["id"]}
    return stage.session.ensure("Shot", data) is stage.session.ensure("Shot", data)


@step()
def ensure_without_values(stage: Stage) -> Any:
    """Ensure needs something to identify by."""
    return stage.session.ensure("Shot", {})


@step()
def ensure_with_unknown_key(stage: Stage) -> Any:
    """An identifying key that is not among the values."""
    return stage.session.ensure("Shot", {"name": "x"}, identifying_keys=["parent"])


@step()
def asset_and_versions(stage: Stage) -> Any:
    """Versions of an asset are numbered by the server."""
    session = stage.session
    kind = session.query("AssetType order by name").first()
    asset = session.create("Asset", {"name": "plate", "type": kind, "parent": stage.project})
    versions = [session.create("AssetVersion", {"asset": asset}) for _ in range(2)]
    session.commit()
    found = [stage.new_session().get("AssetVersion", item["id"]) for item in versions]
    return [[item["version"], item["asset"]["name"], item["is_published"]] for item in found]
