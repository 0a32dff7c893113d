"""The queries of the review page: the versions of a session and the decisions about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = [
    "STATUS_WORDS",
    "ReviewDecision",
    "decisions_of",
    "objects_of",
]

#: The decisions that an invitee can make about a version, with the words on the page.
STATUS_WORDS = {"approved": "Approved", "require_changes": "Requires changes"}

_OBJECTS = (
    "select id, name, description, version, version_id, asset_version.thumbnail_id,"
    " asset_version.version, asset_version.asset.name from ReviewSessionObject"
    " where review_session_id is {} order by sort_order, name, id"
)
_DECISIONS = (
    "select id, status, created_at, resource_id, review_session_invitee_id,"
    " review_session_object_id, invitee.name from ReviewSessionObjectStatus"
    " where review_session_object_id in ({}) order by created_at, id"
)


@dataclass(frozen=True)
class ReviewDecision:
    """A decision about a version.

    *status* is usually a key of :data:`STATUS_WORDS`, but clients can store any text. *who* is
    the name of the person.
    """

    id: str
    status: str
    who: str
    invitee_id: Optional[str]

    @property
    def words(self) -> str:
        """Return the words for the status."""
        return STATUS_WORDS.get(self.status, self.status.replace("_", " ").capitalize())


def objects_of(reader: PageReader, session_id: str) -> list[Record]:
    """Return the objects of a review session in their order."""
    return reader.query(_OBJECTS.format(quoted(session_id)))


def decisions_of(
    reader: PageReader, object_ids: Iterable[str], only_of: Optional[str] = None
) -> dict[str, list[ReviewDecision]]:
    """Return the decisions about each object by the object's id, the oldest first.

    With *only_of*, return only the decisions of the invitee with this id.
    """
    ids = ", ".join(map(quoted, object_ids))
    found: dict[str, list[ReviewDecision]] = {}
    for record in reader.query(_DECISIONS.format(ids)) if ids else ():
        invitee = record.get("invitee") or {}
        decision = ReviewDecision(
            record["id"],
            record["status"] or "",
            invitee.get("name") or "Unknown person",
            record["review_session_invitee_id"],
        )
        if only_of is None or decision.invitee_id == only_of:
            found.setdefault(record["review_session_object_id"], []).append(decision)
    return found
