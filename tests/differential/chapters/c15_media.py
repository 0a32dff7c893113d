"""Files on the server: up and down, encoded, as thumbnails and on jobs."""

from __future__ import annotations

import json
import struct
import time
import zlib
from typing import Any
from urllib.request import urlopen

from book import Stage, step


def chunk(name: bytes, data: bytes) -> bytes:
    """Return the chunk *name* of a PNG file."""
    body = name + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


#: A grey picture of 64 by 36 pixels, as PNG.
PICTURE = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 36, 8, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress((b"\0" + b"\x55" * 64) * 36))
    + chunk(b"IEND", b"")
)


def server(stage: Stage) -> Any:
    """Return the location of the server's storage."""
    return stage.session.query('Location where name is "ftrack.server"').one()


def version(stage: Stage) -> Any:
    """Return the version of this chapter."""
    if "version" not in stage.memory:
        asset = stage.session.create("Asset", {"name": "edit", "parent": stage.project})
        stage.memory["version"] = stage.session.create("AssetVersion", {"asset": asset})
        stage.session.commit()
    return stage.memory["version"]


def uploaded(stage: Stage) -> Any:
    """Return a component whose data is on the server."""
    if "uploaded" not in stage.memory:
        path = stage.file("notes.txt", "what was written")
        stage.memory["uploaded"] = stage.session.create_component(path, location=server(stage))
    return stage.memory["uploaded"]


def read(stage: Stage, component: Any) -> Any:
    """Return the data of *component* on the server."""
    opened = server(stage).accessor.open(component["id"])
    content = opened.read()
    opened.close()
    return content


def picture(stage: Stage) -> str:
    """Return the path of a picture."""
    path = stage.folder / "picture.png"
    path.write_bytes(PICTURE)
    return str(path)


def finished(stage: Stage, job: Any) -> str:
    """Return the status of *job* when it has ended, asked for as the published client can."""
    deadline = time.monotonic() + 60
    with stage.wire.paused():
        while job["status"] not in ("done", "failed") and time.monotonic() < deadline:
            time.sleep(0.1)
            stage.session.reset()
            job = stage.session.get("Job", job["id"])
        return str(job["status"])


@step(asks="A")
def upload(stage: Stage) -> Any:
    """A file goes to the server and is found there."""
    component = uploaded(stage)
    location = server(stage)
    return [
        component["size"],
        component["file_type"],
        location.get_component_availability(component),
        location.get_resource_identifier(component) == component["id"],
    ]


@step(asks="B")
def download(stage: Stage) -> Any:
    """What was uploaded is read whole."""
    return read(stage, uploaded(stage))


@step()
def address(stage: Stage) -> Any:
    """The address of the data is read by anybody who has it."""
    with urlopen(server(stage).get_url(uploaded(stage)), timeout=10) as answer:
        return answer.read().decode()


@step(asks="B")
def written_by_hand(stage: Stage) -> Any:
    """A file opened for writing is on the server once it is closed."""
    component = stage.session.create("FileComponent", {"name": "by hand", "file_type": ".txt"})
    stage.session.commit()
    accessor = server(stage).accessor
    opened = accessor.open(component["id"], "wb")
    opened.write(b"one, ")
    opened.write(b"two")
    opened.close()
    return read(stage, component)


@step(asks="A")
def sequence(stage: Stage) -> Any:
    """The frames of a sequence go to the server, each as a file of its own."""
    for number in (1, 2, 3):
        path = stage.file(f"frame.{number:04d}.exr", f"frame {number}")
    expression = path.replace("0003", "%04d") + " [1-3]"
    component = stage.session.create_component(expression, location=server(stage))
    location = server(stage)
    members = sorted(component["members"], key=lambda each: each["name"])
    contents = [read(stage, member) for member in members]
    return [component["size"], location.get_component_availability(component), contents]


@step(asks="A")
def thumbnail(stage: Stage) -> Any:
    """A picture becomes a thumbnail of what has one."""
    made = version(stage).create_thumbnail(picture(stage))
    return [
        made["name"],
        made["file_type"],
        version(stage)["thumbnail_id"] == made["id"],
        server(stage).get_component_availability(made),
    ]


@step(asks="H")
def scaled_thumbnail(stage: Stage) -> Any:
    """The server scales a picture to the size that the address asks for."""
    made = stage.shot("sh 010").create_thumbnail(picture(stage), {"name": "still"})
    url = server(stage).get_thumbnail_url(made, size=100)
    with urlopen(url, timeout=10) as answer:
        return [made["name"], answer.status, answer.headers["content-type"].split("/")[0]]


@step(asks="H")
def encoded_picture(stage: Stage) -> Any:
    """A picture is encoded for a version; without ffmpeg on the server both jobs fail."""
    job = version(stage).encode_media(picture(stage))
    data = json.loads(job["data"])
    ended = finished(stage, job)
    names = sorted(
        component["name"]
        for component in stage.session.query(
            f'select name from Component where version_id is "{version(stage)["id"]}"'
        )
    )
    formats = sorted(each["format"] for each in data["output"])
    return [data["keep_original"], formats, ended, names]


@step(asks="H")
def encoded_component(stage: Stage) -> Any:
    """A component that is encoded stays, unless it is said otherwise."""
    component = stage.session.create_component(picture(stage), location=server(stage))
    keeping = stage.session.encode_media(component)
    kept = json.loads(keeping["data"])["keep_original"]
    statuses = [finished(stage, keeping)]
    component = stage.session.get("FileComponent", component["id"])
    dropping = stage.session.encode_media(component, keep_original=False)
    statuses.append(finished(stage, dropping))
    left = stage.session.query(f'Component where id is "{component["id"]}"').all()
    return [kept, statuses[0] == statuses[1], (statuses[1] == "done") == (left == [])]


@step()
def what_cannot_be_encoded(stage: Stage) -> Any:
    """Something that is neither a path nor a component is refused."""
    return stage.session.encode_media(version(stage))


@step()
def file_on_a_job(stage: Stage) -> Any:
    """A job carries files for who reads it."""
    user = stage.session.query("User").first()
    job = stage.session.create("Job", {"user": user, "status": "done"})
    stage.session.create(
        "JobComponent", {"job_id": job["id"], "component_id": uploaded(stage)["id"]}
    )
    stage.session.commit()
    return [link["component"]["name"] for link in job["job_components"]]


@step(asks="A")
def removed(stage: Stage) -> Any:
    """What is removed from the server cannot be read any more."""
    component = uploaded(stage)
    server(stage).remove_component(component)
    # The published client remembers where components were.
    stage.session.reset()
    component = stage.session.get("FileComponent", component["id"])
    left = server(stage).get_component_availability(component)
    try:
        read(stage, component)
    except stage.error("AccessorOperationFailedError"):
        return [left, "gone"]
    return [left, "still there"]
