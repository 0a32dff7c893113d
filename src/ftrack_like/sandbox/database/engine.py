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

import logging
import os
import pathlib
import shutil
import sqlite3
import tempfile
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, Optional, Union

import sqlalchemy
import sqlalchemy.exc
from sqlalchemy.engine import URL, Connection, Engine

from ftrack_like.sandbox.database import commit_marks
from ftrack_like.sandbox.database.faults import explained
from ftrack_like.sandbox.database.folders import FolderWatch, watch_folder
from ftrack_like.sandbox.database.postgresql import (
    allow_silence,
    create_postgresql_engine,
    readers_of,
)
from ftrack_like.sandbox.database.repeats import (
    CommitInDoubtError,
    TransactionLostError,
    is_away,
    leaves_in_doubt,
)
from ftrack_like.sandbox.database.shared_locks import (
    share_again,
    take_alone,
    take_turn,
    turn_is_wanted,
)
from ftrack_like.sandbox.database.snapshots import forget
from ftrack_like.sandbox.database.turns import Turns

__all__ = ["BUSY_TIMEOUT", "Database"]

_LOGGER = logging.getLogger(__name__)

#: How long a writer waits for another process that is writing to the same file, in seconds.
BUSY_TIMEOUT = 30.0

#: The cache of SQLite while rows are loaded in bulk, in KiB.
_LOADING_CACHE = 256 * 1024

_WRITES = "sandbox_writes"

#: How long transactions wait for a PostgreSQL server that restarts, in seconds since it went away,
#: and the pause between two attempts.
_PATIENCE = 20.0
_PAUSE = 0.1

