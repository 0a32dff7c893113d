"""The sandbox's database: one engine, many readers at once, one writer at a time.

SQLite is the default: a file with a write-ahead log, so that readers neither wait for the
writer nor see half of what it does; a database "in memory" is such a file in a private
temporary folder, without the waiting for the disk, gone when the database is closed.
PostgreSQL is chosen by its URL.

A transaction is a ``with`` block, committed at its end and rolled back by any exception::

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
from contextlib import closing, contextmanager
from typing import Any, Optional, Union

import sqlalchemy
from sqlalchemy.engine import URL, Connection, Engine

from ftrack_like.sandbox.storage.folders import FolderWatch, watch_folder
from ftrack_like.sandbox.storage.turns import Turns

__all__ = ["BUSY_TIMEOUT", "Database"]

#: How long a writer waits for another process that writes to the same file, in seconds.
BUSY_TIMEOUT = 30.0

#: Names the one lock that writers of all processes share on a PostgreSQL server.
_ADVISORY_LOCK = 0x66747261636B

_WRITES = "sandbox_writes"


class Database:
    """A database at *url*; threads may share it, each transaction belongs to one thread.

    *url* is any SQLAlchemy URL of SQLite or PostgreSQL, or its text; None stands for a private
    database that is deleted by :meth:`close`. *durable* says whether a commit waits for the disk;
    it should be False only where losing the last commits in a power cut does no harm.
    """

    def __init__(self, url: Union[str, URL, None] = None, *, durable: bool = True) -> None:
        """Prepare the engine; nothing is opened before the first transaction."""
        self._folder: Optional[pathlib.Path] = None
        if url is None:
            url = _url_of_file(str(self.private_folder() / "sandbox.sqlite"))
            durable = False
        self._durable = durable
        #: Whose turn it is to write.
        self.turns: Turns = Turns()
        self._engine = self._create_engine(_with_driver(sqlalchemy.make_url(url)))

    @classmethod
    def at_path(cls, path: str) -> Database:
        """Return the database in the SQLite file at *path*, which need not exist yet."""
        return cls(_url_of_file(path))

    @property
    def engine(self) -> Engine:
        """Return the engine, for what transactions do not cover (making tables, plans)."""
        return self._engine

    @property
    def is_sqlite(self) -> bool:
        """Return whether this is SQLite."""
        return self._engine.dialect.name == "sqlite"

    @property
    def path(self) -> Optional[pathlib.Path]:
        """Return the file of an SQLite database, None for other kinds."""
        name = self._engine.url.database
        return pathlib.Path(name) if self.is_sqlite and name else None

    def private_folder(self) -> pathlib.Path:
        """Return a folder that is deleted when the database is closed; made when first asked."""
        if self._folder is None:
            self._folder = pathlib.Path(tempfile.mkdtemp(prefix="ftrack-like-"))
            self._watch = watch_folder(self._folder)
            # Also when the program ends without closing the database.
            self._deletion = weakref.finalize(self, _delete, self._folder, os.getpid(), self._watch)
        return self._folder

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the database throughout."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, owner: str = "", expected: float = 0.0) -> Iterator[Connection]:
        """Yield a connection that may write; others wait until the block ends.

        They take turns by their *owner* and the seconds that they expect to take; see
        :class:`Turns`. Foreign keys are checked when the block ends, so that rows may arrive in
        any order.
        """
        with self.turns.take(owner, expected), self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                self._begin_write(connection)
                yield connection

    def replace_with(self, snapshot: sqlite3.Connection) -> None:
        """Make the content of *snapshot* that of this SQLite database, as one transaction."""
        path = self.path
        assert path is not None, "only an SQLite database can be replaced"
        with self.turns.take(), closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as target:
            target.execute("PRAGMA synchronous=OFF")
            snapshot.backup(target)

    def close(self) -> None:
        """Close all connections, and delete a private database; it cannot be used again."""
        self._engine.dispose()
        if self._folder is not None:
            self._deletion()
            self._folder = None

    # -- set-up ------------------------------------------------------------------------------

    def _create_engine(self, url: URL) -> Engine:
        if url.get_backend_name() != "sqlite":
            engine = sqlalchemy.create_engine(url, pool_pre_ping=True, max_overflow=-1)
            sqlalchemy.event.listen(engine, "begin", _begin_postgresql)
            return engine
        engine = sqlalchemy.create_engine(
            url,
            connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
            pool_size=8,
            max_overflow=-1,
        )
        sqlalchemy.event.listen(engine, "connect", self._prepare_sqlite_connection())
        sqlalchemy.event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _prepare_sqlite_connection(self) -> Callable[[Any, Any], None]:
        pragmas = (
            "foreign_keys=ON",
            "journal_mode=WAL",
            # Each commit waits until it is on the disk. NORMAL would lose the last commits in
            # a power cut; it saves the flush, which takes 1 to 4 ms on a solid-state disk.
            f"synchronous={'FULL' if self._durable else 'OFF'}",
            "temp_store=MEMORY",
            "cache_size=-16000",
        )

        def prepare(connection: Any, record: Any) -> None:
            # The driver would begin transactions by itself, and only before writing: too late
            # for a reader that wants one state throughout. "begin" below does it instead.
            connection.isolation_level = None
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")

        return prepare

    def _begin_write(self, connection: Connection) -> None:
        if self.is_sqlite:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            return
        connection.execute(
            sqlalchemy.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK}
        )
        connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")


def _delete(folder: pathlib.Path, process: int, watch: FolderWatch) -> None:
    """Delete *folder*, unless this is a fork of the *process* that made it."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
        watch.end()


def _with_driver(url: URL) -> URL:
    """Return *url* with our PostgreSQL driver where it names none."""
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg")
    return url


def _url_of_file(path: str) -> URL:
    """Return the URL of the SQLite file at *path*, as an object: SQLAlchemy 2.0 quotes no text."""
    return URL.create("sqlite", database=path)


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction: a writer takes its lock at once, lest it fail half way."""
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """Begin a reader's transaction in one state of the database."""
    if not connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
