"""Folders for incomplete files, one for each server that uses the media.

Several servers may share the files of a database. A starting server removes the files of killed
servers, but must keep the files that a running server is writing. So each server locks its folder.
The lock ends with the process. Windows has no such locks, but it does not remove open files.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Optional

__all__ = ["ScratchFolder"]


class ScratchFolder:
    """A new folder in *parent*, at :attr:`path`, which this server uses until :meth:`close`."""

    def __init__(self, parent: pathlib.Path) -> None:
        """Create the folder, and remove the folders of servers that have ended."""
        parent.mkdir(parents=True, exist_ok=True)
        # Until a new folder is locked, another server could remove it. So only one server at a time
        # looks and creates.
        with _opened(parent) as gate:
            _lock(gate, wait=True)
            for each in parent.iterdir():
                _remove_unless_used(each)
            self.path: pathlib.Path = pathlib.Path(tempfile.mkdtemp(prefix="server-", dir=parent))
            self._handle = _open(self.path)
            _lock(self._handle)

    def close(self) -> None:
        """Remove the folder; a second call does nothing."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_unless_used(path: pathlib.Path) -> None:
    if not path.is_dir():
        with contextlib.suppress(OSError):
            path.unlink()
        return
    with _opened(path) as handle:
        if _lock(handle):
            shutil.rmtree(path, ignore_errors=True)


def _open(path: pathlib.Path) -> Optional[int]:
    return None if os.name == "nt" else os.open(path, os.O_RDONLY)


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Optional[int]]:
    handle = _open(path)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def _lock(handle: Optional[int], wait: bool = False) -> bool:
    """Lock an open folder until it is closed; return False if another process has locked it."""
    if handle is None:
        return True
    import fcntl  # lazy: Windows has no fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks
        pass
    return True
