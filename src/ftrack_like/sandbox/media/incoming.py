"""Data on its way to a file that shows only when all of it has come."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any, BinaryIO, Optional

from ftrack_like.sandbox.database.folders import move_into_place

__all__ = ["Incoming", "IncomingFile", "SupersededError", "TransferError"]


class TransferError(Exception):
    """What arrived is not what was announced; the text says how they differ."""

    #: The HTTP status to answer with.
    status = 400


class SupersededError(TransferError):
    """The same is being sent once more.

    On a busy machine the request that was sent first may be the last one to begin. Whose request
    this was is therefore to try again, as the status says.
    """

    status = 503


class Incoming:
    """What is being written to *file*; subclasses say what becomes of it.

    Use it from one thread at a time. Leave it by :meth:`commit` or :meth:`abort`.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Begin with nothing written."""
        self._file = file
        self._digest = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def write(self, *chunks: bytes) -> None:
        """Append *chunks*. Raise :exc:`OSError` when the disk takes no more."""
        for chunk in chunks:
            left = memoryview(chunk)
            while left:  # a file without a buffer may take less than all
                left = left[self._file.write(left) :]
            self._digest.update(chunk)
            self.size += len(chunk)

    @property
    def checksum(self) -> str:
        """Return the MD5 of what has been written so far, as hexadecimal text."""
        return self._digest.hexdigest()

    def commit(self, size: Optional[int] = None, checksum: Optional[str] = None) -> None:
        """Make the data count.

        *size* in bytes and *checksum* (base64 of the MD5) are what was announced; None is not
        compared. Raise :exc:`TransferError`, as if nothing had come, when they differ.
        """
        try:
            self._verify(size, checksum)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._finish()
        finally:
            self.abort()

    def abort(self) -> None:
        """Throw away what has been written; harmless afterwards."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _finish(self) -> None:
        """Make the data, which is whole and on the disk by now, count."""
        raise NotImplementedError

    def _verify(self, size: Optional[int], checksum: Optional[str]) -> None:
        if size is not None and size != self.size:
            raise TransferError(
                f"{self.size} bytes arrived where {size} were announced; send the whole file."
            )
        if checksum is None:
            return
        found = base64.b64encode(self._digest.digest()).decode("ascii")
        if found != checksum:
            raise TransferError(
                f"The data has the checksum {found} where {checksum} was announced; send it again."
            )


class IncomingFile(Incoming):
    """Data under a temporary name in *folder*, renamed to what *target* answers.

    *target* is called with this once the data is whole. *appeared* is called afterwards, with the
    state of the file.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        target: Callable[[IncomingFile], pathlib.Path],
        appeared: Callable[[IncomingFile, os.stat_result], Any] = lambda incoming, state: None,
    ) -> None:
        """Open a temporary file in *folder*, which is on the file system of the target."""
        handle, name = tempfile.mkstemp(prefix="incoming-", dir=str(folder))
        super().__init__(os.fdopen(handle, "wb"))
        self._temporary = pathlib.Path(name)
        self._target = target
        self._appeared = appeared

    def abort(self) -> None:
        """Throw away what has been written; harmless when there is nothing."""
        super().abort()
        with contextlib.suppress(FileNotFoundError):
            self._temporary.unlink()

    def _finish(self) -> None:
        state = os.fstat(self._file.fileno())
        self._file.close()  # Windows renames no open file
        target = self._target(self)
        move_into_place(self._temporary, target)
        self._appeared(self, state)
