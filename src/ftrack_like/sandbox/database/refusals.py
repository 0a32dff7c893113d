"""What databases refuse because of what they are asked, in words; not faults of the server."""

from __future__ import annotations

from typing import Optional

from sqlalchemy.exc import DBAPIError

__all__ = ["refusal"]

#: What SQLite says of a statement, or a value, that is beyond its limits.
_SQLITE_LIMITS = (
    "parser stack overflow",
    "pattern too complex",
    "too big",
    "too large",
    "too many",
    "at most 64 tables",
)

#: The classes of PostgreSQL's codes for limits of the program, and for values that do not fit.
_POSTGRESQL_CLASSES = ("54", "22")


def refusal(error: DBAPIError) -> Optional[str]:
    """Return what the database refused, None if *error* is a fault of another kind."""
    text = str(error.orig).splitlines()[0] if str(error.orig) else ""
    code = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return text if str(code).startswith(_POSTGRESQL_CLASSES) else None
    return text if any(words in text for words in _SQLITE_LIMITS) else None
