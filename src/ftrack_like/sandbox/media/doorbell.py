"""Wakes the workers of other processes when a transaction with an encode job is committed.

PostgreSQL delivers a notification at the commit. Its text is empty: a worker asks the table for the
job. A notification can get lost with its connection, so workers also look at intervals. On SQLite
all workers are threads of the process that stores the job, and need no notification.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import threading
from collections.abc import Callable, Iterator
from typing import Optional, Protocol, cast

import sqlalchemy
from sqlalchemy.engine import Connection, Engine

__all__ = ["Doorbell", "ring"]

_LOGGER = logging.getLogger(__name__)

_CHANNEL = "ftrack_like_encode_job"

#: Seconds between two checks whether to stop, and between two attempts to connect.
_PAUSE = 0.5


class _Driver(Protocol):
    """The part of a connection of psycopg that is used here."""

    autocommit: bool

    def add_notify_handler(self, callback: Callable[[object], None]) -> None:
        """Call *callback* with each notification."""

    def execute(self, query: str) -> object:
        """Run a statement."""

    def fileno(self) -> int:
        """Return the descriptor of the socket."""

    def close(self) -> None:
        """Close the connection, broken or not."""


def ring(connection: Connection) -> None:
    """Wake the workers of all processes when the transaction of *connection* is committed."""
    if connection.dialect.name == "postgresql":
        connection.execute(sqlalchemy.text(f"SELECT pg_notify('{_CHANNEL}', '')"))


class Doorbell:
    """A thread that calls *wake* for each notification, and after each new connection.

    It does nothing on other databases than PostgreSQL, and with drivers other than psycopg.
    """

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        """Nothing runs before :meth:`start`."""
        self._engine = engine
        self._wake = wake
        self._stop = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Start to listen."""
        if self._engine.dialect.name != "postgresql" or self._engine.driver != "psycopg":
            return
        self._thread = threading.Thread(
            target=self._listen, name="sandbox-encoding-doorbell", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * _PAUSE)  # longer while it waits for a database that is away

    def _listen(self) -> None:
        is_reported = False
        while not self._stop.is_set():
            try:
                with _listening(self._engine) as driver:
                    is_reported = False
                    self._wait(driver)
            except Exception as error:
                if not is_reported:
                    _LOGGER.warning(
                        "The database cannot wake the encode workers at once: %s",
                        str(error).splitlines()[0] if str(error) else type(error).__name__,
                    )
                is_reported = True
                self._stop.wait(_PAUSE)

    def _wait(self, driver: _Driver) -> None:
        """Call the function for each notification on the connection *driver*."""
        driver.add_notify_handler(lambda _: self._wake())
        driver.execute(f"LISTEN {_CHANNEL}")
        self._wake()  # for the jobs of the time without a connection
        with selectors.DefaultSelector() as selector:
            selector.register(driver.fileno(), selectors.EVENT_READ)
            while not self._stop.is_set():
                if selector.select(_PAUSE):
                    driver.execute("SELECT 1")  # reads, and calls the handler


@contextlib.contextmanager
def _listening(engine: Engine) -> Iterator[_Driver]:
    """Yield a connection of psycopg that belongs to no pool."""
    pooled = engine.raw_connection()
    driver = cast(_Driver, pooled.driver_connection)
    pooled.detach()
    try:
        driver.autocommit = True
        yield driver
    finally:
        # Closing it through the pool would roll back first, and log a traceback if it is broken.
        driver.close()
        pooled.invalidate()
