"""Explain the errors of a database whose file or disk has failed, and suggest a remedy."""

from __future__ import annotations

from typing import Optional

import sqlalchemy.exc

__all__ = ["explained", "first_line", "remedy_for"]

#: The fault and its remedy, by a part of the message of SQLite or PostgreSQL.
_FAULTS = {
    "database or disk is full": ("the disk is full", "Free some space"),
    "no space left on device": ("the disk is full", "Free some space"),
    "file is not a database": (
        "the file is not an SQLite database",
        "Move it away, or choose another folder",
    ),
    "malformed": (
        "the file is damaged",
        "Restore a copy of it, or move it away to begin with a fresh site",
    ),
    "readonly database": (
        "the file or its folder is read-only",
        "Make both writable, or choose another folder",
    ),
    "unable to open database file": (
        "the file cannot be opened",
        "Look at the rights of the file and its folder, or choose another folder",
    ),
    # SQLite says this of a full disk too, if the file of shared memory does not grow.
    "disk i/o error": (
        "reading or writing the disk failed",
        "Look at the disk, its free space and its mount",
    ),
    "database is locked": (
        "another program holds a lock on the file",
        "Close that program",
    ),
}


def remedy_for(message: str) -> Optional[tuple[str, str]]:
    """Return the fault and its remedy for a database's *message*, or None if it is unknown."""
    text = message.lower()
    return next((words for known, words in _FAULTS.items() if known in text), None)


def explained(message: str) -> str:
    """Return the fault and its remedy in words, or *message* itself if it is unknown."""
    words = remedy_for(message)
    return message if words is None else ". ".join(words)


def first_line(error: sqlalchemy.exc.DBAPIError) -> str:
    """Return the first line of the database's message in *error*."""
    return (str(error.orig).splitlines() or [type(error.orig).__name__])[0]
