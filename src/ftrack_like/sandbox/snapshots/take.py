"""Take a snapshot of a site in a folder, while a sandbox serves it or not.

The database is copied with the backup function of SQLite, so the copy is one state between two
transactions. The files change at the same time: a component may be deleted, or uploaded. So hard
links keep all files before the copy, and again after it. A file that the copy mentions existed at
the time of the copy, so one of the two passes has it, except if it was uploaded and deleted between
them. Then the copy is made again.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
import shutil
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple, Optional

from ftrack_like._media.scratch import ScratchFolder
from ftrack_like._version import __version__
from ftrack_like.sandbox.data_folder import DataFolder
from ftrack_like.sandbox.database.folders import move_into_place
from ftrack_like.sandbox.snapshots.archive import ArchiveWriter, Facts, SnapshotError

__all__ = ["DATABASE", "FILES", "MEDIA", "Taken", "take_snapshot"]

#: The names of members.
DATABASE = "sandbox.sqlite"
MEDIA = "media/"
#: Small files beside the database. The first contains the key of the administrator, the second the
#: secret that signs addresses of files.
FILES = ("credentials.json", "media/secret")
_OUTBOX = "outbox"

#: How often the database is copied if files were uploaded and deleted meanwhile.
_TRIES = 3
_SERVER_LOCATION = "3a372bde-05bc-11e4-8908-20c9d081909b"


class Taken(NamedTuple):
    """A snapshot that was written: its size in bytes, its files, and components without data."""

    size: int
    files: int
    missing: list[str]


def take_snapshot(
    target: pathlib.Path, data: pathlib.Path, media: Optional[pathlib.Path] = None
) -> Taken:
    """Write the site in the folder *data*, with its files in *media*, to the new file *target*.

    *media* is by default the folder of that name in *data*. Raise
    :exc:`~ftrack_like.sandbox.data_folder.SiteError` if there is no site,
    :exc:`~ftrack_like.sandbox.snapshots.archive.SnapshotError` if *target* exists or the database
    is damaged, and :exc:`OSError` if the disk is full.
    """
    place = DataFolder(data)
    if not place.database.is_file():
        raise SnapshotError(f"There is no sandbox in {data}. Name its folder with --data DIR.")
    if target.exists():
        raise SnapshotError(f"{target} exists. Remove it, or choose another name.")
    place.check_database()
    files = media or data / "media"
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    copy = target.with_name(f"{target.name}.{os.getpid()}.database.part")
    try:
        with _kept_files(files) as kept:
            missing = _copy_database(place.database, copy, kept)
            writer = ArchiveWriter(part)
            try:
                _fill(writer, copy, data, files, kept)
                facts = Facts(_now(), f"ftrack-like {__version__}", missing)
                writer.finish(facts)
            finally:
                writer.close()
        move_into_place(part, target)
        return Taken(target.stat().st_size, len(writer.members), missing)
    finally:
        for leftover in (part, copy, *(copy.with_name(copy.name + each) for each in _SIDES)):
            leftover.unlink(missing_ok=True)


_SIDES = ("-wal", "-shm", "-journal")


class _KeptFiles:
    """Hard links to the data of components, under their names."""

    def __init__(self, data: pathlib.Path, links: pathlib.Path) -> None:
        self._data = data
        self._links = links

    def keep(self) -> None:
        """Keep all files that exist now; a file that was replaced since replaces its link."""
        for folder in sorted(self._data.iterdir()) if self._data.is_dir() else ():
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                with contextlib.suppress(FileNotFoundError):  # it was deleted just now
                    self._keep_one(path)

    def _keep_one(self, path: pathlib.Path) -> None:
        link = self.path(path.name)
        if link.exists():
            if os.path.samestat(link.stat(), path.stat()):
                return
            link.unlink()
        link.parent.mkdir(exist_ok=True)
        try:
            os.link(path, link)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without hard links
            shutil.copyfile(path, link)

    def path(self, component_id: str) -> pathlib.Path:
        """Return the path of the link for *component_id*, whether it exists or not."""
        return self._links / component_id[:2] / component_id


@contextlib.contextmanager
def _kept_files(media: pathlib.Path) -> Iterator[_KeptFiles]:
    """Yield the files of *media*, kept in a folder on the same disk, and remove it at the end."""
    if not media.is_dir():
        yield _KeptFiles(media / "data", media / "nothing")
        return
    scratch = ScratchFolder(media / "snapshots", "snapshot-")
    try:
        yield _KeptFiles(media / "data", scratch.path)
    finally:
        scratch.close()


def _copy_database(database: pathlib.Path, copy: pathlib.Path, kept: _KeptFiles) -> list[str]:
    """Copy *database* to *copy*; return the ids of the components whose data do not exist."""
    missing: list[str] = []
    before: Optional[list[str]] = None
    for _ in range(_TRIES):
        kept.keep()
        copy.unlink(missing_ok=True)
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with (
            contextlib.closing(sqlite3.connect(database, timeout=60)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            (problem,) = target.execute("PRAGMA quick_check(1)").fetchone()
            if problem != "ok":
                raise SnapshotError(f"{database} is damaged: {problem}. Restore an older snapshot.")
            target.execute("PRAGMA journal_mode = DELETE")
            kept.keep()
            missing = _missing_components(target, kept)
        if not missing or missing == before:  # they were missing before the first copy
            break
        before = missing
    return missing


def _missing_components(copy: sqlite3.Connection, kept: _KeptFiles) -> list[str]:
    """Return the ids of components in the location of the server without a file."""
    rows = copy.execute(
        "SELECT DISTINCT component_id FROM component_location WHERE location_id = ? ORDER BY 1",
        (_SERVER_LOCATION,),
    )
    return [each for (each,) in rows if not kept.path(each).is_file()]


def _fill(
    writer: ArchiveWriter,
    copy: pathlib.Path,
    data: pathlib.Path,
    media: pathlib.Path,
    kept: _KeptFiles,
) -> None:
    """Add everything that belongs to the state in *copy*."""
    writer.add(DATABASE, copy)
    for name in FILES:
        path = media / name[len(MEDIA) :] if name.startswith(MEDIA) else data / name
        if path.is_file():
            writer.add(name, path)
    outbox = data / _OUTBOX
    for path in sorted(outbox.iterdir()) if outbox.is_dir() else ():
        if path.is_file() and not path.name.endswith(".part"):
            writer.add(f"{_OUTBOX}/{path.name}", path)
    with contextlib.closing(sqlite3.connect(copy)) as opened:
        for (identifier,) in opened.execute("SELECT id FROM component ORDER BY id"):
            path = kept.path(identifier)
            if path.is_file():
                writer.add(f"{MEDIA}data/{identifier[:2]}/{identifier}", path)


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
