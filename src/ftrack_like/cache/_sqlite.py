"""One SQLite file as a table of text keys: how it is made, opened and healed.

Everything that knows SQLite's ways with files is here; :mod:`ftrack_like.cache.file` adds the
cache interface.
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

if TYPE_CHECKING:
    import sqlite3

#: Seconds that a writer waits for the writers of other processes.
BUSY_TIME_OUT = 60.0

_MAGIC = b"SQLite format 3\0"
_TABLE = "CREATE TABLE IF NOT EXISTS cache (key BLOB PRIMARY KEY, value NOT NULL)"
_SIDE_FILES = ("-wal", "-shm", "-journal")

#: File systems that several machines see: the shared memory of a write-ahead log does not
#: reach from one to the other.
_NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph", "fuse.glusterfs"),
        *("fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "panfs", "prl_fs"),
        *("pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "wekafs"),
    )
)


class Table(MutableMapping[str, Union[str, bytes]]):
    """The keys and values of one open file, changed in one transaction.

    Values are text, or bytes, and come back as what they were. The first change begins the
    transaction; who opened the connection ends it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getitem__(self, key: str) -> Union[str, bytes]:
        row = self._connection.execute(
            "SELECT value FROM cache WHERE key = ?", (_key(key),)
        ).fetchone()
        if row is None:
            raise KeyError(key)
        value: Union[str, bytes] = row[0]
        return value

    def __setitem__(self, key: str, value: Union[str, bytes]) -> None:
        if not isinstance(value, (str, bytes)):
            raise TypeError(
                f"FileCache takes text as value, not {type(value).__name__}; wrap it in a "
                "SerialisedCache to store other values."
            )
        name = _key(key)
        self._begin()
        if isinstance(value, str):
            # As bytes and a cast, since text may hold lone surrogates, which sqlite3 refuses.
            self._connection.execute(
                "INSERT OR REPLACE INTO cache (key, value) VALUES (?, CAST(? AS TEXT))",
                (name, value.encode("utf-8", "surrogatepass")),
            )
        else:
            self._connection.execute(
                "INSERT OR REPLACE INTO cache (key, value) VALUES (?, ?)", (name, value)
            )

    def __delitem__(self, key: str) -> None:
        name = _key(key)
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
        """Begin to write, waiting for other writers, unless that has happened."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")


def _key(key: str) -> bytes:
    """Return *key* as stored; raise :exc:`TypeError` if it is not text."""
    if not isinstance(key, str):
        raise TypeError(f"FileCache takes text as key, not {type(key).__name__}.")
    return key.encode("utf-8", "surrogatepass")


def _decode_text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")


def identity(path: str) -> Optional[tuple[int, int]]:
    """Return what tells the file at *path* from one that replaces it; None if there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def connect(path: str) -> sqlite3.Connection:
    """Return a connection to the file at *path*, ready to use.

    The connection may be used from any thread, by one at a time.
    """
    import sqlite3  # lazy: only sessions with a cache file pay for it

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
    """Make sure that a cache file is at *path*, readable and writable by its owner only.

    A missing or empty file is made whole elsewhere and then put in place; a file of :mod:`dbm`,
    which older clients kept their cache in, or a broken one is replaced. Raise
    :exc:`FileExistsError` for any other file: it may be somebody's work.
    """
    with _folder_lock(os.path.dirname(path)):
        if _is_link(path):
            _separate(path)
        if _is_usable(path):
            _restrict(path)
            return
        # What a removed file left behind beside itself is not part of the new one.
        _unlink(path, *_SIDE_FILES)
        _make_file(path)


def remove_file(path: str) -> None:
    """Remove the cache file at *path* and what SQLite keeps beside it."""
    with _folder_lock(os.path.dirname(path)):
        _unlink(path, "", *_SIDE_FILES)


def _unlink(path: str, *suffixes: str) -> None:
    """Remove the files named *path* with each of *suffixes*, as far as they exist."""
    for suffix in suffixes:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)


def is_damage(error: Exception) -> bool:
    """Return whether the sqlite3 *error* says that the file itself is broken."""
    text = str(error)
    return "malformed" in text or "not a database" in text or "no such table" in text


