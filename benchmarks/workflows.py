"""The everyday work of the documentation, and how many requests a program waits for.

Each workflow begins in a session that has loaded nothing, and counts all its requests: queries,
commits, addresses and transfers.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import urllib3

from benchmarks.registry import Run, workload

#: How many frames the sequence has.
FRAMES = 100


@contextlib.contextmanager
def counted() -> Iterator[list[str]]:
    """Yield a list that gets an entry for each HTTP request of this process."""
    sent: list[str] = []
    original = urllib3.connectionpool.HTTPConnectionPool.urlopen

    def noting(self: Any, method: str, url: str, *args: Any, **kw: Any) -> Any:
        sent.append(f"{method} {url}")
        return original(self, method, url, *args, **kw)

    urllib3.connectionpool.HTTPConnectionPool.urlopen = noting  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        urllib3.connectionpool.HTTPConnectionPool.urlopen = original  # type: ignore[method-assign]


def server_location(session: Any) -> Any:
    """Return the location in the storage of the server."""
    return session.query("Location where name is 'ftrack.server'").one()


def publish_file(session: Any, task_id: str, folder: Path) -> None:
    """Publish a version with one file."""
    task = session.query(f"select name, parent from Task where id is {task_id}").one()
    asset_type = session.query("AssetType where name is 'Upload'").first()
    values = {"name": uuid.uuid4().hex, "type": asset_type, "parent": task["parent"]}
    asset = session.create("Asset", values)
    version = session.create("AssetVersion", {"asset": asset, "task": task})
    session.commit()
    version.create_component(
        str(folder / "plate.mov"), {"name": "main"}, location=server_location(session)
    )


def publish_sequence(session: Any, task_id: str, folder: Path) -> None:
    """Copy a sequence of 100 frames to the server."""
    expression = str(folder / f"plate.%04d.exr [1-{FRAMES}]")
    session.create_component(expression, location=server_location(session))


def component_address(session: Any, task_id: str, folder: Path) -> None:
    """Find the address of a component on the server."""
    location = server_location(session)
    component = session.query("Component where name is 'main'").first()
    location.get_url(component)


def write_note(session: Any, task_id: str, folder: Path) -> None:
    """Write a note on a task."""
    task = session.query(f"Task where id is {task_id}").one()
    author = session.query(f"User where username is '{session.api_user}'").one()
    task.create_note("Looks good.", author=author)
    session.commit()


def set_metadata(session: Any, task_id: str, folder: Path) -> None:
    """Set two metadata of a task."""
    task = session.query(f"Task where id is {task_id}").one()
    task["metadata"]["a"] = "1"
    task["metadata"]["b"] = "2"
    session.commit()


def set_custom_attribute(session: Any, task_id: str, folder: Path) -> None:
    """Set a custom attribute of a shot."""
    shot = session.query(f"Shot where children any (id is {task_id})").one()
    shot["custom_attributes"]["fstart"] = 1001
    session.commit()


def set_status(session: Any, task_id: str, folder: Path) -> None:
    """Set the status of a task."""
    task = session.query(f"Task where id is {task_id}").one()
    task["status"] = session.query("Status where name is 'In progress'").first()
    session.commit()


def track_time(session: Any, task_id: str, folder: Path) -> None:
    """Start and stop a timer."""
    task = session.query(f"Task where id is {task_id}").one()
    user = session.query(f"User where username is '{session.api_user}'").one()
    user.start_timer(task)
    user.stop_timer()


#: In this order: the address is that of a published file.
WORKFLOWS: tuple[Callable[[Any, str, Path], None], ...] = (
    publish_file,
    publish_sequence,
    component_address,
    write_note,
    set_metadata,
    set_custom_attribute,
    set_status,
    track_time,
)


def new_task(session: Any) -> str:
    """Return the id of a new task in a shot of a new project."""
    schema = session.query("ProjectSchema").first()
    name = f"counts_{uuid.uuid4().hex}"
    project = session.create("Project", {"name": name, "full_name": name, "project_schema": schema})
    shot = session.create("Shot", {"name": "sh010", "parent": project})
    task_type = schema.get_types("Task")[0]
    task = session.create("Task", {"name": "anim", "parent": shot, "type": task_type})
    session.commit()
    return str(task["id"])


@workload(sandbox=True, most_rounds=1)
def count_requests(run: Run) -> None:
    """Count the requests of everyday work, each in a session that has loaded nothing."""
    folder = Path(run.folder)
    (folder / "plate.mov").write_bytes(b"movie")
    for number in range(1, FRAMES + 1):
        (folder / f"plate.{number:04}.exr").write_bytes(b"%04d" % number * 100)
    task_id = new_task(run.session())
    for work in WORKFLOWS:
        session = run.session()
        with counted() as sent:
            work(session, task_id, folder)
        name = (work.__doc__ or "").partition("\n")[0].rstrip(".")
        run.figures[f"{name[0].lower()}{name[1:]} (count)"] = len(sent)
        session.close()
