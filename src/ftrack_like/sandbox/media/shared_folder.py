"""The check that all processes of a site see the same folder for files.

The first server stores a random text in the database, and writes it into the folder as its mark. A
folder that has a mark already belongs to another site. Every other process compares the two when it
starts, and writes and reads a file. The check concerns sites on PostgreSQL, because an SQLite site
has one process.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import platform
import secrets
import uuid
from collections.abc import Mapping
from typing import Optional

from ftrack_like._base.renaming import put_into_place
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.folders import share_with_group
from ftrack_like.sandbox.tables.server_values import (
    MEDIA_FOLDER,
    agreed_value,
    server_value,
    set_value,
)

__all__ = ["MARK", "WrongFolderError", "check_folder"]

#: The name of the file with the mark.
MARK = "site-mark"

#: The key that says that the folder is not marked yet, in the value of the database.
_PENDING = "pending"


class WrongFolderError(RuntimeError):
    """This process does not see the folder for files of the site; the text says what to do."""


def check_folder(database: Database, folder: pathlib.Path, *, joins: bool = False) -> None:
    """Raise :exc:`WrongFolderError` unless *folder* is the one of the site in *database*.

    The first server of a site marks *folder*. A process that only *joins* the servers of a site
    requires that this has happened. Do nothing for an SQLite site.
    """
    if database.is_sqlite:
        return
    try:
        _write_and_read(folder)
        found = _mark_in(folder)
        with database.read() as connection:
            stored = server_value(connection, MEDIA_FOLDER)
        if stored is None and not joins:
            if found is not None:
                raise WrongFolderError(_taken(folder))
            # The database comes first: a mark without a database would look like another site's.
            with database.write() as connection:
                stored = agreed_value(connection, MEDIA_FOLDER, _described(folder))
        if stored is not None and found is None and not joins:
            found = _complete_mark(database, folder, stored)
    except OSError as error:
        raise WrongFolderError(
            f"This process cannot use the folder for files {folder} on the machine "
            f"{_machine()}: {error.strerror or error}. Mount the shared folder there, or name its "
            "path with --media PATH."
        ) from error
    if stored is None:
        raise WrongFolderError(
            "The database does not name a folder for files yet. Start the sandbox with the same "
            "--database first."
        )
    known = json.loads(stored)
    if found != known["mark"]:
        raise WrongFolderError(_refusal(folder, found, known))


def _write_and_read(folder: pathlib.Path) -> None:
    """Write a file in *folder*, and read it; raise :exc:`OSError` if that fails."""
    path = folder / f"check-{secrets.token_hex(8)}"
    content = secrets.token_bytes(16)
    try:
        path.write_bytes(content)
        if path.read_bytes() != content:
            raise OSError("a file that was written has another content")
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _mark_in(folder: pathlib.Path) -> Optional[str]:
    """Return the mark of *folder*, None if it has none."""
    try:
        return (folder / MARK).read_text("utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None


def _complete_mark(database: Database, folder: pathlib.Path, stored: str) -> Optional[str]:
    """Mark *folder* if no process has done that since *stored* was stored; return its mark."""
    known = json.loads(stored)
    if not known.pop(_PENDING, False):
        return _mark_in(folder)  # again: it may have appeared in the meantime
    found = _make_mark(folder, known["mark"])
    if found == known["mark"]:
        with database.write() as connection:
            set_value(connection, MEDIA_FOLDER, json.dumps(known))
    return found


def _make_mark(folder: pathlib.Path, mark: str) -> str:
    """Mark *folder* with *mark*, unless another process marks it now; return its mark."""
    part = folder / f"{MARK}.{secrets.token_hex(8)}.part"
    try:
        with part.open("w", encoding="utf-8") as file:
            share_with_group(part)
            file.write(f"{mark}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, folder / MARK)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            put_into_place(part, folder / MARK)
    finally:
        part.unlink(missing_ok=True)
    return _mark_in(folder) or ""


def _described(folder: pathlib.Path) -> str:
    """Return the value for the database: a new mark, and for errors, where its folder is."""
    mark = str(uuid.uuid4())
    value = {"mark": mark, "path": str(folder), "machine": _machine(), _PENDING: True}
    return json.dumps(value)


def _taken(folder: pathlib.Path) -> str:
    """Return the text about *folder*, which a new site cannot have."""
    return (
        f"The folder for files {folder} on the machine {_machine()} has the mark of another site. "
        "Two sites in one folder would remove each other's files. Choose another folder with "
        f"--media PATH. If no other site uses this one, remove the file {folder / MARK}."
    )


def _machine() -> str:
    return platform.node() or "without a name"


def _refusal(folder: pathlib.Path, found: Optional[str], known: Mapping[str, str]) -> str:
    """Return the text about *folder* with another mark than the *known* one."""
    has = "is not marked" if found is None else "has the mark of another site"
    return (
        f"The folder {folder} on the machine {_machine()} is not the folder for files of this "
        f"site: it {has}. The first server used {known['path']} on the machine "
        f"{known['machine']}. Mount that folder on this machine, and name its path here with "
        "--media PATH. If the files have moved to this folder without their mark, write the line "
        f"{known['mark']} into the file {folder / MARK}."
    )
