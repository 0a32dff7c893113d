"""Collect the summary of a review: the decisions and notes about each object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional

from ftrack_like.sandbox.web.note_data import resolver_of
from ftrack_like.sandbox.web.pages import person_name
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted
from ftrack_like.sandbox.web.review_data import STATUS_WORDS
from ftrack_like.sandbox.web.review_list import (
    object_ids,
    object_name,
    object_records,
    object_version,
)

__all__ = ["Summary", "SummaryDecision", "SummaryNote", "SummaryObject", "summarise"]

#: The most ids in one expression.
_AT_ONCE = 500

_VERDICTS = (
    "select id, status, created_at, review_session_invitee_id, review_session_object_id,"
    " invitee.name, invitee.email from ReviewSessionObjectStatus"
    " where review_session_object_id in ({}) order by created_at, id"
)
_NOTES = (
    "select id, content, date, frame_number, user_id, parent_id, in_reply_to_id, completed_at,"
    " completed_by_id, metadata.key, metadata.value from Note where {} order by date, id"
)


@dataclass(frozen=True)
class SummaryDecision:
    """A decision of the invitee *who* at the time *when*."""

    status: str
    who: str
    when: Optional[datetime]

    @property
    def words(self) -> str:
        """Return the words for the status."""
        return STATUS_WORDS.get(self.status, self.status.replace("_", " ").capitalize())


@dataclass(frozen=True)
class SummaryNote:
    """A note with its *replies*. *frame* is None if the note is about the whole version.

    *resolved_at* is None for an open note. *resolved_by* is the name of the person, "" if unknown.
    """

    id: str
    content: str
    author: str
    date: Optional[datetime]
    frame: Optional[int]
    resolved_at: Optional[datetime]
    resolved_by: str
    replies: list[SummaryNote] = field(default_factory=list)


@dataclass(frozen=True)
class SummaryObject:
    """An object of the review with all that was said about it. *position* counts from 1."""

    position: int
    id: str
    name: str
    version: str
    version_id: Optional[str]
    thumbnail_id: Optional[str]
    decisions: Sequence[SummaryDecision]
    notes: Sequence[SummaryNote]


@dataclass(frozen=True)
class Summary:
    """The summary of a review session."""

    objects: Sequence[SummaryObject]

    @property
    def notes(self) -> list[SummaryNote]:
        """Return the notes on all objects, without replies."""
        return [note for one in self.objects for note in one.notes]

    @property
    def resolved(self) -> int:
        """Return the number of resolved notes."""
        return sum(note.resolved_at is not None for note in self.notes)

    @property
    def undecided(self) -> int:
        """Return the number of objects without a decision."""
        return sum(not one.decisions for one in self.objects)

    def decided(self, status: str) -> int:
        """Return the number of objects that at least one invitee gave *status*."""
        return sum(any(one.status == status for one in each.decisions) for each in self.objects)


def summarise(
    reader: PageReader,
    session_id: str,
    *,
    only_of: Optional[str] = None,
    sees_only: Optional[str] = None,
) -> Summary:
    """Return the summary of the review session *session_id*.

    In a moderated review a guest sees less. With *only_of*, the summary contains only the decisions
    of the invitee with this id. With *sees_only*, it contains only the notes of the person with
    this id and of users of the site. See :attr:`.review_access.Visit.sees_only`.
    """
    ids = object_ids(reader, session_id)
    records = [one for part in _parts(ids) for one in object_records(reader, part)]
    decisions = _decisions(reader, ids, only_of)
    notes = _notes(reader, ids, sees_only)
    return Summary(
        [
            SummaryObject(
                position,
                record["id"],
                object_name(record),
                object_version(record),
                record["version_id"],
                (record["asset_version"] or {}).get("thumbnail_id"),
                decisions.get(record["id"], ()),
                notes.get(record["id"], ()),
            )
            for position, record in enumerate(records, 1)
        ]
    )


def _decisions(
    reader: PageReader, ids: Sequence[str], only_of: Optional[str]
) -> dict[str, list[SummaryDecision]]:
    """Return the decisions by the id of the object, the oldest first."""
    found: dict[str, list[SummaryDecision]] = {}
    for record in _query_all(reader, ids, _VERDICTS.format):
        if only_of is not None and record["review_session_invitee_id"] != only_of:
            continue
        invitee = record.get("invitee") or {}
        decision = SummaryDecision(
            record["status"] or "",
            invitee.get("name") or invitee.get("email") or "Unknown person",
            record["created_at"],
        )
        found.setdefault(record["review_session_object_id"], []).append(decision)
    return found


def _notes(
    reader: PageReader, ids: Sequence[str], sees_only: Optional[str]
) -> dict[str, list[SummaryNote]]:
    """Return the notes with their replies by the id of the object, the oldest first."""
    records = _query_all(reader, ids, lambda some: _NOTES.format(f"parent_id in ({some})"))
    note_ids = [one["id"] for one in records]
    answers = _query_all(
        reader, note_ids, lambda some: _NOTES.format(f"in_reply_to_id in ({some})")
    )
    people = [id_ for one in (*records, *answers) for id_ in (one["user_id"], resolver_of(one))]
    names, users = _people(reader, people)
    if sees_only is not None:
        seen = users | {sees_only}
        names = {id_: name for id_, name in names.items() if id_ in seen}
        records = [one for one in records if one["user_id"] in seen]
        answers = [one for one in answers if one["user_id"] in seen]
    notes = {one["id"]: _note(one, names) for one in records}
    for one in answers:
        if one["in_reply_to_id"] in notes:
            notes[one["in_reply_to_id"]].replies.append(_note(one, names))
    found: dict[str, list[SummaryNote]] = {}
    for one in records:
        if one["in_reply_to_id"] not in notes:
            found.setdefault(one["parent_id"], []).append(notes[one["id"]])
    return found


def _note(record: Record, names: dict[str, str]) -> SummaryNote:
    return SummaryNote(
        record["id"],
        record["content"] or "",
        names.get(record["user_id"] or "", "Unknown person"),
        record["date"],
        record["frame_number"],
        record["completed_at"],
        names.get(resolver_of(record) or "", ""),
    )


def _people(reader: PageReader, ids: Sequence[Optional[str]]) -> tuple[dict[str, str], set[str]]:
    """Return the names of the people *ids* by id, and the ids of the users among them."""
    wanted = sorted(set(filter(None, ids)))
    users = {
        one["id"]: one["username"]
        for one in _query_all(reader, wanted, "select username from User where id in ({})".format)
    }
    people = _query_all(
        reader, wanted, "select first_name, last_name from BaseUser where id in ({})".format
    )
    names = {one["id"]: person_name({**one, "username": users.get(one["id"])}) for one in people}
    return names, set(users)


def _query_all(
    reader: PageReader, ids: Sequence[str], expression: Callable[[str], str]
) -> list[Record]:
    """Return the records of *expression*, which is called with some of the *ids* at a time."""
    return [
        record
        for part in _parts(ids)
        for record in reader.query(expression(", ".join(map(quoted, part))))
    ]


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
