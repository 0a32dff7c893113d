"""The requests of everyday work: each count is what a program waits for."""

from __future__ import annotations

import pathlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from ftrack_like import Session
from ftrack_like.accessor import _addresses

#: A request: its method, and the actions of its batch or its path.
Sent = tuple[str, str]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that receives a line for each request of this process."""
    lines: list[str] = []
    send = requests.Session.send

    def noting(self: requests.Session, request: Any, **options: Any) -> Any:
        path = request.path_url.partition("?")[0]
        lines.append(f"{request.method} {path}")
        return send(self, request, **options)

    monkeypatch.setattr(requests.Session, "send", noting)
    return lines


@pytest.fixture
def task(session: Session) -> Any:
    """Return a new task in a new project."""
    schema = session.query("ProjectSchema").first()
    name = f"counts_{uuid.uuid4().hex}"
    values = {"name": name, "full_name": name, "project_schema": schema}
    project = session.create("Project", values)
    shot = session.create("Shot", {"name": "sh010", "parent": project})
    task = session.create(
        "Task", {"name": "anim", "parent": shot, "type": schema.get_types("Task")[0]}
    )
    session.commit()
    return task


@pytest.fixture
def fresh(sandbox: Any, session: Session, task: Any) -> Iterator[tuple[Session, str]]:
    """Return a session that has loaded nothing, and the id of the task."""
    with Session(
        server_url=session.server_url,
        api_user=session.api_user,
        api_key=session.api_key,
        auto_connect_event_hub=False,
    ) as other:
        yield other, task["id"]


def frames(folder: pathlib.Path, count: int) -> str:
    """Write *count* small frames into *folder* and return the expression for their sequence."""
    for number in range(1, count + 1):
        (folder / f"plate.{number:04}.exr").write_bytes(b"%04d" % number * 100)
    return str(folder / f"plate.%04d.exr [1-{count}]")


def server_location(session: Session) -> Any:
    """Return the location in the storage of the server."""
    return session.query("Location where name is 'ftrack.server'").one()


def contents(session: Session, component: Any) -> list[bytes]:
    """Return the data of the members of *component* on the server, by name."""
    location = server_location(session)
    members = sorted(component["members"], key=lambda member: member["name"])
    found = []
    for member in members:
        with location.accessor.open(location.get_resource_identifier(member)) as data:
            found.append(data.read())
    return found


def test_a_sequence_of_100_frames_takes_103_requests(
    session: Session, sent: list[str], tmp_path: pathlib.Path
) -> None:
    """Each frame takes one upload; the addresses take two requests, and the commit takes one."""
    location = server_location(session)
    expression = frames(tmp_path, 100)
    sent.clear()
    component = session.create_component(expression, location=location)
    assert sent.count("PUT /component/upload") == 100
    assert len(sent) == 103
    wanted = [b"%04d" % number * 100 for number in range(1, 101)]
    assert contents(session, component) == wanted


def test_a_frame_that_changes_after_it_was_measured_arrives_as_it_is(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """A prepared address is not used for a file that has changed since; it gets another one."""
    expression = frames(tmp_path, 4)
    prepare = _addresses._prepare
    changed = tmp_path / "plate.0003.exr"

    def prepare_and_change(*arguments: Any) -> Any:
        prepared = prepare(*arguments)
        changed.write_bytes(b"abcd" * 100)  # the same size
        return prepared

    monkeypatch.setattr(_addresses, "_prepare", prepare_and_change)
    component = session.create_component(expression, location=server_location(session))
    assert contents(session, component)[2] == b"abcd" * 100


def test_each_frame_asks_itself_if_the_server_refuses_the_batch(
    session: Session, sent: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """If asking for several addresses fails, each frame asks for its own, and all arrive."""
    call = session.call

    def refuse_batches(data: Any, *arguments: Any, **options: Any) -> Any:
        if len(data) > 1 and data[0]["action"] == "get_upload_metadata":
            raise RuntimeError("too many")
        return call(data, *arguments, **options)

    monkeypatch.setattr(session, "call", refuse_batches)
    component = session.create_component(frames(tmp_path, 4), location=server_location(session))
    assert contents(session, component) == [b"%04d" % number * 100 for number in range(1, 5)]


def test_a_replaced_get_upload_metadata_is_called_for_each_frame(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """A program that replaces the method sees each upload."""
    original = session.get_upload_metadata
    seen: list[str] = []

    def noting(component_id: str, **options: Any) -> Any:
        seen.append(component_id)
        return original(component_id, **options)

    monkeypatch.setattr(session, "get_upload_metadata", noting)
    component = session.create_component(frames(tmp_path, 4), location=server_location(session))
    assert sorted(seen) == sorted(member["id"] for member in component["members"])


def publish(session: Session, task_id: str, path: pathlib.Path) -> None:
    """Publish a version with the file at *path*, as the documentation does."""
    task = session.query(f"select name, parent from Task where id is {task_id}").one()
    asset_type = session.query("AssetType where name is 'Upload'").first()
    values = {"name": "plate", "type": asset_type, "parent": task["parent"]}
    asset = session.create("Asset", values)
    version = session.create("AssetVersion", {"asset": asset, "task": task})
    session.commit()
    version.create_component(str(path), {"name": "main"}, location=server_location(session))


def write_note(session: Session, task_id: str, path: pathlib.Path) -> None:
    """Write a note on the task."""
    task = session.query(f"Task where id is {task_id}").one()
    author = session.query(f"User where username is '{session.api_user}'").one()
    task.create_note("Looks good.", author=author)
    session.commit()


def set_metadata(session: Session, task_id: str, path: pathlib.Path) -> None:
    """Set two metadata of the task."""
    task = session.query(f"Task where id is {task_id}").one()
    task["metadata"]["a"] = "1"
    task["metadata"]["b"] = "2"
    session.commit()


def set_custom_attribute(session: Session, task_id: str, path: pathlib.Path) -> None:
    """Set a custom attribute of the shot."""
    shot = session.query(f"Shot where children any (id is {task_id})").one()
    shot["custom_attributes"]["fstart"] = 1001
    session.commit()


def set_status(session: Session, task_id: str, path: pathlib.Path) -> None:
    """Set the status of the task."""
    task = session.query(f"Task where id is {task_id}").one()
    task["status"] = session.query("Status where name is 'In progress'").first()
    session.commit()


def track_time(session: Session, task_id: str, path: pathlib.Path) -> None:
    """Start and stop a timer."""
    task = session.query(f"Task where id is {task_id}").one()
    user = session.query(f"User where username is '{session.api_user}'").one()
    user.start_timer(task)
    user.stop_timer()


@pytest.mark.parametrize(
    ("work", "count"),
    [
        (publish, 7),
        (write_note, 4),
        (set_metadata, 3),
        (set_custom_attribute, 3),
        (set_status, 3),
        (track_time, 5),
    ],
)
def test_everyday_work_takes_few_requests(
    fresh: tuple[Session, str],
    sent: list[str],
    tmp_path: pathlib.Path,
    work: Callable[[Session, str, pathlib.Path], None],
    count: int,
) -> None:
    """A program waits for this many requests, from the first query on."""
    session, task_id = fresh
    path = tmp_path / "plate.mov"
    path.write_bytes(b"movie")
    session.types
    sent.clear()
    work(session, task_id, path)
    assert len(sent) == count, "\n".join(sent)


def test_address_of_a_component_takes_three_requests(
    session: Session, fresh: tuple[Session, str], sent: list[str], tmp_path: pathlib.Path
) -> None:
    """A program queries the location and the component; the client queries its place there."""
    path = tmp_path / "plate.mov"
    path.write_bytes(b"movie")
    uploaded = session.create_component(str(path), location=server_location(session))
    other = fresh[0]
    sent.clear()
    location = server_location(other)
    component = other.query(f"Component where id is {uploaded['id']}").one()
    assert uploaded["id"] in location.get_url(component)
    assert len(sent) == 3, "\n".join(sent)
