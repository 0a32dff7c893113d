"""More of components and locations: names, kinds, members, errors, moves, thumbnails, accessors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from book import Stage, step


def disk(stage: Stage, name: str, structure: str = "standard") -> Any:
    """Return a location on disk, made on first use."""
    if name not in stage.memory:
        location = stage.session.ensure("Location", {"name": name})
        folder = stage.folder / "c30_thin_components" / name
        folder.mkdir(parents=True)
        location.accessor = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
        module = stage.module(f"structure.{structure}")
        kinds = {"standard": "StandardStructure", "id": "IdStructure", "origin": "OriginStructure"}
        location.structure = getattr(module, kinds[structure])()
        stage.memory[name] = location
    return stage.memory[name]


def version(stage: Stage) -> Any:
    """Return a version of this chapter, made on first use."""
    if "version" not in stage.memory:
        session = stage.session
        shot = session.create("Shot", {"name": "sh 010", "parent": stage.project})
        asset = session.create("Asset", {"name": "Plate: Ä/B", "parent": shot})
        stage.memory["version"] = session.create("AssetVersion", {"asset": asset})
        session.commit()
    return stage.memory["version"]


@step()
def kinds_by_path(stage: Stage) -> Any:
    """What is made of paths: files, sequences, padding, names, types, sizes."""
    answers = []
    for number in range(1, 4):
        stage.file(f"seq/a.{number:03}.exr", "x" * number)
        stage.file(f"seq/b_{number}.tar.gz", "y")
    folder = stage.folder / "c30_thin_components" / "seq"
    for path in (
        "a.001.exr",
        "a.%03d.exr [1-3]",
        "a.%03d.exr [1, 3]",
        "b_%d.tar.gz [1-3]",
        "b_1.tar.gz",
    ):
        made = stage.session.create_component(str(folder / path), location=None)
        members = made["members"] if made.entity_type == "SequenceComponent" else []
        answers.append(
            [
                path,
                made.entity_type,
                made["name"],
                made["file_type"],
                made["size"],
                made["padding"] if members else None,
                sorted(member["name"] for member in members),
            ]
        )
    stage.session.commit()
    return answers


@step()
def data_of_ones_own(stage: Stage) -> Any:
    """Name, type and version that a script gives are kept."""
    data = {"name": "own", "file_type": ".xyz", "version_id": version(stage)["id"], "size": 5}
    made = stage.session.create_component(stage.file("f.txt"), data=data, location=None)
    stage.session.commit()
    return [made["name"], made["file_type"], made["size"], made["version"] == version(stage)]


@step(asks="A")
def container_by_hand(stage: Stage) -> Any:
    """A container with components of several kinds, seen from the members."""
    session = stage.session
    container = session.create("ContainerComponent", {"name": "bundle"})
    members = [
        session.create_component(
            stage.file(f"part{n}.txt"), data={"container": container}, location=None
        )
        for n in range(2)
    ]
    session.commit()
    found = stage.new_session().get("Component", container["id"])
    return [
        found.entity_type,
        len(found["members"]),
        members[0]["container"] == container,
        found.get_availability() != {},
    ]


@step(asks="H")
def names_on_disk(stage: Stage) -> Any:
    """Names with blanks, umlauts and slashes on disk, by the standard structure."""
    made = version(stage).create_component(
        stage.file("weird näme.v1.abc"), data={"name": "Main: ä/b"}, location=disk(stage, "names")
    )
    location = disk(stage, "names")
    path = location.get_filesystem_path(made)
    return [location.get_resource_identifier(made), Path(path).exists()]


@step(asks="A")
def paths_of_several(stage: Stage) -> Any:
    """Paths, identifiers and addresses of several components."""
    location = disk(stage, "several", "id")
    made = [
        stage.session.create_component(stage.file(f"s{n}.txt", str(n)), location=location)
        for n in range(2)
    ]
    answers: list[Any] = [
        [Path(path).read_text(encoding="utf-8") for path in location.get_filesystem_paths(made)],
        len(location.get_resource_identifiers(made)),
        location.get_component_availabilities(made),
    ]
    try:
        location.get_url(made[0])
    except stage.error("AccessorUnsupportedOperationError") as error:
        answers.append(type(error).__name__)
    return answers


@step()
def structure_by_hand(stage: Stage) -> Any:
    """Identifiers that structures make of components that are in no location."""
    session = stage.session
    made = session.create_component(
        stage.file("plain.mov"), data={"version_id": version(stage)["id"]}, location=None
    )
    session.commit()
    standard = stage.module("structure.standard").StandardStructure
    answers = [
        standard().get_resource_identifier(made),
        standard(project_versions_prefix="work").get_resource_identifier(made),
        standard(illegal_character_substitute="-").get_resource_identifier(made),
        standard().sanitise_for_filesystem("a b/ü:c*.1"),
    ]
    entity_id = stage.module("structure.entity_id").EntityIdStructure()
    answers.append(entity_id.get_resource_identifier(made) == made["id"])
    return answers


@step()
def origin_structure(stage: Stage) -> Any:
    """The origin structure says where a component came from, if the context knows."""
    structure = stage.module("structure.origin").OriginStructure()
    made = stage.session.create_component(stage.file("o.txt"), location=None)
    context = {"source_resource_identifier": "/somewhere/o.txt"}
    answers = [structure.get_resource_identifier(made, context)]
    try:
        structure.get_resource_identifier(made)
    except ValueError as error:
        answers.append(type(error).__name__)
    return answers


@step()
def no_accessor(stage: Stage) -> Any:
    """A component for a location that cannot be reached from here."""
    location = stage.session.ensure("Location", {"name": "far"})
    try:
        stage.session.create_component(stage.file("far.txt"), location=location)
    except stage.error("LocationError") as error:
        stage.session.rollback()
        return str(error).split("<")[0]


@step()
def no_structure(stage: Stage) -> Any:
    """A location with an accessor and no structure."""
    location = stage.session.ensure("Location", {"name": "shapeless"})
    location.accessor = stage.module("accessor.disk").DiskAccessor(prefix=str(stage.folder))
    try:
        stage.session.create_component(stage.file("shapeless.txt"), location=location)
    except stage.error("LocationError") as error:
        stage.session.rollback()
        return str(error).split("<")[0]


@step()
def path_in_far_location(stage: Stage) -> Any:
    """A path where there is no accessor."""
    made = stage.session.create_component(stage.file("p.txt"), location=None)
    stage.session.commit()
    far = stage.session.ensure("Location", {"name": "far"})
    return far.get_filesystem_path(made)


@step(asks="A")
def transfer_events(stage: Stage) -> Any:
    """What is told to everybody when components come and go."""
    session = stage.new_session()
    session.event_hub.connect()
    location = session.get("Location", disk(stage, "telling", "id")["id"])
    location.accessor = stage.memory["telling"].accessor
    location.structure = stage.memory["telling"].structure
    made = session.create_component(stage.file("t.txt"), location=location)
    location.remove_component(made)
    session.event_hub.disconnect()
    return location.get_component_availability(made)


@step(asks="A")
def member_alone(stage: Stage) -> Any:
    """One frame of a sequence is removed and added again."""
    for number in (1, 2):
        path = stage.file(f"m.{number:04}.exr", str(number))
    expression = f"{Path(path).parent}/m.%04d.exr [1-2]"
    location = disk(stage, "members", "id")
    made = stage.session.create_component(expression, location=location)
    member = sorted(made["members"], key=lambda item: item["name"])[0]
    location.remove_component(member)
    before = location.get_component_availability(made)
    origin = stage.session.query('Location where name is "ftrack.origin"').one()
    location.add_component(member, origin)
    return [before, location.get_component_availability(made)]


@step(asks="A")
def without_recursion(stage: Stage) -> Any:
    """A sequence is removed without its frames."""
    path = stage.file("r.0001.exr", "1")
    location = disk(stage, "flat", "id")
    made = stage.session.create_component(
        f"{Path(path).parent}/r.%04d.exr [1-1]", location=location
    )
    location.remove_component(made, recursive=False)
    return [
        location.get_component_availability(made),
        location.get_component_availability(made["members"][0]),
    ]


@step(asks="H")
def thumbnails(stage: Stage) -> Any:
    """A picture becomes the thumbnail of a task, of a project and of a user, and is taken away."""
    session = stage.session
    picture = stage.file("t.png", "not really a picture")
    task = stage.task("pictured")
    user = session.query(f'User where username is "{session.api_user}"').one()
    made = task.create_thumbnail(picture)
    stage.project["thumbnail"] = made
    user["thumbnail_id"] = made["id"]
    session.commit()
    other = stage.new_session()
    found = [
        other.get("Task", task["id"])["thumbnail"]["name"],
        other.get("Project", stage.project["id"])["thumbnail_id"] == made["id"],
        other.get("User", user["id"])["thumbnail_id"] == made["id"],
    ]
    for entity in (task, stage.project, user):
        entity["thumbnail_id"] = None
    session.commit()
    return [found, stage.new_session().get("Task", task["id"])["thumbnail"]]


@step(asks="F")
def list_of_contexts(stage: Stage) -> Any:
    """A list of tasks: filled, ordered by name, emptied in part, deleted with its items kept."""
    session = stage.session
    category = session.query("ListCategory order by name").first()
    tasks = [stage.task(f"listed{number}") for number in range(3)]
    made = session.create(
        "TypedContextList", {"name": "dailies", "project": stage.project, "category": category}
    )
    made["items"].extend(tasks)
    session.commit()
    made["items"].remove(tasks[1])
    session.commit()
    names = sorted(
        item["name"] for item in stage.new_session().get("TypedContextList", made["id"])["items"]
    )
    lists = [entry["name"] for entry in stage.new_session().get("Task", tasks[0]["id"])["lists"]]
    session.delete(made)
    session.commit()
    return [names, lists, stage.new_session().get("Task", tasks[0]["id"])["name"]]


@step()
def dependencies(stage: Stage) -> Any:
    """Tasks that wait for others, from both ends, and no more."""
    session = stage.session
    first, second = stage.task("first"), stage.task("second")
    link = session.create("TypedContextLink", {"from": first, "to": second})
    session.commit()
    other = stage.new_session()
    found = [
        [item["to"]["name"] for item in other.get("Task", first["id"])["outgoing_links"]],
        [item["from"]["name"] for item in other.get("Task", second["id"])["incoming_links"]],
    ]
    session.delete(link)
    session.commit()
    return [found, len(stage.new_session().get("Task", first["id"])["outgoing_links"])]


@step()
def assignments_taken_away(stage: Stage) -> Any:
    """A user is assigned, twice, and unassigned."""
    session = stage.session
    task = stage.task("assigned")
    user = session.query(f'User where username is "{session.api_user}"').one()
    data = {"context": task, "resource": user, "type": "assignment"}
    made = session.create("Appointment", data)
    session.commit()
    before = [
        a["resource"]["username"]
        for a in stage.new_session().get("Task", task["id"])["assignments"]
    ]
    mine = stage.new_session().query(
        f'Task where assignments any (resource.username = "{session.api_user}") '
        f'and project_id is "{stage.project["id"]}"'
    )
    names = [found["name"] for found in mine]
    session.delete(made)
    session.commit()
    return [before, names, len(stage.new_session().get("Task", task["id"])["assignments"])]
