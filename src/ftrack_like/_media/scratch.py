"""Folders for incomplete files, one for each process that writes them.

Several servers may share the files of a database, and several clients may encode on a machine. A
process that starts removes the folders of killed processes, but must keep the files that a running
process is writing. So each process locks its folder. The lock ends with the process. Windows has no
such locks, but it does not remove open files.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import stat
import tempfile
import time
from collections.abc import Generator, Iterator
from typing import Optional

from ftrack_like._base.file_locks import unlock
from ftrack_like._media.children import Keeper

__all__ = ["ScratchFolder", "encoding_folder"]

_DAY = 24 * 3600


class ScratchFolder:
    """A new folder in *parent*, at :attr:`path`, which this process uses until :meth:`close`.

    *prefix* is the start of its name. If machines share *parent*, *machine* is the name of this
    one: a lock may not reach other machines, so their folders stay for a day after the last use.
    """

    def __init__(self, parent: pathlib.Path, prefix: str = "server-", machine: str = "") -> None:
        """Create the folder, and remove the folders of processes that have ended."""
        shared = f"{prefix}at-"
        own = f"{shared}{machine}-" if machine else prefix
        parent.mkdir(parents=True, exist_ok=True)
        # Until a new folder is locked, another process could remove it. So only one process at a
        # time looks and creates.
        with _opened_folder(parent) as gate:
            _lock_folder(gate, wait=True)
            for each in parent.iterdir():
                is_foreign = each.name.startswith(shared) and not each.name.startswith(own)
                if not is_foreign or _is_old(each):
                    _remove_unless_used(each)
            self.path: pathlib.Path = pathlib.Path(tempfile.mkdtemp(prefix=own, dir=parent))
            self._handle = _open(self.path)
            _lock_folder(self._handle)

    def close(self) -> None:
        """Remove the folder; a second call does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._handle is not None:
            unlock(self._handle)
            os.close(self._handle)
            self._handle = None


@contextlib.contextmanager
def encoding_folder() -> Generator[pathlib.Path, None, None]:
    """Yield a new folder for the files of one encoding, and remove it at the end.

    It is also removed when this process is killed. If that fails, the next encoding of the same
    user on this machine removes it.
    """
    parent = _own_folder()
    if parent is None:
        with tempfile.TemporaryDirectory(prefix="ftrack-like-encode-") as name:
            yield pathlib.Path(name)
        return
    scratch = ScratchFolder(parent, "encoding-")
    try:
        keeper = Keeper(scratch.path)
        try:
            yield scratch.path
        finally:
            scratch.close()
            keeper.close()
    finally:
        scratch.close()


def _own_folder() -> Optional[pathlib.Path]:
    """Return the folder for the encodings of this user, None if another user has its name.

    Also return None where no lock tells which encodings are running, as on Windows.
    """
    if not _has_folder_locks() or not hasattr(os, "getuid"):
        return None
    path = pathlib.Path(tempfile.gettempdir(), f"ftrack-like-encode-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    state = path.lstat()
    return path if stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() else None


def _is_old(path: pathlib.Path) -> bool:
    """Return whether nothing was added to the folder at *path* for a day."""
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > _DAY
    return False


def _remove_unless_used(path: pathlib.Path) -> None:
    if not path.is_dir():
        with contextlib.suppress(OSError):
            path.unlink()
        return
    with contextlib.suppress(FileNotFoundError), _opened_folder(path) as handle:
        if _lock_folder(handle):
            shutil.rmtree(path, ignore_errors=True)


def _open(path: pathlib.Path) -> Optional[int]:
    return os.open(path, os.O_RDONLY) if _has_folder_locks() else None


def _has_folder_locks() -> bool:
    """Return whether the system can lock an open folder."""
    if os.name == "nt":
        return False
    try:
        import fcntl  # noqa: F401  lazy: not on every system
    except ImportError:
        return False
    return True


@contextlib.contextmanager
def _opened_folder(path: pathlib.Path) -> Iterator[Optional[int]]:
    handle = _open(path)
    try:
        yield handle
    finally:
        if handle is not None:
            unlock(handle)
            os.close(handle)


def _lock_folder(handle: Optional[int], wait: bool = False) -> bool:
    """Lock an open folder until it is closed; return False if another process may be using it."""
    if handle is None:
        return True
    import fcntl  # lazy: Windows has no fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # locked, or a network file system without locks
        return False
    return True
