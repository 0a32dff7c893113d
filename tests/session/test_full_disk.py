"""Disks that are full: a small file system of its own, mounted for the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import exception, symbol
from ftrack_like.accessor import _parts
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.session import Session
from ftrack_like.structure.id import IdStructure

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")
if sys.platform != "linux" or os.geteuid() != 0:
    pytest.skip("only root may mount file systems", allow_module_level=True)

PART = 256 * 1024
CONTENT = os.urandom(PART) * 6  # More than the disk takes.
FRAMES = 20
FRAME = os.urandom(PART // 2)  # Some of them fit.


class Disk:
    """A file system of one MiB at *path*, which can be made larger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        mounted = self._mount("size=1m", "-t", "tmpfs", "tmpfs", str(path))
        if mounted.returncode:
            pytest.skip(f"cannot mount a file system: {mounted.stderr.strip()}")

    def _mount(self, options: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["mount", "-o", options, *arguments]
        return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)

    def make_room(self) -> None:
        """Make it large enough for everything."""
        assert self._mount("remount,size=64m", str(self.path)).returncode == 0

    def files(self) -> list[Path]:
        """Return all files on it."""
        return [path for path in self.path.rglob("*") if path.is_file()]

    def close(self) -> None:
        """Take it out of the tree, even while somebody has a file open."""
        subprocess.run(["umount", "--lazy", str(self.path)], check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that becomes the small disk."""
    return tmp_path / "small"


@pytest.fixture
def small(folder: Path) -> Iterator[Disk]:
    """A disk of one MiB."""
    made = Disk(folder)
    yield made
    made.close()


@pytest.fixture
def location(session: Session, small: Disk) -> Any:
    """A location on the small disk."""
    made = session.create("Location", {"name": "small"})
    made.accessor, made.structure = DiskAccessor(str(small.path)), IdStructure()
    session.commit()
    return made


def test_copying_a_sequence(session: Session, small: Disk, location: Any, tmp_path: Path) -> None:
    """The frames that fitted are removed again; with room the repeat succeeds."""
    for number in range(FRAMES):
        (tmp_path / f"f.{number:04d}.exr").write_bytes(FRAME)
    path = str(tmp_path / f"f.%04d.exr [0-{FRAMES - 1}]")
    component = session.create_component(path, location=None)
    origin = session.get("Location", symbol.ORIGIN_LOCATION_ID)
    with pytest.raises(exception.LocationError, match="No space left"):
        location.add_component(component, origin)
    assert small.files() == []
    assert location.get_component_availability(component) == 0.0
    small.make_room()
    location.add_component(component, origin)
    assert [each.read_bytes() for each in small.files()] == [FRAME] * FRAMES


def test_downloading(session: Session, small: Disk, location: Any, tmp_path: Path) -> None:
    """A download that does not fit leaves nothing, and can be repeated."""
    (tmp_path / "source.bin").write_bytes(CONTENT)
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    component = session.create_component(str(tmp_path / "source.bin"), location=server)
    with pytest.raises(exception.LocationError, match="No space left"):
        location.add_component(component, server)
    assert small.files() == []
    assert location.get_component_availability(component) == 0.0
    small.make_room()
    location.add_component(component, server)
    assert [each.read_bytes() for each in small.files()] == [CONTENT]


@pytest.mark.parametrize("part_size", [PART, len(CONTENT)], ids=["in parts", "in one piece"])
def test_uploading(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, part_size: int
) -> None:
    """A server without room says so; nothing shows, and with room the repeat succeeds."""
    monkeypatch.setattr(_parts, "PART_SIZE", part_size)
    (tmp_path / "source.bin").write_bytes(CONTENT)
    small = Disk(folder / "media")
    command = [sys.executable, "-m", "ftrack_like.sandbox", "--json", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--data", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        place = json.loads(process.stdout.readline())
        with Session(**place, schema_cache_path=False, plugin_paths=[]) as session:
            server = session.get("Location", symbol.SERVER_LOCATION_ID)
            with pytest.raises(exception.LocationError, match=r"507 .*could not be stored"):
                session.create_component(str(tmp_path / "source.bin"), location=server)
            assert session.query("select id from Component").all() == []
            assert not any("/data/" in str(path) for path in small.files())
            small.make_room()
            component = session.create_component(str(tmp_path / "source.bin"), location=server)
            with server.accessor.open(component["id"]) as opened:
                assert opened.read() == CONTENT
    finally:
        process.kill()
        process.communicate()
        small.close()
