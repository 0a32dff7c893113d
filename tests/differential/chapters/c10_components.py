"""Components: files and sequences in locations on disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from book import Stage, step


def disk(stage: Stage) -> Any:
    """Return this chapter's location: a folder with the standard structure."""
    if "disk" not in stage.memory:
        location = stage.session.create("Location", {"name": "studio.disk"})
        stage.session.commit()
        folder = stage.folder / "c10_components" / "disk"
        folder.mkdir(parents=True)
        location.accessor = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
        location.structure = stage.module("structure.standard").StandardStructure()
        location.priority = 10
        stage.memory["disk"] = location
    return stage.memory["disk"]


def version(stage: Stage) -> Any:
    """Return a new version of a new asset of this chapter."""
    number = stage.memory["assets"] = stage.memory.get("assets", 0) + 1
    kind = stage.session.query("AssetType order by name").first()
    shot = stage.memory.get("shot") or stage.shot("sh 010")
    stage.memory["shot"] = shot
    data = {"name": f"Plate {number}", "type": kind, "parent": shot}
    asset = stage.session.create("Asset", data)
    made = stage.session.create("AssetVersion", {"asset": asset})
    stage.session.commit()
    return made


def frames(stage: Stage, name: str, count: int = 3) -> str:
    """Return the expression of a new sequence of files called *name*."""
    for number in range(1, count + 1):
        path = stage.file(f"{name}.{1000 + number}.exr", f"frame {number}")
    return f"{Path(path).parent / name}.%04d.exr [1001-{1000 + count}]"


@contextlib.contextmanager
def taking_back(stage: Stage) -> Iterator[None]:
    """Roll back what an error leaves recorded, so that both libraries are left alike.

    Of a component whose data could not be added the published client keeps the operations, which
    the next commit sends; here they are taken back at once.
    """
    try:
        yield
    except Exception:
        stage.session.rollback()
        raise


def found_on_disk(stage: Stage) -> list[str]:
    """Return the files below the location's folder."""
    folder = stage.folder / "c10_components" / "disk"
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def component(stage: Stage, path: str, location: Any, **data: Any) -> Any:
    """Return a committed component of *path* in *location*, on a new version."""
    made = version(stage).create_component(path, data=data, location=location)
    stage.session.commit()
    return made


@step()
def without_location(stage: Stage) -> Any:
    """A component that is only known where it is."""
    made = component(stage, stage.file("nowhere.txt"), None)
    return [
        made.entity_type,
        made["name"],
        made["file_type"],
        made["size"],
        made["system_type"],
        list(made["component_locations"]),
    ]


@step()
def in_origin(stage: Stage) -> Any:
    """A component of the origin location stays where it is."""
    session = stage.session
    path = stage.file("here.txt")
    origin = session.query('Location where name is "ftrack.origin"').one()
    made = component(stage, path, None)
    return [made["size"], origin.get_filesystem_path(made), origin.get_resource_identifier(made)]


@step()
def in_origin_explicitly(stage: Stage) -> Any:
    """The origin location already holds what is created."""
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    with taking_back(stage):
        return component(stage, stage.file("explicit.txt"), origin)


@step(asks="H")
def in_unmanaged(stage: Stage) -> Any:
    """A component of the unmanaged location stays where it is, and others find it there."""
    path = stage.file("unmanaged.txt")
    location = stage.session.query('Location where name is "ftrack.unmanaged"').one()
    made = component(stage, path, location)
    other = stage.new_session()
    there = other.query('Location where name is "ftrack.unmanaged"').one()
    return there.get_filesystem_path(other.get("FileComponent", made["id"]))


@step(asks="H")
def on_disk(stage: Stage) -> Any:
    """A component is copied to a disk location by its structure."""
    made = component(stage, stage.file("Main Plate.EXR", "pixels"), disk(stage), name="main")
    path = disk(stage).get_filesystem_path(made)
    content = Path(path).read_text(encoding="utf-8")
    return [made["name"], made["file_type"], made["size"], path, content, found_on_disk(stage)]


@step(asks="H")
def resource_identifier(stage: Stage) -> Any:
    """The identifier of a component in a disk location."""
    made = component(stage, stage.file("identified.txt"), disk(stage), name="identified")
    place = made["component_locations"][0]
    same = disk(stage).get_resource_identifier(made) == place["resource_identifier"]
    return [place["resource_identifier"], place["location"]["name"], same]


