"""Recognise the errors of a database server that cannot be reached, or that is starting."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

__all__ = ["is_outage"]

#: PostgreSQL's codes of errors that end with the outage: the classes 08 (broken connection), 57P
#: (the server stops, or starts) and 53300 (too many connections). A connection that breaks without
#: a message of the server has no code.
_CODES = ("08", "57P", "53300")


def is_outage(error: DBAPIError) -> bool:
    """Return whether *error* says that PostgreSQL is away, not that it refuses a statement.

    If the connection broke during a commit, PostgreSQL may have committed.
    """
    cause = error.orig
    if error.connection_invalidated:
        return True
    if cause is None or type(cause).__module__.partition(".")[0] != "psycopg":
        return False
    code = getattr(cause, "sqlstate", None)
    if code is not None:
        return str(code).startswith(_CODES)
    return type(cause).__name__ in {"OperationalError", "InterfaceError"}
