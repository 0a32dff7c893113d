"""Repeat transactions that failed for a passing reason, such as a restart of PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Optional, TypeVar

from sqlalchemy.exc import DBAPIError

__all__ = ["CommitInDoubtError", "TransactionLostError", "is_away", "is_passing", "repeated"]

Result = TypeVar("Result")

#: PostgreSQL's codes for a transaction that collided with another one and was rolled back.
_COLLISIONS = frozenset({"40001", "40P01"})

#: PostgreSQL's codes for a server that stops, starts, or ended the connection for that reason.
_STOPPING = frozenset({"57P01", "57P02", "57P03"})

#: A transaction is repeated for so many seconds, with a pause between two attempts.
_PATIENCE = 20.0
_PAUSE = 0.05


class TransactionLostError(Exception):
    """The connection broke during the commit, and the database says that nothing was saved."""


class CommitInDoubtError(Exception):
    """The connection broke during the commit, and the database cannot say what was saved."""


def is_away(error: DBAPIError) -> bool:
    """Return whether *error*, from opening a connection, says that the server is not running."""
    code = _code(error)
    return code in _STOPPING or code is None


def is_passing(error: Exception) -> bool:
    """Return whether nothing was saved because of *error*, and the same transaction may succeed."""
    if isinstance(error, TransactionLostError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or _code(error) in _COLLISIONS | _STOPPING


def repeated(work: Callable[[], Result]) -> Result:
    """Return the result of *work*, which runs one transaction; repeat it after a passing error.

    *work* must change nothing but the database. Raise the last error after 20 seconds.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return work()
        except (DBAPIError, TransactionLostError) as error:
            if not is_passing(error) or time.monotonic() > end:
                raise
            time.sleep(_PAUSE)


def _code(error: DBAPIError) -> Optional[str]:
    code: Optional[str] = getattr(error.orig, "sqlstate", None)
    return code
