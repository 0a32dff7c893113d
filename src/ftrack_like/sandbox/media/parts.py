"""The parts of large uploads, written to their final places, so that joining copies nothing.

All known clients send parts of equal length, apart from the last. The place of such a part in the
whole file follows from its number and its length, so the server writes the part there at once. Any
other part goes to a separate file, and the server copies it when it joins the parts. The parts of
an upload may arrive at different processes that share the folder, so the files say everything.

::

    <upload id>/length                     the common length of the parts, from the first part
    <upload id>/whole-<length>             the whole file, with the parts in their places
    <upload id>/<number>-<checksum>-…      an empty file: marks a complete part in its place
    <upload id>/<number>-<checksum>        a part in a separate file
    <upload id>/writer-<number>            the token of the latest request that writes the part

The name of a mark ends with the start and the length of the part, in bytes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from ftrack_like._base.renaming import put_into_place
from ftrack_like.sandbox.database.folders import make_folder, move_into_place, share_with_group
from ftrack_like.sandbox.media.incoming import (
    Incoming,
    IncomingFile,
    SupersededError,
    TransferError,
)

__all__ = ["PartStore", "Place"]

#: Seconds that parts wait for the rest of their upload.
_SECONDS = 24 * 3600

#: Attempts to agree with other processes on the length of parts.
_ATTEMPTS = 3

#: Bytes that are copied at a time when parts are joined.
_COPY_SIZE = 256 * 1024

_NAME = re.compile(r"\A\d{5}-([0-9a-f]{32})(?:-(\d+)-(\d+))?\Z")


@dataclass(frozen=True)
class Place:
    """Part *number* (from 1) of *count*: *length* bytes of an upload of *total* bytes."""

    number: int
    count: int
    length: int
    total: int

    @property
    def common_length(self) -> int:
        """Return the length of all parts but the last, 0 if their lengths differ."""
        if self.number < self.count or self.count == 1:
            common = self.length
        else:
            common, rest = divmod(self.total - self.length, self.count - 1)
            if rest:
                return 0
        return common if (self.count - 1) * common < self.total <= self.count * common else 0


@dataclass(frozen=True)
class _Part:
    """A complete part: *length* bytes from *start* on in the file at *path*.

    *name* is the name of the file that marks or contains the part.
    """

    name: str
    number: int
    checksum: str
    path: pathlib.Path
    start: int
    length: int

    @property
    def is_placed(self) -> bool:
        """Return whether the part is in its place in the whole file."""
        return self.path.name != self.name


class _PlacedPart(Incoming):
    """A part on its way to its place in the whole file; it counts once its mark exists."""

    def __init__(self, whole: pathlib.Path, place: Place, closed: Callable[[], None]) -> None:
        """Open the file *whole*; *closed* is called at the end."""
        super().__init__(open(whole, "r+b", buffering=0))  # noqa: SIM115  abort() closes it
        self._folder = whole.parent
        self._number = place.number
        self._start = (place.number - 1) * place.common_length
        self._length = place.length
        self._closed = closed
        self._lock = threading.Lock()
        self._is_over = False
        self._file.seek(self._start)
        self._token = secrets.token_hex(8)
        self._writer = self._folder / f"writer-{self._number:05d}"
        _write_whole(self._writer, self._token)

    def write(self, *chunks: bytes) -> None:
        """Append *chunks*; raise :exc:`SupersededError` if the same part is being sent again."""
        with self._lock:
            self._refuse_over()
            if self.size + sum(map(len, chunks)) > self._length:
                raise TransferError(f"The part is longer than its {self._length} bytes.")
            super().write(*chunks)

    def give_way(self) -> None:
        """Stop writing, because another request now writes to this place."""
        with self._lock:
            self._is_over = True

    def abort(self) -> None:
        """Close the file; without a mark, the written data do not count."""
        super().abort()
        self._closed()

    def _finish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        with self._lock:
            self._refuse_over()
            if self.size != self._length:
                raise TransferError(f"{self.size} of {self._length} bytes of the part arrived.")
            name = f"{self._number:05d}-{self.checksum}-{self._start}-{self._length}"
            (self._folder / name).touch()

    def _refuse_over(self) -> None:
        # The other request may be one to another process.
        if self._is_over or _content_of(self._writer) != self._token:
            raise SupersededError("The same part is being sent again.")


class PartStore:
    """The parts in *folder*; *incoming* is on the same file system. Threads may share it."""

    def __init__(self, folder: pathlib.Path, incoming: pathlib.Path) -> None:
        """Both folders must exist."""
        self._folder = folder
        self._incoming = incoming
        self._lock = threading.Lock()
        self._writing: dict[tuple[str, int], _PlacedPart] = {}

    def receive(self, upload_id: str, number: int, place: Optional[Place] = None) -> Incoming:
        """Return a writer for part *number* (from 1) of the upload *upload_id*.

        *place* is the place of the part, None if unknown. Raise :exc:`OSError` if the disk has no
        room for the whole upload.
        """
        folder = self._folder / upload_id
        with self._lock:
            whole = _whole(folder, place)
            if place is None or whole is None:
                return IncomingFile(
                    self._incoming, lambda part: folder / f"{number:05d}-{part.checksum}"
                )
            key = upload_id, number
            if key in self._writing:
                self._writing[key].give_way()
            # From here on, an earlier writer in another process leaves no mark.
            made = _PlacedPart(whole, place, lambda: self._closed(key, made))
            self._writing[key] = made
            for part in _parts(folder, number):
                if part.is_placed:
                    (folder / part.name).unlink(missing_ok=True)
            return made

    def join(self, upload_id: str, named: Iterable[tuple[int, str]], target: pathlib.Path) -> int:
        """Join the parts *named* to the file *target*; return its size in bytes.

        *named* are numbers and checksums, in any order. Raise :exc:`TransferError` and keep the
        parts if a part is missing or has another checksum.
        """
        folder = self._folder / upload_id
        with self._lock:
            parts = [_part(folder, number, checksum) for number, checksum in sorted(named)]
            if not parts:
                raise TransferError("No parts are named; name each part that was uploaded.")
            size = sum(part.length for part in parts)
            if _are_the_whole(parts, size):
                self._stop(upload_id)
                move_into_place(parts[0].path, target)
                shutil.rmtree(folder, ignore_errors=True)
                return size
        joined = IncomingFile(self._incoming, lambda _: target)
        try:
            for part in parts:
                _copy(part, joined)
            joined.commit(size)
        finally:
            joined.abort()
        self.remove(upload_id)
        return size

    def remove(self, upload_id: str) -> None:
        """Remove all parts of the upload *upload_id*."""
        with self._lock:
            self._stop(upload_id)
            shutil.rmtree(self._folder / upload_id, ignore_errors=True)

    def remove_old(self) -> None:
        """Remove the parts of uploads that were not finished within a day."""
        limit = time.time() - _SECONDS
        for folder in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # joined or removed by another thread
                if folder.stat().st_mtime < limit:
                    self.remove(folder.name)

    def _stop(self, upload_id: str) -> None:
        """Stop all writers of *upload_id*, because its file now belongs to a component."""
        for (upload, _), part in self._writing.items():
            if upload == upload_id:
                part.give_way()

    def _closed(self, key: tuple[str, int], part: _PlacedPart) -> None:
        with self._lock:
            if self._writing.get(key) is part:
                del self._writing[key]


def _whole(folder: pathlib.Path, place: Optional[Place]) -> Optional[pathlib.Path]:
    """Return the whole file in *folder* that has room for *place*, and create it if necessary.

    Return None if the parts differ in length, so that the part needs a separate file.
    """
    if place is None or not place.common_length:
        return None
    path = folder / f"whole-{place.common_length}"
    fits = _known_length(folder) in {None, place.common_length}
    # Before the first file is made, so that a refusal leaves nothing behind.
    if fits and not path.exists() and shutil.disk_usage(folder.parent).free < place.total:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    make_folder(folder)
    if _agreed_length(folder, place.common_length) != place.common_length:
        return None
    if path.exists():
        return path
    # Another process may create the file at this moment and write a part to it. So the file is
    # opened without being emptied, and extended to the length that both give it.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666), "wb") as file:
        file.truncate(place.total)
    share_with_group(path)
    return path


def _known_length(folder: pathlib.Path) -> Optional[int]:
    """Return the length of the parts in the whole file, None if no part has come yet."""
    with contextlib.suppress(FileNotFoundError):
        return int((folder / "length").read_text("ascii"))
    return None


def _agreed_length(folder: pathlib.Path, length: int) -> int:
    """Return the length of the parts in the whole file: *length* for the first part to arrive.

    All processes that share *folder* get the same answer.
    """
    path = folder / "length"
    for _ in range(_ATTEMPTS):
        known = _known_length(folder)
        if known is not None:
            return known
        handle, name = tempfile.mkstemp(prefix="length-", dir=folder)
        part = pathlib.Path(name)
        share_with_group(part)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(str(length))
            with contextlib.suppress(FileExistsError):
                _link(part, path)
        finally:
            part.unlink(missing_ok=True)
    raise OSError(errno.EIO, "The folder for the parts of an upload cannot be used", str(folder))


def _link(part: pathlib.Path, path: pathlib.Path) -> None:
    """Give the file *part* the name *path* too; raise :exc:`FileExistsError` if that exists."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        put_into_place(part, path)


