"""The parts of large uploads, written where they belong in the whole: joining copies nothing.

Where a part belongs follows from its own length, for parts of one length but for the last, as
all clients send them. Any others are kept in files of their own, and copied when they are joined.

::

    <upload id>/whole-<length>             the parts in their places
    <upload id>/<number>-<checksum>-…      names a part in its place, with its start and length
    <upload id>/<number>-<checksum>        a part in a file of its own
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from ftrack_like.sandbox.database.folders import move_into_place
from ftrack_like.sandbox.media.incoming import (
    Incoming,
    IncomingFile,
    SupersededError,
    TransferError,
)

__all__ = ["PartStore", "Place"]

#: How long parts wait for the rest of their upload, in seconds.
_SECONDS = 24 * 3600

#: Bytes copied at a time when parts are joined.
_COPY_SIZE = 256 * 1024

_NAME = re.compile(r"\A\d{5}-([0-9a-f]{32})(?:-(\d+)-(\d+))?\Z")


@dataclass(frozen=True)
class Place:
    """Part *number* (from 1) of *count*, of *length* bytes out of *total*."""

    number: int
    count: int
    length: int
    total: int

    @property
    def common_length(self) -> int:
        """Return the length of all parts but the last; 0 where they cannot have one length."""
        if self.number < self.count or self.count == 1:
            common = self.length
        else:
            common, rest = divmod(self.total - self.length, self.count - 1)
            if rest:
                return 0
        return common if (self.count - 1) * common < self.total <= self.count * common else 0


@dataclass(frozen=True)
class _Part:
    """A part that has come: *length* bytes from *start* on in the file at *path*.

    *name* is that of the file that tells of it.
    """

    name: str
    number: int
    checksum: str
    path: pathlib.Path
    start: int
    length: int

    @property
    def is_placed(self) -> bool:
        """Return whether the part is where it belongs in the whole."""
        return self.path.name != self.name


class _PlacedPart(Incoming):
    """A part that is written to its place in the whole, and named there once it is complete."""

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

    def write(self, *chunks: bytes) -> None:
        """Append *chunks*, unless the same part is being sent again."""
        with self._lock:
            self._refuse_over()
            if self.size + sum(map(len, chunks)) > self._length:
                raise TransferError(f"The part is longer than the {self._length} bytes it has.")
            super().write(*chunks)

    def give_way(self) -> None:
        """Write nothing from now on: the place belongs to another."""
        with self._lock:
            self._is_over = True

    def abort(self) -> None:
        """Close the file; what was written counts for nothing without its name."""
        super().abort()
        self._closed()

    def _finish(self) -> None:
        with self._lock:
            self._refuse_over()
            if self.size != self._length:
                raise TransferError(f"{self.size} of {self._length} bytes of the part arrived.")
            name = f"{self._number:05d}-{self.checksum}-{self._start}-{self._length}"
            (self._folder / name).touch()

    def _refuse_over(self) -> None:
        if self._is_over:
            raise SupersededError("The same part is being sent again.")


class PartStore:
    """The parts in *folder*; *incoming* is one on the same file system. Threads may share it."""

    def __init__(self, folder: pathlib.Path, incoming: pathlib.Path) -> None:
        """Prepare; the folders exist."""
        self._folder = folder
        self._incoming = incoming
        self._lock = threading.Lock()
        self._writing: dict[tuple[str, int], _PlacedPart] = {}

    def receive(self, upload_id: str, number: int, place: Optional[Place] = None) -> Incoming:
        """Return what takes part *number* (from 1) of the upload *upload_id*.

        *place* is where it belongs, None where nobody knows. Raise :exc:`OSError` if the disk has
        no room for the whole.
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
            for part in _parts(folder, number):
                if part.is_placed:
                    (folder / part.name).unlink()
            made = _PlacedPart(whole, place, lambda: self._closed(key, made))
            self._writing[key] = made
            return made

    def join(self, upload_id: str, named: Iterable[tuple[int, str]], target: pathlib.Path) -> int:
        """Make the file *target* of the parts *named*; return its size in bytes.

        *named* are numbers and checksums, in any order. Raise :exc:`TransferError`, keeping the
        parts, when one is missing or another than named.
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
        """Remove the parts of uploads that nobody finished while their addresses were good."""
        limit = time.time() - _SECONDS
        for folder in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # joined or removed by another thread
                if folder.stat().st_mtime < limit:
                    self.remove(folder.name)

    def _stop(self, upload_id: str) -> None:
        """Let nothing write to *upload_id* any more: its file becomes another's."""
        for (upload, _), part in self._writing.items():
            if upload == upload_id:
                part.give_way()

    def _closed(self, key: tuple[str, int], part: _PlacedPart) -> None:
        with self._lock:
            if self._writing.get(key) is part:
                del self._writing[key]


def _whole(folder: pathlib.Path, place: Optional[Place]) -> Optional[pathlib.Path]:
    """Return the file in *folder* that has the *place*, made if need be; None if there is none."""
    if place is None or not place.common_length:
        return None
    path = folder / f"whole-{place.common_length}"
    if path.exists():
        return path
    if any(folder.glob("whole-*")):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < place.total:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with path.open("wb") as file:
        file.truncate(place.total)
    return path


def _parts(folder: pathlib.Path, number: int) -> Iterator[_Part]:
    """Yield what has come as part *number* into *folder*."""
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
    """Return part *number* in *folder*, which must have *checksum*."""
    found = list(_parts(folder, number))
    for part in found:
        if part.checksum == checksum.strip('"'):
            return part
    if found:
        raise TransferError(f"Part {number} is another than the one named; upload it again.")
    raise TransferError(f"Part {number} has not been uploaded; upload it and try again.")


def _are_the_whole(parts: Sequence[_Part], size: int) -> bool:
    """Return whether *parts*, in their order, stand in one file of *size* bytes without a gap."""
    position = 0
    for part in parts:
        if not part.is_placed or part.start != position:
            return False
        position += part.length
    return parts[0].path.stat().st_size == size


def _copy(part: _Part, target: IncomingFile) -> None:
    """Append what *part* holds to *target*."""
    with part.path.open("rb") as source:
        source.seek(part.start)
        left = part.length
        while left:
            chunk = source.read(min(left, _COPY_SIZE))
            if not chunk:
                raise TransferError(f"Part {part.number} is not whole; upload it again.")
            target.write(chunk)
            left -= len(chunk)
