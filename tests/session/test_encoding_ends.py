"""Encodings that end early: no process, no file and nothing that looks like a movie is left."""

from __future__ import annotations

import os
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from ftrack_like import exception
from ftrack_like._base import ffmpeg
from ftrack_like._media import scratch
from ftrack_like.media import publish_reviewable
from ftrack_like.symbol import SERVER_LOCATION_ID

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")
pytest.importorskip("av", reason="PyAV (media extra) is not installed")
pytestmark = [
    pytest.mark.ffmpeg,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no supervisor of programs"),
]

#: Whether each request is interrupted before it and after it.
EVERYWHERE = bool(os.environ.get("FTRACK_LIKE_TEST_ENCODE_EVERYWHERE"))

#: Takes the place of ffmpeg: starts to write, tells its process id, and never ends.
HANG = """
import os, pathlib, subprocess, sys, time
pathlib.Path(sys.argv[-1]).write_bytes(b"half a movie")
print("out_time_us=40000", flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
part = pathlib.Path(PIDS + ".part")
part.write_text(f"{os.getpid()} {child.pid}")
part.rename(PIDS)
time.sleep(3600)
"""

#: Publishes the file of its arguments, and starts a process that inherits everything.
PUBLISH = """
import os, sys, time
from ftrack_like.media import publish_reviewable
from ftrack_like.session import Session

url, user, key, version, clip, forks = sys.argv[1:]
session = Session(url, key, user, plugin_paths=[], schema_cache_path=False)
version = session.query(f'AssetVersion where id is "{version}"').one()

def progress(done, total):
    global forks
    if forks == "yes":
        forks = "no"
        if os.fork() == 0:
            os.close(1), os.close(2)
            time.sleep(3600)

publish_reviewable(version, clip, encode="local", progress=progress)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A short movie with sound."""
    try:
        program = ffmpeg.find_ffmpeg()
    except exception.MediaError as error:
        pytest.skip(str(error))
    path = tmp_path_factory.mktemp("clip") / "shot.mov"
    inputs = ("-f", "lavfi", "-i", "testsrc=size=64x36:rate=24:duration=0.3")
    sound = ("-f", "lavfi", "-i", "sine=duration=0.3")
    subprocess.run([program, "-loglevel", "error", *inputs, *sound, str(path)], check=True)
    return path


@pytest.fixture
def version(session: Any) -> Any:
    """A committed version to publish for."""
    schema = session.query("ProjectSchema").first()
    project = session.create("Project", {"name": "film", "project_schema": schema})
    asset = session.create("Asset", {"name": "edit", "parent": project})
    made = session.create("AssetVersion", {"asset": asset})
    session.commit()
    return made


