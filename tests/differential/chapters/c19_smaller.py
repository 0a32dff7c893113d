"""The smaller deliberate differences, from number 26 on, and what stays equal beside them."""

from __future__ import annotations

import json
from typing import Any

from book import Stage, step


def shot_list(stage: Stage) -> tuple[Any, list[Any]]:
    """Return a list of versions without items, and three versions, all committed."""
    session = stage.session
    category = session.query("ListCategory order by name").first()
    number = stage.memory["lists"] = stage.memory.get("lists", 0) + 1
    data = {"name": f"list{number}", "project": stage.project, "category": category}
    made = session.create("AssetVersionList", data)
    asset = session.create("Asset", {"name": f"asset{number}", "parent": stage.project})
    versions = [session.create("AssetVersion", {"asset": asset}) for _ in range(3)]
    session.commit()
    return made, versions


@step(26, "what is merged within a list is attached")
def merge_of_a_list(stage: Stage) -> Any:
    """A list of detached entities is merged."""
    record = {"__entity_type__": "Project", "id": stage.project["id"], "full_name": "merged"}
    found = stage.session.merge(stage.session.decode(json.dumps([record])))
    return [found[0] is stage.project, found[0]["full_name"]]


@step(27, "operations of which nothing is left to send are done")
def commit_of_nothing(stage: Stage) -> Any:
    """A creation and its deletion cancel each other at the commit."""
    session = stage.new_session()
    shot = session.create("Shot", {"name": "brief", "parent_id": stage.project["id"]})
    session.delete(shot)
    session.commit()
    return [len(session.recorded_operations), len(session.deleted)]


@step(28, "a component that cannot be added leaves no operations")
def component_that_cannot_be_added(stage: Stage) -> Any:
    """A component whose file is missing is created in a location on disk."""
    session = stage.session
    location = session.create("Location", {"name": "disk"})
    session.commit()
    folder = stage.folder / "c19_smaller" / "disk"
    folder.mkdir(parents=True)
    location.accessor = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
    location.structure = stage.module("structure.id").IdStructure()
    try:
        session.create_component(str(folder / "missing.txt"), location=location)
    except stage.error("LocationError"):
        return len(session.recorded_operations)
    return "added"


@step(29, "extend is one operation")
def extend(stage: Stage) -> Any:
    """Several entities are appended at once."""
    made, versions = shot_list(stage)
    made["items"].extend(versions)
    return len(stage.session.recorded_operations)


@step(30, "a collection stays the entity's")
def collection_kept_over_a_commit(stage: Stage) -> Any:
    """A collection that was read before a commit is read and changed after it."""
    made, versions = shot_list(stage)
    items = made["items"]
    items.append(versions[0])
    stage.session.commit()
    return [items is made["items"], len(items)]


@step(asks="F")
def extend_is_sent_once(stage: Stage) -> Any:
    """However it was recorded, what is sent is the whole list, once."""
    made, versions = shot_list(stage)
    made["items"].extend(versions)
    stage.session.commit()
    return len(stage.new_session().get("AssetVersionList", made["id"])["items"])


@step()
def commit_after_nothing(stage: Stage) -> Any:
    """After a commit of nothing the next one sends what is new, and nothing else."""
    session = stage.new_session()
    shot = session.create("Shot", {"name": "brief", "parent_id": stage.project["id"]})
    session.delete(shot)
    session.commit()
    session.create("Shot", {"name": "lasting", "parent_id": stage.project["id"]})
    session.commit()
    found = stage.new_session().query(f'Shot where project_id is "{stage.project["id"]}"')
    return sorted(shot["name"] for shot in found)


@step()
def metadata_kept_over_a_commit(stage: Stage) -> Any:
    """Metadata that were read before a commit take changes after it."""
    metadata = stage.shot("kept")["metadata"]
    for key in ("a", "b"):
        metadata[key] = "1"
        stage.session.commit()
    return dict(metadata.items())
