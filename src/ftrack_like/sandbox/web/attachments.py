"""Store the files that visitors attach to notes."""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ftrack_like.sandbox.actions.batch import new_id
from ftrack_like.sandbox.actions.compose import creation, server_component
from ftrack_like.sandbox.media.incoming import report_unstored
from ftrack_like.sandbox.media.interface import MediaStore
from ftrack_like.sandbox.web.pages import PageError
from ftrack_like.sandbox.web.posted import PostedFile

__all__ = ["attached", "check_files", "component_name"]

#: The longest name of a file, and of the part after the last dot.
_LONGEST_NAME = 200
_LONGEST_TYPE = 20

_CHUNK = 1024 * 1024

_FILE_TYPE = re.compile(r"\A\.[0-9A-Za-z_-]+\Z")


def check_files(files: Sequence[PostedFile]) -> list[PostedFile]:
    """Return the posted *files*; raise :exc:`PageError` if one is empty.

    Browsers send an empty file for a folder, and for a file that was removed in the meantime.
    """
    for one in files:
        if one.size == 0:
            raise PageError(
                400, "A file is empty", f"“{''.join(component_name(one.name))}” contains no data."
            )
    return list(files)


def component_name(file_name: str) -> tuple[str, str]:
    """Return the name and the file type of a component for the *file_name* from a browser."""
    name = file_name.replace("\\", "/").rpartition("/")[2]
    name = "".join(one if one.isprintable() else "_" for one in name).strip()
    path = pathlib.PurePosixPath(name)
    suffix = path.suffix
    if not _FILE_TYPE.match(suffix) or len(suffix) > _LONGEST_TYPE:
        return name[:_LONGEST_NAME] or "file", ""
    return path.stem[:_LONGEST_NAME] or "file", suffix.lower()


@contextlib.contextmanager
def attached(
    store: MediaStore, files: Sequence[PostedFile], note_id: str
) -> Iterator[list[dict[str, Any]]]:
    """Store *files*; yield the operations that attach them to the note *note_id*.

    If the block raises, remove the stored data.
    """
    stored: list[str] = []
    operations: list[dict[str, Any]] = []
    try:
        for one in files:
            component_id = new_id()
            stored.append(component_id)
            _store(store, component_id, one)
            name, file_type = component_name(one.name)
            values = {"id": component_id, "name": name, "file_type": file_type, "size": one.size}
            link = {"component_id": component_id, "note_id": note_id}
            operations += server_component(values)
            operations.append(creation("NoteComponent", link, key=("component_id", "note_id")))
        yield operations
    except BaseException:
        for id_ in stored:
            store.remove(id_)
        raise


def _store(store: MediaStore, component_id: str, posted: PostedFile) -> None:
    """Write the data of *posted*; raise :exc:`PageError` if the disk has no room for them."""
    try:
        incoming = store.receive(component_id, posted.size)
        try:
            posted.file.seek(0)
            while chunk := posted.file.read(_CHUNK):
                incoming.write(chunk)
            incoming.commit(posted.size)
        finally:
            incoming.abort()
    except OSError as error:
        text = report_unstored(store.path(component_id), error)
        raise PageError(507, "The file could not be stored", text) from error
