"""The data of a site: open them, create them if there are none, and reset them."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import pathlib
import re
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Optional, Union

import sqlalchemy
import sqlalchemy.exc
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.keys import digest_key, new_key
from ftrack_like.sandbox.auth import GENERATION, RequestUser
from ftrack_like.sandbox.data_folder import DataFolder, SiteError
from ftrack_like.sandbox.database.emptying import empty_tables
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.faults import first_line, remedy_for
from ftrack_like.sandbox.database.folders import move_into_place
from ftrack_like.sandbox.folder_lock import FolderLock
from ftrack_like.sandbox.seed.site import has_demo_project, seed, seed_demo_project
from ftrack_like.sandbox.seed.users import add_user
from ftrack_like.sandbox.tables.empty import empty_site
from ftrack_like.sandbox.tables.layout import TABLES, create_tables
from ftrack_like.sandbox.tables.migrations import LAYOUT_VERSION, back_up_schema, layout_of, migrate
from ftrack_like.sandbox.tables.rowset import RowSet
from ftrack_like.sandbox.tables.server_values import agreed_value, kept_values
from ftrack_like.sandbox.tables.statistics import write_statistics
from ftrack_like.sandbox.tables.trigrams import add_trigram_indexes

__all__ = ["SiteData", "default_media_folder", "find_administrator", "join_site", "storage_errors"]

_LOGGER = logging.getLogger(__name__)

#: The beginning of the names of ``server_value`` rows that contain an administrator's key.
_KEY_OF = "key of "

#: KiB of a new database that stay in memory while it is written.
_SMALL_CACHE = 256


@contextlib.contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Raise :exc:`RuntimeError` instead of an error of the database; its text begins with *what*.

    The text contains only the first line of the error. The others show the statement.
    """
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise RuntimeError(f"{what} cannot be used: {first}") from error


