"""An end to statements, and to batches of them, that would run for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Optional

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

__all__ = ["Deadline", "StatementTimeoutError", "deadline"]

#: Steps of SQLite's machine between two looks at the clock, a few milliseconds.
_STEPS = 1_000_000

#: Where a connection keeps its innermost deadline.
_KEY = "ftrack_like_deadline"

#: How much the time that PostgreSQL was told may differ from the time that is left, in seconds.
_TOLERANCE = 1.0

#: How many times its seconds a deadline may last in all, and by how many seconds it is extended.
_EXTENSIONS = 5
_EXTENSION = 2.0


class StatementTimeoutError(Exception):
    """Statements took longer than they may."""


class Deadline:
    """The moment when the work on *connection* must be done, *seconds* from now."""

    def __init__(
        self,
        connection: Connection,
        seconds: float,
        outer: Optional[Deadline],
        extend: Optional[Callable[[], bool]] = None,
    ) -> None:
        """Begin now. *outer* is a deadline that this one lies within; see :func:`deadline`."""
        self.seconds = seconds
        self.outer = outer
        self._connection = connection
        self._extend = extend
        self._end = time.monotonic() + seconds
        self._last_end = self._end + (_EXTENSIONS - 1) * seconds
        self._told = float("inf")

    @property
    def own_left(self) -> float:
        """Return the seconds that are left, without regard to the outer deadline."""
        now = time.monotonic()
        if self._end <= now < self._last_end and self._extend is not None and self._extend():
            self._end = min(now + _EXTENSION, self._last_end)
        return self._end - now

    @property
    def left(self) -> float:
        """Return the seconds that are left; less than 0 when there are none."""
        return self.own_left if self.outer is None else min(self.own_left, self.outer.left)

    def check(self) -> None:
        """Raise :exc:`StatementTimeoutError` if the time is over.

        Call it between statements: SQLite looks at the clock within one, and PostgreSQL has to
        be told how long the next ones may take.
        """
        if self.own_left <= 0:
            raise StatementTimeoutError(f"longer than {self.seconds:g} seconds")
        if self._connection.dialect.name == "postgresql":
            left = max(self.left, 0.001)
            if not left <= self._told <= left + _TOLERANCE:
                self._told = left
                self._connection.exec_driver_sql(
                    f"SET LOCAL statement_timeout = {max(int(left * 1000), 1)}"
                )

    def disturb(self) -> None:
        """Tell PostgreSQL the time that is left again at the next check."""
        self._told = float("inf")


@contextmanager
def deadline(
    connection: Connection, seconds: float, extend: Optional[Callable[[], bool]] = None
) -> Iterator[Deadline]:
    """Let the statements on *connection* within the block take *seconds* in all.

    After that, they go on while *extend* answers true, up to five times as long. Blocks may be
    nested. Raise :exc:`StatementTimeoutError` when they take longer. On PostgreSQL
    each single statement may take what was left at the last :meth:`Deadline.check`.
    """
    outer: Optional[Deadline] = connection.info.get(_KEY)
    own = Deadline(connection, seconds, outer, extend)
    connection.info[_KEY] = own
    _watch(connection, own)
    try:
        own.check()
        yield own
    except OperationalError as error:
        text = str(error.orig)
        stopped = "interrupted" in text or "statement timeout" in text
        if stopped and (outer is None or own.own_left <= outer.left):
            raise StatementTimeoutError(f"longer than {seconds:g} seconds") from error
        raise  # of something else, or for the outer deadline
    finally:
        connection.info[_KEY] = outer
        _watch(connection, outer)
        if outer is not None:
            outer.disturb()


def _watch(connection: Connection, watched: Optional[Deadline]) -> None:
    """Have SQLite look at the clock within statements."""
    if connection.dialect.name == "postgresql":
        return
    driver: Any = connection.connection.driver_connection
    if watched is None:
        driver.set_progress_handler(None, 0)
    else:
        driver.set_progress_handler(lambda: watched.left <= 0, _STEPS)
