"""The actions that send mail: invitations to the site and to reviews.

A message is composed during the batch and sent after its commit, so that a failed batch sends no
mail.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like.sandbox.actions.attributes import defaults, required_key
from ftrack_like.sandbox.actions.batch import Batch, Operation
from ftrack_like.sandbox.actions.permissions import administrators_only, require
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.actions.rows import change_row, make_row
from ftrack_like.sandbox.actions.store import Row
from ftrack_like.sandbox.errors import NotFoundError, ValidationError
from ftrack_like.sandbox.links import review_link
from ftrack_like.sandbox.mail import MailOutbox, compose
from ftrack_like.sandbox.media.signing import Signer
from ftrack_like.sandbox.schema import MODEL

if TYPE_CHECKING:
    from email.message import EmailMessage

__all__ = ["InviteActions", "admit_invitee"]

_MAIL_ADDRESS = re.compile(r"\A[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\]+\Z")

_USER_TEXT = """\
Hello {name},

{sender} invites you to the ftrack-like sandbox at

    {server_url}

Your user name is {username}. {sender} gives you the API key that goes with it: log in with both at

    {server_url}/browse
"""

_REVIEW_TEXT = """\
Hello {name},

{sender} asks you to review “{title}”:

    {link}

The link is personal: your comments there appear under your name.
{conditions}{description}"""


class InviteActions:
    """The actions; *outbox* sends the messages, *signer* signs the links."""

    def __init__(self, outbox: MailOutbox, signer: Signer) -> None:
        self._outbox = outbox
        self._signer = signer

    def actions(self) -> tuple[ApiAction, ...]:
        """Return the API actions."""
        return (
            ApiAction(
                "send_review_session_invite", self.send_review_session_invite, rule=_may_invite
            ),
            ApiAction("send_user_invite", self.send_user_invite, rule=administrators_only),
        )

    def send_user_invite(self, operation: Operation, batch: Batch) -> Any:
        """Send a user the address of the site and the user name for the log-in."""
        user = _named(batch, "User", "user_id", operation)
        if user["resource_type"] != "user":
            raise NotFoundError(f"There is no User with the id {user['id']!r}.")
        name = _full_name(user) or user["username"]
        text = _USER_TEXT.format(
            name=name,
            username=user["username"],
            sender=_sender(batch),
            server_url=batch.context.public_url,
        )
        self._send(batch, user["email"], name, "Your invitation to the ftrack-like sandbox", text)
        return {"action": "send_user_invite", "data": True}

    def send_review_session_invite(self, operation: Operation, batch: Batch) -> Any:
        """Send an invitee the personal link to a review."""
        invitee = _named(batch, "ReviewSessionInvitee", "review_session_invitee_id", operation)
        session = batch.store.get("review_session", (invitee["review_session_id"],))
        if session is None:
            raise NotFoundError("The review session of this invitee does not exist any more.")
        link = review_link(self._signer, invitee["id"], invitee["email"])
        text = _REVIEW_TEXT.format(
            name=invitee["name"] or "there",
            sender=_sender(batch),
            title=session["name"],
            link=batch.context.public_url + link,
            conditions=_conditions(session),
            description=f"\n{session['description']}\n" if session["description"] else "",
        )
        subject = f"Review: {session['name']}"
        self._send(batch, invitee["email"], invitee["name"] or "", subject, text)
        admit_invitee(batch, invitee)
        change_row(batch, MODEL.types["ReviewSessionInvitee"], invitee, {"last_sent_at": batch.now})
        return {"action": "send_review_session_invite", "data": True}

    def _send(
        self, batch: Batch, address: Optional[str], name: str, subject: str, text: str
    ) -> None:
        moment = batch.context.now.replace(tzinfo=timezone.utc)
        message = _message(address, name, subject, text, moment)
        batch.after_commit.append(functools.partial(self._outbox.send, message))


def _may_invite(operation: Operation, batch: Batch) -> None:
    """Raise :exc:`PermissionDeniedError` unless the user may change the invitee."""
    batch.settle()
    type_ = MODEL.types["ReviewSessionInvitee"]
    row = batch.store.get(type_.table, (str(operation.get("review_session_invitee_id")),))
    if row is None:
        raise NotFoundError("There is no ReviewSessionInvitee with this id.")
    require(batch, "update", type_, row)


def admit_invitee(batch: Batch, invitee: Row) -> str:
    """Return the id of the resource for *invitee*, and create a collaborator if necessary.

    Invitations to the same mail address lead to the same collaborator. A user of the site is not
    found by the address: links in mail do not log users in.
    """
    if invitee["resource_id"] is not None:
        return str(invitee["resource_id"])
    found = batch.store.find("resource", email=invitee["email"], resource_type="collaborator")
    # The addresses of visitors who joined by a shared link are not verified.
    known = [one for one in found if not one["created_from_shared_url"]]
    person = known[0] if known else _make_collaborator(batch, invitee)
    type_ = MODEL.types["ReviewSessionInvitee"]
    change_row(batch, type_, invitee, {"resource_id": person["id"]})
    return str(person["id"])


def _make_collaborator(batch: Batch, invitee: Row) -> Row:
    type_ = MODEL.types["Collaborator"]
    first_name, _, last_name = (invitee["name"] or invitee["email"]).partition(" ")
    names = {"first_name": first_name, "last_name": last_name.strip()}
    return make_row(batch, type_, {**defaults(type_), **names, "email": invitee["email"]})


def _named(batch: Batch, type_name: str, argument: str, operation: Operation) -> Row:
    """Return the row of *type_name* whose id *operation* has as *argument*."""
    id_ = required_key(operation, argument)
    if not isinstance(id_, str):
        raise ValidationError(f"{argument} must be an id, not {id_!r}.")
    batch.settle()
    row = batch.store.get(MODEL.types[type_name].table, (id_,))
    if row is None:
        raise NotFoundError(f"There is no {type_name} with the id {id_!r}.")
    return row


def _message(
    address: Optional[str], name: str, subject: str, text: str, moment: datetime
) -> EmailMessage:
    """Return a message to *address*; raise :exc:`ValidationError` if it is not a mail address."""
    if not address or not _MAIL_ADDRESS.match(address):
        raise ValidationError(
            f"{name or 'unnamed'!r} cannot receive mail: {address!r} is not a mail address. "
            "Set the attribute 'email' first."
        )
    # lazy: a server that sends no mail does not need these.
    import email.errors
    from email.headerregistry import Address

    try:
        to = str(Address(display_name=" ".join(name.split()), addr_spec=address))
        return compose(to, " ".join(subject.split()), text, moment)
    except (ValueError, email.errors.MessageError) as error:
        raise ValidationError(f"{address!r} is not a mail address: {error}.") from error


def _sender(batch: Batch) -> str:
    user = batch.store.get("resource", (batch.user_id,))
    return (_full_name(user) if user is not None else "") or batch.context.username


def _full_name(person: Row) -> str:
    return " ".join(part for part in (person["first_name"], person["last_name"]) if part)


def _conditions(session: Row) -> str:
    """Return lines about the dates and the passphrase of the review, for its reader."""
    lines = []
    if session["start_date"] and session["end_date"]:
        dates = [session[name][:16].replace("T", " ") for name in ("start_date", "end_date")]
        lines.append(f"It is open from {dates[0]} until {dates[1]} (UTC).\n")
    if session["passphrase_enabled"] and session["passphrase"]:
        lines.append("It asks for a passphrase, which you get from the sender of this mail.\n")
    return "".join(lines)
