"""Folders that one server uses at a time."""

from __future__ import annotations

import json
import os
import pathlib
from typing import BinaryIO, Optional

from ftrack_like._base.file_locks import unlock

__all__ = ["FolderLock", "SiteError"]

_LOCK = "sandbox.lock"

#: The byte of the lock file that is locked. It is beyond the text, so that other processes can read
#: the text.
_LOCKED_BYTE = 1 << 30


class SiteError(RuntimeError):
    """A site cannot be opened; the text names the file and the remedy."""


class FolderLock:
    """Keeps other servers out of the folder at *path*, which need not exist before.

    Errors contain *what*, the content of the folder, and *option*, the command-line option for it.
    """

    def __init__(self, path: pathlib.Path, what: str, option: str) -> None:
        """Prepare; :meth:`take` is the first to touch the folder."""
        self._path = path
        self._what = what
        self._option = option
        self._file: Optional[BinaryIO] = None

    def take(self) -> None:
        """Create the folder, and keep other servers out of it until :meth:`release`.

        Raise :exc:`SiteError` with the other process if another server uses it.
        """
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(handle, "r+b", buffering=0)
        try:
            _lock(file)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(4096)
            file.close()
            raise SiteError(self._in_use(holder)) from None
        except OSError:
            # Some network file systems have no locks.
            pass
        self._file = file
        self.announce(None)

    def announce(self, server_url: Optional[str]) -> None:
        """Write process and *server_url* into the lock file, for errors of other servers."""
        assert self._file is not None, "the folder is not taken"
        text = json.dumps({"process": os.getpid(), "server_url": server_url})
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text.encode("utf-8"))

    def release(self) -> None:
        """Allow other servers to use the folder. A second call does nothing."""
        if self._file is not None:
            self._file.truncate(0)
            unlock(self._file)
            self._file.close()
            self._file = None

    def _in_use(self, holder: bytes) -> str:
        try:
            known = json.loads(holder)
            process, url = known["process"], known["server_url"]
        except (ValueError, KeyError, TypeError):
            who = "another process"
        else:
            who = f"process {process}" + (f", which answers at {url}" if url else "")
        return (
            f"The {self._what} in {self._path} are in use by {who}. "
            f"Stop it, or choose another folder with {self._option}."
        )


def _lock(file: BinaryIO) -> None:
    """Lock *file* until it is closed; raise :exc:`BlockingIOError` if it is locked."""
    try:
        import fcntl  # lazy: Windows has no fcntl
    except ImportError:
        import msvcrt  # lazy: only Windows has msvcrt

        file.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except PermissionError as error:
            raise BlockingIOError from error
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
