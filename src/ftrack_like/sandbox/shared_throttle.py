"""Limits on failed attempts that all processes of a PostgreSQL database share.

Without it, a client that reaches several processes may fail as often on each. The failures
lie in a table that is not in the layout of the site: copies of the data need not contain it, and
the database need not write it to the disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.network.throttle import Counters, ThrottleLike

__all__ = ["counters_of"]

#: Seconds for which a correct key is remembered.
_REMEMBERED = 7 * 24 * 3600.0

_TABLE = "throttle"

_CREATE = (
    f"CREATE UNLOGGED TABLE IF NOT EXISTS {_TABLE}"
    " (name text NOT NULL, until double precision NOT NULL)",
    f"CREATE INDEX IF NOT EXISTS ix_{_TABLE}_name ON {_TABLE} (name, until)",
    f"CREATE INDEX IF NOT EXISTS ix_{_TABLE}_until ON {_TABLE} (until)",
)

_EXISTS = f"SELECT to_regclass('ix_{_TABLE}_until') IS NOT NULL"

#: The clock of the database, in seconds: the processes may run on several machines.
_NOW = "extract(epoch from clock_timestamp())::double precision"

_ADD = f"INSERT INTO {_TABLE} VALUES (%s, {_NOW} + %s)"
_SWEEP = f"DELETE FROM {_TABLE} WHERE until < {_NOW}"
_CLEAR = f"DELETE FROM {_TABLE} WHERE name LIKE %s"
_LEFT = (
    f"SELECT until - {_NOW} FROM {_TABLE} WHERE name = %s AND until > {_NOW}"
    " ORDER BY until DESC OFFSET %s LIMIT 1"
)


def counters_of(database: Database) -> Counters:
    """Return what counts the failures of the site in *database*, for all its processes.

    Only one process uses an SQLite database, so that counts in memory.
    """
    return Counters() if database.is_sqlite else _SharedCounters(database)


class _SharedCounters(Counters):
    """The counters in *database*, and the correct keys that any process has seen."""

    def __init__(self, database: Database) -> None:
        """Create the missing table."""
        super().__init__()
        self._database = database
        with database.read() as connection:
            exists = connection.exec_driver_sql(_EXISTS).scalar()
        if exists:
            return  # a worker that starts must not wait for a long batch
        with database.write() as connection:  # one process at a time
            for statement in _CREATE:
                connection.exec_driver_sql(statement)

    def _make(self, purpose: str, most: int, seconds: float) -> ThrottleLike:
        """Return a counter for *purpose*, which other processes have too."""
        return _SharedThrottle(self._database, purpose, most, seconds)

    def remember(self, digest: bytes) -> None:
        """Note that the credentials with *digest* are correct."""
        _write(self._database, _ADD, (_named("known", digest.hex()), _REMEMBERED))

    def remembers(self, digest: bytes) -> bool:
        """Return whether any process has seen that the credentials are correct."""
        return _seconds_left(self._database, _named("known", digest.hex()), 1) > 0


class _SharedThrottle:
    """A :class:`Throttle` for all processes of *database*."""

    def __init__(self, database: Database, purpose: str, most: int, seconds: float) -> None:
        self._database = database
        self._purpose = purpose
        self._most = most
        self._seconds = seconds

    def is_exhausted(self, name: str) -> bool:
        """Return whether *name* has failed too often to try again now."""
        return self.seconds_left(name) > 0

    def seconds_left(self, name: str) -> float:
        """Return the seconds that *name* has to wait, 0 if it may try again now."""
        return _seconds_left(self._database, _named(self._purpose, name), self._most)

    def count(self, name: str) -> None:
        """Count a failure of *name*."""
        _write(self._database, _ADD, (_named(self._purpose, name), self._seconds))
        _write(self._database, _SWEEP)

    def clear(self) -> None:
        """Forget all failures."""
        _write(self._database, _CLEAR, (f"{self._purpose} %",))


def _named(purpose: str, name: str) -> str:
    """Return *name* as it is stored: a client chooses its length, and it may be a secret."""
    return f"{purpose} {hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _seconds_left(database: Database, name: str, most: int) -> float:
    with database.read() as connection:
        found = connection.exec_driver_sql(_LEFT, (name, most - 1)).scalar()
    return 0.0 if found is None else max(0.001, float(found))


def _write(database: Database, statement: str, values: Sequence[Any] = ()) -> None:
    """Run *statement* in a transaction of its own, without the turn of a writer.

    A wrong key must not wait for a long batch.
    """
    with closing(database.engine.raw_connection()) as connection:
        connection.cursor().execute(statement, tuple(values))
        connection.commit()
