"""Check whether a visitor may see a review.

A visitor needs the signed link from the invitation mail. The review session must be open, and the
visitor must give the passphrase if the session has one.
"""

from __future__ import annotations

import hashlib
import hmac
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Optional

from starlette.responses import Response

from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.links import REVIEW_PATH, check_link, person_mark
from ftrack_like.sandbox.media.signing import SignatureError
from ftrack_like.sandbox.web.pages import Asked, PageError
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted
from ftrack_like.sandbox.web.review_write import collaborator_operations
from ftrack_like.sandbox.web.tokens import keep_token, read_token

__all__ = [
    "PassphraseWanted",
    "Visit",
    "cookie_name",
    "enter",
    "find_session",
    "is_passphrase",
    "keep_passphrase",
    "open_visit",
    "refuse_closed",
]

#: The time after which a visitor must give the passphrase again, in seconds.
_PASSPHRASE_SECONDS = 7 * 24 * 3600

_INVITEE = (
    "select id, name, email, resource_id, review_session_id, created_by_id,"
    " created_by.username from ReviewSessionInvitee where id is {}"
)
_SESSION = (
    "select id, name, description, start_date, end_date, is_open, availability, passphrase,"
    " passphrase_enabled, is_moderated, shareable_url_enabled, created_by_id,"
    " created_by.username, project.full_name from ReviewSession where id is {}"
)


class PassphraseWanted(Exception):
    """The visitor must give the passphrase first."""

    def __init__(self, visit: Visit) -> None:
        """Initialise with the *visit*."""
        super().__init__("The review requires a passphrase.")
        self.visit = visit


@dataclass(frozen=True)
class Visit:
    """A request of an invitee. *link* contains the signed parameters of the invitee's address."""

    asked: Asked
    link: Mapping[str, str]
    invitee: Record
    session: Record

    @property
    def user(self) -> RequestUser:
        """Return the user for the invitee's operations. Its id is "" until the first write."""
        # An invitee has no role, only a link to this review. The user is therefore unrestricted,
        # and these pages must limit their queries to this review.
        person = self.invitee["resource_id"] or ""
        return RequestUser(person, self.invitee["email"] or "", unrestricted=True, is_guest=True)

    @property
    def reader(self) -> PageReader:
        """Return a reader for the review's data. It has no restrictions."""
        return self.asked.reader(self.user)

    @property
    def sees_only(self) -> Optional[str]:
        """Return the person whose notes the invitee sees besides those of users, or None for all.

        In a moderated review an invitee does not see the notes of other invitees. The result is
        then the id of the invitee's own person. It is "" until the invitee's first write.
        """
        return self.user.id if self.session["is_moderated"] else None

    def address(self, path: str = "", **more: str) -> str:
        """Return the address of *path* below the review, with this invitee's signed parameters."""
        return f"{REVIEW_PATH}{path}?{urllib.parse.urlencode({**self.link, **more})}"

    def as_collaborator(self) -> Visit:
        """Return the visit with a collaborator for the invitee.

        Operations need a person as their author. If the invitee has none, find the collaborator
        with the invitee's mail address, or create one.
        """
        if self.invitee["resource_id"]:
            return self
        # Guests of a shared link are excluded, because they have not proved their mail address.
        email = quoted(self.invitee["email"] or "")
        known = self.reader.one(
            f"select id from Collaborator where email is {email}"
            " and created_from_shared_url is none"
        )
        id_, operations = collaborator_operations(self.invitee, known["id"] if known else None)
        # The inviter is the author of these operations: the invitee is not a person yet.
        inviter = self.invitee.get("created_by") or {}
        self.asked.execute(
            operations,
            RequestUser(
                self.invitee["created_by_id"] or "",
                inviter.get("username") or "",
                unrestricted=True,
            ),
        )
        return replace(self, invitee={**self.invitee, "resource_id": id_})