@step(asks="A")
def sequence(stage: Stage) -> Any:
    """A sequence of files is one component with a member for each frame."""
    made = component(stage, frames(stage, "comp"), disk(stage), name="comp")
    members = sorted(made["members"], key=lambda member: member["name"])
    return [
        made.entity_type,
        made["name"],
        made["file_type"],
        made["padding"],
        made["size"],
        [[member["name"], member["size"], member["file_type"]] for member in members],
        disk(stage).get_filesystem_path(made),
        [disk(stage).get_filesystem_path(member) for member in members],
    ]


@step(asks="A")
def sequence_of_one_frame(stage: Stage) -> Any:
    """A sequence may have a single frame."""
    made = component(stage, frames(stage, "single", count=1), disk(stage), name="single")
    return [made.entity_type, [member["name"] for member in made["members"]]]


@step(asks="H")
def file_that_is_missing(stage: Stage) -> Any:
    """A component of a path where nothing is."""
    path = str(stage.folder / "c10_components" / "missing.txt")
    with taking_back(stage):
        return component(stage, path, disk(stage))["size"]


@step()
def add_to_second_location(stage: Stage) -> Any:
    """A component of the origin location is added to a disk location."""
    session = stage.session
    origin = session.query('Location where name is "ftrack.origin"').one()
    made = component(stage, stage.file("spread.txt", "spread"), None, name="spread")
    disk(stage).add_component(made, origin)
    places = sorted(place["location"]["name"] for place in made["component_locations"])
    return [places, Path(disk(stage).get_filesystem_path(made)).read_text(encoding="utf-8")]


@step()
def add_twice(stage: Stage) -> Any:
    """A component that is in the location already."""
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    made = component(stage, stage.file("twice.txt"), None, name="twice")
    disk(stage).add_component(made, origin)
    disk(stage).add_component(made, origin)


