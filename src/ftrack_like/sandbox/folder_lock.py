"""Folders that one server uses at a time."""

from __future__ import annotations

import json
import os
import pathlib
from typing import BinaryIO, Optional

__all__ = ["FolderLock", "SiteError"]

_LOCK = "sandbox.lock"

#: The byte of the lock file that is locked. It lies beyond the text, which others may read.
_LOCKED_BYTE = 1 << 30


class SiteError(RuntimeError):
    """A site that cannot be opened; the text is one sentence or two, with file and remedy."""


class FolderLock:
    """Keeps other servers out of the folder at *path*, which need not exist before.

    Errors name the content (*what*) and the *option* of the command that chooses the folder.
    """

    def __init__(self, path: pathlib.Path, what: str, option: str) -> None:
        """Prepare; nothing is touched before :meth:`take`."""
        self._path = path
        self._what = what
        self._option = option
        self._file: Optional[BinaryIO] = None

    def take(self) -> None:
        """Make the folder, and keep other servers out of it until :meth:`release`.

        Raise :exc:`SiteError`, saying which process, if another server uses it.
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
        """Tell servers that want the folder who uses it, and at which address."""
        assert self._file is not None, "the folder is not taken"
        text = json.dumps({"process": os.getpid(), "server_url": server_url})
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text.encode("utf-8"))

    def release(self) -> None:
        """Let others use the folder; harmless to call twice."""
        if self._file is not None:
            self._file.truncate(0)
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
    if os.name == "nt":
        import msvcrt  # lazy: Windows alone has it

        file.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except PermissionError as error:
            raise BlockingIOError from error
        return
    import fcntl  # lazy: Windows has none

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
