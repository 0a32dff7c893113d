"""The files in which schemas are stored between sessions: their folder and their names.

The command line reads them to complete words, without the rest of the client.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Optional
from urllib.parse import urlsplit

__all__ = [
    "SCHEMA_FOLDER_VARIABLE",
    "fallback_schema_folder",
    "require_private",
    "schema_file_name",
    "user_schema_folder",
    "why_not_writable",
]

#: The environment variable that names the folder, if no argument does.
SCHEMA_FOLDER_VARIABLE = "FTRACK_API_SCHEMA_CACHE_PATH"


def schema_file_name(server_url: str) -> str:
    """Return the name of the file for the server at *server_url*."""
    # lazy: loading it takes a tenth of the time of completing a word.
    import hashlib

    host = re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(server_url).netloc or server_url)[:80]
    digest = hashlib.md5(server_url.encode(), usedforsecurity=False).hexdigest()
    return f"schemas-{host}-{digest[:10]}.json"


def user_schema_folder() -> Optional[str]:
    """Return the user's folder for caches, or None if the system does not know one."""
    # lazy: only sessions that use the default folder need it.
    import platformdirs

    try:
        folder = platformdirs.user_cache_dir("ftrack-like", appauthor=False)
    except (KeyError, OSError, RuntimeError):
        return None
    # Without a home the path still starts with "~", and would be relative to the current folder.
    return folder if os.path.isabs(folder) else None


def fallback_schema_folder() -> Optional[str]:
    """Return the user's private folder for schemas where the chosen one cannot be written.

    Return None if the system has no folder for temporary files either.
    """
    # lazy: completing a word rarely needs it.
    import tempfile

    owner = str(os.getuid()) if hasattr(os, "getuid") else "user"
    try:
        return os.path.join(tempfile.gettempdir(), f"ftrack-like-{owner}")
    except OSError:
        return None


def require_private(folder: str) -> None:
    """Raise :exc:`OSError` if another user made *folder*, or can use it.

    All users may write to the system's temporary folder, so another user may have created it first.
    """
    if not hasattr(os, "getuid"):
        return
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a private folder of this user.")


def why_not_writable(folder: str) -> Optional[OSError]:
    """Return the error of creating a file in *folder*, or None if that works.

    If *folder* is missing, create a folder in the next one above that exists. The function removes
    it again: permissions alone do not tell whether creating works, for example in ``/proc``.
    """
    import tempfile  # lazy: as above

    above = os.path.abspath(folder)
    while not os.path.lexists(above) and os.path.dirname(above) != above:
        above = os.path.dirname(above)
    try:
        if above == os.path.abspath(folder):
            handle, path = tempfile.mkstemp(prefix=".schemas-", suffix=".tmp", dir=above)
            os.close(handle)
            os.unlink(path)
        else:
            os.rmdir(tempfile.mkdtemp(prefix=".schemas-", dir=above))
    except OSError as error:
        return error
    return None