def _write_whole(path: pathlib.Path, text: str) -> None:
    """Replace the file at *path* by one with *text*."""
    handle, name = tempfile.mkstemp(prefix=f"{path.name}-", dir=path.parent)
    part = pathlib.Path(name)
    share_with_group(part)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        put_into_place(part, path)
    finally:
        part.unlink(missing_ok=True)


def _content_of(path: pathlib.Path) -> str:
    """Return the content of the file at *path*, "" if the upload was joined or removed."""
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        return ""


def _parts(folder: pathlib.Path, number: int) -> Iterator[_Part]:
    """Yield the complete parts with *number* in *folder*."""
    for path in folder.glob(f"{number:05d}-*"):
        found = _NAME.match(path.name)
        if found is None:
            continue
        if found[2] is None:
            yield _Part(path.name, number, found[1], path, 0, path.stat().st_size)
        else:
            start, length = int(found[2]), int(found[3])
            whole = next(folder.glob("whole-*"))
            yield _Part(path.name, number, found[1], whole, start, length)


def _part(folder: pathlib.Path, number: int, checksum: str) -> _Part:
    """Return part *number* in *folder*; raise :exc:`TransferError` unless it has *checksum*."""
    found = list(_parts(folder, number))
    for part in found:
        if part.checksum == checksum.strip('"'):
            return part
    if found:
        raise TransferError(f"Part {number} does not have the named checksum; upload it again.")
    raise TransferError(f"Part {number} has not been uploaded; upload it and try again.")


def _are_the_whole(parts: Sequence[_Part], size: int) -> bool:
    """Return whether *parts*, in this order, fill a single file of *size* bytes without a gap."""
    position = 0
    for part in parts:
        if not part.is_placed or part.start != position:
            return False
        position += part.length
    return parts[0].path.stat().st_size == size


def _copy(part: _Part, target: IncomingFile) -> None:
    """Append the data of *part* to *target*."""
    with part.path.open("rb") as source:
        source.seek(part.start)
        left = part.length
        while left:
            chunk = source.read(min(left, _COPY_SIZE))
            if not chunk:
                raise TransferError(f"Part {part.number} is not complete; upload it again.")
            target.write(chunk)
            left -= len(chunk)
