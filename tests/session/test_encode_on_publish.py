"""The example plugin that encodes what is published."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import time

import pytest

from ftrack_like import exception, symbol
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.media import find_ffmpeg
from ftrack_like.structure.id import IdStructure

pytestmark = pytest.mark.ffmpeg

PLUGIN = pathlib.Path(__file__).parents[2] / "plugins" / "encode_on_publish.py"


@pytest.fixture
def clip(tmp_path):
    """A short movie, or a skip with the reason."""
    try:
        program = find_ffmpeg()
    except exception.MediaError as error:
        pytest.skip(str(error))
    path = tmp_path / "clip.mov"
    source = ("-f", "lavfi", "-i", "testsrc=size=64x36:rate=24:duration=0.5")
    subprocess.run([program, "-loglevel", "error", *source, str(path)], check=True)
    return path


@pytest.fixture
def listener(sandbox, tmp_path):
    """A session that listens with the plugin, and sees the studio's disk."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    shutil.copy(PLUGIN, folder)
    with sandbox.session(plugin_paths=[str(folder)]) as opened:
        opened.event_hub.connect()
        yield opened


def use_disk(session, folder):
    """Return the studio's location in *session*, which lies in *folder*."""
    disk = session.ensure("Location", {"name": "studio.disk"})
    disk.accessor, disk.structure = DiskAccessor(str(folder)), IdStructure()
    return disk


@pytest.fixture
def messages(sandbox):
    """What is shown in a web client of the administrator."""
    with sandbox.session() as opened:
        user = opened.query(f'User where username is "{opened.api_user}"').one()
        opened.event_hub.connect()
        shown = []
        opened.event_hub.subscribe(
            "topic=ftrack.action.trigger-user-interface",
            lambda event: shown.append(event["data"]),
            subscriber={"applicationId": "ftrack.client.web", "user": {"id": user["id"]}},
        )

        def read():
            """Wait for a message and return all of them."""
            deadline = time.monotonic() + 20
            while not shown and time.monotonic() < deadline:
                opened.event_hub.wait(0.05)
            return shown

        yield read


@pytest.fixture
def version(session):
    """A version of somebody whose own hub is not connected."""
    schema = session.query("ProjectSchema").first()
    project = session.create("Project", {"name": "film", "project_schema": schema})
    asset = session.create("Asset", {"name": "edit", "parent": project})
    made = session.create("AssetVersion", {"asset": asset})
    session.commit()
    return made


def listen(listener, session):
    """Let the plugin work until a job of it has ended; return that."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listener.event_hub.wait(0.1)
        found = session.query('select status, data, user.username from Job where type is "api_job"')
        for job in found:
            if job["status"] in ("done", "failed"):
                return job
    raise AssertionError("no job has ended")


def names(session, version):
    """Return the names of the components of *version*."""
    found = session.query(f'select name from Component where version_id is "{version["id"]}"')
    return sorted(component["name"] for component in found)


@pytest.mark.parametrize("way", ["server", "local"])
def test_what_is_published_to_disk_is_encoded(
    session, version, listener, messages, clip, tmp_path, monkeypatch, way
):
    """The version gets what players show; the user sees a job and a message."""
    monkeypatch.setenv("STUDIO_ENCODE", way)
    use_disk(listener, tmp_path / "disk")
    disk = use_disk(session, tmp_path / "disk")
    version.create_component(str(clip), {"name": "main"}, location=disk)
    job = listen(listener, session)
    assert job["status"] == "done"
    assert job["user"]["username"] == session.api_user
    assert "Encoding edit v001" in job["data"]
    assert "ftrackreview-mp4" in names(session, version)
    session.reset()
    assert session.get("AssetVersion", version["id"])["thumbnail_id"]
    assert messages() == [
        {"type": "message", "success": True, "message": "edit v001 can be reviewed."}
    ]
    before = len(session.query("select id from Job").all())
    listener.event_hub.wait(0.5)
    assert len(session.query("select id from Job").all()) == before


def test_what_is_published_on_the_server_is_encoded_there(session, version, listener, clip):
    """Nothing is downloaded and uploaded again."""
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    version.create_component(str(clip), {"name": "main"}, location=server)
    assert listen(listener, session)["status"] == "done"
    assert names(session, version) == ["ftrackreview-mp4", "main", "thumbnail"]


@pytest.mark.usefixtures("clip")
def test_a_failure_is_told(session, version, listener, messages, tmp_path):
    """The job fails with the reason, and the message has it too."""
    (tmp_path / "notes.mov").write_text("no media")
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    version.create_component(str(tmp_path / "notes.mov"), {"name": "main"}, location=server)
    job = listen(listener, session)
    assert job["status"] == "failed"
    assert "no picture and no sound" in job["data"]
    assert "no picture and no sound" in messages()[0]["message"]


def test_other_files_are_left_alone(session, version, listener, tmp_path):
    """Scenes are not encoded, nor is what belongs to no version."""
    (tmp_path / "scene.ma").write_text("scene")
    (tmp_path / "clip.mov").write_text("clip")
    handled = []
    # After the plugin, which has the usual priority.
    listener.event_hub.subscribe("topic=ftrack.update", handled.append, priority=200)
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    version.create_component(str(tmp_path / "scene.ma"), {"name": "main"}, location=server)
    session.create_component(str(tmp_path / "clip.mov"), {"name": "main"}, location=server)
    deadline = time.monotonic() + 20
    while len(handled) < 2 and time.monotonic() < deadline:
        listener.event_hub.wait(0.1)
    assert len(handled) >= 2
    assert session.query("select id from Job").all() == []
