"""Recognise database errors that the client's request caused, not a fault of the server."""

from __future__ import annotations

from typing import Optional

from sqlalchemy.exc import DBAPIError

__all__ = ["refusal"]

#: Parts of SQLite's messages about a statement or value beyond its limits.
_SQLITE_LIMITS = (
    "parser stack overflow",
    "pattern too complex",
    "too big",
    "too large",
    "too many",
    "at most 64 tables",
)

#: PostgreSQL's classes of error codes: 54 for exceeded limits, 22 for invalid values.
_POSTGRESQL_CLASSES = ("54", "22")


def refusal(error: DBAPIError) -> Optional[str]:
    """Return the database's message if the request caused *error*, else None."""
    text = str(error.orig).splitlines()[0] if str(error.orig) else ""
    code = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return text if str(code).startswith(_POSTGRESQL_CLASSES) else None
    return text if any(words in text for words in _SQLITE_LIMITS) else None