class SiteData:
    """The data of a sandbox: in the folder *data*, in the database at *url*, or in memory.

    *user* and *key* belong to the administrator. Without *key*, the stored key is used, or a new
    one. *media* is the folder for files. By default, it is with the data, or for a database, in the
    user's data folder.
    """

    def __init__(
        self,
        data: Union[str, pathlib.Path, None] = None,
        *,
        user: str = "admin",
        key: Optional[str] = None,
        demo: bool = False,
        url: Optional[str] = None,
        media: Union[str, pathlib.Path, None] = None,
    ) -> None:
        """Nothing is opened before :meth:`open`."""
        self.folder: Optional[pathlib.Path] = _resolved(data)
        self.user = user
        self._given_key = key
        self._key: Optional[str] = key
        self._demo = demo
        self._url = url
        self._media = _resolved(media)
        self._place = None if self.folder is None else DataFolder(self.folder)
        self._files = self._lock_of_files()
        self._database: Optional[Database] = None
        self._snapshot: Optional[sqlite3.Connection] = None
        #: The state of the database after the last reset.
        self._reset_state: Optional[int] = None
        self._administrator: Optional[RequestUser] = None
        #: Whether the site on disk contains the demo project; None before :meth:`open`.
        self._has_demo: Optional[bool] = None

    @property
    def lacks_demo(self) -> bool:
        """Return whether the demo project was wanted, but the opened site existed without it."""
        return self._demo and self._has_demo is False

    @property
    def key(self) -> str:
        """Return the administrator's key; before :meth:`open`, the key that would be used."""
        if self._key is None:
            remembered = None if self._place is None else self._place.key_of(self.user)
            self._key = remembered or new_key()
        return self._key

    @property
    def administrator(self) -> RequestUser:
        """Return the administrator, for whom the server itself acts, whatever keys are valid."""
        assert self._administrator is not None, "the site is not open"
        return self._administrator

    def open(self) -> Database:
        """Return the database with its tables and rows; create a new one completely or not at all.

        Data of an older layout are copied and then migrated. Raise :exc:`SiteError` if another
        server uses the data, or if they are damaged or not a site of this or an older version.
        """
        try:
            if self._place is not None:
                self._place.take()
            if self._files is not None:
                self._files.take()
            return self._open()
        except sqlalchemy.exc.DBAPIError as error:
            self.close()
            happened = remedy_for(first_line(error))
            if happened is None:
                raise
            raise SiteError(f"{self._where()}: {happened[0]}. {happened[1]}.") from error
        except BaseException:
            self.close()
            raise

    def attach(self, administrator: RequestUser) -> Database:
        """Return the database of a site that another process has opened; change nothing.

        *administrator* is that of the other process. The key is not needed, and a key that was
        replaced in the meantime stays replaced. Raise :exc:`SiteError` if the data are of another
        layout.
        """
        database = self._database = self._connect()
        self._administrator = administrator
        try:
            with database.read() as connection:
                found = layout_of(connection)
            if found != str(LAYOUT_VERSION):
                raise SiteError(
                    f"The data in {self._where()} now have the layout {found or 'unknown'}, this "
                    f"version of the sandbox uses {LAYOUT_VERSION}. Restart all its processes."
                )
        except BaseException:
            self.close()
            raise
        return database

    def announce(self, server_url: str) -> None:
        """Record in the locked folders that the site is served at *server_url*."""
        for held in (self._place, self._files):
            if held is not None:
                held.announce(server_url)

    def media_folder(self) -> pathlib.Path:
        """Return the folder for files, which need not exist.

        A site in memory has a private folder, which is removed with its database.
        """
        if self._media is not None:
            return self._media
        if self.folder is not None:
            return self.folder / "media"
        assert self._database is not None, "the site is not open"
        if self._url is not None:
            return default_media_folder(self._database)
        return self._database.private_folder() / "media"

    def reset(self) -> None:
        """Replace all data by the data of a new site, in one transaction.

        The values that running processes use stay. On SQLite, do nothing if nobody has changed the
        data since the last reset.
        """
        database = self._database
        assert database is not None, "the site is not open"
        if database.is_sqlite:
            if database.state() != self._reset_state:
                self._reset_sqlite(database)
            return
        with database.write() as connection:
            kept = kept_values(connection)
            empty_tables(connection, TABLES)
            self._fill(connection)
            _store_values(connection, kept)

    def _reset_sqlite(self, database: Database) -> None:
        """Replace the content of *database* by a new site with the values that stay."""
        with database.read() as connection:
            kept = kept_values(connection)
        fresh = self._fresh()
        with fresh:
            fresh.executemany(
                "INSERT OR REPLACE INTO server_value (name, value) VALUES (?, ?)", kept.items()
            )
        self._reset_state = database.replace_with(fresh)

    def close(self) -> None:
        """Close the database; a second call does nothing."""
        if self._database is not None:
            self._database.close()
            self._database = None
        for held in (self._files, self._place):
            if held is not None:
                held.release()
        if self._snapshot is not None:
            self._snapshot.close()
            self._snapshot = None
        self._reset_state = None

    # -- details -----------------------------------------------------------------------------

    def _open(self) -> Database:
        if self._place is not None and not self._place.database.exists():
            self._make_file(self._place.database)
        database = self._database = self._connect()
        if database.is_sqlite and self._place is not None:
            self._place.check_database()
        if self._is_in_memory:
            database.replace_with(empty_site())
            with database.write() as connection:
                self._fill(connection)
            return database
        with database.write() as connection:
            if sqlalchemy.inspect(connection).has_table("server_value"):
                self._bring_up_to_date(connection)
                self._require_tables(connection)
                self._admit(connection)
            else:
                self._build(connection)
            self._has_demo = has_demo_project(connection)
        if not database.is_sqlite:
            self._index_names(database)
        if self._place is not None:
            self._place.remember(self.user, self.key)
        return database

    def _index_names(self, database: Database) -> None:
        """Add the indexes for searches in names to the PostgreSQL *database*.

        They have a transaction of their own: PostgreSQL refuses to add an index to a table while
        foreign keys of changed rows wait for the end of the transaction.
        """
        with database.write() as connection:
            missing = add_trigram_indexes(connection)
        if missing is not None:
            _LOGGER.warning(
                "Searches in %s read all names: the extension pg_trgm cannot be created (%s). Let "
                "an administrator of PostgreSQL run CREATE EXTENSION pg_trgm in this database, "
                "and restart the sandbox.",
                self._where(),
                missing,
            )

    @property
    def _is_in_memory(self) -> bool:
        return self._place is None and self._url is None

    def _connect(self) -> Database:
        if self._url is not None:
            return Database(self._url)
        if self._place is None:
            return Database()
        return Database.at_path(str(self._place.database))

    def _make_file(self, path: pathlib.Path) -> None:
        """Create a new site in the SQLite file *path*, which appears when it is complete."""
        part = path.with_name(f"{path.name}.new")
        for each in path.parent.glob(f"{part.name}*"):
            each.unlink()  # left by a start that was killed
        database = Database.at_path(str(part))
        with contextlib.closing(database), database.write() as connection:
            # Written pages need not stay in memory until the end. The process would keep their
            # memory, though the other connections have their own.
            connection.exec_driver_sql(f"PRAGMA cache_size=-{_SMALL_CACHE}")
            self._build(connection)
        move_into_place(part, path)

    def _bring_up_to_date(self, connection: Connection) -> None:
        """Migrate data of an older layout, after copying them."""
        found = layout_of(connection)
        if found == str(LAYOUT_VERSION):
            return
        if found not in map(str, range(1, LAYOUT_VERSION)):
            raise SiteError(
                f"The data in {self._where()} belong to another version of the sandbox "
                f"(layout {found or 'unknown'}, this one reads up to {LAYOUT_VERSION}). "
                f"Use that version, choose another folder, or move the data away."
            )
        layout = int(found)
        if self._place is not None:
            copy = str(self._place.keep_copy(layout))
        else:
            copy = f"the schema {back_up_schema(connection, layout)!r} of the database"
        migrate(connection, layout)
        _LOGGER.warning(
            "The data in %s were migrated from layout %s to %s; a copy of the old data is in %s.",
            self._where(),
            layout,
            LAYOUT_VERSION,
            copy,
        )

    def _require_tables(self, connection: Connection) -> None:
        """Raise :exc:`SiteError` if a table of the layout is missing."""
        missing = TABLES.keys() - set(sqlalchemy.inspect(connection).get_table_names())
        if missing:
            raise SiteError(
                f"{self._where()} lacks the table {', '.join(sorted(missing))}. "
                f"Restore a copy of it, or choose another one to begin with a fresh site."
            )

    def _build(self, connection: Connection) -> None:
        """Create tables and rows in an empty database."""
        create_tables(connection)
        write_statistics(connection)
        self._fill(connection)

    def _fill(self, connection: Connection) -> None:
        """Insert the rows of a new site into empty tables."""
        now = datetime.now(timezone.utc)
        user_id = seed(connection, api_user=self.user, api_key=self.key, now=now)
        self._administrator = _server_as(user_id, self.user)
        connection.execute(
            sqlalchemy.insert(TABLES["server_value"]).values(
                name=GENERATION, value=uuid.uuid4().hex
            )
        )
        self._remember_in_database(connection)
        if self._demo:
            seed_demo_project(connection, now=now, created_by_id=user_id)

    def _fresh(self) -> sqlite3.Connection:
        """Return a new site in memory, which is created once."""
        if self._snapshot is None:
            with contextlib.closing(Database()) as database:
                database.replace_with(empty_site())
                with database.write() as connection:
                    self._fill(connection)
                snapshot = sqlite3.connect(":memory:", check_same_thread=False)
                with contextlib.closing(sqlite3.connect(str(database.path))) as source:
                    source.backup(snapshot)
            self._snapshot = snapshot
        return self._snapshot

    def _admit(self, connection: Connection) -> None:
        """Make sure that the administrator exists and can log in with the key."""
        user, keys = TABLES["resource"], TABLES["user_api_key"]
        named = sqlalchemy.select(user.c.id).where(
            user.c.username == self.user, user.c.resource_type == "user"
        )
        user_id = connection.execute(named).scalar()
        if user_id is None:
            rows = RowSet()
            type_id = _user_type(connection)
            user_id = add_user(rows, self.user, "Site", "Administrator", "Administrator", type_id)
            rows.insert(connection)
        self._administrator = _server_as(user_id, self.user)
        if self._given_key is None:
            self._key = self._remembered_key(connection) or self.key
        self._remember_in_database(connection)
        _note_opening(connection)
        digest = connection.execute(
            sqlalchemy.select(keys.c.digest).where(keys.c.user_id == user_id)
        ).scalar()
        if digest == digest_key(self.key):
            return
        connection.execute(sqlalchemy.delete(keys).where(keys.c.user_id == user_id))
        connection.execute(
            sqlalchemy.insert(keys).values(
                user_id=user_id, digest=digest_key(self.key), created_at=_moment()
            )
        )

    def _lock_of_files(self) -> Optional[FolderLock]:
        """Return what keeps other servers out of the folder for files, if one is named.

        Servers of one database on a server share it. Within the folder of the data it is locked
        as well, for another server may name it by its own.
        """
        if self._url is not None or (self._media is None and self.folder is None):
            return None
        return FolderLock(self.media_folder(), "files", "--media")

    def _where(self) -> str:
        return "the database" if self._place is None else str(self._place.database)

    # A folder stores the key of its administrator in a file that only its owner can read. A
    # database on a server stores it in a table that clients cannot read.

    def _remembered_key(self, connection: Connection) -> Optional[str]:
        if self._place is not None:
            return self._place.key_of(self.user)
        values = TABLES["server_value"].c
        named = sqlalchemy.select(values.value).where(values.name == _KEY_OF + self.user)
        return connection.execute(named).scalar()

    def _remember_in_database(self, connection: Connection) -> None:
        if self._url is None:
            return
        values = TABLES["server_value"]
        name = _KEY_OF + self.user
        connection.execute(sqlalchemy.delete(values).where(values.c.name == name))
        connection.execute(sqlalchemy.insert(values).values(name=name, value=self.key))


