"""Repeat transactions that failed for a passing reason, such as a restart of PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Optional, TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

__all__ = [
    "CommitInDoubtError",
    "TransactionLostError",
    "is_away",
    "is_passing",
    "leaves_in_doubt",
    "repeated",
]

Result = TypeVar("Result")

#: PostgreSQL's codes for a transaction that collided with another one and was rolled back.
_COLLISIONS = frozenset({"40001", "40P01"})

#: PostgreSQL's codes for a server that stops, starts, or ended the connection for that reason.
_STOPPING = frozenset({"57P01", "57P02", "57P03"})

#: A transaction is repeated for so many seconds, with a pause between two attempts.
_PATIENCE = 20.0
_PAUSE = 0.05


class _BrokenCommitError(OperationalError):
    """The connection broke during the commit, with the error *lost*.

    It is an error of the database, so that all who expect that the database goes away expect it.
    """

    def __init__(self, message: str, lost: DBAPIError) -> None:
        super().__init__(None, None, lost.orig or lost, connection_invalidated=True)
        self.args = (message,)


class TransactionLostError(_BrokenCommitError):
    """The connection broke during the commit, and the database says that nothing was saved."""


class CommitInDoubtError(_BrokenCommitError):
    """The connection broke during the commit, and the database cannot say what was saved."""


def is_away(error: DBAPIError) -> bool:
    """Return whether *error*, from opening a connection, says that the server is not running."""
    code = _code(error)
    return code in _STOPPING or code is None


def leaves_in_doubt(error: DBAPIError) -> bool:
    """Return whether *error*, from a commit, does not say if the transaction was saved.

    PostgreSQL may announce its stop right after the commit, before the connection breaks.
    """
    return error.connection_invalidated or is_away(error)


def is_passing(error: Exception) -> bool:
    """Return whether nothing was saved because of *error*, and the same transaction may succeed."""
    if not isinstance(error, DBAPIError) or isinstance(error, CommitInDoubtError):
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
        except DBAPIError as error:
            if not is_passing(error) or time.monotonic() > end:
                raise
            time.sleep(_PAUSE)


def _code(error: DBAPIError) -> Optional[str]:
    code: Optional[str] = getattr(error.orig, "sqlstate", None)
    return code
