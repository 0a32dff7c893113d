"""A block that only one process at a time enters, by a lock on a folder."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

from ftrack_like._base.file_locks import unlock

__all__ = ["alone"]


@contextlib.contextmanager
def alone(folder: pathlib.Path) -> Iterator[None]:
    """Wait until no other process is in a block for *folder*.

    The lock ends with the process, however it ends. Threads of a process need a lock besides.
    """
    try:
        import fcntl  # lazy: Windows has no fcntl, and there only one process uses a folder
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        unlock(handle)
        os.close(handle)
