"""The sandbox's database, for many readers at once and one writer at a time.

SQLite is the default. It uses a file with a write-ahead log, so that readers do not wait for the
writer and do not see unfinished transactions. A database "in memory" is a file in a private
temporary folder. Its commits do not wait for the disk, and :meth:`Database.close` deletes it. A
URL can select PostgreSQL instead.

A transaction is a ``with`` block. It is committed at the end and rolled back by an exception::

    with database.read() as connection: ...
    with database.write() as connection: ...
"""

from __future__ import annotations

import os
import pathlib
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, Optional, Union

import sqlalchemy
import sqlalchemy.exc
from sqlalchemy.engine import URL, Connection, Engine

from ftrack_like.sandbox.database.folders import FolderWatch, watch_folder
from ftrack_like.sandbox.database.snapshots import forget
from ftrack_like.sandbox.database.turns import Turns

__all__ = ["BUSY_TIMEOUT", "Database"]

#: How long a writer waits for another process that is writing to the same file, in seconds.
BUSY_TIMEOUT = 30.0

#: The key of the PostgreSQL advisory lock that the writers of all processes share.
_ADVISORY_LOCK = 0x66747261636B

_WRITES = "sandbox_writes"

#: A write-ahead log of more bytes is moved to the file of an SQLite database after a commit, and
#: one of more pages as a part of the commit.
_LOG_BYTES = 4 * 1024 * 1024
_LOG_PAGES = 16_384

#: Whether errors leave out the values of their statement. Logs show errors, and a value may be a
#: secret, such as a header of a webhook.
_HIDE = True


