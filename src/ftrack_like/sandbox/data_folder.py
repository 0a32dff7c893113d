"""The folder that keeps a site: who uses it, the administrator's key, and the database file."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sqlite3
from typing import BinaryIO, Optional

from ftrack_like.sandbox.database.faults import remedy_for
from ftrack_like.sandbox.database.folders import move_into_place

__all__ = ["DataFolder", "SiteError"]

_CREDENTIALS = "credentials.json"
_DATABASE = "sandbox.sqlite"
_LOCK = "sandbox.lock"

#: The byte of the lock file that is locked. It lies beyond the text, which others may read.
_LOCKED_BYTE = 1 << 30

#: How an SQLite file begins, and the numbers in its header: where they are, and their bytes.
_MAGIC = b"SQLite format 3\x00"
_PAGE_SIZE = slice(16, 18)
_PAGES = slice(28, 32)
_CHANGES = slice(24, 28)
_PAGES_VALID_FOR = slice(92, 96)


class SiteError(RuntimeError):
    """A site that cannot be opened; the text is one sentence or two, with file and remedy."""


class DataFolder:
    """The folder at *path*, which one server uses at a time; it need not exist before."""

    def __init__(self, path: pathlib.Path) -> None:
        """Prepare; nothing is touched before :meth:`take`."""
        self.path = path
        self._lock: Optional[BinaryIO] = None

    @property
    def database(self) -> pathlib.Path:
        """Return the path of the database."""
        return self.path / _DATABASE

    def take(self) -> None:
        """Make the folder, and keep other servers out of it until :meth:`release`.

        Raise :exc:`SiteError`, saying which process, if another server uses it.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
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
        self._lock = file
        self.announce(None)

    def announce(self, server_url: Optional[str]) -> None:
        """Tell servers that want the folder who uses it, and at which address."""
        assert self._lock is not None, "the folder is not taken"
        text = json.dumps({"process": os.getpid(), "server_url": server_url})
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(text.encode("utf-8"))

    def release(self) -> None:
        """Let others use the folder."""
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def _in_use(self, holder: bytes) -> str:
        try:
            known = json.loads(holder)
            process, url = known["process"], known["server_url"]
        except (ValueError, KeyError, TypeError):
            who = "another process"
        else:
            who = f"process {process}" + (f", which answers at {url}" if url else "")
        return (
            f"The data in {self.path} are in use by {who}. "
            f"Stop it, or choose another folder with --data."
        )

    # -- the administrator's key -------------------------------------------------------------

    def key_of(self, user: str) -> Optional[str]:
        """Return the key of *user* that the folder remembers, None where it has none."""
        key = self._keys().get(user)
        return key if isinstance(key, str) else None

    def remember(self, user: str, key: str) -> None:
        """Keep the *key* of *user* in a file that only the owner of the folder can read."""
        if self.key_of(user) == key:
            return
        path = self.path / _CREDENTIALS
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({**self._keys(), user: key}, file)
            file.flush()
            os.fsync(file.fileno())
        move_into_place(part, path)

    def _keys(self) -> dict[str, object]:
        try:
            known = json.loads((self.path / _CREDENTIALS).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    # -- the database ------------------------------------------------------------------------

    def check_database(self) -> None:
        """Raise :exc:`SiteError` if the file of the database, which exists, is none of a site."""
        path = self.database
        advice = "Move it away, or choose another folder with --data."
        with path.open("rb") as file:
            header = file.read(100)
        if not header:
            raise SiteError(f"{path} is empty. {advice}")
        if not header.startswith(_MAGIC):
            raise SiteError(f"{path} is not an SQLite database. {advice}")
        expected = _expected_size(path, header)
        size = path.stat().st_size
        if size < expected:
            raise SiteError(
                f"{path} is cut short: {size} of {expected} bytes. "
                f"Restore a copy of it, or move it away to begin with a fresh site."
            )
        with contextlib.closing(sqlite3.connect(path)) as opened:
            try:
                tables = {row[0] for row in opened.execute("SELECT name FROM sqlite_master")}
            except sqlite3.DatabaseError as error:
                happened = remedy_for(str(error)) or (str(error), advice.rstrip("."))
                raise SiteError(f"{path}: {happened[0]}. {happened[1]}.") from error
        if not {"server_value", "context", "resource"} <= tables:
            raise SiteError(f"{path} is a database of another program. {advice}")

    def keep_copy(self, layout: int) -> pathlib.Path:
        """Copy the database to a file beside it before it is migrated from *layout*."""
        path = self.database
        stem = f"{path.name}.layout-{layout}"
        target = next(
            one
            for one in (
                path.with_name(stem),
                *(path.with_name(f"{stem}.{n}") for n in range(2, 99)),
            )
            if not one.exists()
        )
        part = target.with_name(f"{target.name}.part")
        part.unlink(missing_ok=True)
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy)
        move_into_place(part, target)
        return target


def _expected_size(path: pathlib.Path, header: bytes) -> int:
    """Return how many bytes the SQLite file at *path* must have, at least, by its *header*."""
    if len(header) < 100:
        return 100
    wal = path.with_name(f"{path.name}-wal")
    if header[_CHANGES] != header[_PAGES_VALID_FOR] or (wal.exists() and wal.stat().st_size):
        # What a killed server had not moved to the file yet is still in its write-ahead log.
        return 100
    page_size = int.from_bytes(header[_PAGE_SIZE], "big")
    return (65_536 if page_size == 1 else page_size) * int.from_bytes(header[_PAGES], "big")


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
