"""Paths and renames of the client on Windows, which a copy of the module ``os`` plays here."""

from __future__ import annotations

import ntpath
import os
import re
import types
from pathlib import Path

import pytest

from ftrack_like import exception
from ftrack_like._base import renaming
from ftrack_like._base.paths import problem_of
from ftrack_like.accessor import disk

SOURCE = Path(__file__).resolve().parents[2] / "src" / "ftrack_like"


def windows_os() -> types.ModuleType:
    """Return a copy of the module ``os`` with the paths of Windows."""
    copy = types.ModuleType("os")
    copy.__dict__.update(vars(os), name="nt", path=ntpath, sep="\\", altsep="/", curdir=".")
    return copy


@pytest.fixture
def accessor(monkeypatch: pytest.MonkeyPatch) -> disk.DiskAccessor:
    """Return an accessor for a folder of Windows."""
    monkeypatch.setattr(disk, "os", windows_os())
    monkeypatch.setattr(disk, "problem_of", lambda path: problem_of(path, windows=True))
    return disk.DiskAccessor("P:/Jobs")


@pytest.mark.parametrize(
    ("identifier", "path"),
    [
        ("show/plate.exr", r"P:\Jobs\show\plate.exr"),
        (r"show\plate.exr", r"P:\Jobs\show\plate.exr"),
        ("show/../other/a.exr", r"P:\Jobs\other\a.exr"),
        (r"p:\JOBS\a.exr", r"p:\JOBS\a.exr"),
        ("", "P:\\Jobs"),
    ],
)
def test_identifier_becomes_path(accessor: disk.DiskAccessor, identifier: str, path: str) -> None:
    """Both separators lead into the folder, in any case of letters."""
    assert accessor.get_filesystem_path(identifier).rstrip("\\") == path


@pytest.mark.parametrize(
    "identifier",
    [
        "../a.exr",
        r"..\..\a.exr",
        "/a.exr",
        r"C:\a.exr",
        r"P:\JobsAndMore\a.exr",
        r"\\server\share\a.exr",
        r"C:a.exr",
        "show/nul.exr",
        "show/plate.",
        "show/plate.exr:stream",
    ],
)
def test_other_places_are_refused(accessor: disk.DiskAccessor, identifier: str) -> None:
    """Other drives, shares, parents, devices and streams are errors."""
    with pytest.raises(exception.AccessorFilesystemPathError):
        accessor.get_filesystem_path(identifier)


@pytest.mark.parametrize("prefix", ["\\\\server\\share\\jobs", "\\\\?\\P:\\jobs", "P:\\"])
def test_shares_long_paths_and_drives_are_prefixes(
    accessor: disk.DiskAccessor, prefix: str
) -> None:
    """The prefix of a location may be a share, a long path or a whole drive."""
    accessor.prefix = prefix
    path = accessor.get_filesystem_path("show/" + "x" * 240 + "/plate.exr")
    assert path.startswith(prefix)
    assert path.endswith("\\plate.exr")
    assert accessor.get_container("show/plate.exr") == "show"
    with pytest.raises(exception.AccessorParentResourceNotFoundError):
        accessor.get_container("")


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Refuse renames as Windows does; the list holds the number of refusals left."""
    left = [3]
    copy = windows_os()

    def replace(source: Path, target: Path) -> None:
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "The process cannot access the file", str(target))
        os.replace(source, target)

    copy.replace = replace  # type: ignore[attr-defined]
    monkeypatch.setattr(renaming, "os", copy)
    monkeypatch.setattr(renaming, "_PAUSE", 0)
    return left


def test_rename_waits_for_readers(refusals: list[int], tmp_path: Path) -> None:
    """A rename is repeated while another program has the target open."""
    source, target = tmp_path / "new", tmp_path / "old"
    source.write_text("new")
    target.write_text("old")
    renaming.put_into_place(source, target)
    assert target.read_text() == "new"
    assert refusals == [0]


def test_rename_gives_up(
    refusals: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that stays open is an error; the old file is whole, and the new one is there."""
    refusals[0] = 10**9
    monkeypatch.setattr(renaming, "RENAME_PATIENCE", 0.0)
    source, target = tmp_path / "new", tmp_path / "old"
    source.write_text("new")
    target.write_text("old")
    with pytest.raises(PermissionError):
        renaming.put_into_place(source, target)
    assert (source.read_text(), target.read_text()) == ("new", "old")


def test_every_rename_is_patient() -> None:
    """No module renames a file without waiting for readers."""
    found = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(r"\bos\.(replace|rename|renames)\(", path.read_text(encoding="utf-8"))
    ]
    assert found == ["_base/renaming.py"]


def test_every_text_file_has_an_encoding() -> None:
    """No module leaves the encoding of a text file to the settings of the machine."""
    found = [
        f"{path.relative_to(SOURCE).as_posix()}: {line.strip()}"
        for path in SOURCE.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"(\.read_text|\.write_text)\(\)", line)
        or (
            re.search(r"(?<![\w.])open\([^()]*\)", line)
            and not re.search(r"encoding|[\"'][rwax]?\+?b|b\+?[\"']|def ", line)
        )
    ]
    assert found == []
