"""The decisions and notes of a review session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["REPORT_COLUMNS", "ReviewedObject", "read_report", "report_row", "report_value"]

REPORT_COLUMNS = ("name", "version", "approved", "require_changes", "seen", "notes")


class ReviewedObject(NamedTuple):
    """A version in a review session, with the latest *decision* of each guest, and the *notes*."""

    values: dict[str, Any]
    decisions: list[dict[str, Any]]
    notes: list[dict[str, Any]]


def read_report(session: Session, review_id: str) -> list[ReviewedObject]:
    """Return the versions of a review session in their order, with three queries."""
    values = {"id": review_id}
    objects = session.query(
        "select name, version, description, sort_order, version_id from ReviewSessionObject "
        "where review_session_id is :id order by sort_order, name",
        values=values,
    ).all()
    statuses = session.query(
        "select status, created_at, review_session_object_id, invitee.name, invitee.email, "
        "resource.id from ReviewSessionObjectStatus "
        "where review_session_object.review_session_id is :id order by created_at",
        values=values,
    )
    decisions: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for each in statuses:
        person = _person(each["invitee"])
        entry = {**person, "status": each["status"], "date": _iso_date(each["created_at"])}
        key = str(person["email"] or person["name"])
        decisions[str(each["review_session_object_id"])][key] = entry  # the latest one stays
    notes = _notes(session, [str(each["id"]) for each in objects])
    return [
        ReviewedObject(
            {
                "id": each["id"],
                "name": each["name"],
                "version": each["version"],
                "version_id": each["version_id"],
            },
            list(decisions[str(each["id"])].values()),
            notes[str(each["id"])],
        )
        for each in objects
    ]


def _notes(session: Session, ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the notes on the objects with *ids*, the earliest first."""
    from ftrack_like._values.literals import groups  # lazy: "--help" answers at once

    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    rows: list[Entity] = []
    for some in groups(ids):
        rows += session.query(
            "select content, date, parent_id, author.first_name, author.last_name, frame_number, "
            "in_reply_to_id from Note where parent_id in :ids order by date",
            values={"ids": some},
        )
    for each in rows:
        found[str(each["parent_id"])].append(
            {
                "author": _author(each["author"]),
                "text": str(each["content"]),
                "date": _iso_date(each["date"]),
                "frame": each["frame_number"],
                "is_reply": each["in_reply_to_id"] is not None,
            }
        )
    return found


def _author(author: Any) -> str:  # noqa: ANN401 - a user, a collaborator, or None
    if not author:
        return "?"
    names = (author.get("first_name"), author.get("last_name"))
    return " ".join(str(name) for name in names if name) or "?"


def _person(invitee: Any) -> dict[str, Any]:  # noqa: ANN401 - an invitee or None
    if not invitee:
        return {"name": "?", "email": None}
    return {"name": invitee["name"], "email": invitee["email"]}


def _iso_date(moment: Any) -> Any:  # noqa: ANN401 - a date or None
    return None if moment is None else moment.isoformat()


def report_value(reviewed: ReviewedObject) -> dict[str, Any]:
    """Return *reviewed* as a JSON object."""
    return {**reviewed.values, "decisions": reviewed.decisions, "notes": reviewed.notes}


def report_row(reviewed: ReviewedObject) -> list[Any]:
    """Return *reviewed* as a row of :data:`REPORT_COLUMNS`."""

    def named(status: str) -> list[str]:
        return [str(each["name"]) for each in reviewed.decisions if each["status"] == status]

    notes: Iterable[dict[str, Any]] = reviewed.notes
    return [
        reviewed.values["name"],
        reviewed.values["version"],
        named("approved"),
        named("require_changes"),
        named("seen"),
        "; ".join(map(_with_frame, notes)),
    ]


def _with_frame(note: dict[str, Any]) -> str:
    """Return *note* with its author and frame."""
    frame = "" if note["frame"] is None else f" (frame {note['frame']})"
    return f"{note['author']}{frame}: {note['text']}"
