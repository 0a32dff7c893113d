"""Restore a snapshot into an empty folder."""

from __future__ import annotations

import os
import pathlib
import shutil
from typing import Optional

from ftrack_like._base.renaming import put_into_place
from ftrack_like.sandbox.data_folder import DataFolder
from ftrack_like.sandbox.folder_lock import FolderLock
from ftrack_like.sandbox.snapshots.archive import ArchiveReader, Facts, SnapshotError
from ftrack_like.sandbox.snapshots.take import DATABASE, MEDIA

__all__ = ["restore_snapshot"]


def restore_snapshot(
    source: pathlib.Path, data: pathlib.Path, media: Optional[pathlib.Path] = None
) -> Facts:
    """Restore the snapshot *source* into the folder *data*, and its files into *media*.

    Both folders must be empty or missing. *media* is by default the folder of that name in *data*.
    The snapshot is verified first, and written to folders beside the final ones, which are renamed
    at the end. Return what the snapshot says about itself.

    Raise :exc:`~ftrack_like.sandbox.snapshots.archive.SnapshotError` or
    :exc:`~ftrack_like.sandbox.data_folder.SiteError` if that is not possible, and :exc:`OSError`
    if the disk is full. Then nothing is left.
    """
    for folder in (data, media):
        if folder is not None:
            _require_empty(folder)
    reader = ArchiveReader(source)
    parts: list[tuple[pathlib.Path, pathlib.Path]] = []
    try:
        parts.append((_part_of(data), data))
        if media is not None:
            parts.append((_part_of(media), media))
        for part, _ in parts:
            part.mkdir(mode=0o700, parents=True)
        for name in reader.members:
            reader.extract(name, _target(name, parts))
        DataFolder(parts[0][0]).check_database()
        _move(parts)
    finally:
        reader.close()
        for part, _ in parts:
            shutil.rmtree(part, ignore_errors=True)
    return reader.facts


def _require_empty(folder: pathlib.Path) -> None:
    """Raise SnapshotError unless *folder* is empty or missing; SiteError if a server uses it."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SnapshotError(f"{folder} is not a folder. Name an empty or a new one.")
    found = sorted(each.name for each in folder.iterdir())
    if found:
        if "sandbox.lock" in found:
            lock = FolderLock(folder, "data", "--data")
            lock.take()  # raises the error that names the server
            lock.release()
        raise SnapshotError(
            f"{folder} is not empty: it contains {found[0]}. Name an empty or a new folder."
        )


def _part_of(folder: pathlib.Path) -> pathlib.Path:
    resolved = folder.resolve()
    return resolved.with_name(f".{resolved.name}.{os.getpid()}.part")


def _target(name: str, parts: list[tuple[pathlib.Path, pathlib.Path]]) -> pathlib.Path:
    """Return the path for the member *name*, whose parts are checked names."""
    if name != DATABASE and name.startswith(MEDIA) and len(parts) > 1:
        return parts[1][0] / name[len(MEDIA) :]
    return parts[0][0] / name


def _move(parts: list[tuple[pathlib.Path, pathlib.Path]]) -> None:
    """Rename the folders; undo that if one cannot be renamed."""
    moved: list[pathlib.Path] = []
    try:
        for part, folder in reversed(parts):
            if folder.exists():
                folder.rmdir()  # fails if another process has put something into it
            put_into_place(part, folder)
            moved.append(folder)
    except BaseException:
        for folder in moved:
            shutil.rmtree(folder, ignore_errors=True)
        raise
