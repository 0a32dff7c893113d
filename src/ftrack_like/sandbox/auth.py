"""Who asks: credentials in headers, checked against the digests of the users' API keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.keys import digest_key, is_key
from ftrack_like.sandbox.access.rights import is_administrator
from ftrack_like.sandbox.errors import InvalidCredentialsError, PermissionDeniedError
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["Credentials", "User", "authenticate", "find_user"]

#: Compared with when there is no such user, so that the time taken does not tell.
_NOBODY = digest_key("")

_NONE_SENT = (
    "No credentials were sent: send a user name and an API key, in the headers ftrack-user and "
    "ftrack-api-key."
)

_REFUSED = (
    "The supplied API key is not valid: there is no such user, or it is not the user's key. "
    "Check the user name and the key."
)


@dataclass(frozen=True)
class Credentials:
    """What a request says of its user; the key never shows."""

    username: str
    api_key: str = field(repr=False)

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Credentials:
        """Return the credentials in *headers*, empty where they are missing."""
        return cls(headers.get("ftrack-user", ""), headers.get("ftrack-api-key", ""))

    def require(self) -> None:
        """Raise :exc:`InvalidCredentialsError` if there is neither a user name nor a key."""
        if not self.username and not self.api_key:
            raise InvalidCredentialsError(_NONE_SENT)


@dataclass(frozen=True)
class User:
    """The user that a request is made for.

    *unrestricted* lets the request do everything: administrators, and the server itself. The
    roles of others are looked up with each request. A guest comes by the link of a review and has
    no account.
    """

    id: str
    username: str
    unrestricted: bool = False
    is_guest: bool = False


def find_user(connection: Connection, user_id: str) -> User:
    """Return the active user with the id *user_id*; raise :exc:`PermissionDeniedError` without.

    It is for work that goes on after the request of the user was authenticated and answered.
    """
    user = TABLES["resource"].c
    administrates = is_administrator(user.id).label("administrates")
    statement = sqlalchemy.select(user.id, user.username, user.is_active, administrates).where(
        user.id == user_id, user.resource_type == "user"
    )
    found = connection.execute(statement).first()
    if found is None or not found.is_active:
        raise PermissionDeniedError(
            "The user who asked for this does not exist any more, or was deactivated."
        )
    return User(found.id, found.username, unrestricted=bool(found.administrates))


def authenticate(connection: Connection, credentials: Credentials) -> User:
    """Return the user of *credentials*, or raise :exc:`InvalidCredentialsError`.

    The error is the same whether user or key are wrong, and so is the time it takes.
    """
    user, key = TABLES["resource"].c, TABLES["user_api_key"].c
    administrates = is_administrator(user.id).label("administrates")
    statement = (
        sqlalchemy.select(user.id, user.username, user.is_active, key.digest, administrates)
        .join(TABLES["user_api_key"], key.user_id == user.id)
        .where(user.username == credentials.username, user.resource_type == "user")
    )
    found = connection.execute(statement).first()
    matches = is_key(credentials.api_key, found.digest if found is not None else _NOBODY)
    if found is None or not matches or not found.is_active:
        raise InvalidCredentialsError(_REFUSED)
    return User(found.id, found.username, unrestricted=bool(found.administrates))
