"""A cache in one SQLite file that processes and threads may share.

The file must survive three events:

- *A fork.* A SQLite connection must not be used in both parent and child: they would share its
  locks and lose data. So before a fork every connection is closed, and both sides open their own.
  If the fork happens inside a transaction of the parent, the child must not even close the
  connection, since this would end the parent's transaction.
- *Removal or replacement of the file* by another process. So each transaction checks the device
  and inode of the file first.
- *Damage.* A damaged file is removed and created again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

from ftrack_like._base.paths import check_path
from ftrack_like._base.seams import keeps_originals
from ftrack_like.cache import _sqlite
from ftrack_like.cache.base import Cache, MemoryCache
from ftrack_like.cache.bounds import ExpiringCache

if TYPE_CHECKING:
    import sqlite3

__all__ = ["FileCache"]

_Result = TypeVar("_Result")

#: A fork waits at most this many seconds for another thread that is writing.
_FORK_TIME_OUT = 5.0


@keeps_originals
class FileCache(Cache):
    """A cache of text under text keys in one SQLite file.

    Wrap it in a :class:`~ftrack_like.cache.SerialisedCache` to store other values. Threads and
    processes may share the file, also across a fork. If a process is killed, the values that it
    has set are kept. Only the owner may read the file. The file may be removed at any time; the
    next use creates a new file.
    """

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        """Initialise with the *path* of the file; create the file if it is missing.

        Raise :exc:`FileExistsError` if *path* is a file of another kind, and
        :exc:`~ftrack_like.exception.PathError` if it is not a valid path.
        """
        super().__init__()
        check_path(os.fsdecode(path))
        self.path = path
        self._initialise()

    def _initialise(self) -> None:
        """Create the handle of this process, and the file if it is missing."""
        self._handle = _Handle(os.path.realpath(os.fspath(self.path)))
        _sqlite.ensure_file(self._handle.path)

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes without the handle, which belongs to this process."""
        return {name: value for name, value in vars(self).items() if name != "_handle"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._initialise()

    @contextlib.contextmanager
    def _database(self) -> Generator[MutableMapping[str, Union[str, bytes]], None, None]:
        """Yield the open file as a mapping of text to value.

        All changes inside one ``with`` are one transaction; an exception undoes them. Other threads
        wait until it ends. Writers in other processes wait from the first change on.
        """
        with self._handle.transaction() as table:
            yield table

    def _use(self, work: Callable[[MutableMapping[str, Any]], _Result]) -> _Result:
        """Return the result of *work* on the open file; replace a damaged file and repeat."""
        import sqlite3  # lazy: needed only by sessions with a cache file

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
        """Return the text stored under *key*; raise :exc:`KeyError` if it is missing."""
        text = _text_in(self._use(lambda database: database[key]))
        if text is None:
            raise KeyError(key)
        return text

    def set(self, key: str, value: str) -> None:
        """Store the text *value* under *key*."""
        self._use(lambda database: database.update({key: value}))

    def remove(self, key: str) -> None:
        """Remove *key*; raise :exc:`KeyError` if it is missing."""
        self._use(lambda database: database.__delitem__(key))

    def keys(self) -> list[str]:
        """Return a list of the keys."""
        return self._use(list)

    def get_many(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the texts under *keys*, without the missing ones, in one transaction."""
        names = list(keys)
        found = self._use(lambda database: [database.get(key) for key in names])
        texts = {key: _text_in(value) for key, value in zip(names, found)}
        return {key: text for key, text in texts.items() if text is not None}

    def add(self, key: str, value: str, seconds: float) -> bool:
        """Store *value* under *key* for *seconds*, unless there is a value; return whether it did.

        Of several processes that add the same key at once, only one gets True. The value has the
        form of an :class:`~ftrack_like.cache.ExpiringCache`.
        """
        expiring = ExpiringCache(MemoryCache(), seconds)

        def add(database: MutableMapping[str, str]) -> bool:
            # Write first: the transaction then excludes other writers from now on.
            database[f"{key} attempt"] = ""
            del database[f"{key} attempt"]
            found = database.get(key)
            if found is not None:
                expiring.proxied.set(key, found)
                if expiring.get_many([key]):
                    return False
            expiring.set(key, value)
            database[key] = expiring.proxied.get(key)
            return True

        return self._use(add)

    def set_many(self, items: Mapping[str, str]) -> None:
        """Store *items* in one transaction: after an error, none is stored."""
        self._use(lambda database: database.update(items))

    def remove_many(self, keys: Iterable[str]) -> None:
        """Remove those of *keys* that are present, in one transaction."""
        names = list(keys)

        def remove(database: MutableMapping[str, str]) -> None:
            for key in names:
                database.pop(key, None)

        self._use(remove)


def _text_in(value: object) -> Optional[str]:
    """Return the text in *value*, read from the file; None if another program stored no text."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except ValueError:
            return None
    return value if isinstance(value, str) else None


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
    def transaction(self) -> Generator[_sqlite.FileTable, None, None]:
        """Yield the table of the file; commit the changes, or undo them after an exception."""
        with self._lock:
            connection = self._open()
            self._depth += 1
            try:
                yield _sqlite.FileTable(connection)
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
        """Return the connection to the file that is currently at the path."""
        if self._connection is not None:
            if self._depth or self._identity == _sqlite.file_identity(self.path):
                return self._connection
            self.close()  # The file was removed or replaced.
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        """Open the file, created if it is missing, and return the connection.

        Raise :exc:`OSError` if the process was forked during a transaction on the file.
        """
        if not _sqlite.file_identity(self.path):
            _sqlite.ensure_file(self.path)
        if _sqlite.file_identity(self.path) in _INHERITED_IN_USE:
            raise OSError(
                f"The cache file {self.path} cannot be used in this process, which was forked "
                "during a transaction on the file. Fork outside of transactions."
            )
        connection = _sqlite.connect(self.path)
        self._identity = _sqlite.file_identity(self.path)
        self._connection = connection
        self._finaliser = weakref.finalize(self, connection.close)
        return connection

    def close(self) -> None:
        """Close the connection, if there is one; the next use opens the file again."""
        if self._finaliser is not None:
            self._finaliser()
        self._connection = self._finaliser = None

    def discard(self, error: Exception) -> None:
        """Remove the file, damaged according to *error*; the next use creates a new file."""
        logging.getLogger(__name__).warning(
            "Replacing the cache file %s, which is damaged: %s", self.path, error
        )
        with self._lock:
            self.close()
            _sqlite.remove_file(self.path)

    def before_fork(self) -> None:
        """Close the connection, so that the child does not inherit it; keep the lock."""
        if self._lock.acquire(timeout=_FORK_TIME_OUT) and not self._depth:
            self.close()

    def after_fork_in_parent(self) -> None:
        """Release the lock of :meth:`before_fork`."""
        with contextlib.suppress(RuntimeError):  # Not owned: the wait in before_fork timed out.
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Create a new lock: the thread that owned the old lock does not exist in the child."""
        self._lock = threading.RLock()
        self._depth = 0
        if self._connection is not None and self._finaliser is not None:
            # The fork happened during a transaction of the parent: never close the connection.
            self._finaliser.detach()
            _keep_for_ever(self._connection)
            _INHERITED_IN_USE.add(self._identity)
            self._connection = self._finaliser = None


def _keep_for_ever(connection: sqlite3.Connection) -> None:
    """Prevent that *connection*, in use by the parent process, is ever closed.

    Closing it would end the parent's transaction. The interpreter closes it at exit, even if a
    module refers to it. So add a reference that is never released.
    """
    import ctypes  # lazy: needed only after a fork during a transaction

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


#: The files whose connections this process inherited in use. SQLite records its locks by file
#: within a process, so the child would take the locks of the parent for its own.
_INHERITED_IN_USE: set[Optional[tuple[int, int]]] = set()

#: All handles of this process; a fork closes them first.
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
