"""The files in which schemas are stored between sessions: their folder and their names.

The command line reads them to complete words, without the rest of the client.
"""

from __future__ import annotations

import os
import re
from typing import Optional
from urllib.parse import urlsplit

__all__ = ["SCHEMA_FOLDER_VARIABLE", "schema_file_name", "user_schema_folder"]

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
