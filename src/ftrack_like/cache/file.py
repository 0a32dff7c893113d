"""A cache in one file that processes and threads may share."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Generator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

from ftrack_like._paths import check_path
from ftrack_like._seams import keeps_originals
from ftrack_like.cache import _sqlite
from ftrack_like.cache.base import Cache

if TYPE_CHECKING:
    import sqlite3

__all__ = ["FileCache"]

_Result = TypeVar("_Result")

#: Seconds that a fork waits for another thread that is writing just then.
_FORK_TIME_OUT = 5.0


@keeps_originals
class FileCache(Cache):
    """A cache of text under text keys in one SQLite file.

    Wrap it in a :class:`~ftrack_like.cache.SerialisedCache` to hold more than text. Threads and
    processes may share the file, also across a fork; a process that is killed loses nothing that
    it had set. Only the owner may read the file. It may be removed at any time: the next use
    starts a new one.
    """

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        """Initialise with the *path* of the file, which is made here if it is missing.

        Raise :exc:`FileExistsError` if *path* is a file of another kind, and
        :exc:`~ftrack_like.exception.PathError` if no file can have the path.
        """
        super().__init__()
        check_path(os.fsdecode(path))
        self.path = path
        self._initialise()

    def _initialise(self) -> None:
        """Prepare the process's own side: the lock and the (not yet opened) file."""
        self._handle = _Handle(os.path.realpath(os.fspath(self.path)))
        _sqlite.ensure_file(self._handle.path)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to open the same file."""
        return {name: value for name, value in vars(self).items() if name != "_handle"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._initialise()

    @contextlib.contextmanager
    def _database(self) -> Generator[MutableMapping[str, Union[str, bytes]], None, None]:
        """Yield the open file as a mapping of text to value.

        The changes made within one ``with`` are one transaction: an exception undoes them. Other
        threads wait meanwhile, and so do writers of other processes from the first change on.
        """
        with self._handle.transaction() as table:
            yield table

    def _use(self, work: Callable[[MutableMapping[str, Any]], _Result]) -> _Result:
        """Return what *work* returns for the open file, started anew if it proves broken."""
        import sqlite3  # lazy: only sessions with a cache file pay for it

        try:
            with self._database() as database:
                return work(database)
        except sqlite3.DatabaseError as error:
            if not _sqlite.is_damage(error):
                raise
            self._handle.discard(error)
        with self._database() as database:
            return work(database)

    def get(self, key: str) -> str:
        """Return the text stored under *key*; :exc:`KeyError` if there is none."""
        value = self._use(lambda database: database[key])
        return value if isinstance(value, str) else bytes(value).decode("utf-8")

    def set(self, key: str, value: str) -> None:
        """Store the text *value* under *key*."""
        self._use(lambda database: database.update({key: value}))

    def remove(self, key: str) -> None:
        """Remove *key*; :exc:`KeyError` if it is not there."""
        self._use(lambda database: database.__delitem__(key))

    def keys(self) -> list[str]:
        """Return a list of the keys."""
        return self._use(list)

    def set_many(self, items: Mapping[str, str]) -> None:
        """Store *items* in one transaction: all of them, or, on an error, none."""
        self._use(lambda database: database.update(items))


class _Handle:
    """The connection of this process to one cache file, and the lock that guards it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._identity: Optional[tuple[int, int]] = None
        self._connection: Optional[sqlite3.Connection] = None
        self._finaliser: Optional[weakref.finalize[Any, Any]] = None
        _HANDLES.add(self)

    @contextlib.contextmanager
    def transaction(self) -> Generator[_sqlite.Table, None, None]:
        """Yield the table of the file; keep what was changed, or undo it on an exception."""
        with self._lock:
            connection = self._open()
            self._depth += 1
            try:
                yield _sqlite.Table(connection)
            except BaseException:
                if self._depth == 1 and connection.in_transaction:
                    connection.rollback()
                raise
            else:
                if self._depth == 1 and connection.in_transaction:
                    connection.commit()
            finally:
                self._depth -= 1

    def _open(self) -> sqlite3.Connection:
        """Return the connection to the file that is at the path now."""
        if self._connection is not None:
            if self._depth or self._identity == _sqlite.identity(self.path):
                return self._connection
            self.close()  # The file was removed or replaced.
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        """Open the file, made anew if it is missing, and return the connection."""
        if not _sqlite.identity(self.path):
            _sqlite.ensure_file(self.path)
        connection = _sqlite.connect(self.path)
        self._identity = _sqlite.identity(self.path)
        self._connection = connection
        self._finaliser = weakref.finalize(self, connection.close)
        return connection

    def close(self) -> None:
        """Close the connection, if there is one; the next use opens the file again."""
        if self._finaliser is not None:
            self._finaliser()
        self._connection = self._finaliser = None

    def discard(self, error: Exception) -> None:
        """Remove the file, which *error* proved broken, so that the next use starts a new one."""
        logging.getLogger(__name__).warning(
            "The cache file %s is broken (%s) and is started anew.", self.path, error
        )
        with self._lock:
            self.close()
            _sqlite.remove_file(self.path)

    def before_fork(self) -> None:
        """Close the file: SQLite's connections must not reach the child.

        They share their locks with it in ways that lose data. Both sides open it again.
        """
        if self._lock.acquire(timeout=_FORK_TIME_OUT) and not self._depth:
            self.close()

    def after_fork_in_parent(self) -> None:
        """Let other threads go on."""
        with contextlib.suppress(RuntimeError):  # Not ours: the wait in before_fork timed out.
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: the threads that may have held the lock do not exist here."""
        self._lock = threading.RLock()
        self._depth = 0
        if self._connection is not None and self._finaliser is not None:
            # Forked in the middle of a transaction: it belongs to the parent, never close it.
            self._finaliser.detach()
            _NEVER_CLOSED.append(self._connection)
            self._connection = self._finaliser = None


#: Connections of the parent process that this one inherited in use.
_NEVER_CLOSED: list[Any] = []

#: Every handle of this process, to be closed before a fork.
_HANDLES: weakref.WeakSet[_Handle] = weakref.WeakSet()


def _for_each_handle(action: str) -> None:
    for handle in list(_HANDLES):
        getattr(handle, action)()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _for_each_handle("before_fork"),
        after_in_parent=lambda: _for_each_handle("after_fork_in_parent"),
        after_in_child=lambda: _for_each_handle("after_fork_in_child"),
    )
