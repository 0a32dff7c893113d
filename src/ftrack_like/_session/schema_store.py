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
from typing import TYPE_CHECKING, Any, Optional, Union, cast
from urllib.parse import urlsplit

from ftrack_like._paths import check_path
from ftrack_like._seams import is_overridden
from ftrack_like._session.answer_shapes import check_schemas
from ftrack_like._session.batch import RawBatch

if TYPE_CHECKING:
    from ftrack_like._types import Json, PathText, Schemas
    from ftrack_like.session import Session

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
_shared: dict[str, Schemas] = {}

#: Methods of a session that have a say in its schemas. One that overrides any has its own.
_SEAMS = ("_load_schemas", "_read_schemas_from_cache", "_build_entity_type_classes")


def canonical_hash(schemas: Json) -> str:
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

    def __init__(self, session: Session) -> None:
        """Initialise for *session*, whose methods do the reading and writing."""
        self._session = session
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        self._has_warned = False
        #: The schemas that the session shares with others of this process, if it does.
        self.in_use: Optional[Schemas] = None

    def path(self, chosen: Union[PathText, bool, None]) -> Union[str, bool]:
        """Return the path of the cache file for the *chosen* folder; False means no cache.

        None means the folder that FTRACK_API_SCHEMA_CACHE_PATH names, else the user's cache
        folder. A path that ends in ``.json`` is a file already. Raise
        :exc:`~ftrack_like.exception.PathError` if no file can have the path.
        """
        if chosen is False:
            return False
        folder = cast("Optional[PathText]", chosen) or os.environ.get(VARIABLE) or _user_folder()
        if folder is None:
            if not self._has_warned:
                self._has_warned = True
                self._logger.warning(
                    "This user has no folder for caches (no HOME and no entry in the user "
                    "database), so schemas are not kept. Set %s to a folder.",
                    VARIABLE,
                )
            return False
        folder = os.fsdecode(folder)
        check_path(folder)
        if folder.endswith(".json"):
            return folder
        return os.path.join(folder, file_name(self._session.server_url))

    def load(self, path: Union[PathText, bool, None]) -> Schemas:
        """Return the schemas, from the file at *path* if it fits the server's hash.

        Otherwise ask the server and write the file; *path* may be False or None for none.
        """
        session = self._session
        wanted = session.server_information.get("schema_hash")
        for candidate in _candidates(path) if path else ():
            schemas, found = self._read(candidate)
            if found is not None and found == wanted:
                _mark_used(candidate)
                known: Schemas = schemas
                return known
        schemas = self._fetch()
        if path:
            self._keep(schemas, path)
        return schemas

    def shared(self, path: Union[PathText, bool, None]) -> Optional[Schemas]:
        """Return schemas that must not be changed: those of the file at *path*, if they fit.

        None means that :meth:`load` has to be asked, for schemas of the session's own.
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
            schemas, read = self._read(path)
            if read != wanted:
                return None  # Somebody replaced the file meanwhile.
            _shared.clear()
            found = _shared[wanted] = schemas
        return found

    def own(self, chosen: Union[PathText, bool, None]) -> Schemas:
        """Return schemas for the session alone; *chosen* is as for :meth:`path`."""
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
            self._logger.debug("Schema cache %s cannot be used, fetching anew: %s", path, error)
            return [], None
        if not _are_schemas(schemas):
            return [], None
        return schemas, found

    def _fetch(self) -> Schemas:
        """Return the schemas as the server sends them."""
        answer: Any = self._session.call(RawBatch([{"action": "query_schemas"}]))[0]
        check_schemas(answer)
        schemas: Schemas = answer
        return schemas

    def _keep(self, schemas: Schemas, path: Union[PathText, bool]) -> None:
        """Write *schemas* to *path*, else to a private temporary folder, else warn."""
        failure: Optional[Exception] = None
        for candidate in _candidates(path):
            try:
                self._session._write_schemas_to_cache(schemas, candidate)  # noqa: SLF001 - programs override it
                _remove_unused(os.path.dirname(candidate))
                return
            except (OSError, ValueError) as error:  # ValueError for a path that cannot be one.
                failure = failure or error
        self._logger.warning("The schema cache %s cannot be written: %s", path, failure)

    def read_file(self, path: str) -> tuple[Schemas, Optional[str]]:
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
        if found != self._session.server_information.get("schema_hash"):
            found = canonical_hash(schemas)
        return schemas, found

    def write_file(self, schemas: Schemas, path: str) -> None:
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


def _are_schemas(value: object) -> bool:
    """Return whether *value* looks like the schemas of a server."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(schema, dict) and "id" in schema for schema in value)
    )


def _user_folder() -> Optional[str]:
    """Return the folder for caches of this user, None if the system knows none."""
    # lazy: only a session that keeps its schemas in the usual place needs to know it.
    import platformdirs

    try:
        folder = platformdirs.user_cache_dir("ftrack-like", appauthor=False)
    except (KeyError, OSError, RuntimeError):
        return None
    # Without a home the path begins with "~" still, and would be made below the current folder.
    return folder if os.path.isabs(folder) else None


def _mark_used(path: str) -> None:
    """Let the file at *path* count as used today, so that others go when there are too many."""
    with contextlib.suppress(OSError):
        if time.time() - os.stat(path).st_mtime > _DAY:
            os.utime(path)


def _remove_unused(folder: str) -> None:
    """Remove the files of ours in *folder* that were not used for longest, if there are many.

    A folder that the caller chose is the caller's to keep in order.
    """
    if folder not in (_user_folder(), os.path.dirname(_private_path("") or "")):
        return
    with contextlib.suppress(OSError):  # Somebody else may be removing them just now.
        found = [each for each in os.scandir(folder) if _OURS.fullmatch(each.name)]
        found.sort(key=lambda each: each.stat().st_mtime, reverse=True)
        for each in found[MOST_FILES:]:
            os.unlink(each.path)


def _candidates(path: Union[PathText, bool]) -> list[str]:
    """Return the places of the file at *path*: its own, and one for when that cannot be used."""
    own = cast("str", path)  # Neither False nor, by what sessions pass, True.
    return [each for each in (own, _private_path(own)) if each is not None]


def _private_path(path: str) -> Optional[str]:
    """Return where the file at *path* goes when its folder cannot be written.

    None means that the system has no folder for temporary files either.
    """
    owner = str(os.getuid()) if hasattr(os, "getuid") else "user"
    try:
        folder = os.path.join(tempfile.gettempdir(), f"ftrack-like-{owner}")
    except OSError:
        return None
    return os.path.join(folder, os.path.basename(path))


def _require_own(path: str, folder: str) -> None:
    """Raise :exc:`OSError` when the private *folder* for *path* was made by somebody else.

    In a temporary folder that all may write to, another user could have been there first.
    """
    if folder != os.path.dirname(_private_path(path) or "") or not hasattr(os, "getuid"):
        return
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a private folder of this user.")
