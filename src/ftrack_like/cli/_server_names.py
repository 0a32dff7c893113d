"""Names of the server for completion: statuses, projects and others, with a cache on disk.

Completion must be quick and silent. So the names are kept for a few minutes, a request has a strict
time limit, and every failure means no names. Nothing here asks for a password.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like._base.schema_files import (
    SCHEMA_FOLDER_VARIABLE,
    schema_file_name,
    user_schema_folder,
)

__all__ = ["CUSTOM_KEYS", "NAMED_TYPES", "server_names"]

#: The types whose names are offered, with the attribute that names them. They have few entities.
NAMED_TYPES = {
    "AssetType": "name",
    "CustomAttributeConfiguration": "key",
    "Group": "name",
    "ListCategory": "name",
    "Location": "name",
    "NoteCategory": "name",
    "NoteLabel": "name",
    "ObjectType": "name",
    "Priority": "name",
    "Project": "name",
    "ProjectSchema": "name",
    "ReviewSession": "name",
    "Status": "name",
    "Type": "name",
    "User": "username",
}
CUSTOM_KEYS = "CustomAttributeConfiguration"

#: How long names are kept, how long after a failure the server is left alone, and how long a
#: request may take, in seconds.
_LIFE, _PAUSE, _LIMIT = 300.0, 30.0, 1.5
#: The maximum number of names.
_MOST = 500


def server_names(entity_type: str, profile: Optional[str] = None) -> list[str]:
    """Return the names of all entities of *entity_type*, sorted; none if they cannot be had.

    The server, user and key come from the environment or from *profile*.
    """
    path = _cache_file(profile)
    if path is None or entity_type not in NAMED_TYPES:
        return []
    stored = _read_file(path)
    entry = stored.get(entity_type)
    known = entry if isinstance(entry, dict) else {}
    names = [str(each) for each in known.get("names") or ()]
    until = known.get("until")
    if isinstance(until, (int, float)) and 0 < until - time.time() <= _LIFE:
        return names
    fetched = _fetched_in_time(entity_type, profile)
    life = _PAUSE if fetched is None else _LIFE
    names = names if fetched is None else fetched
    _write_file(path, {**stored, entity_type: {"until": time.time() + life, "names": names}})
    return names


def _cache_file(profile: Optional[str]) -> Optional[str]:
    """Return the path of the cache for the connection of the environment, or of *profile*."""
    folder = os.environ.get(SCHEMA_FOLDER_VARIABLE) or user_schema_folder()
    if folder is None or folder.endswith(".json"):
        return None
    variables = ("FTRACK_SERVER", "FTRACK_API_USER", "FTRACK_PROFILE", "FTRACK_CONFIG_FILE")
    server, *parts = [os.environ.get(name, "") for name in variables]
    identity = "#".join([server, profile or "", *parts])
    return os.path.join(folder, schema_file_name(identity).replace("schemas-", "names-", 1))


def _read_file(path: str) -> dict[str, Any]:
    """Return the stored names by type; none if they cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        if isinstance(found, dict):
            return found
    return {}


def _write_file(path: str, names: Mapping[str, object]) -> None:
    """Store *names* at *path* if possible; the user alone may read the file."""
    import tempfile  # lazy: takes longer than completing a word

    from ftrack_like._base.renaming import put_into_place  # lazy, too

    with contextlib.suppress(OSError):
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".names-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(names, file)
            put_into_place(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def _fetched_in_time(entity_type: str, profile: Optional[str]) -> Optional[list[str]]:
    """Return the names from the server, None if it does not answer in time or refuses."""
    found: list[list[str]] = []

    def fetch() -> None:
        with contextlib.suppress(Exception):
            names = _fetched(entity_type, profile)
            if names is not None:
                found.append(names)

    # A thread that does not keep the process alive: imports and look-ups of hosts have no limit.
    thread = threading.Thread(target=fetch, name="names for completion", daemon=True)
    thread.start()
    thread.join(_LIMIT)
    return found[0] if found else None


def _fetched(entity_type: str, profile: Optional[str]) -> Optional[list[str]]:
    """Return the names from the server, None if a keyring, which may ask people, has the key."""
    from ftrack_like._configuration.credentials import find_credentials  # lazy: seldom needed
    from ftrack_like._transport.redaction import MASK  # lazy: likewise
    from ftrack_like.session import RetryPolicy, Session  # lazy: likewise

    given = find_credentials(profile=profile, unlock=False)
    if given.api_key == MASK:
        return None
    name = NAMED_TYPES[entity_type]
    with Session(
        server_url=given.server_url,
        api_key=given.api_key,
        api_user=given.api_user,
        plugin_paths=[],
        retry=RetryPolicy(total_time=0),
        timeout=_LIMIT,
    ) as session:
        rows = session.query(
            f"select {name} from {entity_type} order by {name} limit {_MOST}", page_size=_MOST
        )
        return sorted({str(row[name]) for row in rows if row[name]})