#: How often to ask for the outcome of a commit, if the connection breaks again and again.
_QUESTIONS = 5

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
        self._readers = self._engine if self.is_sqlite else readers_of(self._engine)
        #: Whether a connection was ever open, so that the address is right.
        self._was_open = False
        #: The time at which PostgreSQL was found to be away, None if it answers.
        self._away_since: Optional[float] = None
        #: The name under which this object marks its transactions on PostgreSQL.
        self._writer = uuid.uuid4()
        self._has_joined = False
        #: A connection that only watches for the commits of others.
        self._observer: Optional[sqlite3.Connection] = None

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
        with self._connect(self._readers) as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, owner: str = "", expected: float = 0.0) -> Iterator[Connection]:
        """Yield a connection that can write. Other writers wait until the block ends.

        *owner* (a user) and *expected* (seconds) determine the order of waiting writers; see
        :class:`Turns`. The database checks foreign keys when the block ends, so that a caller can
        insert rows in any order.

        If a PostgreSQL server stops during the commit, this method waits until it is back and asks
        for the outcome. Raise :exc:`TransactionLostError` if nothing was saved, and
        :exc:`CommitInDoubtError` if the server does not come back.
        """
        with self.turns.take(owner, expected):
            self._join_writers()
            mark: Optional[uuid.UUID] = None
            try:
                with self._connect(self._engine) as plain:
                    connection = plain.execution_options(**{_WRITES: True})
                    with connection.begin():
                        begun = self._begin_write(connection)
                        try:
                            yield connection
                        finally:
                            forget(connection)
                        mark = begun
            except sqlalchemy.exc.DBAPIError as error:
                if mark is None or not leaves_in_doubt(error):
                    raise
                self._require_saved(mark, error)
        self._move_log()

    @contextmanager
    def write_apart(self) -> Iterator[Connection]:
        """Yield a connection that writes rows that no batch writes, such as claims of jobs.

        On PostgreSQL it does not take the lock for writers, so a long batch does not delay it, and
        the rows themselves are locked. SQLite has one writer at a time.
        """
        if self.is_sqlite:
            with self.write() as connection:
                yield connection
            return
        with self._connect(self._engine) as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def nobody_waits_to_write(self, connection: Connection) -> bool:
        """Return whether no other writer waits, in any process, for the writer *connection*."""
        if not self.turns.nobody_waits():
            return False
        # One process at a time uses an SQLite file. This also runs in the midst of a statement
        # there.
        return self.is_sqlite or not turn_is_wanted(connection)

    def _join_writers(self) -> None:
        """Make the row on PostgreSQL that tells the outcome of the transactions of this object."""
        if self.is_sqlite or self._has_joined:
            return
        with self._connect(self._engine) as connection, connection.begin():
            take_turn(connection)
            commit_marks.join(connection, self._writer)
        self._has_joined = True

    def _require_saved(self, mark: uuid.UUID, lost: sqlalchemy.exc.DBAPIError) -> None:
        """Raise :exc:`TransactionLostError` if the transaction with *mark* was not saved.

        The error *lost* interrupted its commit. Raise :exc:`CommitInDoubtError` if the outcome
        remains unknown: nobody may repeat the transaction then.
        """
        saved: Optional[bool] = None
        reason = "its mark is gone"
        # The connection with which to ask can break too.
        for _ in range(_QUESTIONS):
            try:
                with self._connect(self._engine) as connection, connection.begin():
                    saved = commit_marks.was_saved(connection, self._writer, mark)
                break
            except sqlalchemy.exc.DBAPIError as error:
                reason = str(error)
                if not leaves_in_doubt(error):
                    break
        if saved is None:
            raise CommitInDoubtError(
                f"The outcome of a commit is unknown: {reason}", lost
            ) from lost
        if not saved:
            raise TransactionLostError("The connection broke during the commit.", lost) from lost

    def _connect(self, engine: Engine) -> Connection:
        """Return a connection of *engine*; wait some time for a PostgreSQL server that restarts.

        The time counts from the first failure of any thread. Otherwise writers, which come here one
        after the other, would each wait for so long.
        """
        while True:
            try:
                connection = engine.connect()
            except sqlalchemy.exc.OperationalError as error:
                if not self._was_open or self.is_sqlite or not is_away(error):
                    raise
                now = time.monotonic()
                if self._away_since is None:
                    self._away_since = now
                if now - self._away_since > _PATIENCE:
                    raise
                time.sleep(_PAUSE)
            else:
                self._was_open, self._away_since = True, None
                return connection

    @contextmanager
    def load(self) -> Iterator[Connection]:
        """Yield a connection that can load many rows, while no other process uses the database.

        SQLite checks no foreign keys in the block, because it would check them row by row.
        Afterwards, the database is as compact and as quick to read as one that grew slowly. Raise
        :exc:`DatabaseInUseError` if another process uses the database on a PostgreSQL server. The
        caller must have locked the folder of an SQLite database.
        """
        self._engine.dispose()
        with self.turns.take(), self._engine.connect() as plain:
            plain.detach()  # close the connection afterwards, with its settings
            if self.is_sqlite:
                driver: Any = plain.connection.dbapi_connection
                for pragma in ("foreign_keys=OFF", f"cache_size=-{_LOADING_CACHE}"):
                    driver.execute(f"PRAGMA {pragma}")
            connection = plain.execution_options(**{_WRITES: True})
            if not self.is_sqlite:
                allow_silence(connection)  # nobody else waits, and rows take time to generate
                take_alone(connection)
                connection.commit()
            try:
                with connection.begin():
                    if self.is_sqlite:
                        _defer_keys(connection)
                    yield connection
            finally:
                # A broken connection has lost the lock already.
                with suppress(sqlalchemy.exc.SQLAlchemyError):
                    if not self.is_sqlite:
                        share_again(connection)
        self._tidy()

    def _tidy(self) -> None:
        """Move all pages of SQLite's log to the file; let PostgreSQL mark the rows as settled.

        The rows are stored already, so a failure, such as a full disk, is only logged.
        """
        driver_errors = self._engine.dialect.loaded_dbapi.Error
        try:
            with closing(self._engine.raw_connection()) as connection:
                if self.is_sqlite:
                    connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    return
                driver: Any = connection.driver_connection
                driver.autocommit = True
                try:
                    driver.execute("VACUUM (ANALYZE)")
                finally:
                    driver.autocommit = False
        except (driver_errors, sqlalchemy.exc.SQLAlchemyError) as error:
            words = explained(str(error))
            _LOGGER.warning(f"The data are stored, but the database could not be tidied: {words}.")

    def replace_with(self, snapshot: sqlite3.Connection) -> int:
        """Replace the content of this SQLite database with that of *snapshot*, in a transaction.

        Return the :meth:`state` of the replaced content.
        """
        path = self.path
        assert path is not None, "only an SQLite database can be replaced"
        with self.turns.take():
            with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as target:
                target.execute("PRAGMA synchronous=OFF")
                snapshot.backup(target)
            return self.state()

    def state(self) -> int:
        """Return a number for the content of this SQLite database.

        It is another number after each commit of any connection of any process. Only the numbers
        of one object can be compared.
        """
        if self._observer is None:
            path = self.path
            assert path is not None, "only an SQLite database has such a number"
            self._observer = sqlite3.connect(path, timeout=BUSY_TIMEOUT, check_same_thread=False)
        (number,) = self._observer.execute("PRAGMA data_version").fetchone()
        return int(number)

    def close(self) -> None:
        """Close all connections and delete a private database. Do not use the object afterwards."""
        if self._observer is not None:
            self._observer.close()
            self._observer = None
        self._engine.dispose()
        if self._folder is not None:
            self._deletion()
            self._folder = None

    # -- set-up ------------------------------------------------------------------------------

    def _create_engine(self, url: URL) -> Engine:
        if url.get_backend_name() != "sqlite":
            return create_postgresql_engine(url, hide_parameters=_HIDE)
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

    def _begin_write(self, connection: Connection) -> Optional[uuid.UUID]:
        """Take the lock for writers; return the mark of the transaction on PostgreSQL.

        There, foreign keys are declared as deferred.
        """
        if self.is_sqlite:
            _defer_keys(connection)
            return None
        return commit_marks.take_marked_turn(connection, self._writer)


def _defer_keys(connection: Connection) -> None:
    """Let SQLite check foreign keys at the end of the transaction."""
    connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")


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
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        # A reader takes no lock here, so this cannot fail. SQLAlchemy would take ten times as long.
        driver: Any = connection.connection.driver_connection
        driver.execute("BEGIN")
