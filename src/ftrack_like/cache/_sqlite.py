"""A table of text keys in one SQLite file: create, open and repair the file.

This module handles the hard parts of sharing a SQLite file between processes;
:mod:`ftrack_like.cache.file` adds the interface of a cache. The constraints are:

- Two processes may create the file at the same moment. So a new file is built under a temporary
  name and renamed, under a lock on the folder.
- A damaged file is replaced: a cache can be filled again. Any other file is never touched, since it
  may contain the user's data.
- POSIX drops all locks of a process on a file when the process closes *any* descriptor of the
  file. So Python must not open a file to which SQLite may have a connection.
- SQLite names its log after the path. A file with two names (hard links) would have two logs that
  overwrite each other.
- The write-ahead log needs shared memory, which does not work between machines. So a network file
  system gets a rollback journal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Optional, Union

from ftrack_like._base.file_locks import unlock
from ftrack_like._base.renaming import put_into_place

if TYPE_CHECKING:
    import sqlite3

#: A writer waits at most this many seconds for the writers of other processes.
BUSY_TIME_OUT = 60.0

_MAGIC = b"SQLite format 3\0"
_TABLE = "CREATE TABLE IF NOT EXISTS cache (key BLOB PRIMARY KEY, value NOT NULL)"
_SIDE_FILES = ("-wal", "-shm", "-journal")

#: The file systems that several machines may share.
_NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph", "fuse.glusterfs"),
        *("fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "panfs", "prl_fs"),
        *("pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "wekafs"),
    )
)


class FileTable(MutableMapping[str, Union[str, bytes]]):
    """The keys and values of one open file, changed in one transaction.

    Values are text or bytes, and keep their type. The first change begins the transaction; the
    owner of the connection ends it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getitem__(self, key: str) -> Union[str, bytes]:
        row = self._connection.execute(
            "SELECT value FROM cache WHERE key = ?", (_key_bytes(key),)
        ).fetchone()
        if row is None:
            raise KeyError(key)
        value: Union[str, bytes] = row[0]
        return value

    def __setitem__(self, key: str, value: Union[str, bytes]) -> None:
        if not isinstance(value, (str, bytes)):
            raise TypeError(
                f"FileCache stores text as values, not {type(value).__name__}; wrap it in a "
                "SerialisedCache to store other values."
            )
        name = _key_bytes(key)
        self._begin()
        if isinstance(value, str):
            # Pass bytes and cast: text may contain lone surrogates, which sqlite3 rejects.
            self._connection.execute(
                "INSERT OR REPLACE INTO cache (key, value) VALUES (?, CAST(? AS TEXT))",
                (name, value.encode("utf-8", "surrogatepass")),
            )
        else:
            self._connection.execute(
                "INSERT OR REPLACE INTO cache (key, value) VALUES (?, ?)", (name, value)
            )

    def __delitem__(self, key: str) -> None:
        name = _key_bytes(key)
        self._begin()
        if not self._connection.execute("DELETE FROM cache WHERE key = ?", (name,)).rowcount:
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        rows = self._connection.execute("SELECT key FROM cache ORDER BY rowid").fetchall()
        return iter([row[0].decode("utf-8", "surrogatepass") for row in rows])

    def __len__(self) -> int:
        count: int = self._connection.execute("SELECT COUNT(*) FROM cache").fetchone()[0]
        return count

    def clear(self) -> None:
        """Remove every key."""
        self._begin()
        self._connection.execute("DELETE FROM cache")

    def _begin(self) -> None:
        """Begin the write transaction if it has not begun; wait for other writers."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")


def _key_bytes(key: str) -> bytes:
    """Return *key* as bytes for the table; raise :exc:`TypeError` if it is not text."""
    if not isinstance(key, str):
        raise TypeError(f"FileCache needs text as keys, not {type(key).__name__}.")
    return key.encode("utf-8", "surrogatepass")


def _decode_text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")


def file_identity(path: str) -> Optional[tuple[int, int]]:
    """Return the device and inode of the file at *path*; None if there is no file.

    The pair changes if another file replaces it.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def connect(path: str) -> sqlite3.Connection:
    """Return a connection to the cache file at *path*.

    Any thread may use it, but only one at a time.
    """
    import sqlite3  # lazy: needed only by sessions with a cache file

    connection = sqlite3.connect(
        path, timeout=BUSY_TIME_OUT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.text_factory = _decode_text
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("SELECT 1 FROM cache LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def ensure_file(path: str) -> None:
    """Create the cache file at *path* if it is missing; only its owner may read and write it.

    A damaged file, or a :mod:`dbm` file of an older client, is replaced. Raise
    :exc:`FileExistsError` for any other file: it may contain the user's data.
    """
    with _folder_lock(os.path.dirname(path)):
        if _is_link(path):
            _separate(path)
        if _is_usable(path):
            _restrict(path)
            return
        # A removed file may have left its log behind. It must not be applied to the new file.
        _unlink(path, *_SIDE_FILES)
        _make_file(path)


def remove_file(path: str) -> None:
    """Remove the cache file at *path* and its logs."""
    with _folder_lock(os.path.dirname(path)):
        _unlink(path, "", *_SIDE_FILES)


def _unlink(path: str, *suffixes: str) -> None:
    """Remove the files *path* + suffix for each of *suffixes*, if they exist."""
    for suffix in suffixes:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)


def is_damage(error: Exception) -> bool:
    """Return whether *error*, an error of sqlite3, means that the file is damaged."""
    text = str(error)
    return "malformed" in text or "not a database" in text or "no such table" in text


def _is_usable(path: str) -> bool:
    """Return whether *path* is a cache file; False if it may be replaced by a new file.

    SQLite reads the file first. Python reads it only if it is not a database: closing it would
    drop the locks of SQLite (see the module docstring). Raise :exc:`FileExistsError` for other
    files, and :exc:`PermissionError` if the file is not readable.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode):
        raise FileExistsError(f"{path} is not a file: name another path for FileCache.")
    if not status.st_size:
        return False
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    tables = _tables(path)
    if tables is None:
        return _refuse_foreign(path)
    if "cache" in tables:
        return True
    if tables:
        raise FileExistsError(
            f"The file {path} is a database of another program: name another path for FileCache."
        )
    return False


def _tables(path: str) -> Optional[list[str]]:
    """Return the tables in the SQLite file at *path*; None if it is damaged or not SQLite."""
    import sqlite3  # lazy: needed only by sessions with a cache file

    connection = sqlite3.connect(path, timeout=BUSY_TIME_OUT, isolation_level=None)
    try:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
        if "cache" in names:
            connection.execute("SELECT key, value FROM cache LIMIT 1").fetchone()
        return names
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return None
    finally:
        connection.close()


def _refuse_foreign(path: str) -> bool:
    """Return False if the file at *path* is a damaged SQLite file or a :mod:`dbm` file.

    Raise :exc:`FileExistsError` otherwise.
    """
    import dbm  # lazy: needed only for files that are not SQLite

    with open(path, "rb") as file:
        head = file.read(len(_MAGIC))
    if head != _MAGIC and not dbm.whichdb(path):
        raise FileExistsError(
            f"The file {path} is not a cache: name another path for FileCache, or remove it."
        )
    return False


def _is_link(path: str) -> bool:
    """Return whether the file at *path* has more than one name (hard links)."""
    try:
        return os.stat(path).st_nlink > 1
    except FileNotFoundError:
        return False


def _separate(path: str) -> None:
    """Replace the hard link *path* by a copy of its file, or by a new file if that fails."""
    import sqlite3  # lazy: needed only by sessions with a cache file

    has_log = os.path.exists(path + "-wal")
    try:
        if not _is_usable(path):
            return
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as source:
            if not has_log:
                # This fails if the file is in use under another name, which has the log.
                source.execute("PRAGMA journal_mode = DELETE")
            _make_file(path, source)
    except sqlite3.OperationalError:
        _unlink(path, *_SIDE_FILES)
        _make_file(path)


def _make_file(path: str, source: Optional[sqlite3.Connection] = None) -> None:
    """Write a new cache file, or a copy of *source*, and rename it to *path* when complete."""
    import sqlite3  # lazy: needed only by sessions with a cache file

    handle, temporary = tempfile.mkstemp(prefix=".ftrack-cache-", dir=os.path.dirname(path))
    os.close(handle)
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            if source is not None:
                source.backup(connection)
            set_journal(connection, shared=is_network_path(path))
            connection.execute(_TABLE)
        finally:
            connection.close()
        _restrict(temporary)
        if source is not None:
            _unlink(path, *_SIDE_FILES)
        put_into_place(temporary, path)
    except BaseException:
        _unlink(temporary, "", *_SIDE_FILES)
        raise


def set_journal(connection: sqlite3.Connection, shared: bool) -> str:
    """Set the journal mode of *connection*; return the mode, ``"wal"`` or ``"delete"``.

    With a write-ahead log, readers and a writer work at the same time. On a file system *shared* by
    machines, or if SQLite cannot use a log there, it is a rollback journal.
    """
    import sqlite3  # lazy: needed only by sessions with a cache file

    if not shared:
        with contextlib.suppress(sqlite3.OperationalError):
            mode = str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            if mode == "wal":
                return mode
    return str(connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0])


def _restrict(path: str) -> None:
    """Allow only the owner to read the file at *path*; ignore files of other users."""
    with contextlib.suppress(PermissionError):
        os.chmod(path, 0o600)


@contextlib.contextmanager
def _folder_lock(folder: str) -> Generator[None, None, None]:
    """Exclude other processes from creating or repairing a cache in *folder*.

    It has no effect where folders cannot be locked: on Windows, where files in use cannot be
    removed anyway, and on some network shares.
    """
    try:
        import fcntl  # lazy: not on Windows
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        unlock(descriptor)
        os.close(descriptor)


def is_network_path(path: str) -> bool:
    """Return whether *path* is on a file system that several machines share; False if unknown."""
    if sys.platform == "win32":
        return path.startswith(("\\\\", "//"))
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return file_system_type(os.path.realpath(path), file) in _NETWORK_FILE_SYSTEMS
    except OSError:
        return False


def file_system_type(path: str, mounts: Iterable[str]) -> str:
    """Return the type of the file system of the absolute *path*, such as ``"nfs4"``.

    Return an empty text if it is unknown. *mounts* are lines in the format of Linux's
    ``/proc/self/mountinfo``.
    """
    best, kind = "", ""
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        point = _unescape_mount(fields.split(" ")[4])
        inside = point in ("/", path) or path.startswith(point + "/")
        if inside and len(point) >= len(best):
            best, kind = point, rest.split(" ")[0]
    return kind


def _unescape_mount(point: str) -> str:
    """Return the mount point *point* with its octal escapes decoded."""
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(escape, character)
    return point
