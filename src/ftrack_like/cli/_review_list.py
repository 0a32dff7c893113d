"""The review sessions of a site, with the number of their versions and of open verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like.cli._text import amount

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["ReviewRow", "read_reviews", "review_notes", "review_row"]

#: The decisions that are verdicts. "seen" is none.
_VERDICTS = ("approved", "require_changes")


class ReviewRow(NamedTuple):
    """A review session in the list.

    *end_date* is in ISO format, None if the review stays open. *objects* is the number of versions
    in it, and *open_verdicts* the number of those that no guest has approved or sent back.
    """

    name: str
    project: str
    end_date: Optional[str]
    objects: int
    open_verdicts: int
    id: str


def read_reviews(
    session: Session, project_id: Optional[str] = None, only_open: bool = False
) -> list[ReviewRow]:
    """Return the review sessions, of one project or all, those that end last first.

    With *only_open*, leave out those that guests cannot enter. One query finds them, and two more
    the objects and decisions of up to 500.
    """
    from ftrack_like._values.literals import groups  # lazy: "--help" answers at once

    condition = "" if project_id is None else " where project_id is :project"
    reviews = session.query(
        "select name, project.name, end_date, availability, is_open from ReviewSession"
        f"{condition} order by end_date desc, name",
        values={} if project_id is None else {"project": project_id},
    ).all()
    if only_open:
        reviews = [each for each in reviews if each["is_open"]]
    ids = [str(each["id"]) for each in reviews]
    objects: dict[str, set[str]] = {each: set() for each in ids}
    for some in groups(ids):
        query = "select review_session_id from ReviewSessionObject where review_session_id in :ids"
        for each in session.query(query, values={"ids": some}):
            objects[str(each["review_session_id"])].add(str(each["id"]))
    decided = _decided(session, ids)
    return [_row_of(each, objects[str(each["id"])], decided) for each in reviews]


def review_notes(session: Session, reviews: Iterable[Entity]) -> dict[str, str]:
    """Return words that tell *reviews* apart by their ids: project, date and number of versions."""
    found = list(reviews)
    session.populate(found, "project.name, created_at, review_session_objects.id")
    notes = {}
    for each in found:
        count = amount(len(each["review_session_objects"]), "version")
        date = str(each["created_at"] or "")[:10]
        notes[str(each["id"])] = f"{each['project']['name']}, made {date}, {count}"
    return notes


def _decided(session: Session, ids: list[str]) -> set[str]:
    """Return the ids of the objects in the review sessions *ids* that have a verdict.

    Only the latest decision of each guest counts.
    """
    from ftrack_like._values.literals import groups  # lazy: likewise

    latest: dict[tuple[str, str], str] = {}
    for some in groups(ids):
        rows = session.query(
            "select status, resource_id, review_session_invitee_id, review_session_object_id "
            "from ReviewSessionObjectStatus "
            "where review_session_object.review_session_id in :ids order by created_at",
            values={"ids": some},
        )
        for each in rows:
            person = str(each["resource_id"] or each["review_session_invitee_id"])
            latest[str(each["review_session_object_id"]), person] = str(each["status"])
    return {object_id for (object_id, _), status in latest.items() if status in _VERDICTS}


def _row_of(review: Entity, objects: set[str], decided: set[str]) -> ReviewRow:
    """Return the row of *review*, whose *objects* are ids, and *decided* those with a verdict."""
    end: Any = None if review["availability"] == "always" else review["end_date"]
    return ReviewRow(
        str(review["name"]),
        str((review["project"] or {}).get("name") or ""),
        None if end is None else str(end.isoformat()),
        len(objects),
        len(objects - decided),
        str(review["id"]),
    )


def review_row(review: ReviewRow) -> list[Json]:
    """Return *review* as a row of a table for people, with the date and minute of the end."""
    end = "never" if review.end_date is None else review.end_date[:16].replace("T", " ")
    return list(review._replace(end_date=end))
