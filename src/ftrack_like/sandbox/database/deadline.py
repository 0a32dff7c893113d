"""A time limit for SQL statements.

SQLite and PostgreSQL need different means. SQLite calls a progress handler during a statement; the
handler stops the statement when the time is over. PostgreSQL has a ``statement_timeout`` for each
statement, so :meth:`StatementDeadline.check` sets it to the remaining time between statements.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Optional

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

__all__ = ["StatementDeadline", "StatementTimeoutError", "deadline"]

#: How many instructions of SQLite's virtual machine run between two checks: a few milliseconds.
_STEPS = 1_000_000

#: The key in ``connection.info`` of the innermost deadline.
_KEY = "ftrack_like_deadline"

#: How much the timeout set on PostgreSQL may differ from the remaining time, in seconds. Without a
#: tolerance each check would send a statement.
_TOLERANCE = 1.0

#: A deadline may be extended to five times its length, by two seconds at a time.
_EXTENSIONS = 5
_EXTENSION = 2.0


class StatementTimeoutError(Exception):
    """The statements took longer than their deadline allows."""


@dataclass
class _KnownTimeout:
    """The ``statement_timeout`` of the current transaction, in seconds; at first there is none."""

    seconds: float = float("inf")


class StatementDeadline:
    """The time by which the statements on *connection* must be finished: *seconds* from now."""

    def __init__(
        self,
        connection: Connection,
        seconds: float,
        outer: Optional[StatementDeadline],
        extend: Optional[Callable[[], bool]] = None,
    ) -> None:
        """Start the time. *outer* is an enclosing deadline. :func:`deadline` explains *extend*."""
        self.seconds = seconds
        self.outer = outer
        self._connection = connection
        self._extend = extend
        self._end = time.monotonic() + seconds
        self._last_end = self._end + (_EXTENSIONS - 1) * seconds
        #: The timeout that PostgreSQL knows now, the same object for nested deadlines.
        self.known: _KnownTimeout = _KnownTimeout() if outer is None else outer.known

    @property
    def own_left(self) -> float:
        """Return the remaining seconds of this deadline, extending it if allowed."""
        now = time.monotonic()
        if self._end <= now < self._last_end and self._extend is not None and self._extend():
            self._end = min(now + _EXTENSION, self._last_end)
        return self._end - now

    @property
    def left_now(self) -> float:
        """Return the remaining seconds of this and all outer deadlines, without extending any.

        Unlike the others, this sends no statement, so it works in a failed transaction.
        """
        own = self._end - time.monotonic()
        return own if self.outer is None else min(own, self.outer.left_now)

    @property
    def left(self) -> float:
        """Return the remaining seconds of this and all outer deadlines. They can be negative."""
        return self.own_left if self.outer is None else min(self.own_left, self.outer.left)

    def check(self) -> None:
        """Raise :exc:`StatementTimeoutError` if the time is over.

        Call this between statements. On PostgreSQL it also sets the timeout for the next ones.
        """
        if self.own_left <= 0:
            raise StatementTimeoutError(f"longer than {self.seconds:g} seconds")
        if self._connection.dialect.name == "postgresql":
            left = max(self.left, 0.001)
            if not left <= self.known.seconds <= left + _TOLERANCE:
                self.known.seconds = left
                self._connection.exec_driver_sql(
                    f"SET LOCAL statement_timeout = {max(int(left * 1000), 1)}"
                )


@contextmanager
def deadline(
    connection: Connection, seconds: float, extend: Optional[Callable[[], bool]] = None
) -> Iterator[StatementDeadline]:
    """Limit the total time of the statements on *connection* in the block to *seconds*.

    After this time the statements may continue while *extend* returns true, up to five times
    *seconds*. Blocks can be nested. Raise :exc:`StatementTimeoutError` if the statements take
    longer. On PostgreSQL each statement may take the time that remained at the last
    :meth:`StatementDeadline.check`.
    """
    # An invalid connection would have no mapping to restore.
    info = connection.info
    outer: Optional[StatementDeadline] = info.get(_KEY)
    own = StatementDeadline(connection, seconds, outer, extend)
    info[_KEY] = own
    _watch(connection, own)
    try:
        own.check()
        yield own
    except OperationalError as error:
        text = str(error.orig)
        stopped = "interrupted" in text or "statement timeout" in text
        if stopped and (outer is None or own.left_now < outer.left_now):
            raise StatementTimeoutError(f"longer than {seconds:g} seconds") from error
        raise  # Another error, or the outer deadline is over and reports it.
    finally:
        info[_KEY] = outer
        _watch(connection, outer)


def _watch(connection: Connection, watched: Optional[StatementDeadline]) -> None:
    """Install a progress handler for SQLite that stops statements after *watched*."""
    if connection.dialect.name == "postgresql":
        return
    driver: Any = connection.connection.driver_connection
    if watched is None:
        driver.set_progress_handler(None, 0)
    else:
        driver.set_progress_handler(lambda: watched.left <= 0, _STEPS)
