"""The schemas of a server, kept on disk between sessions.

One file a server, a plain JSON list. It is replaced as a whole: written beside its place, put on
disk, then renamed, so that no reader ever sees half of it. What cannot be used is fetched anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import stat
import tempfile
import time
from typing import Any, Optional
from urllib.parse import urlsplit

from ftrack_like import exception
from ftrack_like._paths import check_path
from ftrack_like._seams import is_overridden
from ftrack_like._session.batch import RawBatch

__all__ = ["SchemaStore", "canonical_hash"]

#: The variable that names the folder, where no argument does.
VARIABLE = "FTRACK_API_SCHEMA_CACHE_PATH"

#: How many files stay in a folder that nobody chose. Sandboxes of tests are at a new address each.
MOST_FILES = 32

#: What files are called; see :func:`file_name`.
_OURS = re.compile(r"schemas-.*-[0-9a-f]{10}\.json")

_DAY = 24 * 3600.0

#: The schemas that were read last in this process, by their hash. Sessions read them and never
#: change or hand them out: a second session starts in 2 ms instead of 5, and holds no copy.
_shared: dict[str, list[Any]] = {}

#: Methods of a session that have a say in its schemas. One that overrides any has its own.
_SEAMS = ("_load_schemas", "_read_schemas_from_cache", "_build_entity_type_classes")


def canonical_hash(schemas: Any) -> str:
    """Return the hash that the server announces for *schemas*."""
    return _md5(json.dumps(schemas, sort_keys=True).encode())


def _md5(content: bytes) -> str:
    """Return the hexadecimal MD5 of *content*, which guards nothing secret."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def file_name(server_url: str) -> str:
    """Return the name of the cache file for the server at *server_url*."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(server_url).netloc or server_url)[:80]
    return f"schemas-{host}-{_md5(server_url.encode())[:10]}.json"


class SchemaStore:
    """Load the schemas of a session's server, from disk when they are still the right ones."""

    def __init__(self, session: Any) -> None:
        """Initialise for *session*, whose methods do the reading and writing."""
        self._session = session
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")

    def path(self, chosen: Any) -> Any:
        """Return the path of the cache file for the *chosen* folder; False means no cache.

        None means the folder that FTRACK_API_SCHEMA_CACHE_PATH names, else the user's cache
        folder. A path that ends in ``.json`` is a file already. Raise
        :exc:`~ftrack_like.exception.PathError` if no file can have the path.
        """
        if chosen is False:
            return False
        folder = chosen or os.environ.get(VARIABLE) or _user_folder()
        folder = os.fsdecode(folder)
        check_path(folder)
        if folder.endswith(".json"):
            return folder
        return os.path.join(folder, file_name(self._session._server_url))

    def load(self, path: Any) -> list[Any]:
        """Return the schemas, from the file at *path* if it fits the server's hash.

        Otherwise ask the server and write the file; *path* may be False or None for none.
        """
        session = self._session
        wanted = session._server_information.get("schema_hash")
        for candidate in (path, _private_path(path)) if path else ():
            schemas, found = self._read(candidate)
            if found is not None and found == wanted:
                _mark_used(candidate)
                known: list[Any] = schemas
                return known
        schemas = self._fetch()
        if path:
            self._keep(schemas, path)
        return schemas

    def shared(self, path: Any) -> Optional[list[Any]]:
        """Return schemas that must not be changed: those of the file at *path*, if they fit.

        None means that :meth:`load` has to be asked, for schemas of the session's own.
        """
        session = self._session
        wanted = session._server_information.get("schema_hash")
        if not path or not isinstance(wanted, str) or is_overridden(session, *_SEAMS):
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
            schemas, read = self._read(path)
            if read != wanted:
                return None  # Somebody replaced the file meanwhile.
            _shared.clear()
            found = _shared[wanted] = schemas
        return found

    def own(self, chosen: Any) -> list[Any]:
        """Return schemas for the session alone; *chosen* is as for :meth:`path`."""
        shared = self._session._shared_schemas
        if shared is not None:
            copied: list[Any] = json.loads(json.dumps(shared))
            return copied
        loaded: list[Any] = self._session._load_schemas(self.path(chosen))
        return loaded

    def _read(self, path: str) -> tuple[Any, Optional[str]]:
        """Return the schemas of the file at *path* and their hash; ``([], None)`` if unusable."""
        try:
            schemas, found = self._session._read_schemas_from_cache(path)
        except (OSError, ValueError) as error:
            self._logger.debug("Schema cache %s cannot be used, fetching anew: %s", path, error)
            return [], None
        if not _are_schemas(schemas):
            return [], None
        return schemas, found

    def _fetch(self) -> list[Any]:
        """Return the schemas as the server sends them."""
        answer = self._session.call(RawBatch([{"action": "query_schemas"}]))[0]
        if not isinstance(answer, list):
            raise exception.ServerAnswerError("The server sent no list of schemas.")
        return answer

    def _keep(self, schemas: list[Any], path: str) -> None:
        """Write *schemas* to *path*, else to a private temporary folder, else warn."""
        failure: Optional[Exception] = None
        for candidate in (path, _private_path(path)):
            try:
                self._session._write_schemas_to_cache(schemas, candidate)
                _remove_unused(os.path.dirname(candidate))
                return
            except OSError as error:
                failure = failure or error
        self._logger.warning("The schema cache %s cannot be written: %s", path, failure)

    def read_file(self, path: str) -> tuple[Any, Optional[str]]:
        """Return the value of the JSON file at *path* and its hash, ``([], None)`` without file.

        Raise :exc:`ValueError` when it is no JSON.
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
        # Files of ours hold just the bytes that the server hashes: no need to make them again.
        found = _md5(content)
        if found != self._session._server_information.get("schema_hash"):
            found = canonical_hash(schemas)
        return schemas, found

    def write_file(self, schemas: Any, path: str) -> None:
        """Replace the file at *path* by *schemas*, readable for its owner alone.

        Raise :exc:`TypeError` for what JSON cannot hold, :exc:`OSError` when it cannot be
        written.
        """
        content = json.dumps(schemas, sort_keys=True).encode()
        folder = os.path.dirname(os.path.abspath(path))
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _require_own(path, folder)
        # The temporary file is made with mode 0600.
        handle, temporary = tempfile.mkstemp(prefix=".schemas-", suffix=".tmp", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def _are_schemas(value: Any) -> bool:
    """Return whether *value* looks like the schemas of a server."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(schema, dict) and "id" in schema for schema in value)
    )