@step(asks="C")
def add_where_the_file_is_there(stage: Stage) -> Any:
    """A file lies already where the component should go."""
    made = component(stage, stage.file("occupied.txt"), None, name="occupied")
    path = Path(disk(stage).accessor.prefix) / disk(stage).structure.get_resource_identifier(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("somebody else's", encoding="utf-8")
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    disk(stage).add_component(made, origin)


@step(33, "a copy that belongs to nobody is taken over")
def add_where_the_same_is_there(stage: Stage) -> Any:
    """What a publish that was killed has left lies where the component should go."""
    made = component(stage, stage.file("left.txt"), None, name="left")
    path = Path(disk(stage).accessor.prefix) / disk(stage).structure.get_resource_identifier(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Path(stage.file("left.txt")).read_bytes())
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    disk(stage).add_component(made, origin)


@step(asks="C")
def add_from_wrong_source(stage: Stage) -> Any:
    """A component that is not in the source."""
    unmanaged = stage.session.query('Location where name is "ftrack.unmanaged"').one()
    made = component(stage, stage.file("absent.txt"), None, name="absent")
    disk(stage).add_component(made, unmanaged)


@step(asks="A")
def remove(stage: Stage) -> Any:
    """A component is removed from a location, and its file with it."""
    made = component(stage, stage.file("removed.txt"), disk(stage), name="removed")
    path = disk(stage).get_filesystem_path(made)
    disk(stage).remove_component(made)
    there = stage.new_session().get("FileComponent", made["id"])
    return [os.path.exists(path), list(there["component_locations"])]


@step(asks="A")
def remove_sequence(stage: Stage) -> Any:
    """A sequence is removed with all its frames."""
    made = component(stage, frames(stage, "away"), disk(stage), name="away")
    before = [name for name in found_on_disk(stage) if "away" in name]
    disk(stage).remove_component(made)
    return [before, [name for name in found_on_disk(stage) if "away" in name]]


@step(asks="C")
def remove_missing(stage: Stage) -> Any:
    """A component that is not in the location."""
    made = component(stage, stage.file("elsewhere.txt"), None, name="elsewhere")
    disk(stage).remove_component(made)


@step()
def path_of_missing(stage: Stage) -> Any:
    """The path of a component that is not in the location."""
    made = component(stage, stage.file("pathless.txt"), None, name="pathless")
    return disk(stage).get_filesystem_path(made)


@step()
def container(stage: Stage) -> Any:
    """Components can be kept together by a container."""
    session = stage.session
    box = session.create("ContainerComponent", {"name": "box"})
    members = [session.create_component(stage.file(f"in_{n}.txt"), location=None) for n in "ab"]
    for member in members:
        member["container"] = box
    session.commit()
    found = stage.new_session().get("ContainerComponent", box["id"])
    return [found["name"], sorted(member["name"] for member in found["members"])]


@step()
def several_at_once(stage: Stage) -> Any:
    """Several components are added and asked about at once."""
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    made = [component(stage, stage.file(f"many{n}.txt"), None, name=f"many{n}") for n in range(3)]
    disk(stage).add_components(made, origin)
    paths = disk(stage).get_filesystem_paths(made)
    return [paths, disk(stage).get_resource_identifiers(made)]


@step()
def several_sources(stage: Stage) -> Any:
    """As many sources as components, or one."""
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    made = [component(stage, stage.file(f"wrong{n}.txt"), None, name=f"wrong{n}") for n in range(3)]
    disk(stage).add_components(made, [origin, origin])


@step(asks="H")
def automatic_location(stage: Stage) -> Any:
    """Without a word the component goes to the location of the highest priority."""
    disk(stage)
    made = version(stage).create_component(
        stage.file("auto.txt"), data={"name": "auto"}, location="auto"
    )
    stage.session.commit()
    return sorted(place["location"]["name"] for place in made["component_locations"])


@step()
def location_events(stage: Stage) -> Any:
    """Subscribers of this process hear of an added component only from the server."""
    heard: list[Any] = []
    hub = stage.session.event_hub
    hub.subscribe("topic=ftrack.location.*", lambda event: heard.append(dict(event["data"])))
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    made = component(stage, stage.file("told.txt"), None, name="told")
    disk(stage).add_component(made, origin)
    return heard


@step()
def structures(stage: Stage) -> Any:
    """The identifiers that the other structures give."""
    made = component(stage, stage.file("structured.txt"), None, name="structured")
    origin = stage.module("structure.origin").OriginStructure()
    by_id = stage.module("structure.id").IdStructure(prefix="root").get_resource_identifier(made)
    return [
        [by_id.split("/")[0], [len(part) for part in by_id.split("/")]],
        by_id.replace("/", "") == f"root{made['id']}.txt",
        stage.module("structure.entity_id").EntityIdStructure().get_resource_identifier(made),
        origin.get_resource_identifier(made, {"source_resource_identifier": "/from/here"}),
    ]


@step()
def standard_structure_of_a_nameless_asset(stage: Stage) -> Any:
    """The standard structure needs a version that is committed and a name it can use."""
    made = stage.session.create_component(stage.file("loose.txt"), location=None)
    return stage.module("structure.standard").StandardStructure().get_resource_identifier(made)


@step()
def accessor(stage: Stage) -> Any:
    """The accessor of a disk location reads, writes, lists and removes."""
    folder = stage.folder / "c10_components" / "accessor"
    folder.mkdir(parents=True)
    made = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
    made.make_container("a/b")
    data = made.open("a/b/c.txt", "wb")
    data.write(b"written")
    data.close()
    return [
        made.exists("a/b/c.txt"),
        made.is_file("a/b/c.txt"),
        made.is_container("a/b"),
        made.list("a/b"),
        made.get_container("a/b/c.txt"),
        made.get_filesystem_path("a/b/c.txt"),
        made.open("a/b/c.txt", "rb").read(),
        [made.remove("a/b/c.txt"), made.exists("a/b/c.txt")],
    ]


@step()
def accessor_outside_of_its_prefix(stage: Stage) -> Any:
    """A path that leaves the accessor's folder."""
    folder = stage.folder / "c10_components" / "accessor"
    made = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
    return made.exists("../../outside.txt")


@step()
def accessor_missing_file(stage: Stage) -> Any:
    """A file that is not there."""
    folder = stage.folder / "c10_components" / "accessor"
    made = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
    return made.open("none.txt", "rb")


@step()
def accessor_missing_folder(stage: Stage) -> Any:
    """Writing into a folder that is not there, and removing a full one."""
    folder = stage.folder / "c10_components" / "accessor"
    made = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
    return made.open("nowhere/none.txt", "wb")


@step()
def accessor_full_folder(stage: Stage) -> Any:
    """Removing a folder that is not empty."""
    folder = stage.folder / "c10_components" / "accessor"
    made = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
    return made.remove("a")
