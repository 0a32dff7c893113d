"""References of which only the foreign key is set: the library follows the key."""

from __future__ import annotations

import pytest

from ftrack_like import _centralized_storage_scenario as scenario
from ftrack_like import exception
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.structure.id import IdStructure
from ftrack_like.structure.standard import StandardStructure
from ftrack_like.symbol import NOT_SET


@pytest.fixture
def project(session):
    """A committed project."""
    schema = session.query("ProjectSchema").first()
    made = session.create("Project", {"name": "film", "project_schema_id": schema["id"]})
    session.commit()
    return made


@pytest.fixture
def version(session, project):
    """A committed version, made with foreign keys alone."""
    shot = session.create("Shot", {"name": "sh010", "parent_id": project["id"]})
    asset = session.create("Asset", {"name": "plate", "context_id": shot["id"]})
    made = session.create("AssetVersion", {"asset_id": asset["id"]})
    session.commit()
    return made


@pytest.fixture
def location(session, tmp_path):
    """A location on disk with the standard structure."""
    made = session.create("Location", {"name": "disk"})
    session.commit()
    made.accessor = DiskAccessor(str(tmp_path / "disk"))
    made.structure = StandardStructure()
    return made


@pytest.fixture
def path(tmp_path):
    """A file to publish."""
    made = tmp_path / "source.mov"
    made.write_bytes(b"content")
    return str(made)


@pytest.fixture
def frames(tmp_path):
    """A sequence of files to publish."""
    for number in (1, 2):
        (tmp_path / f"f.{number:04}.exr").write_bytes(b"frame")
    return str(tmp_path / "f.%04d.exr [1-2]")


FOLDER = "film/sh010/plate/v001"


def test_new_entities_show_no_reference_before_the_commit(session, version):
    """Programs see what the published client shows them: the reference comes with the commit."""
    component = session.create("FileComponent", {"name": "main", "version_id": version["id"]})
    assert component["version"] is NOT_SET
    session.commit()
    assert component["version"] is version


@pytest.mark.parametrize("kind", ["file", "sequence"])
def test_a_component_with_the_id_of_its_version_is_placed(
    session, version, location, path, frames, kind
):
    """Only ``version_id`` is enough for the standard structure, for files and sequences."""
    source, name = (path, "main.mov") if kind == "file" else (frames, "main.%04d.exr")
    data = {"name": "main", "version_id": version["id"]}
    component = session.create_component(source, data, location=location)
    assert location.get_resource_identifier(component) == f"{FOLDER}/{name}"
    assert component["version"] is version
    members = component["members"] if kind == "sequence" else []
    places = sorted(location.get_resource_identifiers(members))
    assert places == [f"{FOLDER}/main.{number:04}.exr" for number in (1, 2)][: len(members)]


def test_the_storage_scenario_places_a_component_by_the_id_of_its_version(
    session, version, path, tmp_path
):
    """The location of the centralised scenario needs no reference either."""
    row = session.create("Location", {"name": "studio"})
    session.commit()
    points = dict.fromkeys(("linux", "osx", "windows"), str(tmp_path / "studio"))
    setting = {"location_name": "studio", "location_id": row["id"]}
    setting["accessor"] = {"mount_points": points}
    activate = scenario.ActivateCentralizedStorageScenario()
    activate.session = session
    activate.activate({"data": {"storage_scenario": {"data": setting}}})
    studio = session.get("Location", row["id"])
    data = {"name": "main", "version_id": version["id"]}
    component = session.create_component(path, data, location=studio)
    assert studio.get_resource_identifier(component) == f"{FOLDER}/main.mov"


def test_the_key_that_was_set_last_counts(session, version, location, path):
    """A ``version_id`` that was changed wins over the version that was loaded before."""
    component = session.create_component(path, {"version": version}, location=None)
    session.commit()
    assert component["version"] is version
    second = session.create("AssetVersion", {"asset_id": version["asset_id"]})
    session.commit()
    component["version_id"] = second["id"]
    assert location.structure.get_resource_identifier(component).startswith("film/sh010/plate/v002")
    component["version_id"] = None
    with pytest.raises(exception.StructureError, match="has none"):
        location.structure.get_resource_identifier(component)


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("kind", ["SequenceComponent", "ContainerComponent"])
def test_members_with_the_id_of_their_container_are_placed_in_it(session, version, kind, committed):
    """Only ``container_id`` is enough, whether or not the container is on the server."""
    container = session.create(
        kind,
        {"name": "box", "version_id": version["id"], "file_type": ".exr", "padding": 4}
        if kind == "SequenceComponent"
        else {"name": "box", "version_id": version["id"]},
    )
    if committed:
        session.commit()
    data = {"name": "0001", "container_id": container["id"], "file_type": ".exr"}
    member = session.create("FileComponent", data)
    name = "box.0001.exr" if kind == "SequenceComponent" else "box/0001.exr"
    assert StandardStructure().get_resource_identifier(member) == f"{FOLDER}/{name}"
    inside = IdStructure().get_resource_identifier(member)
    assert inside.replace("/", "").startswith(container["id"].replace("/", ""))


def test_a_version_that_is_missing_or_new_is_named(session, version, location, path):
    """The error says which id leads to no version, and a version without number is refused."""
    with pytest.raises(exception.LocationError, match="no version with the id 'nowhere'"):
        session.create_component(path, {"version_id": "nowhere"}, location=location)
    new = session.create("AssetVersion", {"asset_id": version["asset_id"]})
    with pytest.raises(exception.LocationError, match="not on the server yet"):
        session.create_component(path, {"version_id": new["id"]}, location=location)


def test_custom_attributes_of_a_project_follow_keys(session, project):
    """The configurations of the project apply to a new task that has only ``parent_id``."""
    kind = session.query("CustomAttributeType where name is text").one()
    session.create(
        "CustomAttributeConfiguration",
        {
            "key": "own",
            "label": "Own",
            "entity_type": "task",
            "type": kind,
            "project_id": project["id"],
            "object_type_id": session.types["Task"].attributes.get("object_type_id").default_value,
            "default": "",
            "config": "{}",
        },
    )
    session.commit()
    shot = session.create("Shot", {"name": "sh020", "parent_id": project["id"]})
    task = session.create("Task", {"name": "comp", "parent_id": shot["id"]})
    task["custom_attributes"]["own"] = "value"
    session.commit()
    assert task["custom_attributes"]["own"] == "value"


def test_statuses_of_a_new_project_schema_follow_keys(session):
    """A project schema that is not committed gives the statuses of the schemas its keys name."""
    known = session.query("ProjectSchema").first()
    names = ("asset_version_workflow_schema_id", "task_workflow_schema_id", "task_type_schema_id")
    new = session.create("ProjectSchema", {name: known[name] for name in names})
    assert new.get_statuses("AssetVersion") == known.get_statuses("AssetVersion")
    assert new.get_statuses("Task") == known.get_statuses("Task")
    assert new.get_types("Task") == known.get_types("Task")
