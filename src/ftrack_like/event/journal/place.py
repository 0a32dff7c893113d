"""Find and open the journal of a durable name."""

from __future__ import annotations

import os
import re
from typing import Optional

from ftrack_like import exception
from ftrack_like._base.schema_files import why_not_writable
from ftrack_like._transport.redaction import masked
from ftrack_like.event.journal.entries import Journal

__all__ = [
    "ENVIRONMENT",
    "check_name",
    "check_place",
    "known_names",
    "open_journal",
    "place_of_journals",
]

#: The environment variable with the place of journals.
ENVIRONMENT = "FTRACK_EVENT_JOURNAL"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SUFFIX = ".journal"
_REDIS = ("redis://", "rediss://", "valkey://", "valkeys://", "unix://")


def check_name(name: str) -> str:
    """Return *name*; raise :exc:`ValueError` unless it is a valid durable name."""
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ValueError(
            f"The durable name {name!r} is invalid: use at most 100 letters, digits, dots, dashes "
            "and underscores, and begin with a letter or a digit."
        )
    return name


def open_journal(name: str, place: Optional[str] = None) -> Journal:
    """Return the journal of the durable *name*.

    *place* is a folder, or the address ``redis://…`` of a server. None reads the environment
    variable FTRACK_EVENT_JOURNAL, and without it uses the data folder of the user.

    Raise :exc:`~ftrack_like.exception.EventJournalError` if the place cannot be used,
    :exc:`ValueError` for an invalid name or place, and :exc:`ImportError` without the package that
    the place needs.
    """
    check_name(name)
    chosen = _place_or_usual(place)
    if chosen.startswith(_REDIS):
        from ftrack_like.event.journal.redis import RedisJournal  # lazy: an optional dependency

        return RedisJournal(chosen, name)
    _refuse_addresses(chosen)
    from ftrack_like.event.journal.sqlite import SqliteJournal  # lazy: few programs need sqlite3

    return SqliteJournal(os.path.join(os.path.expanduser(chosen), f"{name}{_SUFFIX}"))


def check_place(place: Optional[str] = None) -> None:
    """Check that journals can be opened at *place*, without creating one; see open_journal.

    The errors are those of :func:`open_journal`. A server must answer.
    """
    chosen = _place_or_usual(place)
    if chosen.startswith(_REDIS):
        journal = open_journal("check", place)
        try:
            journal.counts()
        finally:
            journal.close()
        return
    _refuse_addresses(chosen)
    problem = why_not_writable(os.path.expanduser(chosen))
    if problem is not None:
        raise exception.EventJournalError(
            "Journals cannot be written to {place}: {problem}.",
            details={"place": chosen, "problem": problem.strerror or problem},
        )


def known_names(place: Optional[str] = None) -> list[str]:
    """Return the durable names with a journal in the folder *place*, sorted; see open_journal.

    Raise :exc:`~ftrack_like.exception.EventJournalError` for a server: name the journal instead.
    """
    chosen = _place_or_usual(place)
    if chosen.startswith(_REDIS):
        raise exception.EventJournalError(
            "A server does not list its journals. Pass the durable name."
        )
    _refuse_addresses(chosen)
    try:
        files = os.listdir(os.path.expanduser(chosen))
    except FileNotFoundError:
        return []
    return sorted(each[: -len(_SUFFIX)] for each in files if each.endswith(_SUFFIX))


def place_of_journals(place: Optional[str] = None) -> str:
    """Return *place*, by default the one that is used without, for messages: without a password."""
    return masked(os.path.expanduser(_place_or_usual(place)))


def _place_or_usual(place: Optional[str]) -> str:
    """Return *place*, by default that of the environment, else the data folder of the user."""
    return place or os.environ.get(ENVIRONMENT) or _default_folder()


def _refuse_addresses(place: str) -> None:
    """Raise ValueError if *place* is an address of an unknown kind, and not a folder."""
    if "://" in place:
        raise ValueError(
            f"The place {masked(place)!r} is invalid: pass a folder, or an address that begins "
            "with redis://."
        )


def _default_folder() -> str:
    """Return the folder for journals in the data folder of the user."""
    import platformdirs  # lazy: takes time to import

    return os.path.join(platformdirs.user_data_dir("ftrack-like", False), "journals")
