"""The folder with the data of a site: its lock, the administrator's key, and the database file."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sqlite3
from typing import Optional

from ftrack_like.sandbox.database.faults import remedy_for
from ftrack_like.sandbox.database.folders import move_into_place
from ftrack_like.sandbox.folder_lock import FolderLock, SiteError

__all__ = ["DataFolder", "SiteError"]

_CREDENTIALS = "credentials.json"
_DATABASE = "sandbox.sqlite"

#: The beginning of an SQLite file, and the places of numbers in its header.
_MAGIC = b"SQLite format 3\x00"
_PAGE_SIZE = slice(16, 18)
_PAGES = slice(28, 32)
_CHANGES = slice(24, 28)
_PAGES_VALID_FOR = slice(92, 96)


class DataFolder:
    """The folder at *path*, which only one server uses at a time; it need not exist yet."""

    def __init__(self, path: pathlib.Path) -> None:
        """Nothing is created before :meth:`take`."""
        self.path = path
        self._lock = FolderLock(path, "data", "--data")

    @property
    def database(self) -> pathlib.Path:
        """Return the path of the database."""
        return self.path / _DATABASE

    def take(self) -> None:
        """Create the folder, and keep other servers out of it until :meth:`release`.

        Raise :exc:`SiteError`, which names the process, if another server uses the folder.
        """
        self._lock.take()

    def announce(self, server_url: str) -> None:
        """Write process and *server_url* into the lock file, for errors of other servers."""
        self._lock.announce(server_url)

    def release(self) -> None:
        """Allow other servers to use the folder."""
        self._lock.release()

    # -- the administrator's key -------------------------------------------------------------

    def key_of(self, user: str) -> Optional[str]:
        """Return the stored key of *user*, None if there is none."""
        key = self._keys().get(user)
        return key if isinstance(key, str) else None

    def remember(self, user: str, key: str) -> None:
        """Store the *key* of *user* in a file that only the owner of the folder can read."""
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
        """Raise :exc:`SiteError` if the database file is not the database of a site.

        The file must exist.
        """
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
                f"Restore a copy, or move the file away to start with a new site."
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
        """Copy the database to a file next to it, before it is migrated from *layout*."""
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
    """Return the minimum size of the SQLite file at *path* in bytes, from its *header*."""
    if len(header) < 100:
        return 100
    wal = path.with_name(f"{path.name}-wal")
    if header[_CHANGES] != header[_PAGES_VALID_FOR] or (wal.exists() and wal.stat().st_size):
        # A killed server has left changes in the write-ahead log, so the header may be outdated.
        return 100
    page_size = int.from_bytes(header[_PAGE_SIZE], "big")
    return (65_536 if page_size == 1 else page_size) * int.from_bytes(header[_PAGES], "big")
