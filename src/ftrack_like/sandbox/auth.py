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
from ftrack_like.sandbox.database.snapshots import remembered
from ftrack_like.sandbox.errors import InvalidCredentialsError, PermissionDeniedError
from ftrack_like.sandbox.tables.layout import TABLES

__all__ = [
    "GENERATION",
    "RequestCredentials",
    "RequestUser",
    "authenticate",
    "check_again",
    "find_user",
]

#: The digest for an unknown user, so that the check takes the same time as for a known one.
_NOBODY = digest_key("")

#: The ``server_value`` that changes when all data are replaced. Another process may do that, so
#: each authentication reads the value, as a part of its statement.
GENERATION = "generation"

#: The first part of the keys of remembered accounts.
_ACCOUNT = "account"

_NONE_SENT = (
    "No credentials were sent: send a user name and an API key, in the headers ftrack-user and "
    "ftrack-api-key."
)

_REFUSED = (
    "The supplied API key is not valid. There is no such user, or it is not the user's key. Check "
    "the headers ftrack-user and ftrack-api-key; the page /browse takes the same two values."
)


@dataclass(frozen=True)
class RequestCredentials:
    """The credentials of a request; the key never appears in a ``repr``."""

    username: str
    api_key: str = field(repr=False)

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RequestCredentials:
        """Return the credentials in *headers*, empty if they are missing."""
        return cls(headers.get("ftrack-user", ""), headers.get("ftrack-api-key", ""))

    def require(self) -> None:
        """Raise :exc:`InvalidCredentialsError` if there is neither a user name nor a key."""
        if not self.username and not self.api_key:
            raise InvalidCredentialsError(_NONE_SENT)


@dataclass(frozen=True)
class RequestUser:
    """The user of a request.

    *unrestricted* is true for administrators and for the server itself: the request may do
    everything. The roles of other users are read with each request. A guest opens the link of a
    review and has no account.

    *has_account* is true if each transaction must check the account again (:func:`check_again`).
    *digest* is then the digest of the key in the request, empty for other credentials.
    *generation* names the data of the site in which the credentials were checked: a reset gives the
    site another one (:data:`GENERATION`).
    """

    id: str
    username: str
    unrestricted: bool = False
    is_guest: bool = False
    has_account: bool = False
    digest: str = field(default="", repr=False)
    generation: str = field(default="", repr=False, compare=False)


def find_user(connection: Connection, user_id: str) -> RequestUser:
    """Return the active user with the id *user_id*.

    Use this for work that continues after the request of the user was answered. Raise
    :exc:`PermissionDeniedError` if there is no such user.
    """
    found = connection.execute(_by_id(), {"id": user_id}).first()
    if found is None or not found.is_active:
        raise PermissionDeniedError(
            "The user who requested this does not exist any more, or was deactivated."
        )
    return RequestUser(
        found.id, found.username, unrestricted=bool(found.administrates), has_account=True
    )


def check_again(connection: Connection, user_id: str, digest: str) -> bool:
    """Return whether the user is an administrator in the state that *connection* sees.

    The body of a request and the turn to write may take minutes to arrive. Raise
    :exc:`InvalidCredentialsError` if the user was deactivated in the meantime, or if *digest* is
    not empty and no longer the digest of the user's key.
    """
    known = remembered(connection)
    key = (_ACCOUNT, user_id)
    if key not in known:
        known[key] = connection.execute(_by_id(), {"id": user_id}).first()
    found: Any = known[key]
    if found is None or not found.is_active or digest not in ("", found.digest):
        raise InvalidCredentialsError(_REFUSED)
    return bool(found.administrates)


def authenticate(connection: Connection, credentials: RequestCredentials) -> RequestUser:
    """Return the user of *credentials*, or raise :exc:`InvalidCredentialsError`.

    The error and its duration are the same for an unknown user and for a wrong key, so that they do
    not reveal which users exist.
    """
    found = connection.execute(_by_name(), {"name": credentials.username}).first()
    matches = is_key(credentials.api_key, found.digest if found is not None else _NOBODY)
    if found is None or not matches or not found.is_active:
        raise InvalidCredentialsError(_REFUSED)
    remembered(connection)[_ACCOUNT, found.id] = found  # the next transaction will need it
    return RequestUser(
        found.id,
        found.username,
        unrestricted=bool(found.administrates),
        has_account=True,
        digest=found.digest,
        generation=found.generation or "",
    )


# Each request runs one of these; to make the statement takes longer than to run it.


@functools.cache
def _by_id() -> sqlalchemy.Select[Any]:
    user, key = TABLES["resource"].c, TABLES["user_api_key"].c
    administrates = is_administrator(user.id).label("administrates")
    return (
        sqlalchemy.select(user.id, user.username, user.is_active, key.digest, administrates)
        .outerjoin(TABLES["user_api_key"], key.user_id == user.id)
        .where(user.id == sqlalchemy.bindparam("id"), user.resource_type == "user")
    )


@functools.cache
def _by_name() -> sqlalchemy.Select[Any]:
    user, key = TABLES["resource"].c, TABLES["user_api_key"].c
    administrates = is_administrator(user.id).label("administrates")
    values = TABLES["server_value"].c
    generation = (
        sqlalchemy.select(values.value)
        .where(values.name == GENERATION)
        .scalar_subquery()
        .label("generation")
    )
    return (
        sqlalchemy.select(
            user.id, user.username, user.is_active, key.digest, administrates, generation
        )
        .join(TABLES["user_api_key"], key.user_id == user.id)
        .where(user.username == sqlalchemy.bindparam("name"), user.resource_type == "user")
    )
