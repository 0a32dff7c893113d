"""The folder in which sessions keep schemas: the one they really use, and its check."""

from __future__ import annotations

import os
import time
from typing import NamedTuple, Optional

from ftrack_like._base.schema_files import (
    SCHEMA_FOLDER_VARIABLE,
    fallback_schema_folder,
    require_private,
    schema_file_name,
    user_schema_folder,
    why_not_writable,
)
from ftrack_like.cli._checks import OK, WARN, Diagnosis, owner_of

__all__ = ["SchemaPlace", "check_schema_cache", "schema_place"]

_NAME = "schema cache"
_ADVICE = f"Set {SCHEMA_FOLDER_VARIABLE} to a folder that only this user writes."


class SchemaPlace(NamedTuple):
    """The *chosen* folder or file for schemas, its *origin* in words, and the one in use.

    *used* differs from *chosen* if that cannot be written, for the reason *problem*. It is None if
    the folder to fall back to cannot be used either.
    """

    chosen: str
    origin: str
    used: Optional[str]
    problem: Optional[str]


def schema_place() -> Optional[SchemaPlace]:
    """Return where the sessions of this user keep schemas; None if there is no folder for them."""
    variable = os.environ.get(SCHEMA_FOLDER_VARIABLE)
    chosen = variable or user_schema_folder()
    if chosen is None:
        return None
    origin = f"the environment variable {SCHEMA_FOLDER_VARIABLE}" if variable else "default"
    is_file = chosen.endswith(".json")
    refused = why_not_writable(os.path.dirname(os.path.abspath(chosen)) if is_file else chosen)
    if refused is None:
        return SchemaPlace(chosen, origin, chosen, None)
    problem = refused.strerror or str(refused)
    spare = fallback_schema_folder()
    if spare is None or not _can_fall_back(spare):
        return SchemaPlace(chosen, origin, None, problem)
    used = os.path.join(spare, os.path.basename(chosen)) if is_file else spare
    return SchemaPlace(chosen, origin, used, problem)


def _can_fall_back(folder: str) -> bool:
    """Return whether the *folder* to fall back to can be written, and is private."""
    try:
        if os.path.lexists(folder):
            require_private(folder)
    except OSError:
        return False
    return why_not_writable(folder) is None


def check_schema_cache(server_url: Optional[str], wanted: Optional[str]) -> list[Diagnosis]:
    """Check the stored schemas of *server_url*; *wanted* is their hash on the server, if known."""
    place = schema_place()
    if place is None:
        return [Diagnosis(_NAME, WARN, "This user has no folder for caches.", _ADVICE)]
    where = f"{place.chosen} ({place.origin})"
    first = _state_of(_file_in(place.chosen, server_url), wanted)
    if place.problem is None:
        return [_finding(where, first)]
    text = f"{where} cannot be written: {place.problem}."
    if first.is_current:
        return [Diagnosis(_NAME, WARN, f"{text} {first.text} It is read only.", _ADVICE)]
    if place.used is None:
        return [Diagnosis(_NAME, WARN, f"{text} So each session fetches.", _ADVICE)]
    second = _state_of(_file_in(place.used, server_url), wanted)
    text += f" Sessions use {place.used} instead. {second.text}"
    return [Diagnosis(_NAME, WARN, text, _ADVICE)]


class _SchemaFileState(NamedTuple):
    """A *text* about a file, whether it is known to be current, and whether it is *foreign*."""

    text: str
    is_current: bool = False
    is_foreign: bool = False


def _finding(where: str, state: _SchemaFileState) -> Diagnosis:
    """Return the finding for a file in *where* that can be written."""
    if state.is_foreign:
        text = f"{where}: {state.text} The files have mode 0600, so users cannot share a folder."
        return Diagnosis(_NAME, WARN, text, _ADVICE)
    return Diagnosis(_NAME, OK, f"{where}: {state.text}")


def _file_in(place: str, server_url: Optional[str]) -> Optional[str]:
    """Return the file for *server_url* in *place*, a folder or the file itself."""
    if place.endswith(".json"):
        return place
    return os.path.join(place, schema_file_name(server_url)) if server_url else None


def _state_of(path: Optional[str], wanted: Optional[str]) -> _SchemaFileState:
    """Return the state of the file *path*; *wanted* is the hash of the server, if known."""
    if path is None or not os.path.exists(path):
        return _SchemaFileState("The file will be written by the next session.")
    name = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            content = file.read()
        age = (time.time() - os.stat(path).st_mtime) / 3600
    except OSError as error:
        owner = owner_of(path)
        text = f"{name} cannot be read: {error.strerror or error}."
        return _SchemaFileState(f"{text} {owner}" if owner else text, is_foreign=True)
    is_current = None if wanted is None else _md5_of(content) == wanted
    state = {None: "", True: ", up to date", False: ", out of date; the next session fetches them"}
    text = f"{name} has {len(content)} bytes, used {age:.1f} hours ago{state[is_current]}."
    return _SchemaFileState(text, is_current=bool(is_current))


def _md5_of(content: bytes) -> str:
    """Return the hash with which the server describes its schemas."""
    import hashlib  # lazy: "--help" answers at once

    return hashlib.md5(content, usedforsecurity=False).hexdigest()
