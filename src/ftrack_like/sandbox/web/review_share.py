"""The page of a review's shared link. A visitor becomes an invitee by entering a name."""

from __future__ import annotations

import re
from typing import Optional

from starlette.responses import Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.actions.batch import new_id
from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.links import (
    REVIEW_PATH,
    REVIEW_SECONDS,
    SHARED_PATH,
    check_link,
    review_link,
)
from ftrack_like.sandbox.media.signing import SignatureError
from ftrack_like.sandbox.web.pages import Asked, PageError, go_to, page_route, render
from ftrack_like.sandbox.web.reading import Record, quoted
from ftrack_like.sandbox.web.review_access import cookie_name, find_session, refuse_closed
from ftrack_like.sandbox.web.review_write import guest_operations
from ftrack_like.sandbox.web.tokens import keep_token, peek, read_token

__all__ = ["share_routes"]

_LONGEST = 200
_MAIL_ADDRESS = re.compile(r"\A[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\]+\Z")


def share_routes() -> list[BaseRoute]:
    """Return the routes of the page and of its form."""
    return [
        page_route(SHARED_PATH, show_form),
        page_route(SHARED_PATH, join, "POST"),
    ]


def show_form(asked: Asked) -> Response:
    """Return the form, or a redirect to the review if a cookie shows that the visitor joined."""
    session = _session(asked)
    known = peek(asked.request.cookies.get(_cookie(session), "")).get("invitee", "")
    invitee = _invitee(asked, session, known) if known else None
    if invitee is not None:
        return go_to(review_link(asked.api.media.signer, known, invitee["email"]))
    return _form(asked, session)


def join(asked: Asked) -> Response:
    """Create an invitee from the posted name and mail address, and redirect to the review."""
    throttle = asked.api.counters.counter("share", most=30, seconds=60)
    session = _session(asked)
    name = " ".join(asked.form.get("name", "").split())
    email = asked.form.get("email", "").strip()
    if not name or len(name) > _LONGEST or len(email) > _LONGEST or not _MAIL_ADDRESS.match(email):
        return _form(asked, session, name, email, wrong=True)
    if throttle.is_exhausted(session["id"]):
        raise PageError(429, "Too many visitors at once", "Wait a minute, then try again.")
    throttle.count(session["id"])
    invitee_id = new_id()
    host = session.get("created_by") or {}
    user = RequestUser(
        session["created_by_id"] or "", host.get("username") or "", unrestricted=True
    )
    asked.execute(guest_operations(invitee_id, session["id"], name, email), user)
    response = go_to(review_link(asked.api.media.signer, invitee_id, email))
    keep_token(
        asked,
        response,
        _cookie(session),
        _purpose(session),
        REVIEW_SECONDS,
        path=REVIEW_PATH,
        invitee=invitee_id,
    )
    return response


def _session(asked: Asked) -> Record:
    """Return the review session of the signed link.

    Raise :exc:`PageError` if the link is not valid, or the session is closed or not shared.
    """
    try:
        signed = check_link(asked.api.media.signer, SHARED_PATH, asked.query, ("session",))
    except SignatureError as error:
        raise PageError(403, "This link does not work", f"{error} Ask for a new link.") from error
    session = find_session(asked.reader(RequestUser("", "", unrestricted=True)), signed["session"])
    if session is None or not session["shareable_url_enabled"]:
        raise PageError(
            403, "This review is not shared any more", "Ask your host for an invitation."
        )
    refuse_closed(session, asked.api.clock.now())
    return session


def _invitee(asked: Asked, session: Record, invitee_id: str) -> Optional[Record]:
    """Return the invitee, or None if the cookie is not valid or the invitee is gone."""
    token = asked.request.cookies.get(_cookie(session), "")
    try:
        read_token(asked.api.media.signer, _purpose(session), token)
    except SignatureError:
        return None
    expression = f"select id, email from ReviewSessionInvitee where id is {quoted(invitee_id)}"
    return asked.reader(RequestUser("", "", unrestricted=True)).one(expression)


def _form(
    asked: Asked, session: Record, name: str = "", email: str = "", wrong: bool = False
) -> Response:
    return render(
        "shared.html",
        400 if wrong else 200,
        session=session,
        address=f"{SHARED_PATH}?{asked.request.url.query}",
        name=name,
        email=email,
        wrong=wrong,
        theme=None,
    )


def _purpose(session: Record) -> str:
    return f"guest of {session['id']}"


def _cookie(session: Record) -> str:
    return cookie_name("guest", session)