def _is_usable(path: str) -> bool:
    """Return whether *path* is a cache file; False if it may be replaced by a new one.

    SQLite looks at the file first. Opening it with Python would be wrong while this process has
    a connection to it: POSIX drops all locks of a process on a file when the process closes any
    descriptor of it, and SQLite relies on them. Python reads only what is no database.
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
            f"The file {path} is a database of something else: name another path for FileCache."
        )
    return False


def _tables(path: str) -> Optional[list[str]]:
    """Return the tables in the SQLite file at *path*, None if it is damaged or another kind."""
    import sqlite3  # lazy: only sessions with a cache file pay for it

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
    """Return False if the file at *path* is a damaged database or one of :mod:`dbm`."""
    import dbm  # lazy: only asked about files that are not ours

    with open(path, "rb") as file:
        head = file.read(len(_MAGIC))
    if head != _MAGIC and not dbm.whichdb(path):
        raise FileExistsError(
            f"The file {path} is not a cache: name another path for FileCache, or remove it."
        )
    return False


def _is_link(path: str) -> bool:
    """Return whether the file at *path* has further names, as a hard link has.

    SQLite names its log after the path. Two names of one file would have two logs, of which each
    overwrites what the other one wrote.
    """
    try:
        return os.stat(path).st_nlink > 1
    except FileNotFoundError:
        return False


def _separate(path: str) -> None:
    """Give *path*, a hard link, a file of its own: a copy, or a new one if that cannot be made."""
    import sqlite3  # lazy: only sessions with a cache file pay for it

    has_log = os.path.exists(path + "-wal")
    try:
        if not _is_usable(path):
            return
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as source:
            if not has_log:
                # This fails if the file is in use under another name, where its log is.
                source.execute("PRAGMA journal_mode = DELETE")
            _make_file(path, source)
    except sqlite3.OperationalError:
        _unlink(path, *_SIDE_FILES)
        _make_file(path)


def _make_file(path: str, source: Optional[sqlite3.Connection] = None) -> None:
    """Write a new cache file, a copy of *source* if given, and put it at *path*, whole."""
    import sqlite3  # lazy: only sessions with a cache file pay for it

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
        os.replace(temporary, path)
    except BaseException:
        _unlink(temporary, "", *_SIDE_FILES)
        raise


def set_journal(connection: sqlite3.Connection, shared: bool) -> str:
    """Choose how *connection* keeps its file safe and return the name of it.

    A write-ahead log lets readers and a writer work at the same time; where that cannot work,
    which is on a file system *shared* by machines and wherever SQLite says so, it is a rollback
    journal.
    """
    import sqlite3  # lazy: only sessions with a cache file pay for it

    if not shared:
        with contextlib.suppress(sqlite3.OperationalError):
            mode = str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            if mode == "wal":
                return mode
    return str(connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0])


def _restrict(path: str) -> None:
    """Let only the owner of the file at *path* read it; leave it if it belongs to another."""
    with contextlib.suppress(PermissionError):
        os.chmod(path, 0o600)


@contextlib.contextmanager
def _folder_lock(folder: str) -> Generator[None, None, None]:
    """Keep other processes from making or healing a cache in *folder* meanwhile.

    Without effect where folders cannot be locked: on Windows, where a file in use cannot be
    removed either, and on some network shares.
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
        os.close(descriptor)


def is_network_path(path: str) -> bool:
    """Return whether *path* lies on a file system that several machines share, if known."""
    if sys.platform == "win32":
        return path.startswith(("\\\\", "//"))
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return file_system_type(os.path.realpath(path), file) in _NETWORK_FILE_SYSTEMS
    except OSError:
        return False


def file_system_type(path: str, mounts: Iterable[str]) -> str:
    """Return the type of the file system that holds the absolute *path*; empty if unknown.

    *mounts* are lines as in Linux's ``/proc/self/mountinfo``.
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
    """Return a mount point with its octal escapes (blank, tab, new line, backslash) undone."""
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(escape, character)
    return point
