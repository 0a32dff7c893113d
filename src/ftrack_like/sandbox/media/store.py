"""The data of components on disk.

A file appears under its final name only when it is whole: it is written beside it under a
temporary name, checked, flushed to the disk and renamed. What a killed server left behind is
swept away at the next start.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import os
import pathlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterable
from typing import BinaryIO, Optional

__all__ = ["ComponentStore", "IncomingFile", "TransferError"]

_IDENTIFIER = re.compile(r"\A[0-9A-Za-z_-]{1,64}\Z")

#: Bytes copied at a time when parts are joined.
_COPY_SIZE = 1024 * 1024

#: How long parts wait for the rest of their upload, in seconds.
_PARTS_SECONDS = 24 * 3600


class TransferError(Exception):
    """What arrived is not what was announced; the text says how they differ."""


class IncomingFile:
    """Data on its way to *target*; nothing shows there before :meth:`commit`.

    Use it from one thread at a time. Leave it by :meth:`commit` or :meth:`abort`.
    """

    def __init__(self, target: pathlib.Path, folder: pathlib.Path) -> None:
        """Open a temporary file in *folder*, which is on the file system of *target*."""
        handle, name = tempfile.mkstemp(prefix="incoming-", dir=str(folder))
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self._temporary = pathlib.Path(name)
        self._target = target
        self._digest = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append *data*. Raise :exc:`OSError` when the disk takes no more."""
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    @property
    def checksum(self) -> str:
        """Return the MD5 of what has been written so far, as hexadecimal text."""
        return self._digest.hexdigest()

    def commit(self, size: Optional[int] = None, checksum: Optional[str] = None) -> None:
        """Make the data appear at its target.

        *size* in bytes and *checksum* (base64 of the MD5) are what was announced; None is not
        compared. Raise :exc:`TransferError`, leaving no trace, when they differ.
        """
        try:
            self._verify(size, checksum)
            self._settle()
            self._file.close()
            target = self._final_path()
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self._temporary, target)
        except BaseException:
            self.abort()
            raise

    def _settle(self) -> None:
        """Make sure that the data outlives a failure of the machine."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def _final_path(self) -> pathlib.Path:
        """Return where the data is to appear."""
        return self._target

    def abort(self) -> None:
        """Throw away what has been written; harmless when there is nothing."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(FileNotFoundError):
            self._temporary.unlink()

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


class _IncomingPart(IncomingFile):
    """A part of an upload, whose file is named by its checksum: joining need not read it for it."""

    def _settle(self) -> None:
        """Do nothing: joining the parts does it for the whole."""

    def _final_path(self) -> pathlib.Path:
        return self._target.with_name(f"{self._target.name}-{self.checksum}")


class _JoinedFile(IncomingFile):
    """A file made of other files, whose checksum nobody asks for."""

    def append(self, path: pathlib.Path) -> None:
        """Append what the file at *path* holds."""
        with path.open("rb") as part:
            self._file.flush()
            left = os.fstat(part.fileno()).st_size
            self.size += left
            while left and (moved := _copy_in_kernel(part, self._file, left)):
                left -= moved
            if left:
                shutil.copyfileobj(part, self._file, _COPY_SIZE)