def enter(asked: Asked) -> Visit:
    """Return the visit of the invitee in the signed link, even if the review is not open.

    Raise :exc:`PageError` if the link is not valid, or the invitation or its user has ended.
    """
    signer = asked.api.media.signer
    try:
        signed = check_link(signer, REVIEW_PATH, asked.query, ("invitee", "person"))
    except SignatureError as error:
        raise PageError(
            403,
            "This link does not work",
            f"{error} Open the complete link from the mail, or ask for a new invitation.",
        ) from error
    reader = asked.reader(RequestUser("", "", unrestricted=True))
    invitee = reader.one(_INVITEE.format(quoted(signed["invitee"])))
    session = invitee and find_session(reader, invitee["review_session_id"])
    is_same = invitee and signed.get("person") == person_mark(invitee["email"])
    if not invitee or not session or not is_same:
        raise PageError(
            404,
            "This invitation was withdrawn",
            "The review does not exist any more, or you are no longer invited to it.",
        )
    _refuse_left(reader, invitee)
    link = {name: asked.query[name] for name in ("invitee", "person", "expires", "signature")}
    return Visit(asked, link, invitee, session)


def _refuse_left(reader: PageReader, invitee: Record) -> None:
    """Raise :exc:`PageError` if the *invitee* is a user who is no longer active."""
    person = quoted(invitee["resource_id"] or "")
    if reader.one(f"select id from User where id is {person} and is_active is_not true"):
        raise PageError(403, "This invitation has ended", "Its user is no longer active.")


def find_session(reader: PageReader, id_: str) -> Optional[Record]:
    """Return the review session with the id *id_*, or None if it does not exist."""
    return reader.one(_SESSION.format(quoted(id_)))


def open_visit(asked: Asked) -> Visit:
    """Return the visit of an invitee who may see the review.

    Raise :exc:`PageError` if the link is not valid or the review is not open, and
    :exc:`PassphraseWanted` if the visitor has not given the passphrase yet.
    """
    visit = enter(asked)
    refuse_closed(visit.session, visit.asked.api.clock.now())
    if visit.session["passphrase_enabled"] and visit.session["passphrase"]:
        _want_passphrase(visit)
    return visit


def keep_passphrase(visit: Visit, response: Response) -> None:
    """Set a cookie on *response* that records that the visitor gave the passphrase."""
    keep_token(
        visit.asked,
        response,
        cookie_name("review", visit.session),
        _purpose(visit),
        _PASSPHRASE_SECONDS,
        path=REVIEW_PATH,
        given="1",
    )


def is_passphrase(visit: Visit, text: str) -> bool:
    """Return whether *text* is the passphrase. The comparison takes constant time."""
    wanted = (visit.session["passphrase"] or "").encode("utf-8")
    return hmac.compare_digest(text.encode("utf-8", "replace"), wanted)


def refuse_closed(session: Record, now: datetime) -> None:
    """Raise :exc:`PageError` with the reason if the review *session* is not open at *now*."""
    if session["is_open"]:
        return
    if session["availability"] == "closed":
        raise PageError(403, f"“{session['name']}” is closed", "Your host can open it again.")
    start, end = session["start_date"], session["end_date"]
    if start is not None and start > now:
        raise PageError(
            403, f"“{session['name']}” is not open yet", f"It opens on {start:%Y-%m-%d %H:%M} UTC."
        )
    closed = f"It closed on {end:%Y-%m-%d %H:%M} UTC." if end else "It has no dates yet."
    raise PageError(403, f"“{session['name']}” is closed", f"{closed} Your host can open it again.")


def _want_passphrase(visit: Visit) -> None:
    token = visit.asked.request.cookies.get(cookie_name("review", visit.session), "")
    try:
        read_token(visit.asked.api.media.signer, _purpose(visit), token)
    except SignatureError as error:
        raise PassphraseWanted(visit) from error


def _purpose(visit: Visit) -> str:
    # The purpose contains the passphrase, so that a changed passphrase must be given again.
    return f"passphrase of {visit.session['id']}: {visit.session['passphrase']}"


def cookie_name(what: str, session: Record) -> str:
    """Return the name of the cookie *what* for a review *session*."""
    return f"{what}_{hashlib.sha256(session['id'].encode('utf-8')).hexdigest()[:16]}"
