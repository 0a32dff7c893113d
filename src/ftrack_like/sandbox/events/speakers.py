"""In whose name events are published: the user of each event comes from its connection."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Callable, Optional, Protocol

import sqlalchemy

from ftrack_like.sandbox.access.rights import may_name_others
from ftrack_like.sandbox.actions.batch import Batch
from ftrack_like.sandbox.actions.remote import NEW_KEYS
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["Account", "Speakers"]

#: Types whose changes may change who is who, and who may speak for others.
_DECIDING = {"SecurityRole", "User", "UserSecurityRole"}

#: How many users are remembered.
_REMEMBERED = 10_000


class Account(Protocol):
    """The user of a connection."""

    @property
    def id(self) -> str:
        """Return the id of the user."""

    @property
    def username(self) -> str:
        """Return the name of the user."""


class Speakers:
    """Tells the users of events, and who of them may not go on.

    Administrators and users with the role API may name another user who exists; what others say
    is replaced by themselves. Threads may share it.
    """

    def __init__(self, database: Database, dismiss: Callable[[str], object]) -> None:
        """Initialise with the *database* of the users.

        *dismiss* is called with the name of a user whose connections must end.
        """
        self._database = database
        self._dismiss = dismiss
        self._lock = threading.Lock()
        self._known: dict[Any, Any] = {}

    def committed(self, batch: Batch) -> None:
        """Forget what *batch*, which is committed, may have changed, and end connections by it."""
        if any(one.entity_type in _DECIDING for one in batch.changes):
            self.forget()
        leaving = set(batch.notes.get(NEW_KEYS, ()))
        for change in batch.changes:
            if change.entity_type == "User" and change.action != "add":
                changed = {"is_active", "username"} & change.old.keys()
                if change.action == "remove" or changed:
                    leaving.add(change.old.get("username", change.row["username"]))
        for username in leaving - {None, ""}:
            self._dismiss(username)

    def forget(self) -> None:
        """Look up all users again."""
        with self._lock:
            self._known = {}

    def is_active(self, account: Account) -> bool:
        """Return whether the user may be connected. Reads the database."""
        users = TABLES["resource"].c
        statement = sqlalchemy.select(users.id).where(
            users.id == account.id, users.username == account.username, users.is_active
        )
        with self._database.read() as connection:
            return connection.execute(statement).first() is not None

    def user_of(self, account: Account, said: Any) -> dict[str, Any]:
        """Return the user to put into an event of *account* that names *said*, of any type."""
        own = {"id": account.id, "username": account.username}
        if not isinstance(said, Mapping):
            return own
        named = said.get("id"), said.get("username")
        if not all(one is None or isinstance(one, str) for one in named):
            return own
        if named[0] in {None, account.id} and named[1] in {None, account.username}:
            return own
        return self._other(account, *named) or own

    def _other(
        self, account: Account, user_id: Optional[str], username: Optional[str]
    ) -> Optional[dict[str, Any]]:
        """Return the user that *account* names, None if there is none or it may not."""
        known = self._known
        key = account.id, user_id, username
        if key not in known:
            found = self._look_up(account.id, user_id, username)
            with self._lock:
                # Into what was there before: a change in between has made a new one.
                if len(known) >= _REMEMBERED:
                    known.clear()
                known[key] = found
            return found
        return known[key]  # type: ignore[no-any-return]

    def _look_up(
        self, speaker_id: str, user_id: Optional[str], username: Optional[str]
    ) -> Optional[dict[str, Any]]:
        users = TABLES["resource"].c
        statement = sqlalchemy.select(users.id, users.username).where(
            users.resource_type == "user", may_name_others(speaker_id)
        )
        if user_id is not None:
            statement = statement.where(users.id == user_id)
        if username is not None:
            statement = statement.where(users.username == username)
        with self._database.read() as connection:
            found = connection.execute(statement).first()
        return None if found is None else {"id": found.id, "username": found.username}