def _server_as(user_id: str, username: str) -> RequestUser:
    """Return the administrator as the user of the server itself.

    It has no digest, so that the work of the server goes on when the user gets a new key.
    """
    return RequestUser(user_id, username, unrestricted=True)


def join_site(url: str) -> Database:
    """Return the database at *url* for a process that works for the servers of its site.

    Unlike a server, such a process creates and migrates nothing. Raise :exc:`SiteError` if the
    database contains no site of this version.
    """
    database = Database(url)
    try:
        with database.read() as connection:
            has_site = sqlalchemy.inspect(connection).has_table("server_value")
            layout = layout_of(connection) if has_site else None
            missing = TABLES.keys() - set(sqlalchemy.inspect(connection).get_table_names())
    except BaseException:
        database.close()
        raise
    if layout == str(LAYOUT_VERSION) and not missing:
        return database
    database.close()
    if layout is None:
        raise SiteError(
            "The database contains no site yet. Start the sandbox with the same --database first."
        )
    raise SiteError(
        f"The site in the database has the layout {layout or 'unknown'}, and this program needs "
        f"{LAYOUT_VERSION}. Start the sandbox of this version first, which migrates the data, or "
        "use the version of the running sandbox."
    )


def default_media_folder(database: Database) -> pathlib.Path:
    """Return the folder for the files of a database on a server, if no other one is named."""
    return _folder_for(database.engine.url) / "media"


