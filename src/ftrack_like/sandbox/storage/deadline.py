"""An end to statements that would run for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

__all__ = ["StatementTimeoutError", "deadline"]

#: Steps of SQLite's machine between two looks at the clock, a few milliseconds.
_STEPS = 1_000_000


class StatementTimeoutError(Exception):
    """A statement took longer than it may."""


@contextmanager
def deadline(connection: Connection, seconds: float) -> Iterator[None]:
    """Let the statements on *connection* within the block take *seconds* in all.

    Raise :exc:`StatementTimeoutError` when they take longer. On PostgreSQL each single statement
    may take that long.
    """
    postgresql = connection.dialect.name == "postgresql"
    if postgresql:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
    else:
        driver: Any = connection.connection.driver_connection
        end = time.monotonic() + seconds
        driver.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        yield
    except OperationalError as error:
        text = str(error.orig)
        if "interrupted" in text or "statement timeout" in text:
            raise StatementTimeoutError(f"longer than {seconds:g} seconds") from error
        raise
    finally:
        if not postgresql:
            driver.set_progress_handler(None, 0)
