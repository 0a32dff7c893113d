"""Release the locks of open files and folders."""

from __future__ import annotations

import contextlib
from typing import BinaryIO, Union

__all__ = ["unlock"]


def unlock(file: Union[int, BinaryIO]) -> None:
    """Release the lock of ``fcntl.flock`` on *file*, an open file or descriptor. Then close it.

    Closing alone can leave the lock in place: a child process has a copy of the descriptor, from
    the fork until it executes its program, or until it ends. Such a copy keeps the lock.

    Ignore errors of file systems without locks. Windows has no fork, and there closing is enough.
    """
    try:
        import fcntl  # lazy: not on Windows
    except ImportError:
        return
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_UN)
