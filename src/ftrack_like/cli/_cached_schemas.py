"""The schemas that earlier sessions have stored on disk, read without a session."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like._base.schema_files import (
    SCHEMA_FOLDER_VARIABLE,
    fallback_schema_folder,
    schema_file_name,
    user_schema_folder,
)

__all__ = ["cached_schemas", "read_schemas"]


def cached_schemas(server_url: Optional[str] = None) -> list[Mapping[str, Any]]:
    """Return the stored schemas of *server_url*, by default of FTRACK_SERVER.

    If there are none, return the schemas that were used last: servers differ little. The list is
    empty if nothing is stored.
    """
    folder = os.environ.get(SCHEMA_FOLDER_VARIABLE) or user_schema_folder()
    if folder is None:
        return []
    paths = [folder] if folder.endswith(".json") else _candidate_files(folder, server_url)
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            return read_schemas(path)
    spare = fallback_schema_folder()
    for path in _candidate_files(spare, server_url) if spare is not None else ():
        with contextlib.suppress(OSError, ValueError):
            return read_schemas(path)
    return []


def _candidate_files(folder: str, server_url: Optional[str]) -> list[str]:
    """Return the files in *folder* to try, best first."""
    url = (server_url or os.environ.get("FTRACK_SERVER") or "").rstrip("/")
    own = [os.path.join(folder, schema_file_name(url))] if url else []
    try:
        entries = [each for each in os.scandir(folder) if each.name.startswith("schemas-")]
        entries.sort(key=lambda each: each.stat().st_mtime, reverse=True)
    except OSError:
        entries = []
    return own + [each.path for each in entries]


def read_schemas(path: str) -> list[Mapping[str, Any]]:
    """Return the schemas in the JSON file at *path*.

    Raise :exc:`ValueError` if it does not contain schemas, and :exc:`OSError` if it cannot be read.
    """
    with open(path, "rb") as file:
        found = json.load(file)
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and isinstance(each.get("id"), str) for each in found
    ):
        raise ValueError(f"{path} does not contain schemas.")
    return found