def find_administrator(database: Database) -> RequestUser:
    """Return the administrator for whom the servers of a site work, as :class:`SiteData` does.

    Raise :exc:`SiteError` if the database does not name an active one.
    """
    values, user = TABLES["server_value"].c, TABLES["resource"].c
    named = sqlalchemy.select(values.name).where(values.name.startswith(_KEY_OF, autoescape=True))
    with database.read() as connection:
        for name in sorted(connection.execute(named).scalars()):
            username = name[len(_KEY_OF) :]
            found = sqlalchemy.select(user.id).where(
                user.username == username,
                user.resource_type == "user",
                user.is_active.is_(True),
            )
            user_id = connection.execute(found).scalar()
            if user_id is not None:
                return _server_as(str(user_id), username)
    raise SiteError("The database names no administrator. Start the sandbox, which adds one.")


def _store_values(connection: Connection, values: Mapping[str, str]) -> None:
    """Store server values by name."""
    for name, value in values.items():
        agreed_value(connection, name, value)


def _user_type(connection: Connection) -> Optional[str]:
    """Return the id of the type of new users, None if there is none; older data have another id."""
    types = TABLES["user_type"].c
    named = sqlalchemy.select(types.id).where(types.name == "User")
    return connection.execute(named.order_by(types.id)).scalar()


def _note_opening(connection: Connection) -> None:
    """Store the time of this start, so that read-only data raise an error now and not later."""
    values = TABLES["server_value"]
    connection.execute(sqlalchemy.delete(values).where(values.c.name == "opened_at"))
    connection.execute(sqlalchemy.insert(values).values(name="opened_at", value=_moment()))


def _moment() -> str:
    return datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0).isoformat()


def _resolved(path: Union[str, pathlib.Path, None]) -> Optional[pathlib.Path]:
    return None if path is None else pathlib.Path(path).expanduser().resolve()


def _folder_for(url: sqlalchemy.engine.URL) -> pathlib.Path:
    """Return the folder for the files of the database at *url*, in the user's data folder."""
    # lazy: only needed for a database with a URL.
    import platformdirs

    plain = url.set(username=None, password=None).render_as_string()
    digest = hashlib.sha256(plain.encode("utf-8")).hexdigest()[:12]
    name = re.sub(r"[^0-9A-Za-z_-]+", "_", url.database or "database")[:40]
    return pathlib.Path(
        platformdirs.user_data_dir("ftrack-like", False), "databases", f"{name}-{digest}"
    )
