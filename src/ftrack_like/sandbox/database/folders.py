"""Rename files durably, and delete temporary folders even if the process is killed."""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import subprocess
from typing import Optional

from ftrack_like._base.renaming import put_into_place

__all__ = ["FolderWatch", "make_folder", "move_into_place", "share_with_group", "watch_folder"]

#: A shell script that waits for the end of its input and then removes the folder. The system
#: closes the input when this process ends, even if it is killed and cannot clean up itself.
#: Starting the shell costs 2 ms.
_SCRIPT = 'trap "" INT TERM HUP; read -r line; rm -rf -- "$1"'


class FolderWatch:
    """A shell process that removes a folder after this process has ended for any reason."""

    def __init__(self, process: Optional[subprocess.Popen[bytes]]) -> None:
        """Initialise with the shell *process*, or None if the system has no shell."""
        self._process = process

    def end(self) -> None:
        """End the shell process. Call this after removing the folder; repeated calls are safe."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()


def watch_folder(folder: pathlib.Path) -> FolderWatch:
    """Remove *folder* when this process has ended, even if it was killed.

    Windows has no suitable shell. There a killed process leaves its temporary folder.
    """
    if os.name == "nt":
        return FolderWatch(None)
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "sh", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    except OSError:
        return FolderWatch(None)
    return FolderWatch(process)


def move_into_place(source: pathlib.Path, target: pathlib.Path) -> None:
    """Rename *source* to *target* and wait until the new name is on the disk.

    Create the folder of *target* if it does not exist.
    """
    is_new = not target.parent.exists()
    make_folder(target.parent)
    put_into_place(source, target)
    _sync_folder(target.parent)
    if is_new:
        _sync_folder(target.parent.parent)


def make_folder(path: pathlib.Path) -> None:
    """Create the folder *path* if it does not exist, for the users who can write to its parent."""
    if not path.exists():
        path.mkdir(parents=True, exist_ok=True)
        share_with_group(path)


def share_with_group(path: pathlib.Path) -> None:
    """Let the group use *path*, which this process has created, if it can write to its folder.

    The folder for files of a farm may belong to a group, because its processes run as several
    users. The temporary files of Python are for their owner alone.
    """
    if os.name == "nt":
        return
    granted = path.parent.stat().st_mode & stat.S_IRWXG
    if not granted & stat.S_IWGRP:
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if not path.is_dir():
        granted &= ~stat.S_IXGRP
    with contextlib.suppress(PermissionError):  # another process has created it
        path.chmod(mode | granted)


def _sync_folder(path: pathlib.Path) -> None:
    """Wait until the names in the folder *path* are on the disk, if the system supports it."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
