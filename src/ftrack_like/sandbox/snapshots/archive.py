"""The file of a snapshot: a tar file without compression, whose last member is the manifest.

The manifest is JSON text: the version of the format, the time, the version of the program, and for
each other member its size and its SHA-256. Media are compressed already, so compression would cost
time and save little.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pathlib
import re
import tarfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

__all__ = ["ArchiveReader", "ArchiveWriter", "Facts", "Member", "SnapshotError"]

_FORMAT = 1
_MANIFEST = "manifest.json"
#: The maximum size of a manifest in bytes: about 200 for each file.
_LARGEST_MANIFEST = 1024 * 1024 * 1024
_PIECE = 1024 * 1024
#: The names of members: relative paths of plain file names.
_PART = r"[0-9A-Za-z_@+=,-][0-9A-Za-z._@+=,-]*"
_NAME = re.compile(rf"\A{_PART}(/{_PART})*\Z")
#: The errors of the readers of tar files and JSON for broken data.
_DAMAGE = (tarfile.TarError, ValueError, KeyError, TypeError, AttributeError, EOFError)


class SnapshotError(RuntimeError):
    """A snapshot cannot be written or restored; the text names the file and the remedy."""


class Member(NamedTuple):
    """The size in bytes and the SHA-256, in hexadecimal digits, of a file."""

    size: int
    sha256: str


class Facts(NamedTuple):
    """What the manifest says about the snapshot as a whole."""

    created_at: str
    program: str
    #: The ids of components whose data were missing in the site already.
    missing: list[str]


class ArchiveWriter:
    """Writes a snapshot to *path*, for its owner only."""

    def __init__(self, path: pathlib.Path) -> None:
        """Create the file at *path*; raise :exc:`FileExistsError` if there is one."""
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        self._file: BinaryIO = os.fdopen(handle, "w+b")
        self._tar = tarfile.TarFile(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)
        self._members: dict[str, Member] = {}

    def add(self, name: str, path: pathlib.Path) -> None:
        """Add the file at *path* as *name*; raise :exc:`OSError` if that fails."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            reader = _Hashing(file)
            self._tar.addfile(_entry(name, size), reader)  # type: ignore[arg-type]  # only read() is used
        self._members[name] = Member(size, reader.digest())

    def finish(self, facts: Facts) -> None:
        """Add the manifest, and write everything to the disk."""
        manifest = {
            "format": _FORMAT,
            **facts._asdict(),
            "members": {name: member._asdict() for name, member in self._members.items()},
        }
        data = json.dumps(manifest, indent=1).encode()
        self._tar.addfile(_entry(_MANIFEST, len(data)), io.BytesIO(data))
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Close the file, complete or not."""
        self._file.close()

    @property
    def members(self) -> Mapping[str, Member]:
        """The files so far."""
        return self._members


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


class _Hashing:
    """A file that computes its checksum while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        """Return the checksum of what was read, in hexadecimal digits."""
        return self._hash.hexdigest()


class ArchiveReader:
    """Reads the snapshot at *path*. Nothing is returned before it was verified as a whole."""

    def __init__(self, path: pathlib.Path) -> None:
        """Open and verify the file; raise :exc:`SnapshotError` or :exc:`OSError`."""
        self._path = path
        self._file = path.open("rb")
        try:
            with self._explained():
                self._tar = tarfile.TarFile(fileobj=self._file, mode="r")
                self._entries = self._read_entries()
                facts, members = self._read_manifest()
                self.facts: Facts = facts
                self.members: dict[str, Member] = members
                self._verify()
        except BaseException:
            self._file.close()
            raise

    def _read_entries(self) -> dict[str, tarfile.TarInfo]:
        found: dict[str, tarfile.TarInfo] = {}
        for entry in self._tar:
            if not entry.isreg() or not _NAME.match(entry.name) or entry.name in found:
                raise self._error(f"the member {entry.name!r} does not belong into a snapshot")
            found[entry.name] = entry
        return found

    def _read_manifest(self) -> tuple[Facts, dict[str, Member]]:
        entry = self._entries.pop(_MANIFEST, None)
        if entry is None or entry.size > _LARGEST_MANIFEST:
            raise self._error("it has no manifest, so it is not a whole snapshot")
        manifest = json.loads(self._open(entry).read())
        if manifest["format"] != _FORMAT:
            raise self._error(
                f"it has the format {manifest['format']!r}, and this version reads {_FORMAT}"
            )
        facts = Facts(*(manifest[name] for name in Facts._fields))
        members = {
            name: Member(int(each["size"]), str(each["sha256"]))
            for name, each in manifest["members"].items()
        }
        return facts, members

    def _verify(self) -> None:
        """Compare all members with the manifest."""
        if self._entries.keys() != self.members.keys():
            odd = sorted(self._entries.keys() ^ self.members.keys())[0]
            raise self._error(f"the manifest and the members differ in {odd!r}")
        for name, expected in self.members.items():
            reader = _Hashing(self._open(self._entries[name]))
            size = 0
            while data := reader.read(_PIECE):
                size += len(data)
            if Member(size, reader.digest()) != expected:
                raise self._error(f"the checksum of {name!r} is wrong")

    def extract(self, name: str, target: pathlib.Path) -> None:
        """Write the member *name* to the new file *target* and its checksum once more.

        Raise :exc:`SnapshotError` if the file changed since it was verified.
        """
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with self._explained(), os.fdopen(handle, "wb") as file:
            reader = _Hashing(self._open(self._entries[name]))
            while data := reader.read(_PIECE):
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if reader.digest() != self.members[name].sha256:
                raise self._error("it changed while it was read")

    def _open(self, entry: tarfile.TarInfo) -> BinaryIO:
        file = self._tar.extractfile(entry)
        assert file is not None, "a regular file has data"
        return file  # type: ignore[return-value]  # the type in typeshed is IO[bytes]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _error(self, reason: str) -> SnapshotError:
        return SnapshotError(f"{self._path} cannot be restored: {reason}. Nothing was changed.")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Return a context that replaces the errors of broken tar files and manifests."""
        try:
            yield
        except _DAMAGE as error:
            raise self._error(f"it is damaged or not a snapshot ({error})") from error
