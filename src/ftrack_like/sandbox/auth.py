"""Credentials in headers, checked against the digests of the users' API keys."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.keys import digest_key, is_key
from ftrack_like.sandbox.access.rights import is_administrator
from ftrack_like.sandbox.errors import InvalidCredentialsError, PermissionDeniedError
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = ["Credentials", "User", "authenticate", "find_user"]

#: The digest for an unknown user, so that the check takes the same time as for a known one.
_NOBODY = digest_key("")

_NONE_SENT = (
    "No credentials were sent: send a user name and an API key, in the headers ftrack-user and "
    "ftrack-api-key."
)

_REFUSED = (
    "The supplied API key is not valid. There is no such user, or it is not the user's key. Check "
    "the headers ftrack-user and ftrack-api-key; the page /browse takes the same two values."
)


@dataclass(frozen=True)
class Credentials:
    """The credentials of a request; the key never appears in a ``repr``."""

    username: str
    api_key: str = field(repr=False)

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Credentials:
        """Return the credentials in *headers*, empty if they are missing."""
        return cls(headers.get("ftrack-user", ""), headers.get("ftrack-api-key", ""))

    def require(self) -> None:
        """Raise :exc:`InvalidCredentialsError` if there is neither a user name nor a key."""
        if not self.username and not self.api_key:
            raise InvalidCredentialsError(_NONE_SENT)


@dataclass(frozen=True)
class User:
    """The user of a request.

    *unrestricted* is true for administrators and for the server itself: the request may do
    everything. The roles of other users are read with each request. A guest opens the link of a
    review and has no account.
    """

    id: str
    username: str
    unrestricted: bool = False
    is_guest: bool = False


def find_user(connection: Connection, user_id: str) -> User:
    """Return the active user with the id *user_id*.

    Use this for work that continues after the request of the user was answered. Raise
    :exc:`PermissionDeniedError` if there is no such user.
    """
    found = connection.execute(_by_id(), {"id": user_id}).first()
    if found is None or not found.is_active:
        raise PermissionDeniedError(
            "The user who requested this does not exist any more, or was deactivated."
        )
    return User(found.id, found.username, unrestricted=bool(found.administrates))


def authenticate(connection: Connection, credentials: Credentials) -> User:
    """Return the user of *credentials*, or raise :exc:`InvalidCredentialsError`.

    The error and its duration are the same for an unknown user and for a wrong key, so that they do
    not reveal which users exist.
    """
    found = connection.execute(_by_name(), {"name": credentials.username}).first()
    matches = is_key(credentials.api_key, found.digest if found is not None else _NOBODY)
    if found is None or not matches or not found.is_active:
        raise InvalidCredentialsError(_REFUSED)
    return User(found.id, found.username, unrestricted=bool(found.administrates))


# Each request runs one of these; to make the statement takes longer than to run it.


@functools.cache
def _by_id() -> sqlalchemy.Select[Any]:
    user = TABLES["resource"].c
    administrates = is_administrator(user.id).label("administrates")
    return sqlalchemy.select(user.id, user.username, user.is_active, administrates).where(
        user.id == sqlalchemy.bindparam("id"), user.resource_type == "user"
    )


@functools.cache
def _by_name() -> sqlalchemy.Select[Any]:
    user, key = TABLES["resource"].c, TABLES["user_api_key"].c
    administrates = is_administrator(user.id).label("administrates")
    return (
        sqlalchemy.select(user.id, user.username, user.is_active, key.digest, administrates)
        .join(TABLES["user_api_key"], key.user_id == user.id)
        .where(user.username == sqlalchemy.bindparam("name"), user.resource_type == "user")
    )
