"""The engine for PostgreSQL: its connections and their settings.

A server on one machine answers a short statement in a tenth of a millisecond, so each trip counts:

- The isolation level travels with ``BEGIN`` instead of in a statement.
- A connection is tested only after a pause. Until then, a broken one shows at its first statement,
  and the transaction is repeated (:mod:`.repeats`).
- The driver prepares a statement that is repeated, so that PostgreSQL need not plan it again.
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy.exc
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, Engine

from ftrack_like.sandbox.database.shared_locks import join_users

__all__ = ["WrongEncodingError", "allow_silence", "create_postgresql_engine", "readers_of"]

#: The connections of a process that stay open, and the most further ones. A transaction that waits
#: for its turn within the process has no connection yet.
_POOL_SIZE = 10
_OVERFLOW = 30

#: The seconds to wait for a free connection, and the age at which one is replaced.
_POOL_SECONDS = 30.0
_AGE = 1800

#: A connection is tested if it was not used for so many seconds.
_IDLE = 1.0
_USED = "ftrack_like_used"

#: A statement is prepared at its third use on a connection, and so many statements stay prepared.
_PREPARE_AT = 3
_PREPARED = 300

#: The milliseconds after which PostgreSQL rolls back a transaction whose process sends nothing: it
#: is stopped, or its machine has lost its power or its network. All other writers wait for it.
_SILENCE = 30_000
_SILENCE_SETTING = "idle_in_transaction_session_timeout"

#: Settings of each connection. Compiling a plan to machine code takes longer than running it. Pages
#: are read at random from a solid-state disk or from memory, which costs little more than in order.
_SETTINGS = (("jit", "off"), ("random_page_cost", "1.1"))


class WrongEncodingError(RuntimeError):
    """The database cannot store all texts."""


def create_postgresql_engine(url: URL, *, hide_parameters: bool) -> Engine:
    """Return an engine for the database at *url*. The first transaction opens a connection."""
    engine = sqlalchemy.create_engine(
        url,
        connect_args={"prepare_threshold": _PREPARE_AT},
        hide_parameters=hide_parameters,
        max_overflow=_OVERFLOW,
        pool_recycle=_AGE,
        pool_size=_POOL_SIZE,
        pool_timeout=_POOL_SECONDS,
        pool_use_lifo=True,  # the latest connection has prepared most statements
    )

    def test_after_pause(driver: Any, record: Any, fairy: Any) -> None:
        used = record.info.get(_USED)
        if used is None or time.monotonic() - used < _IDLE:
            return
        try:
            engine.dialect.do_ping(driver)
        except engine.dialect.loaded_dbapi.Error as error:
            # The server was restarted, so the other connections are broken too.
            raise sqlalchemy.exc.InvalidatePoolError from error

    # Before SQLAlchemy's own look at a new server, which fails for another encoding.
    event.listen(engine, "connect", _require_utf8, insert=True)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "checkout", test_after_pause)
    event.listen(engine, "checkin", _note_use)
    return engine


def readers_of(engine: Engine) -> Engine:
    """Return *engine* for transactions that only read and see one state of the database."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def allow_silence(connection: Connection) -> None:
    """Let transactions of *connection* wait for their process for any time, until it is closed."""
    connection.exec_driver_sql(f"SET {_SILENCE_SETTING} = 0")


def _require_utf8(driver: Any, record: Any) -> None:
    """Raise :exc:`WrongEncodingError` unless the database of the connection *driver* is in UTF8."""
    found = driver.info.parameter_status("server_encoding")
    if found == "UTF8":
        return
    name = driver.info.dbname
    driver.close()
    raise WrongEncodingError(
        f"The database {name!r} has the encoding {found}, and a sandbox needs UTF8. Create "
        "another database and name it with --database: createdb -E UTF8 -T template0 NAME"
    )


def _prepare(driver: Any, record: Any) -> None:
    """Set up the new connection *driver*."""
    driver.prepared_max = _PREPARED
    driver.autocommit = True
    for name, value in (*_SETTINGS, (_SILENCE_SETTING, _SILENCE)):
        driver.execute(f"SET {name} = {value}")
    join_users(driver)
    driver.autocommit = False


def _note_use(driver: Any, record: Any) -> None:
    record.info[_USED] = time.monotonic()
