"""The log-in form, and the check that a page's visitor is logged in.

The browser stores a signed token in a cookie. Scripts cannot read the cookie, and browsers do not
send it with the forms of other sites. The token is valid for 12 hours, or until the user gets a
new API key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

import sqlalchemy
from starlette.responses import Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.auth import RequestCredentials, RequestUser
from ftrack_like.sandbox.errors import InvalidCredentialsError, TooManyAttemptsError
from ftrack_like.sandbox.media.signing import SignatureError
from ftrack_like.sandbox.seed.data.site import ADMINISTRATOR_ROLE
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.web.pages import Asked, Handler, PageError, go_to, page_route, render
from ftrack_like.sandbox.web.reading import PageReader, quoted
from ftrack_like.sandbox.web.tokens import keep_token, make_token, peek, read_token

__all__ = ["LOG_IN_PATH", "Visitor", "for_visitors", "is_administrator", "log_in_routes"]

LOG_IN_PATH = "/log-in"
LOG_OUT_PATH = "/log-out"

_COOKIE = "ftrack_like_log_in"
_SECONDS = 12 * 3600

#: The addresses to which a log-in may redirect: pages of this server, and only the characters that
#: they need. A looser pattern is unsafe: browsers read "///", "/\\" and "/<tab>/" as the start of
#: a host name, so a crafted link could redirect to another site.
_PLACES = re.compile(
    r"/(?:browse|encoding|outbox|webhooks)(?:/[A-Za-z0-9_~-]+)*(?:\.csv|/)?(?:\?[A-Za-z0-9_.~%&=+:,-]*)?",
    re.ASCII,
)
_FIRST_PLACE = "/browse"


@dataclass(frozen=True)
class Visitor:
    """A logged-in user with a request. Each form must send back *form_token*."""

    user: RequestUser
    form_token: str
    asked: Asked

    @property
    def reader(self) -> PageReader:
        """Return a reader with the permissions of the visitor."""
        return self.asked.reader(self.user)

    @property
    def is_administrator(self) -> bool:
        """Return whether the visitor is an administrator."""
        return is_administrator(self.asked, self.user)


def log_in_routes() -> list[BaseRoute]:
    """Return the routes for logging in and out."""
    return [
        page_route(LOG_IN_PATH, show_form),
        page_route(LOG_IN_PATH, log_in, "POST"),
        page_route(LOG_OUT_PATH, for_visitors(log_out), "POST"),
    ]


def for_visitors(handler: Callable[[Visitor], Response]) -> Handler:
    """Return a handler that calls *handler* for logged-in users and redirects others to the form.

    A posted form must contain the visitor's form token. Without it the handler raises
    :exc:`PageError`.
    """

    def guarded(asked: Asked) -> Response:
        visitor = _visitor(asked)
        if visitor is None:
            if asked.request.method == "POST":
                raise PageError(403, "Not logged in", "Log in, then send the form again.")
            place = asked.request.url.path
            query = asked.request.url.query
            return go_to(LOG_IN_PATH, next=f"{place}?{query}" if query else place)
        if asked.request.method == "POST":
            _check_form(visitor)
        return handler(visitor)

    return guarded


def show_form(asked: Asked) -> Response:
    """Return the page with the form."""
    return _form(asked.query.get("next", ""))


def log_in(asked: Asked) -> Response:
    """Check the posted user name and key, set the cookie, and redirect to the requested page."""
    username = asked.form.get("username", "").strip()
    credentials = RequestCredentials(username, asked.form.get("key", "").strip())
    try:
        user = asked.api.authenticate(credentials)
    except TooManyAttemptsError as error:
        raise PageError(429, "Too many attempts", "Wait a minute, then try again.") from error
    except InvalidCredentialsError:
        return _form(asked.form.get("next", ""), username, wrong=True)
    response = go_to(_place(asked.form.get("next", "")))
    keep_token(asked, response, _COOKIE, _purpose(asked, user.id), _SECONDS, user=user.id)
    return response


def log_out(visitor: Visitor) -> Response:
    """Delete the cookie."""
    response = go_to("/")
    response.delete_cookie(_COOKIE, httponly=True, samesite="lax")
    return response


def is_administrator(asked: Asked, user: RequestUser) -> bool:
    """Return whether *user* has the role of an administrator."""
    expression = (
        f"select id from UserSecurityRole where user_id is {quoted(user.id)}"
        f" and security_role.name is {quoted(ADMINISTRATOR_ROLE)}"
    )
    return asked.reader(user).one(expression) is not None


def _form(place: str, username: str = "", wrong: bool = False) -> Response:
    return render(
        "log_in.html",
        403 if wrong else 200,
        place=_place(place),
        username=username,
        wrong=wrong,
        theme=None,
    )


def _place(text: str) -> str:
    """Return *text* if it is the address of a page of this server, else that of the first page."""
    return text if _PLACES.fullmatch(text) else _FIRST_PLACE


def _visitor(asked: Asked) -> Optional[Visitor]:
    token = asked.request.cookies.get(_COOKIE, "")
    # The purpose of the token contains the user's id and key, so the unchecked id must come first.
    user_id = peek(token).get("user")
    if user_id is None:
        return None
    signer = asked.api.media.signer
    try:
        read_token(signer, _purpose(asked, user_id), token)
    except SignatureError:
        return None
    columns = TABLES["resource"].c
    statement = sqlalchemy.select(columns.username, columns.is_active)
    with asked.api.database.read() as connection:
        found = connection.execute(statement.where(columns.id == user_id)).first()
    if found is None or not found.is_active:
        return None
    form_token = make_token(signer, f"forms of {token}", _SECONDS, form="1")
    return Visitor(RequestUser(user_id, found.username, has_account=True), form_token, asked)


def _check_form(visitor: Visitor) -> None:
    cookie = visitor.asked.request.cookies.get(_COOKIE, "")
    try:
        read_token(
            visitor.asked.api.media.signer,
            f"forms of {cookie}",
            visitor.asked.form.get("form_token", ""),
        )
    except SignatureError as error:
        raise PageError(403, "This form is too old", "Load the page again.") from error


def _purpose(asked: Asked, user_id: str) -> str:
    # The purpose contains the digest of the key, so that a new key ends all log-ins.
    columns = TABLES["user_api_key"].c
    statement = sqlalchemy.select(columns.digest).where(columns.user_id == user_id)
    with asked.api.database.read() as connection:
        digest: Optional[str] = connection.execute(statement).scalar()
    return f"log-in of {user_id}: {digest}"
