"""Journals, which keep events until they are handled: files of SQLite, or a server with Redis."""

from __future__ import annotations

from ftrack_like.event.journal.entries import Counts, DeadLetter, Journal, JournalClaim
from ftrack_like.event.journal.place import (
    check_name,
    known_names,
    open_journal,
    place_of_journals,
)

__all__ = [
    "Counts",
    "DeadLetter",
    "Journal",
    "JournalClaim",
    "check_name",
    "known_names",
    "open_journal",
    "place_of_journals",
]