class ComponentStore:
    """The files under *folder*; threads may share it.

    ::

        data/ab/<component id>         the data of a component
        parts/<upload id>/<number>-…   parts of a large upload, until they are joined
        thumbnails/<component id>/     scaled images, made when first asked for
        incoming/                      what is being written right now
    """

    def __init__(self, folder: pathlib.Path) -> None:
        """Make the folders and remove what an interrupted write left behind."""
        self.folder = folder
        self._data = folder / "data"
        self._parts = folder / "parts"
        self._thumbnails = folder / "thumbnails"
        self._incoming = folder / "incoming"
        shutil.rmtree(self._incoming, ignore_errors=True)
        for each in (self._data, self._parts, self._thumbnails, self._incoming):
            each.mkdir(parents=True, exist_ok=True)
        self.remove_old_parts()

    def path(self, component_id: str) -> pathlib.Path:
        """Return where the data of *component_id* is, whether it exists or not.

        Raise :exc:`ValueError` for text that cannot be an id, so that none leaves the folder.
        """
        _check_identifier(component_id)
        return self._data / component_id[:2] / component_id

    def exists(self, component_id: str) -> bool:
        """Return whether there is data for *component_id*."""
        return bool(_IDENTIFIER.match(component_id)) and self.path(component_id).is_file()

    def size(self, component_id: str) -> int:
        """Return the size of the data of *component_id* in bytes."""
        return self.path(component_id).stat().st_size

    def receive(self, component_id: str) -> IncomingFile:
        """Return a file to write the data of *component_id* to."""
        self._forget_thumbnails(component_id)
        return IncomingFile(self.path(component_id), self._incoming)

    def receive_part(self, upload_id: str, number: int) -> IncomingFile:
        """Return a file to write part *number* (from 1) of the upload *upload_id* to."""
        _check_identifier(upload_id)
        return _IncomingPart(self._parts / upload_id / f"{number:05d}", self._incoming)

    def join(self, component_id: str, upload_id: str, parts: Iterable[tuple[int, str]]) -> int:
        """Make the data of *component_id* from *parts* and return its size in bytes.

        *parts* are numbers with the checksums that :meth:`receive_part` found, in any order.
        Raise :exc:`TransferError`, keeping the parts, when one is missing or another than
        announced.
        """
        _check_identifier(upload_id)
        folder = self._parts / upload_id
        paths = [_part(folder, number, checksum) for number, checksum in sorted(parts)]
        if not paths:
            raise TransferError("No parts are named; name each part that was uploaded.")
        self._forget_thumbnails(component_id)
        joined = _JoinedFile(self.path(component_id), self._incoming)
        try:
            for path in paths:
                joined.append(path)
            joined.commit()
        finally:
            joined.abort()
        shutil.rmtree(folder, ignore_errors=True)
        return joined.size

    def remove(self, component_id: str) -> bool:
        """Remove the data of *component_id* and return whether there was any."""
        self._forget_thumbnails(component_id)
        try:
            self.path(component_id).unlink()
        except FileNotFoundError:
            return False
        return True

    def thumbnail(self, component_id: str, size: int) -> pathlib.Path:
        """Return where the image of *component_id* scaled to *size* pixels is kept."""
        _check_identifier(component_id)
        return self._thumbnails / component_id / f"{size}.jpg"

    def clear(self) -> None:
        """Remove the data of all components."""
        for each in (self._data, self._parts, self._thumbnails):
            shutil.rmtree(each, ignore_errors=True)
            each.mkdir(parents=True, exist_ok=True)

    def _forget_thumbnails(self, component_id: str) -> None:
        _check_identifier(component_id)
        shutil.rmtree(self._thumbnails / component_id, ignore_errors=True)

    def remove_old_parts(self) -> None:
        """Remove the parts of uploads that nobody finished while their addresses were good."""
        limit = time.time() - _PARTS_SECONDS
        for folder in self._parts.iterdir():
            with contextlib.suppress(FileNotFoundError):  # joined or removed by another thread
                if folder.stat().st_mtime < limit:
                    shutil.rmtree(folder, ignore_errors=True)


def _part(folder: pathlib.Path, number: int, checksum: str) -> pathlib.Path:
    """Return the file of part *number* in *folder*, which must have *checksum*."""
    found = {path.name for path in folder.glob(f"{number:05d}-*")}
    name = f"{number:05d}-{checksum.strip(chr(34))}"
    if name in found:
        return folder / name
    if found:
        raise TransferError(f"Part {number} is another than the one named; upload it again.")
    raise TransferError(f"Part {number} has not been uploaded; upload it and try again.")


def _copy_in_kernel(source: BinaryIO, target: BinaryIO, size: int) -> int:
    """Return how many bytes of *source* were appended to *target*; 0 if the system cannot."""
    copy = getattr(os, "copy_file_range", None)
    if copy is None:
        return 0
    try:
        return int(copy(source.fileno(), target.fileno(), size))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        return 0


def _check_identifier(text: str) -> None:
    if not _IDENTIFIER.match(text):
        raise ValueError(f"{text!r} is not an id: letters, digits, '-' and '_' are.")
