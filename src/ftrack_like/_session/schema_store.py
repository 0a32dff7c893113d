"""The schemas of a server, stored on disk between sessions.

There is one file for each server, a plain JSON list. The store writes a temporary file, flushes it
to the disk and renames it, so a reader never sees a partial file. If a file cannot be used, the
store fetches the schemas from the server.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from ftrack_like._base.paths import check_path
from ftrack_like._base.renaming import put_into_place
from ftrack_like._base.schema_files import (
    SCHEMA_FOLDER_VARIABLE,
    fallback_schema_folder,
    require_private,
    schema_file_name,
    user_schema_folder,
)
from ftrack_like._base.seams import is_overridden
from ftrack_like._session.answer_shapes import check_schemas
from ftrack_like._session.batch import RawBatch

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, PathText, Schemas
    from ftrack_like.session import Session

__all__ = ["SchemaStore", "canonical_hash"]

#: How many files stay in a default folder. Each sandbox of a test has a new address, so the files
#: would accumulate.
MOST_FILES = 32

#: The pattern of the names that :func:`~ftrack_like._base.schema_files.schema_file_name` returns.
_OURS = r"schemas-.*-[0-9a-f]{10}\.json"

_DAY = 24 * 3600.0

#: The last schemas that this process read, by their hash. Sessions only read them and never return
#: them to a program. So a second session starts in 2 ms instead of 5, and needs no copy.
_shared: dict[str, Schemas] = {}

#: The methods of a session that may change its schemas. A session that overrides one gets a copy.
_SEAMS = ("_load_schemas", "_read_schemas_from_cache", "_build_entity_type_classes")


def canonical_hash(schemas: Json) -> str:
    """Return the hash of *schemas* as the server computes it."""
    return _md5(json.dumps(schemas, sort_keys=True).encode())


def _md5(content: bytes) -> str:
    """Return the hexadecimal MD5 of *content*. It detects changes; it does not protect secrets."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class SchemaStore:
    """Load the schemas of a session's server, from the disk if the file is up to date."""

    def __init__(self, session: Session) -> None:
        """Keep *session*, whose overridable methods read and write the file."""
        self._session = session
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        self._has_warned = False
        #: The schemas that the session shares with other sessions of this process, if any.
        self.in_use: Optional[Schemas] = None
        #: Returns the schemas with a hash from a shared cache, or else those of a function.
        self.share: Optional[Callable[[str, Callable[[], Schemas]], Schemas]] = None

    def path(self, chosen: Union[PathText, bool, None]) -> Union[str, bool]:
        """Return the path of the cache file for the *chosen* folder; False means no cache.

        If *chosen* is None, the folder comes from the variable FTRACK_API_SCHEMA_CACHE_PATH, or
        else it is the user's cache folder. A path that ends with ``.json`` is the file itself.
        Raise :exc:`~ftrack_like.exception.PathError` for a path that no file can have.
        """
        if chosen is False:
            return False
        folder = (
            cast("Optional[PathText]", chosen)
            or os.environ.get(SCHEMA_FOLDER_VARIABLE)
            or user_schema_folder()
        )
        if folder is None:
            if not self._has_warned:
                self._has_warned = True
                self._logger.warning(
                    "This user has no folder for caches (no HOME and no entry in the user "
                    "database), so schemas are not kept. Set %s to a folder.",
                    SCHEMA_FOLDER_VARIABLE,
                )
            return False
        folder = os.fsdecode(folder)
        check_path(folder)
        if folder.endswith(".json"):
            return folder
        return os.path.join(folder, schema_file_name(self._session.server_url))

    def load(self, path: Union[PathText, bool, None]) -> Schemas:
        """Return the schemas from the file at *path* if their hash is the server's.

        Otherwise fetch them from the server and write the file. With False or None for *path*, do
        not use a file.
        """
        session = self._session
        wanted = session.server_information.get("schema_hash")
        for candidate in _candidates(path) if path else ():
            schemas, found = self._read(candidate)
            if found is not None and found == wanted:
                if candidate == path:
                    _mark_used(candidate)
                else:  # The chosen folder may be writable by now: it comes first again.
                    self._move_back(schemas, str(path), candidate)
                known: Schemas = schemas
                return known
        if self.share is None or not isinstance(wanted, str):
            schemas = self._fetch()
        else:
            schemas = self.share(wanted, self._fetch)
        if path:
            self._keep(schemas, path)
        return schemas

    def shared(self, path: Union[PathText, bool, None]) -> Optional[Schemas]:
        """Return the schemas of the file at *path* for reading only, if they are up to date.

        Return None if the session needs a copy or the file cannot be used. The caller then uses
        :meth:`load`.
        """
        session = self._session
        wanted = session.server_information.get("schema_hash")
        if (
            not isinstance(path, str)
            or not path
            or not isinstance(wanted, str)
            or is_overridden(session, *_SEAMS)
        ):
            return None
        try:
            with open(path, "rb") as file:
                content = file.read()
        except (OSError, ValueError):
            return None
        if _md5(content) != wanted:
            return None
        _mark_used(path)
        found = _shared.get(wanted)
        if found is None:
            try:
                schemas = json.loads(content)
            except (RecursionError, ValueError):
                return None
            if not _are_schemas(schemas):
                return None
            _shared.clear()
            found = _shared[wanted] = schemas
        return found

    def own(self, chosen: Union[PathText, bool, None]) -> Schemas:
        """Return schemas that only this session uses; *chosen* is as for :meth:`path`."""
        shared = self.in_use
        if shared is not None:
            copied: Schemas = json.loads(json.dumps(shared))
            return copied
        loaded: Schemas = self._session._load_schemas(self.path(chosen))  # noqa: SLF001 - programs override it
        return loaded

    def _read(self, path: str) -> tuple[Schemas, Optional[str]]:
        """Return the schemas of the file at *path* and their hash; ``([], None)`` if unusable."""
        try:
            schemas, found = self._session._read_schemas_from_cache(path)  # noqa: SLF001 - programs override it
        except (OSError, ValueError) as error:
            self._logger.debug("Schema cache %s cannot be used, fetching again: %s", path, error)
            return [], None
        if not _are_schemas(schemas):
            return [], None
        return schemas, found

    def _fetch(self) -> Schemas:
        """Fetch the schemas from the server."""
        answer: Any = self._session.call(RawBatch([{"action": "query_schemas"}]))[0]
        check_schemas(answer)
        schemas: Schemas = answer
        return schemas

    def _keep(self, schemas: Schemas, path: Union[PathText, bool]) -> None:
        """Write *schemas* to *path* or a private temporary folder; log a warning if both fail."""
        failure: Optional[Exception] = None
        for candidate in _candidates(path):
            try:
                self._session._write_schemas_to_cache(schemas, candidate)  # noqa: SLF001 - programs override it
                _remove_unused(os.path.dirname(candidate))
                return
            except (OSError, ValueError) as error:  # ValueError for an invalid path.
                failure = failure or error
        self._logger.warning("The schema cache %s cannot be written: %s", path, failure)

    def _move_back(self, schemas: Schemas, path: str, fallback: str) -> None:
        """Write *schemas*, which came from the file *fallback*, to *path* if that works now."""
        try:
            self._session._write_schemas_to_cache(schemas, path)  # noqa: SLF001 - programs override it
        except (OSError, ValueError):
            _mark_used(fallback)
        else:
            with contextlib.suppress(OSError):
                os.unlink(fallback)

    def read_file(self, path: str) -> tuple[Schemas, Optional[str]]:
        """Return the value of the JSON file at *path* and its hash; ``([], None)`` without a file.

        Raise :exc:`ValueError` if it is not JSON.
        """
        try:
            with open(path, "rb") as file:
                content = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return [], None
        try:
            schemas = json.loads(content)
        except RecursionError as error:
            raise ValueError(f"{path} is nested too deeply.") from error
        # Files of this library contain exactly the bytes that the server hashes, so that hash is
        # tried first. It saves encoding the schemas again.
        found = _md5(content)
        if found != self._session.server_information.get("schema_hash"):
            found = canonical_hash(schemas)
        return schemas, found

    def write_file(self, schemas: Schemas, path: str) -> None:
        """Replace the file at *path* by *schemas*. Only its owner can read it.

        Raise :exc:`TypeError` for a value that JSON cannot represent, and :exc:`OSError` if the
        file cannot be written.
        """
        folder = os.path.dirname(os.path.abspath(path))
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if folder == fallback_schema_folder():
            require_private(folder)
        # ``mkstemp`` creates the file with mode 0600.
        handle, temporary = tempfile.mkstemp(prefix=".schemas-", suffix=".tmp", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(schemas, sort_keys=True).encode())
                file.flush()
                os.fsync(file.fileno())
            put_into_place(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def _are_schemas(value: object) -> bool:
    """Return whether *value* looks like the schemas of a server."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(schema, dict) and "id" in schema for schema in value)
    )


def _mark_used(path: str) -> None:
    """Update the file's time, at most once a day, so that it does not look unused."""
    with contextlib.suppress(OSError):
        if time.time() - os.stat(path).st_mtime > _DAY:
            os.utime(path)


def _remove_unused(folder: str) -> None:
    """Remove the files in *folder* that were unused for the longest time, if there are many.

    Do nothing in a folder that the caller chose.
    """
    if folder not in (user_schema_folder(), fallback_schema_folder()):
        return
    with contextlib.suppress(OSError):  # Another process may remove the same files.
        found = [each for each in os.scandir(folder) if re.fullmatch(_OURS, each.name)]
        found.sort(key=lambda each: each.stat().st_mtime, reverse=True)
        for each in found[MOST_FILES:]:
            os.unlink(each.path)


def _candidates(path: Union[PathText, bool]) -> list[str]:
    """Return the possible paths for *path*: itself, and one to fall back to."""
    own = cast("str", path)  # Sessions never pass True, and False does not come here.
    folder = fallback_schema_folder()
    return [own] if folder is None else [own, os.path.join(folder, os.path.basename(own))]
