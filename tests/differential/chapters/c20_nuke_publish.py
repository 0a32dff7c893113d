"""A studio program: what a Nuke script does to publish a render.

Finds the task by its path, makes the asset, a version with the next number, the render as a
sequence on the studio's disk, the script beside it, the versions it was made from, a note to the
supervisor, and sets the task under review. A render that was published before is refused, and a
publish that fails halfway leaves nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from book import Stage, step

FRAMES = range(1001, 1006)


class PublishError(Exception):
    """A publish that cannot be made."""


class Publisher:
    """Publishes renders of one task."""

    def __init__(self, stage: Stage, session: Any, path: str) -> None:
        self.stage = stage
        self.session = session
        project, shot, task = path.split("/")
        self.task = session.query(
            f'Task where name is "{task}" and parent.name is "{shot}" '
            f'and project.name is "{project}"'
        ).one()

    def location(self) -> Any:
        """Return the studio's disk, configured here."""
        data = {"name": "studio.disk", "label": "Disk", "description": "The studio's disk"}
        location = self.session.ensure("Location", data, identifying_keys=["name"])
        root = self.stage.folder / "c20_nuke_publish" / "disk"
        root.mkdir(parents=True, exist_ok=True)
        location.accessor = self.stage.module("accessor.disk").DiskAccessor(prefix=str(root))
        location.structure = self.stage.module("structure.standard").StandardStructure()
        location.priority = 1
        return location

    def render(self, name: str) -> str:
        """Return the expression of a render on a workstation."""
        for frame in FRAMES:
            path = self.stage.file(f"render/{name}.{frame}.exr", f"{name} {frame}" * 40)
        return f"{Path(path).parent / name}.%04d.exr [{FRAMES[0]}-{FRAMES[-1]}]"

    def asset(self, name: str) -> Any:
        """Return the asset called *name* of the task's shot."""
        kind = self.session.query('AssetType where name is "Render"').first()
        kind = kind or self.session.query("AssetType order by name").first()
        shot = self.task["parent"]
        asset = self.session.query(
            f'Asset where name is "{name}" and parent.id is "{shot["id"]}"'
        ).first()
        return asset or self.session.create("Asset", {"name": name, "type": kind, "parent": shot})

    def publish(self, name: str, comment: str, script: str, uses: Any = ()) -> Any:
        """Publish the render *name* and return its version."""
        expression = self.render(name)
        if self.published(name, len(comment)):
            raise PublishError(f"{name} is published already")
        status = self.session.query('Status where name is "Pending Review"').first()
        data = {"asset": self.asset(name), "task": self.task, "comment": comment}
        if status:
            data["status"] = status
        version = self.session.create("AssetVersion", data)
        self.session.commit()
        location = self.location()
        component = version.create_component(expression, data={"name": "main"}, location=location)
        component["metadata"].update({"frame_in": str(FRAMES[0]), "colour": "ACEScg — linéaire"})
        version.create_component(script, data={"name": "script"}, location=location)
        for used in uses:
            version["uses_versions"].append(used)
        version["metadata"] = {"checksum": str(len(comment)), "host": "nuke"}
        self.task["status"] = status or self.task["status"]
        self.session.commit()
        return version

    def published(self, name: str, checksum: int) -> Any:
        """Return whether a version with *checksum* exists."""
        return self.session.query(
            f'AssetVersion where task_id is "{self.task["id"]}" and asset.name is "{name}" '
            f'and metadata any (key is "checksum" and value is "{checksum}")'
        ).first()


def publisher(stage: Stage) -> Publisher:
    """Return a publisher for the task of this chapter, in a session of its own."""
    if "task" not in stage.memory:
        stage.memory["task"] = stage.task("comp", parent=stage.shot("sh010"))
    return Publisher(stage, stage.new_session(), f"{stage.project['name']}/sh010/comp")


@step(asks="A")
def publish(stage: Stage) -> Any:
    """A first publish: version, files on disk, metadata and status, as others see them."""
    work = publisher(stage)
    version = work.publish("beauty", "first pass", stage.file("script_v001.nk", "Root {}"))
    root = work.location().accessor.prefix
    files = sorted(
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root)
        for name in names
    )
    found = stage.new_session().get("AssetVersion", version["id"])
    return {
        "files": files,
        "version": [found["version"], found["comment"], found["is_published"]],
        "components": sorted(item["name"] for item in found["components"]),
        "status": [found["status"]["name"], found["task"]["status"]["name"]],
        "metadata": dict(found["metadata"].items()),
        "link": [item["name"] for item in found["link"]],
    }


@step(asks="A")
def publish_next(stage: Stage) -> Any:
    """A second publish gets the next number, and knows what it was made from."""
    work = publisher(stage)
    script = stage.file("script_v002.nk", "Root { v2 }")
    first = work.session.query('AssetVersion where asset.name is "beauty"').first()
    version = work.publish("beauty", "second and better", script, uses=[first])
    found = stage.new_session().get("AssetVersion", version["id"])
    latest = stage.session.query(
        'AssetVersion where asset.name is "beauty" and is_latest_version is true'
    ).one()
    return [
        found["version"],
        [used["version"] for used in found["uses_versions"]],
        latest["version"],
        sorted(item["version"] for item in found["asset"]["versions"]),
    ]


@step()
def publish_again(stage: Stage) -> Any:
    """What is published already is refused by the program itself."""
    publisher(stage).publish("beauty", "first pass", stage.file("script_v003.nk"))


@step(asks="A")
def read_back(stage: Stage) -> Any:
    """A lighter finds the newest render's frames on disk by way of its component."""
    session = stage.new_session()
    Publisher(stage, session, f"{stage.project['name']}/sh010/comp").location()
    component = session.query(
        'Component where name is "main" and version.asset.name is "beauty" '
        "order by version.version descending"
    ).first()
    location = session.pick_location(component)
    members = sorted(location.get_filesystem_paths(component["members"]))
    return [
        location["name"],
        component["version"]["version"],
        location.get_filesystem_path(component),
        [Path(path).read_text(encoding="utf-8")[:11] for path in members],
        dict(component["metadata"].items()),
    ]


@step(asks="A")
def failed_publish_is_undone(stage: Stage) -> Any:
    """When a file is missing the version is taken away again."""
    work = publisher(stage)
    before = len(work.session.query("AssetVersion").all())
    try:
        work.publish("broken", "third", str(stage.folder / "no_such_script.nk"))
    except Exception as error:
        caught = [isinstance(error, stage.error("LocationError")), isinstance(error, OSError)]
        work.session.rollback()
        for version in work.session.query('AssetVersion where asset.name is "broken"'):
            work.session.delete(version)
        work.session.commit()
        return [caught, len(stage.new_session().query("AssetVersion").all()) - before]
    return "published"


@step(asks="F")
def note_to_the_supervisor(stage: Stage) -> Any:
    """The publish is announced by a note with a category, and answered."""
    work = publisher(stage)
    session = work.session
    me = session.query(f'User where username is "{session.api_user}"').one()
    category = session.query("NoteCategory order by name").first()
    version = session.query('AssetVersion where asset.name is "beauty" and version is 2').one()
    note = version.create_note("v2 is up", author=me, category=category)
    session.commit()
    note.create_reply("Approved", author=me)
    version["task"]["status"] = session.query('Status where name is "Approved"').first()
    session.commit()
    found = stage.new_session().get("AssetVersion", version["id"])
    return [
        [[item["content"], [r["content"] for r in item["replies"]]] for item in found["notes"]],
        found["task"]["status"]["name"],
    ]
