"""Transfers that are killed, spoilt or refused: nothing shows, and the repeat succeeds."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ftrack_like import data, exception, symbol
from ftrack_like.accessor import _parts
from ftrack_like.accessor.server import _ServerAccessor
from ftrack_like.session import Session

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")

PART = 256 * 1024
CONTENT = os.urandom(PART) * 6

#: Publishes a file and kills itself when a third of it is sent.
KILLED = """
import os, signal, sys
from ftrack_like import symbol
from ftrack_like.accessor import _parts, _upload
from ftrack_like.session import Session

_parts.PART_SIZE, _parts.CHUNK_SIZE, _upload.CHUNK_SIZE = int(sys.argv[5]), 65536, 65536

def progress(done, total):
    if done > total / 3:
        os.kill(os.getpid(), signal.SIGKILL)

url, user, key, path = sys.argv[1:5]
session = Session(url, key, user, schema_cache_path=False, plugin_paths=[])
server = session.get("Location", symbol.SERVER_LOCATION_ID)
session.create_component(path, {"name": "killed"}, location=server, progress=progress)
"""


@pytest.fixture
def path(tmp_path: Any) -> str:
    """A file to publish."""
    made = tmp_path / "source.bin"
    made.write_bytes(CONTENT)
    return str(made)


@pytest.fixture(params=["in parts", "in one piece"])
def part_size(request: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """Send files in parts, or in one piece."""
    size = PART if request.param == "in parts" else len(CONTENT)
    monkeypatch.setattr(_parts, "PART_SIZE", size)
    monkeypatch.setattr(_parts, "CHUNK_SIZE", 65536)
    return size


class Server:
    """A sandbox in a process of its own, in *folder*, that can be killed and started again."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.port = "0"
        self.start()

    def start(self) -> None:
        """Start it at the port that it had."""
        command = [sys.executable, "-m", "ftrack_like.sandbox", "--json", "--port", self.port]
        self.process = subprocess.Popen(
            [*command, "--data", self.folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.place = json.loads(self.process.stdout.readline())
        self.port = self.place["server_url"].rsplit(":", 1)[1]

    def kill(self) -> None:
        """Kill it without a warning."""
        self.process.kill()
        self.process.communicate()

    def wait_for_uploads(self) -> None:
        """Wait until no upload is under way: the threads of one that failed stop a bit later."""
        deadline = time.monotonic() + 20
        while any("/incoming/" in name for name in self.files()):
            assert time.monotonic() < deadline, "an upload does not end"
            time.sleep(0.01)

    def files(self) -> list[str]:
        """Return the paths of the data and parts that it keeps."""
        found = []
        for name in ("data", "parts", "incoming"):
            for folder, _, names in os.walk(os.path.join(self.folder, "media", name)):
                found += [os.path.join(folder, each) for each in names]
        return found


@pytest.fixture
def server(tmp_path: Any) -> Iterator[Server]:
    """A sandbox in a process of its own."""
    made = Server(str(tmp_path / "sandbox"))
    yield made
    made.kill()


def open_session(server: Server) -> Session:
    """Return a session on *server*."""
    return Session(**server.place, schema_cache_path=False, plugin_paths=[])


def publish(session: Session, path: str, **options: Any) -> Any:
    """Publish the file at *path* on the server; return the component."""
    location = session.get("Location", symbol.SERVER_LOCATION_ID)
    return session.create_component(path, {"name": "main"}, location=location, **options)


def read(session: Session, component: Any) -> bytes:
    """Return the data of *component* on the server."""
    location = session.get("Location", symbol.SERVER_LOCATION_ID)
    with location.accessor.open(component["id"]) as opened:
        content: bytes = opened.read()
    return content


def test_a_killed_client_leaves_nothing(sandbox: Any, path: str, part_size: int) -> None:
    """No component and no data show, and another process publishes the file."""
    killed = subprocess.run(
        [
            *(sys.executable, "-c", KILLED, sandbox.server_url, sandbox.api_user),
            *(sandbox.api_key, path, str(part_size)),
        ],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with sandbox.session() as session:
        assert session.query("select id from Component").all() == []
        assert session.query("select id from ComponentLocation").all() == []
        assert read(session, publish(session, path)) == CONTENT


def test_a_killed_server_keeps_nothing(server: Server, path: str, part_size: int) -> None:
    """The client is told; after a restart nothing is there, and the same session repeats it."""

    def kill(done: int, total: int) -> None:
        if done > total / 3 and server.process.returncode is None:
            server.kill()

    with open_session(server) as session:
        with pytest.raises(exception.LocationError):
            publish(session, path, progress=kill)
        server.start()
        assert session.query("select id from Component").all() == []
        assert not any("/data/" in name or "/incoming/" in name for name in server.files())
        assert read(session, publish(session, path)) == CONTENT


def mount(folder: str, size: int) -> bool:
    """Mount a file system of *size* bytes in memory at *folder*; False where nobody may."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("mount"):
        return False
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    return subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Any) -> Iterator[str]:
    """A folder on a disk of 8 MiB, or skip the test."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not mount(str(folder), 8 * 2**20):
        pytest.skip("only root may mount a small disk, and not in every container")
    yield str(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_fills_up_is_told(small_disk: str, path: str) -> None:
    """What the server cannot keep is an error in words; with room again the repeat succeeds.

    The disk has room when the upload begins, and something else fills it while it waits.
    """
    server = Server(os.path.join(small_disk, "sandbox"))
    ballast = os.path.join(small_disk, "ballast")

    def fill(done: int, total: int) -> None:
        if not os.path.exists(ballast):
            with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

    try:
        with open_session(server) as session:
            with pytest.raises(exception.LocationError, match=r"507 .*could not be stored"):
                publish(session, path, progress=fill)
            assert os.path.exists(ballast)
            os.unlink(ballast)
            server.wait_for_uploads()
            assert not any("/data/" in name for name in server.files())
            assert session.query("select id from Component").all() == []
            assert read(session, publish(session, path)) == CONTENT
    finally:
        server.kill()


def test_a_disk_that_is_too_small_is_told(small_disk: str, tmp_path: Any, part_size: int) -> None:
    """A file that cannot fit is refused before any of it is there."""
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(9 * 2**20)
    server = Server(os.path.join(small_disk, "sandbox"))
    try:
        with open_session(server) as session:
            with pytest.raises(exception.LocationError, match=r"507 .*No space left"):
                publish(session, str(large))
            server.wait_for_uploads()
            assert server.files() == []
            assert session.query("select id from Component").all() == []
    finally:
        server.kill()


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform != "linux", reason="needs prlimit")
def test_data_that_cannot_be_written_is_told(server: Server, path: str, part_size: int) -> None:
    """Where nobody may mount a small disk, files that may grow no more fail in the same way."""
    import resource

    with open_session(server) as session:
        # The data can be no longer than this: writing fails as on a full disk.
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (PART // 2, limits[1]))
        with pytest.raises(exception.LocationError, match=r"507 .*could not be stored"):
            publish(session, path)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
        server.wait_for_uploads()
        assert not any("/data/" in name for name in server.files())
        assert session.query("select id from Component").all() == []
        assert read(session, publish(session, path)) == CONTENT


def test_spoilt_data_is_not_kept(session: Any) -> None:
    """Data that does not have the checksum that was announced is refused, and nothing shows."""
    component = session.create("FileComponent", {"name": "main"})
    session.commit()
    asked = session.get_upload_metadata

    def announce_another(**arguments: Any) -> Any:
        return asked(**{**arguments, "checksum": "1B2M2Y8AsgTpgAmY7PhCfg=="})

    session.get_upload_metadata = announce_another
    accessor = _ServerAccessor(session)
    with pytest.raises(exception.AccessorOperationFailedError, match=r"400 .*checksum"):
        accessor.receive(component["id"], data.String(b"data"))
    address = accessor.get_url(component["id"])
    assert requests.get(address, timeout=10).status_code == 404
    session.get_upload_metadata = asked
    accessor.receive(component["id"], data.String(b"data"))
    assert requests.get(address, timeout=10).content == b"data"


class _Short(data.File):
    """A file that says that it holds more than comes of it."""

    def remaining_size(self) -> int:
        return len(CONTENT) + 1


def test_a_source_shorter_than_it_says_is_not_kept(session: Any, path: str, part_size: int) -> None:
    """What a source announces is compared with what it gives."""
    component = session.create("FileComponent", {"name": "main"})
    session.commit()
    accessor = _ServerAccessor(session)
    with (
        _Short(path) as source,
        pytest.raises(exception.AccessorOperationFailedError, match="were expected"),
    ):
        accessor.receive(component["id"], source)
    assert requests.get(accessor.get_url(component["id"]), timeout=10).status_code == 404


def test_a_source_that_ends_too_early_is_not_kept(session: Any, path: str, part_size: int) -> None:
    """A file that gets shorter between two looks at it is not stored."""
    component = session.create("FileComponent", {"name": "main"})
    session.commit()
    accessor = _ServerAccessor(session)

    class Cut(data.File):
        """A file that is cut when its second half is read."""

        def read(self, limit: Any = None) -> Any:
            if self.tell() >= len(CONTENT) // 2:
                os.truncate(path, len(CONTENT) // 2)
            return super().read(limit)

    with (
        Cut(path) as source,
        pytest.raises(exception.AccessorOperationFailedError, match=r"were expected|changed while"),
    ):
        accessor.receive(component["id"], source)
    assert requests.get(accessor.get_url(component["id"]), timeout=10).status_code == 404
