"""The guests of a review session, with their personal links if the server is a sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Optional

from ftrack_like.cli._review_page import links_in_mails

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["NO_LINKS", "GuestRow", "read_guests"]

#: Why there is no link.
NO_LINKS = (
    "Only an administrator of a sandbox can print the links. A site sends them to the guests by "
    "mail, and tells no program."
)


class GuestRow(NamedTuple):
    """A guest in the list.

    *invited_at* is the time of the last mail in ISO format, None if there was none. *url* is the
    personal link, None if it is unknown.
    """

    name: str
    email: str
    invited_at: Optional[str]
    id: str
    url: Optional[str]


def read_guests(session: Session, invitees: Iterable[Entity]) -> tuple[list[GuestRow], bool]:
    """Return a row for each of *invitees*, and whether their links are known at all."""
    found = list(invitees)
    session.populate(found, "name, email, last_sent_at")
    links = links_in_mails(session)
    return [_guest_row(each, links or {}) for each in found], links is not None


def _guest_row(invitee: Entity, links: dict[str, str]) -> GuestRow:
    sent = invitee["last_sent_at"]
    return GuestRow(
        str(invitee["name"]),
        str(invitee["email"]),
        None if sent is None else str(sent.isoformat()),
        str(invitee["id"]),
        links.get(str(invitee["id"])),
    )
