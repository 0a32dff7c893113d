"""Files that outlive a power cut, and folders that do not outlive their process."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
from typing import Optional

__all__ = ["FolderWatch", "move_into_place", "watch_folder"]

#: Waits for the end of its input, which the system closes with the process that holds the other
#: end, and then removes the folder. The shell is no child that must be waited for: it costs 2 ms.
_SCRIPT = 'trap "" INT TERM HUP; read -r line; rm -rf -- "$1"'


class FolderWatch:
    """A small process that removes a folder when this one has ended, however that happens."""

    def __init__(self, process: Optional[subprocess.Popen[bytes]]) -> None:
        """Hold *process*, None where a system has no shell for it."""
        self._process = process

    def end(self) -> None:
        """End the watch after the folder was removed; harmless to call twice."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()


def watch_folder(folder: pathlib.Path) -> FolderWatch:
    """Remove *folder* when this process has ended, even if it was killed.

    Windows has no shell for it: there a killed process leaves its folder among the temporary
    files.
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
    """Rename *source* to *target*, whose folder is made, and wait until the name is on the disk."""
    is_new = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)
    _sync_folder(target.parent)
    if is_new:
        _sync_folder(target.parent.parent)


def _sync_folder(path: pathlib.Path) -> None:
    """Wait until the names in the folder at *path* are on the disk, where a system can."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
