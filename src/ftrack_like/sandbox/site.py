"""A site's data: opened, made when there are none yet, and brought back to the beginning."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sqlite3
from datetime import datetime, timezone
from typing import Optional, Union

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.storage.database import Database
from ftrack_like.sandbox.storage.keys import digest_key, new_key
from ftrack_like.sandbox.storage.rowset import RowSet
from ftrack_like.sandbox.storage.seed import seed, seed_demo_project
from ftrack_like.sandbox.storage.seed_users import add_user
from ftrack_like.sandbox.storage.statistics import write_statistics
from ftrack_like.sandbox.storage.tables import LAYOUT_VERSION, TABLES, create_tables

__all__ = ["Site"]

_DATABASE = "sandbox.sqlite"
_CREDENTIALS = "credentials.json"


class Site:
    """The data of a sandbox, in the folder *data*, at a database *url*, or nowhere for long.

    *user* and *key* are the administrator's. Without *key* it is the one that the folder
    remembers, or a new one.
    """

    def __init__(
        self,
        data: Union[str, pathlib.Path, None] = None,
        *,
        user: str = "admin",
        key: Optional[str] = None,
        demo: bool = False,
        url: Optional[str] = None,
    ) -> None:
        """Prepare; nothing is opened before :meth:`open`."""
        self.folder = pathlib.Path(data).expanduser().resolve() if data is not None else None
        self.user = user
        self._given_key = key
        self._key = key or self._remembered_key() or new_key()
        self._demo = demo
        self._url = url
        self._database: Optional[Database] = None
        self._snapshot: Optional[sqlite3.Connection] = None

    @property
    def key(self) -> str:
        """Return the administrator's key."""
        return self._key

    def open(self) -> Database:
        """Return the database, with tables and rows; a new one is made in one transaction.

        Raise :exc:`RuntimeError` if the data are of another version of the sandbox.
        """
        database = self._database = self._connect()
        with database.write() as connection:
            if sqlalchemy.inspect(connection).has_table("server_value"):
                _check_layout(connection, self._place())
                self._admit(connection)
            else:
                self._build(connection)
        self._remember()
        return database

    def media_folder(self) -> pathlib.Path:
        """Return the folder for files, which need not exist: with the data of the site.

        A site without a folder of its own has a private one, gone with its database.
        """
        if self.folder is not None:
            return self.folder / "media"
        assert self._database is not None, "the site is not open"
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
        if self._snapshot is not None:
            self._snapshot.close()
            self._snapshot = None

    # -- details -----------------------------------------------------------------------------

    def _connect(self) -> Database:
        if self._url is not None:
            return Database(self._url)
        if self.folder is None:
            return Database()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Database.at_path(str(self.folder / _DATABASE))

    def _build(self, connection: Connection) -> None:
        """Make tables and rows in an empty database."""
        create_tables(connection)
        write_statistics(connection)
        self._fill(connection)

    def _fill(self, connection: Connection) -> None:
        """Insert the rows of a fresh site into empty tables."""
        now = datetime.now(timezone.utc)
        user_id = seed(connection, api_user=self.user, api_key=self._key, now=now)
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
        digest = connection.execute(
            sqlalchemy.select(keys.c.digest).where(keys.c.user_id == user_id)
        ).scalar()
        if digest == digest_key(self._key):
            return
        moment = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0).isoformat()
        connection.execute(sqlalchemy.delete(keys).where(keys.c.user_id == user_id))
        connection.execute(
            sqlalchemy.insert(keys).values(
                user_id=user_id, digest=digest_key(self._key), created_at=moment
            )
        )

    def _place(self) -> str:
        return str(self.folder or "the database")

    # The database keeps no key, so that a folder remembers its administrator's in a file that
    # only its owner can read.

    def _remembered_key(self) -> Optional[str]:
        if self.folder is None:
            return None
        try:
            known = json.loads((self.folder / _CREDENTIALS).read_text("utf-8"))
            return known[self.user] if isinstance(known[self.user], str) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _remember(self) -> None:
        if self.folder is None or self._remembered_key() == self._key:
            return
        path = self.folder / _CREDENTIALS
        try:
            known = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            known = {}
        known = known if isinstance(known, dict) else {}
        known[self.user] = self._key
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(known, file)
        part.replace(path)


def _check_layout(connection: Connection, place: str) -> None:
    values = TABLES["server_value"].c
    found = connection.execute(
        sqlalchemy.select(values.value).where(values.name == "layout")
    ).scalar()
    if found != str(LAYOUT_VERSION):
        raise RuntimeError(
            f"The data in {place} were made by another version of the sandbox (layout {found}, "
            f"this one reads {LAYOUT_VERSION}). Choose another folder, or move it away."
        )
