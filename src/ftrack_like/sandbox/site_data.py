"""The data of a site: open them, create them if they do not exist yet, reset them."""

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
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.faults import first_line, remedy_for
from ftrack_like.sandbox.database.folders import move_into_place
from ftrack_like.sandbox.seed.site import seed, seed_demo_project
from ftrack_like.sandbox.seed.users import add_user
from ftrack_like.sandbox.tables.layout import TABLES, create_tables
from ftrack_like.sandbox.tables.migrations import LAYOUT_VERSION, back_up_schema, layout_of, migrate
from ftrack_like.sandbox.tables.rowset import RowSet
from ftrack_like.sandbox.tables.statistics import write_statistics

__all__ = ["SiteData"]

_LOGGER = logging.getLogger(__name__)

#: Begins the name of the ``server_value`` that is an administrator's key.
_KEY_OF = "key of "


class SiteData:
    """The data of a sandbox, in the folder *data*, at a database *url*, or nowhere for long.

    *user* and *key* are the administrator's. Without *key* it is the one that was kept with the
    data, or a new one. *media* is the folder for files: by default it lies with the data, or, for
    a database, in the user's data folder.
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
        """Prepare; nothing is opened before :meth:`open`."""
        self.folder = _resolved(data)
        self.user = user
        self._given_key = key
        self._key: Optional[str] = key
        self._demo = demo
        self._url = url
        self._media = _resolved(media)
        self._place = None if self.folder is None else DataFolder(self.folder)
        self._database: Optional[Database] = None
        self._snapshot: Optional[sqlite3.Connection] = None

    @property
    def key(self) -> str:
        """Return the administrator's key; before :meth:`open` the one that would be used."""
        if self._key is None:
            remembered = None if self._place is None else self._place.key_of(self.user)
            self._key = remembered or new_key()
        return self._key

    def open(self) -> Database:
        """Return the database, with tables and rows; a new one is made whole or not at all.

        Data of an older layout are copied and then brought up to date. Raise :exc:`SiteError` if
        the data are in use by another server, broken, or no site of this or an older version.
        """
        if self._place is not None:
            self._place.take()
        try:
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
        """Tell others who want the folder of the data that it is served at *server_url*."""
        if self._place is not None:
            self._place.announce(server_url)

    def media_folder(self) -> pathlib.Path:
        """Return the folder for files, which need not exist.

        A site that is kept nowhere has a private one, gone with its database.
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
        """Make the data those of a fresh site, in one transaction."""
        database = self._database
        assert database is not None, "the site is not open"
        if database.is_sqlite:
            database.replace_with(self._fresh())
            return
        with database.write() as connection:
            connection.exec_driver_sql(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")
            self._fill(connection)

    def close(self) -> None:
        """Close the database, which may be closed already."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._place is not None:
            self._place.release()
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
        """Make a fresh site in the SQLite file *path*, which appears when it is complete."""
        part = path.with_name(f"{path.name}.new")
        for each in path.parent.glob(f"{part.name}*"):
            each.unlink()  # a start that was killed left it
        database = Database.at_path(str(part))
        with contextlib.closing(database), database.write() as connection:
            self._build(connection)
        move_into_place(part, path)

    def _bring_up_to_date(self, connection: Connection) -> None:
        """Migrate data of an older layout, after a copy of them was made."""
        found = layout_of(connection)
        if found == str(LAYOUT_VERSION):
            return
        if found not in map(str, range(1, LAYOUT_VERSION)):
            raise SiteError(
                f"The data in {self._where()} were made by another version of the sandbox "
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
            "The data in %s were brought from layout %s to %s; the old ones are kept in %s.",
            self._where(),
            layout,
            LAYOUT_VERSION,
            copy,
        )

    def _build(self, connection: Connection) -> None:
        """Make tables and rows in an empty database."""
        create_tables(connection)
        write_statistics(connection)
        self._fill(connection)

    def _fill(self, connection: Connection) -> None:
        """Insert the rows of a fresh site into empty tables."""
        now = datetime.now(timezone.utc)
        user_id = seed(connection, api_user=self.user, api_key=self.key, now=now)
        self._remember_in_database(connection)
        if self._demo:
            seed_demo_project(connection, now=now, created_by_id=user_id)

    def _fresh(self) -> sqlite3.Connection:
        """Return a fresh site in memory, made once."""
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
        """Make sure that the administrator exists and may log in with the key."""
        user, keys = TABLES["resource"], TABLES["user_api_key"]
        named = sqlalchemy.select(user.c.id).where(
            user.c.username == self.user, user.c.resource_type == "user"
        )
        user_id = connection.execute(named).scalar()
        if user_id is None:
            rows = RowSet()
            user_id = add_user(rows, self.user, "Site", "Administrator", "Administrator")
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

    def _where(self) -> str:
        return "the database" if self._place is None else str(self._place.database)

    # A folder remembers the key of its administrator in a file that only its owner can read. A
    # database on a server keeps it in a table that clients cannot read.

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


def _note_opening(connection: Connection) -> None:
    """Keep the time of this opening: data that cannot be written are noticed now, not later."""
    values = TABLES["server_value"]
    connection.execute(sqlalchemy.delete(values).where(values.c.name == "opened_at"))
    connection.execute(sqlalchemy.insert(values).values(name="opened_at", value=_moment()))


def _moment() -> str:
    return datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0).isoformat()


def _resolved(path: Union[str, pathlib.Path, None]) -> Optional[pathlib.Path]:
    return None if path is None else pathlib.Path(path).expanduser().resolve()


def _folder_for(url: sqlalchemy.engine.URL) -> pathlib.Path:
    """Return the folder in the user's data folder for the files of the database at *url*."""
    # lazy: only a database that is given by its URL needs it.
    import platformdirs

    plain = url.set(username=None, password=None).render_as_string()
    digest = hashlib.sha256(plain.encode("utf-8")).hexdigest()[:12]
    name = re.sub(r"[^0-9A-Za-z_-]+", "_", url.database or "database")[:40]
    return pathlib.Path(
        platformdirs.user_data_dir("ftrack-like", False), "databases", f"{name}-{digest}"
    )
