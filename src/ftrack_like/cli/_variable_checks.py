"""Checks of the environment variables that sessions, event hubs and commands read.

Each check calls the code that reads the variable, so that both agree about a value. A variable that
is not set has no finding. The other checks are those of server, user, key and profile
(:mod:`.doctor`), of the schema cache (:mod:`._schema_checks`) and of ffmpeg
(:mod:`._machine_checks`).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

from ftrack_like.cli._checks import FAIL, OK, WARN, Diagnosis

if TYPE_CHECKING:
    from ftrack_like._configuration.credentials import Credentials

__all__ = ["VARIABLES", "variable_checks"]

#: A check of the variable whose name is the first argument, with the credentials, if there are any.
_Check = Callable[[str, "Optional[Credentials]"], list[Diagnosis]]


def variable_checks(
    found: Optional[Credentials],
) -> list[tuple[str, Callable[[], list[Diagnosis]]]]:
    """Return the checks to run, with their names; *found* are the credentials, if there are any."""
    has_profile_cache = found is not None and found.cache is not None
    return [
        (name, functools.partial(check, name, found))
        for name, check in VARIABLES.items()
        if os.environ.get(name, "").strip() or (check is _check_cache and has_profile_cache)
    ]


def _check_retry(name: str, found: Optional[Credentials]) -> list[Diagnosis]:
    """Check the time for retries."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._session.arguments import retry_policy  # lazy: likewise

    try:
        policy = retry_policy(None)
    except exception.ConfigurationError as error:
        return [Diagnosis(name, FAIL, str(error), f"Set {name} to a number such as 60.")]
    return [Diagnosis(name, OK, f"Requests are repeated for {policy and policy.total_time} s.")]


def _check_cache(name: str, found: Optional[Credentials]) -> list[Diagnosis]:
    """Open the shared cache, and read from it."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._session.shared_cache import chosen_address, storage_at  # lazy: likewise

    profile, place = (found.cache, found.origins.api_key) if found else (None, "the profile")
    address, origin = chosen_address(os.environ, profile, place)
    if address is None:
        return []
    try:
        storage = storage_at(address, origin)
    except exception.ConfigurationError as error:
        return [Diagnosis(name, FAIL, str(error), f"Correct {origin}, or remove it.")]
    try:
        storage.entities.get_many(["check"])
    except Exception as error:  # Each kind of server has its own errors.
        text = f"{storage.address} (from {origin}) does not answer: {error}"
        advice = "Sessions work without it, more slowly. Start the server, or correct the address."
        return [Diagnosis(name, WARN, text, advice)]
    return [Diagnosis(name, OK, f"{storage.address} (from {origin}) answers.")]


def _check_plugin_folders(name: str, found: Optional[Credentials]) -> list[Diagnosis]:
    """Check that the folders with plugins exist and can be read."""
    from ftrack_like._session.arguments import plugin_folders  # lazy: "--help" answers at once

    folders = [path for path in plugin_folders(None) if path]
    wrong = [path for path in folders if not os.path.isdir(path)]
    unreadable = [path for path in folders if path not in wrong and not os.access(path, os.R_OK)]
    if not wrong and not unreadable:
        return [Diagnosis(name, OK, f"Plugins are loaded from {', '.join(folders)}.")]
    texts = [f"{path!r} is not a folder." for path in wrong]
    texts += [f"{path!r} cannot be read by this user." for path in unreadable]
    return [Diagnosis(name, WARN, f"{name}: {' '.join(texts)}", "Correct or remove the path.")]


def _check_chunks(name: str, found: Optional[Credentials]) -> list[Diagnosis]:
    """Check the size of chunks, for which a session replaces a wrong value."""
    from ftrack_like.symbol import CHUNK_SIZE  # lazy: "--help" answers at once

    text = os.environ[name].strip()
    if text == str(CHUNK_SIZE):
        return [Diagnosis(name, OK, f"Files are transferred in chunks of {CHUNK_SIZE} bytes.")]
    wrong = f"{name} must be a number of bytes above 0, not {text[:50]!r}. {CHUNK_SIZE} is used."
    return [Diagnosis(name, WARN, wrong, f"Correct {name}, or unset it.")]


def _check_journal(name: str, found: Optional[Credentials]) -> list[Diagnosis]:
    """Check the place for the journals of durable listeners."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like.event.journal.place import check_place, place_of_journals  # lazy: likewise

    try:
        check_place()
    except (exception.EventJournalError, ImportError, ValueError) as error:
        return [Diagnosis(name, FAIL, str(error), f"Correct {name}, or unset it.")]
    return [Diagnosis(name, OK, f"Journals are kept in {place_of_journals()}.")]


def _check_presets(name: str, found: Optional[Credentials]) -> list[Diagnosis]:
    """Check the file with the sizes of encoded movies."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._media.presets import presets  # lazy: likewise

    try:
        names = ", ".join(one.name for one in presets())
    except exception.MediaError as error:
        return [Diagnosis(name, FAIL, str(error), f"Correct the file, or unset {name}.")]
    return [Diagnosis(name, OK, f"Movies are encoded as {names}.")]


def _check_log(name: str, found: Optional[Credentials]) -> list[Diagnosis]:
    """Check the level of the log."""
    from ftrack_like.logging import level_in_use  # lazy: "--help" answers at once

    level, problem = level_in_use()
    if problem is not None:
        return [Diagnosis(name, WARN, problem, f"Correct {name}, or unset it.")]
    return [Diagnosis(name, OK, f"The log shows messages from the level {level}.")]


#: The variables with a check of their own.
VARIABLES: dict[str, _Check] = {
    "FTRACK_API_RETRY_SECONDS": _check_retry,
    "FTRACK_API_CACHE": _check_cache,
    "FTRACK_EVENT_PLUGIN_PATH": _check_plugin_folders,
    "FTRACK_API_FILE_CHUNK_SIZE": _check_chunks,
    "FTRACK_EVENT_JOURNAL": _check_journal,
    "FTRACK_MEDIA_PRESETS": _check_presets,
    "FTRACK_LOG": _check_log,
}
