"""Data that are being received; the file appears only when they are complete."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any, BinaryIO, Optional

from ftrack_like.sandbox.database.folders import move_into_place, share_with_group

__all__ = ["Incoming", "IncomingFile", "SupersededError", "TransferError", "report_unstored"]

_LOGGER = logging.getLogger(__name__)


class TransferError(Exception):
    """The data that arrived differ from the announcement; the text names the difference."""

    #: The HTTP status of the answer.
    status = 400


class SupersededError(TransferError):
    """The same data are being sent again.

    The request that starts last wins. On a busy machine, this can be an earlier request that its
    client has given up. So the client of the refused request should try again, as the status says.
    """

    status = 503


class Incoming:
    """Data that are written to *file*; subclasses decide how they become visible.

    Use it from one thread at a time. End with :meth:`commit` or :meth:`abort`.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.md5(usedforsecurity=False)
        self.size: int = 0

    def write(self, *chunks: bytes) -> None:
        """Append *chunks*; raise :exc:`OSError` if the disk is full."""
        for chunk in chunks:
            left = memoryview(chunk)
            while left:  # an unbuffered file may write less than all
                left = left[self._file.write(left) :]
            self._digest.update(chunk)
            self.size += len(chunk)

    @property
    def checksum(self) -> str:
        """Return the MD5 of the data written so far, as hexadecimal text."""
        return self._digest.hexdigest()

    def commit(self, size: Optional[int] = None, checksum: Optional[str] = None) -> None:
        """Verify the data and make them visible.

        *size* in bytes and *checksum* (base64 of the MD5) are the announced values; None is not
        compared. Raise :exc:`TransferError` and discard the data if a value differs.
        """
        try:
            self._verify(size, checksum)
            self._finish()
        finally:
            self.abort()

    def abort(self) -> None:
        """Discard the data; do nothing after a commit."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _finish(self) -> None:
        """Write the data to the disk, and make them visible."""
        raise NotImplementedError

    def _verify(self, size: Optional[int], checksum: Optional[str]) -> None:
        if size is not None and size != self.size:
            raise TransferError(
                f"{self.size} bytes arrived, but {size} were announced; send the whole file."
            )
        if checksum is None:
            return
        found = base64.b64encode(self._digest.digest()).decode("ascii")
        if found != checksum:
            raise TransferError(
                f"The data has the checksum {found}, but {checksum} was announced; send it again."
            )


def report_unstored(place: pathlib.Path, error: OSError) -> str:
    """Log that *error* kept data from their *place*; return the sentence for the client.

    Clients do not see the folders of the server.
    """
    _LOGGER.error("Uploaded data could not be stored as %s: %s.", place, error.strerror)
    return f"The data could not be stored in the media folder of the server: {error.strerror}."


class IncomingFile(Incoming):
    """Data under a temporary name in *folder*, renamed to the path that *target* returns.

    *target* is called with this object when the data are complete. *appeared* is called after the
    rename, with this object and the state of the file.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        target: Callable[[IncomingFile], pathlib.Path],
        appeared: Callable[[IncomingFile, os.stat_result], Any] = lambda incoming, state: None,
    ) -> None:
        """Open a temporary file in *folder*, which must be on the file system of the target."""
        handle, name = tempfile.mkstemp(prefix="incoming-", dir=str(folder))
        super().__init__(os.fdopen(handle, "wb"))
        self._temporary = pathlib.Path(name)
        share_with_group(self._temporary)
        self._target = target
        self._appeared = appeared
        self._state: Optional[os.stat_result] = None

    def complete(self) -> None:
        """Write all data to the disk, under the temporary name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._state = os.fstat(self._file.fileno())
        self._file.close()  # Windows cannot rename an open file

    def appear(self) -> None:
        """Rename the file after :meth:`complete`; do nothing if it has appeared."""
        if self._state is not None:
            state, self._state = self._state, None
            move_into_place(self._temporary, self._target(self))
            self._appeared(self, state)

    def abort(self) -> None:
        """Discard the data; do nothing if there are none."""
        super().abort()
        with contextlib.suppress(FileNotFoundError):
            self._temporary.unlink()

    def _finish(self) -> None:
        self.complete()
        self.appear()
