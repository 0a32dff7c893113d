"""References of which only the foreign key is set, with a second session that changes data."""

from __future__ import annotations

from typing import Any

from book import Stage, step


def other(stage: Stage) -> Any:
    """Return a second session of the chapter, made on first use."""
    if "other" not in stage.memory:
        stage.memory["other"] = stage.new_session()
    return stage.memory["other"]


def version(stage: Stage) -> Any:
    """Return a version of this chapter that was made with foreign keys, on first use."""
    if "version" not in stage.memory:
        session = stage.session
        shot = session.create("Shot", {"name": "sh010", "parent_id": stage.project["id"]})
        asset = session.create("Asset", {"name": "plate", "context_id": shot["id"]})
        stage.memory["version"] = session.create("AssetVersion", {"asset_id": asset["id"]})
        session.commit()
    return stage.memory["version"]


def disk(stage: Stage) -> Any:
    """Return a location on disk with the standard structure, made on first use."""
    if "disk" not in stage.memory:
        location = stage.session.ensure("Location", {"name": "foreign keys"})
        folder = stage.folder / "c41_foreign_keys" / "disk"
        folder.mkdir(parents=True)
        location.accessor = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
        location.structure = stage.module("structure.standard").StandardStructure()
        stage.memory["disk"] = location
    return stage.memory["disk"]


@step()
def references_of_new_entities(stage: Stage) -> Any:
    """New entities that have only foreign keys show no references before the commit."""
    not_set = stage.module("symbol").NOT_SET
    session = stage.session
    component = session.create("FileComponent", {"name": "c", "version_id": version(stage)["id"]})
    task = session.create("Task", {"name": "t", "parent_id": stage.project["id"]})
    before = [component["version"] is not_set, task["parent"] is not_set]
    session.commit()
    return [before, component["version"] == version(stage), task["parent"] == stage.project]


@step(asks="H")
def file_by_version_id(stage: Stage) -> Any:
    """A file that has only the id of its version is placed by the names of the version."""
    data = {"name": "main", "version_id": version(stage)["id"]}
    made = stage.session.create_component(stage.file("a.mov"), data, location=disk(stage))
    return [disk(stage).get_resource_identifier(made), made["version"] == version(stage)]


@step(asks="A")
def sequence_by_version_id(stage: Stage) -> Any:
    """A sequence that has only the id of its version is placed with its members."""
    for number in (1, 2):
        stage.file(f"s.{number:04}.exr")
    path = stage.folder / "c41_foreign_keys" / "s.%04d.exr [1-2]"
    data = {"name": "frames", "version_id": version(stage)["id"]}
    made = stage.session.create_component(str(path), data, location=disk(stage))
    places = disk(stage).get_resource_identifiers(made["members"])
    return [disk(stage).get_resource_identifier(made), sorted(places)]


@step(asks="H")
def version_of_another_session(stage: Stage) -> Any:
    """The id may be that of a version that another session made since."""
    made = other(stage).create("AssetVersion", {"asset_id": version(stage)["asset_id"]})
    other(stage).commit()
    data = {"name": "main", "version_id": made["id"]}
    component = stage.session.create_component(stage.file("b.mov"), data, location=disk(stage))
    return disk(stage).get_resource_identifier(component)


@step(asks="H")
def shot_renamed_by_another_session(stage: Stage) -> Any:
    """The names of a version that was read before stay those that were read."""
    shot = other(stage).query(f'Shot where project_id is "{stage.project["id"]}"').one()
    shot["name"] = "sh020"
    other(stage).commit()
    data = {"name": "renamed", "version_id": version(stage)["id"]}
    component = stage.session.create_component(stage.file("c.mov"), data, location=disk(stage))
    return disk(stage).get_resource_identifier(component)


@step()
def version_without_number(stage: Stage) -> Any:
    """A version that is not committed gives no place."""
    session = stage.session
    new = session.create("AssetVersion", {"asset_id": version(stage)["asset_id"]})
    component = session.create("FileComponent", {"name": "c", "version_id": new["id"]})
    return disk(stage).structure.get_resource_identifier(component)