def _user_folder() -> str:
    """Return the folder for caches of this user."""
    # lazy: only a session that keeps its schemas in the usual place needs to know it.
    import platformdirs

    return platformdirs.user_cache_dir("ftrack-like", appauthor=False)


def _mark_used(path: str) -> None:
    """Let the file at *path* count as used today, so that others go when there are too many."""
    with contextlib.suppress(OSError):
        if time.time() - os.stat(path).st_mtime > _DAY:
            os.utime(path)


def _remove_unused(folder: str) -> None:
    """Remove the files of ours in *folder* that were not used for longest, if there are many.

    A folder that the caller chose is the caller's to keep in order.
    """
    if folder not in (_user_folder(), os.path.dirname(_private_path(""))):
        return
    with contextlib.suppress(OSError):  # Somebody else may be removing them just now.
        found = [each for each in os.scandir(folder) if _OURS.fullmatch(each.name)]
        found.sort(key=lambda each: each.stat().st_mtime, reverse=True)
        for each in found[MOST_FILES:]:
            os.unlink(each.path)


def _private_path(path: str) -> str:
    """Return where the file at *path* goes when its folder cannot be written."""
    owner = str(os.getuid()) if hasattr(os, "getuid") else "user"
    folder = os.path.join(tempfile.gettempdir(), f"ftrack-like-{owner}")
    return os.path.join(folder, os.path.basename(path))


def _require_own(path: str, folder: str) -> None:
    """Raise :exc:`OSError` when the private *folder* for *path* was made by somebody else.

    In a temporary folder that all may write to, another user could have been there first.
    """
    if folder != os.path.dirname(_private_path(path)) or not hasattr(os, "getuid"):
        return
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a private folder of this user.")
