"""The data of a site: open them, create them if there are none, and reset them."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import pathlib
import re
import sqlite3
from datetime import datetime, timezone
from typing import Optional, Union

import sqlalchemy
import sqlalchemy.exc
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.keys import digest_key, new_key
from ftrack_like.sandbox.data_folder import DataFolder, SiteError
from ftrack_like.sandbox.database.emptying import empty_tables
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.faults import first_line, remedy_for
from ftrack_like.sandbox.database.folders import move_into_place
from ftrack_like.sandbox.folder_lock import FolderLock
from ftrack_like.sandbox.seed.site import seed, seed_demo_project
from ftrack_like.sandbox.seed.users import add_user
from ftrack_like.sandbox.tables.layout import TABLES, create_tables
from ftrack_like.sandbox.tables.migrations import LAYOUT_VERSION, back_up_schema, layout_of, migrate
from ftrack_like.sandbox.tables.rowset import RowSet
from ftrack_like.sandbox.tables.statistics import write_statistics

__all__ = ["SiteData"]

_LOGGER = logging.getLogger(__name__)

#: The beginning of the names of ``server_value`` rows that contain an administrator's key.
_KEY_OF = "key of "

#: KiB of a new database that stay in memory while it is written.
_SMALL_CACHE = 256


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

    @property
    def key(self) -> str:
        """Return the administrator's key; before :meth:`open`, the key that would be used."""
        if self._key is None:
            remembered = None if self._place is None else self._place.key_of(self.user)
            self._key = remembered or new_key()
        return self._key

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
            return _folder_for(self._database.engine.url) / "media"
        return self._database.private_folder() / "media"

    def reset(self) -> None:
        """Replace all data by the data of a new site, in one transaction."""
        database = self._database
        assert database is not None, "the site is not open"
        if database.is_sqlite:
            database.replace_with(self._fresh())
            return
        with database.write() as connection:
            empty_tables(connection, TABLES)
            self._fill(connection)

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

    # -- details -----------------------------------------------------------------------------

    def _open(self) -> Database:
        if self._place is not None and not self._place.database.exists():
            self._make_file(self._place.database)
        database = self._database = self._connect()
        if database.is_sqlite and self._place is not None:
            self._place.check_database()
        with database.write() as connection:
            if sqlalchemy.inspect(connection).has_table("server_value"):
                self._bring_up_to_date(connection)
                self._require_tables(connection)
                self._admit(connection)
            else:
                self._build(connection)
        if self._place is not None:
            self._place.remember(self.user, self.key)
        return database

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
        self._remember_in_database(connection)
        if self._demo:
            seed_demo_project(connection, now=now, created_by_id=user_id)

    def _fresh(self) -> sqlite3.Connection:
        """Return a new site in memory, which is created once."""
        if self._snapshot is None:
            with contextlib.closing(Database()) as database:
                with database.write() as connection:
                    self._build(connection)
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
