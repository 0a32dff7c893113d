"""The users in events: each event names the user of its connection."""

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

__all__ = ["Account", "Speakers", "users_to_dismiss"]

#: Types whose changes may affect the names of users, or the right to name another user.
_DECIDING = {"SecurityRole", "User", "UserSecurityRole"}

#: The number of users to remember.
_REMEMBERED = 10_000


def users_to_dismiss(batch: Batch) -> list[str]:
    """Return the names of the users whose connections must end when *batch* is committed."""
    leaving = set(batch.notes.get(NEW_KEYS, ()))
    for change in batch.changes:
        if change.entity_type == "User" and change.action != "add":
            changed = {"is_active", "username"} & change.old.keys()
            if change.action == "remove" or changed:
                leaving.add(change.old.get("username", change.row["username"]))
    return sorted(leaving - {None, ""})


class Account(Protocol):
    """The user of a connection."""

    @property
    def id(self) -> str:
        """Return the id of the user."""

    @property
    def username(self) -> str:
        """Return the name of the user."""


class Speakers:
    """Decides which user an event names, and which users must be disconnected.

    Administrators and users with the role API may name another existing user. For all other users,
    the server replaces the named user by the user of the connection. Threads may share it.
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
        """Drop users that the committed *batch* may have changed, and end their connections."""
        if any(one.entity_type in _DECIDING for one in batch.changes):
            self.forget()
        for username in users_to_dismiss(batch):
            self._dismiss(username)

    def forget(self) -> None:
        """Drop all known users, so that they are looked up again."""
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
        """Return the user for an event of *account*, which names *said*, a value of any type."""
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
        """Return the user that *account* names, None if unknown or not permitted."""
        known = self._known
        key = account.id, user_id, username
        if key not in known:
            found = self._look_up(account.id, user_id, username)
            with self._lock:
                # Write to the dictionary from before the query: if a change has replaced it since
                # then, the outdated result is dropped with it.
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