class Database:
    """A database at *url*. Threads may share it, but each transaction belongs to one thread.

    *url* is an SQLAlchemy URL for SQLite or PostgreSQL, or None for a private database that
    :meth:`close` deletes. With *durable* a commit on SQLite waits until its data is on the disk.
    Set it to False only if a power cut may lose the last commits.
    """

    def __init__(self, url: Union[str, URL, None] = None, *, durable: bool = True) -> None:
        """Create the engine. The first transaction opens the database."""
        self._folder: Optional[pathlib.Path] = None
        if url is None:
            url = _url_of_file(str(self.private_folder() / "sandbox.sqlite"))
            durable = False
        self._durable = durable
        #: The lock for writers, which decides their order.
        self.turns: Turns = Turns()
        self._engine = self._create_engine(_with_driver(sqlalchemy.make_url(url)))

    @classmethod
    def at_path(cls, path: str) -> Database:
        """Return the database in the SQLite file *path*. The first transaction creates the file."""
        return cls(_url_of_file(path))

    @property
    def engine(self) -> Engine:
        """Return the engine, for uses that need no transaction of :meth:`read` or :meth:`write`."""
        return self._engine

    @property
    def is_sqlite(self) -> bool:
        """Return whether the database is SQLite."""
        return self._engine.dialect.name == "sqlite"

    @property
    def path(self) -> Optional[pathlib.Path]:
        """Return the file of an SQLite database, or None for PostgreSQL."""
        name = self._engine.url.database
        return pathlib.Path(name) if self.is_sqlite and name else None

    def private_folder(self) -> pathlib.Path:
        """Return a temporary folder that :meth:`close` deletes. The first call creates it."""
        if self._folder is None:
            self._folder = pathlib.Path(tempfile.mkdtemp(prefix="ftrack-like-"))
            self._watch = watch_folder(self._folder)
            # Delete the folder also if the program ends without closing the database.
            self._deletion = weakref.finalize(self, _delete, self._folder, os.getpid(), self._watch)
        return self._folder

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees the same state of the database during the whole block."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, owner: str = "", expected: float = 0.0) -> Iterator[Connection]:
        """Yield a connection that can write. Other writers wait until the block ends.

        *owner* (a user) and *expected* (seconds) determine the order of waiting writers; see
        :class:`Turns`. The database checks foreign keys when the block ends, so that a caller can
        insert rows in any order.
        """
        with self.turns.take(owner, expected), self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                self._begin_write(connection)
                try:
                    yield connection
                finally:
                    forget(connection)
        self._move_log()

    def replace_with(self, snapshot: sqlite3.Connection) -> None:
        """Replace the content of this SQLite database with that of *snapshot*, in a transaction."""
        path = self.path
        assert path is not None, "only an SQLite database can be replaced"
        with self.turns.take(), closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as target:
            target.execute("PRAGMA synchronous=OFF")
            snapshot.backup(target)

    def close(self) -> None:
        """Close all connections and delete a private database. Do not use the object afterwards."""
        self._engine.dispose()
        if self._folder is not None:
            self._deletion()
            self._folder = None

    # -- set-up ------------------------------------------------------------------------------

    def _create_engine(self, url: URL) -> Engine:
        if url.get_backend_name() != "sqlite":
            engine = sqlalchemy.create_engine(
                url, pool_pre_ping=True, max_overflow=-1, hide_parameters=_HIDE
            )
            sqlalchemy.event.listen(engine, "begin", _begin_postgresql)
            return engine
        engine = sqlalchemy.create_engine(
            url,
            connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
            pool_size=8,
            max_overflow=-1,
            hide_parameters=_HIDE,
            pool_use_lifo=True,  # the latest connection has most of what is needed in its cache
        )
        sqlalchemy.event.listen(engine, "connect", self._prepare_sqlite_connection())
        sqlalchemy.event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _prepare_sqlite_connection(self) -> Callable[[Any, Any], None]:
        pragmas = (
            "foreign_keys=ON",
            "journal_mode=WAL",
            # With FULL each commit waits until its data is on the disk. NORMAL saves this flush,
            # which takes 1 to 4 ms on a solid-state disk, but a power cut loses the last commits.
            f"synchronous={'FULL' if self._durable else 'OFF'}",
            f"wal_autocheckpoint={_LOG_PAGES}",
            # So the size of the log tells how long it is: it is cut when it begins again.
            f"journal_size_limit={_LOG_BYTES}",
            "temp_store=MEMORY",
            "cache_size=-16000",
        )

        def prepare(connection: Any, record: Any) -> None:
            # The driver would begin a transaction only before the first write. A reader would then
            # see a new state with each statement. The "begin" listener begins it instead.
            connection.isolation_level = None
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")

        return prepare

    def _move_log(self) -> None:
        """Move a long write-ahead log of SQLite to the file, while others may read and write.

        As a part of the commit, where SQLite would do it by itself, it takes longer than the
        commit of a thousand rows, and the next writer waits. That remains for a log that does
        not end because others write all the time.
        """
        path = self.path
        if path is None:
            return
        try:
            size = path.with_name(f"{path.name}-wal").stat().st_size
        except OSError:
            return
        if size > _LOG_BYTES:
            # What cannot be moved, to a full disk for example, stays safe in the log.
            failures = (sqlite3.Error, sqlalchemy.exc.SQLAlchemyError)
            with suppress(*failures), closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _begin_write(self, connection: Connection) -> None:
        """Take the lock for writers. On PostgreSQL, foreign keys are declared as deferred."""
        if self.is_sqlite:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            return
        connection.execute(
            sqlalchemy.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK}
        )


def _delete(folder: pathlib.Path, process: int, watch: FolderWatch) -> None:
    """Delete *folder*, unless this is a fork of the *process* that made it."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
        watch.end()


def _with_driver(url: URL) -> URL:
    """Return *url* with the psycopg driver if it is for PostgreSQL and names no driver."""
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg")
    return url


def _url_of_file(path: str) -> URL:
    """Return the URL of the SQLite file *path*. SQLAlchemy 2.0 does not quote a URL in a text."""
    return URL.create("sqlite", database=path)


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction. A writer locks the file now, so that it cannot fail to do so later."""
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """Set the isolation level of a reader, so that all its statements see the same state."""
    if not connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