@pytest.fixture
def temporary(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The folder for temporary files of this process and its children."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def hanging(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """The file with the ids of the processes of an ffmpeg that does not end."""
    pids = tmp_path / "pids"
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!{sys.executable}\nPIDS = {str(pids)!r}\n{textwrap.dedent(HANG)}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("FTRACK_FFMPEG", str(program))
    yield pids
    if pids.exists():
        for pid in map(int, pids.read_text().split()):
            if is_running(pid):  # a failed test
                os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Return whether the process exists and is not just waiting to be read."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return os.path.isdir("/proc/self") is False
    return state != "Z"


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until *condition* is true."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def left_in(temporary: pathlib.Path) -> list[str]:
    """Return the files of encodings in *temporary*."""
    return [str(one) for one in temporary.glob("ftrack-like-encode*/*")]


def require_nothing_left(session: Any, version: Any) -> None:
    """The version has no media, no other component is there, and no component lacks its data."""
    session.reset()
    assert session.query("select name from Component").all() == []
    version = session.get("AssetVersion", version["id"])
    assert version["thumbnail_id"] is None


def processes_of(pids: pathlib.Path) -> list[int]:
    """Return the ids in the file, once it is there."""
    wait_for(pids.exists, "the program has not started")
    return [int(one) for one in pids.read_text().split()]


def started(sandbox: Any, version: Any, clip: pathlib.Path, forks: str = "no") -> Any:
    """Return a process that publishes *clip*."""
    access = (sandbox.server_url, sandbox.api_user, sandbox.api_key)
    command = [sys.executable, "-c", PUBLISH, *access, version["id"], str(clip), forks]
    return subprocess.Popen(command, start_new_session=True)


# Killed


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_killed_client_leaves_no_process_and_no_file(
    session: Any, sandbox: Any, version: Any, clip: Any, temporary: Any, hanging: Any, number: int
) -> None:
    """The encoding ends with its client, whichever signal ends it, and its files go."""
    with started(sandbox, version, clip) as client:
        pids = processes_of(hanging)
        assert all(map(is_running, pids))
        assert left_in(temporary)
        client.send_signal(number)
        assert client.wait(60) == -number
    wait_for(lambda: not any(map(is_running, pids)), "the program still runs")
    wait_for(lambda: not left_in(temporary), "its files are still there")
    require_nothing_left(session, version)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")
def test_what_a_killed_client_has_forked_keeps_no_program(
    sandbox: Any, version: Any, clip: Any, temporary: Any, hanging: Any
) -> None:
    """A process that inherited the pipe of the client does not count as the client."""
    with started(sandbox, version, clip, "yes") as client:
        pids = processes_of(hanging)
        children = pathlib.Path(f"/proc/{client.pid}/task/{client.pid}/children")
        others = [int(one) for one in children.read_text().split()]
        client.kill()
        client.wait(60)
    try:
        wait_for(lambda: not any(map(is_running, pids)), "the program still runs")
        wait_for(lambda: not left_in(temporary), "its files are still there")
    finally:
        for pid in others:
            if is_running(pid):
                os.kill(pid, signal.SIGKILL)


def test_the_next_encoding_removes_what_is_left(temporary: pathlib.Path) -> None:
    """Where all processes of an encoding were killed, its folder stays until the next one."""
    parent = temporary / f"ftrack-like-encode-{os.getuid()}"
    left = parent / "encoding-left"
    left.mkdir(parents=True)
    (left / "ftrackreview-mp4.part").write_bytes(b"half a movie")
    with scratch.encoding_folder() as first:
        assert not left.exists()
        (first / "used").write_bytes(b"x")
        with scratch.encoding_folder() as second:
            # The folder of a running encoding stays.
            assert (first / "used").exists()
            assert second != first
        assert list(parent.iterdir()) == [first]
    assert list(parent.iterdir()) == []


def test_a_folder_of_another_user_is_not_used(temporary: pathlib.Path) -> None:
    """What another user has put in the place of the folder gets no files."""
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (temporary / f"ftrack-like-encode-{os.getuid()}").symlink_to(elsewhere)
    with scratch.encoding_folder() as folder:
        (folder / "x").write_bytes(b"x")
        assert list(elsewhere.iterdir()) == []
    assert not folder.exists()


def test_a_killed_client_is_followed_by_the_next(
    session: Any, sandbox: Any, version: Any, clip: Any, hanging: Any, monkeypatch: Any
) -> None:
    """After a kill during the encoding, the next call publishes, and waits for nothing."""
    with started(sandbox, version, clip) as client:
        pids = processes_of(hanging)
        client.kill()
        client.wait(60)
    wait_for(lambda: not any(map(is_running, pids)), "the program still runs")
    monkeypatch.setattr("ftrack_like._session.claims._LEASE", 1e6)
    monkeypatch.delenv("FTRACK_FFMPEG")
    made = publish_reviewable(version, clip, encode="local", timeout=120)
    found = session.query("select name, version_id from Component").all()
    assert sorted(one["name"] for one in found) == ["ftrackreview-mp4", "thumbnail"]
    server = session.get("Location", SERVER_LOCATION_ID)
    assert server.get_component_availability(made.component) == 100.0


# Ended by the caller, the clock and the disk


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_caller_that_cancels_ends_the_program(
    session: Any, version: Any, clip: Any, temporary: Any, hanging: Any, error: Any
) -> None:
    """Whatever a progress function raises ends the program, on the thread of the caller."""

    def stop(done: int, total: int) -> None:
        processes_of(hanging)
        raise error("cancelled")

    with pytest.raises(error, match="cancelled"):
        publish_reviewable(version, clip, encode="local", progress=stop)
    assert not any(map(is_running, processes_of(hanging)))
    assert left_in(temporary) == []
    require_nothing_left(session, version)
    assert dict(session.get("AssetVersion", version["id"])["metadata"]) == {}


def test_a_time_limit_ends_the_program(
    session: Any, version: Any, clip: Any, temporary: Any, hanging: Any
) -> None:
    """The time that the caller gives also limits the encoding."""
    with pytest.raises(exception.MediaError, match="did not finish in the time given"):
        publish_reviewable(version, clip, encode="local", timeout=4)
    if hanging.exists():
        assert not any(map(is_running, processes_of(hanging)))
    assert left_in(temporary) == []
    require_nothing_left(session, version)


def test_a_full_disk_is_named(
    session: Any, version: Any, clip: Any, temporary: Any, tmp_path: Any
) -> None:
    """The error says what to do, and nothing is published."""
    disk = temporary / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount a small disk")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(disk))
            with pytest.raises(exception.MediaError, match="disk is full"):
                publish_reviewable(version, clip, encode="local")
        assert left_in(disk) == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    require_nothing_left(session, version)
    assert publish_reviewable(version, clip, encode="local").is_new


#: The requests of a publication that are interrupted, and when. An ordinary run interrupts each
#: request once, before and after it in turn.
INTERRUPTIONS = [
    (limit, when)
    for limit in range(2, 12)
    for place, when in enumerate(("before", "after"))
    if EVERYWHERE or limit % 2 == place
]


@pytest.mark.parametrize(("limit", "when"), INTERRUPTIONS)
def test_ctrl_c_at_any_request_leaves_nothing(
    session: Any, sandbox: Any, version: Any, clip: Any, limit: int, when: str, monkeypatch: Any
) -> None:
    """Before and after each request, an interruption removes what was made, or all is complete."""
    original, sent = requests.Session.send, []

    def send(self: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(self)
        if len(sent) == limit and when == "before":
            raise KeyboardInterrupt
        response = original(self, *arguments, **options)
        if len(sent) == limit and when == "after":
            raise KeyboardInterrupt
        return response

    with sandbox.session() as own:
        same = own.get("AssetVersion", version["id"])
        with monkeypatch.context() as patch:
            patch.setattr(requests.Session, "send", send)
            with pytest.raises(KeyboardInterrupt):
                publish_reviewable(same, clip, encode="local")
        own.commit()  # the session has no operations for what was removed
    found = session.query("select name, version_id from Component").all()
    complete = session.query(
        'select id from Component where metadata any (key is "source_sha1")'
    ).all()
    if complete:
        assert sorted(one["name"] for one in found) == ["ftrackreview-mp4", "thumbnail"]
    else:
        assert found == []
    monkeypatch.setattr("ftrack_like._session.claims._LEASE", 1e6)
    made = publish_reviewable(version, clip, encode="local", timeout=60)
    found = session.query("select name from Component").all()
    assert sorted(one["name"] for one in found) == ["ftrackreview-mp4", "thumbnail"]
    assert made.is_new != bool(complete)
    rows = session.query(f'Metadata where parent_id is "{version["id"]}"').all()
    assert rows == []


def test_a_cancelled_publication_keeps_the_old_thumbnail(
    session: Any, version: Any, clip: Any, tmp_path: Any
) -> None:
    """The version shows its old media until the new ones are complete."""
    old = publish_reviewable(version, clip, encode="local").component
    thumbnail = version["thumbnail_id"]
    other = tmp_path / "other.mov"
    other.write_bytes(clip.read_bytes() + b"\0" * 8)

    def stop(done: int, total: int) -> None:
        if done > 60:
            raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        publish_reviewable(version, other, encode="local", progress=stop)
    session.commit()
    session.reset()
    version = session.get("AssetVersion", version["id"])
    assert version["thumbnail_id"] == thumbnail
    found = session.query("select id from Component").all()
    assert {one["id"] for one in found} == {old["id"], thumbnail}
