"""The queries of the review page: the versions of a session, decisions, notes and drawings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ftrack_like.sandbox.schema.notes import REVIEW_LABEL_ID
from ftrack_like.sandbox.web.drawing import strokes_of
from ftrack_like.sandbox.web.pages import person_name
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = [
    "STATUS_WORDS",
    "ReviewDecision",
    "ReviewNote",
    "annotations_of",
    "note_category",
    "notes_of",
    "objects_of",
    "verdicts_of",
]

#: The decisions that an invitee can make about a version, with the words on the page.
STATUS_WORDS = {"approved": "Approved", "require_changes": "Requires changes"}

#: The file types of attachments that the page shows with a note.
_PICTURES = {".jpg", ".jpeg", ".png", ".gif", ".webp"}

_OBJECTS = (
    "select id, name, description, version, version_id, asset_version.thumbnail_id,"
    " asset_version.version, asset_version.asset.name from ReviewSessionObject"
    " where review_session_id is {} order by sort_order, name, id"
)
_VERDICTS = (
    "select id, status, created_at, resource_id, review_session_invitee_id,"
    " review_session_object_id, invitee.name from ReviewSessionObjectStatus"
    " where review_session_object_id in ({}) order by created_at, id"
)
_NOTES = (
    "select id, content, date, frame_number, user_id, in_reply_to_id,"
    " note_components.component.name, note_components.component.file_type"
    " from Note where {} order by date, id"
)
_ANNOTATIONS = (
    "select id, data, frame_number from ReviewSessionObjectAnnotation"
    " where review_session_object_id is {} order by created_at, id"
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


@dataclass
class ReviewNote:
    """A note with its *replies*. *frame* is None if the note is about the whole version.

    *drawing* contains the strokes, *pictures* the components of the attached images.
    """

    id: str
    content: str
    author: str
    author_id: Optional[str]
    date: Any
    frame: Optional[int]
    drawing: Sequence[Any] = ()
    pictures: Sequence[Record] = ()
    replies: list[ReviewNote] = field(default_factory=list)


def objects_of(reader: PageReader, session_id: str) -> list[Record]:
    """Return the objects of a review session in their order."""
    return reader.query(_OBJECTS.format(quoted(session_id)))


def note_category(reader: PageReader) -> Optional[str]:
    """Return the id of the category of notes from reviews, None if older data have none."""
    found = reader.one(f"NoteCategory where id is {quoted(REVIEW_LABEL_ID)}")
    return found["id"] if found else None


def verdicts_of(
    reader: PageReader, object_ids: Iterable[str], only_of: Optional[str] = None
) -> dict[str, list[ReviewDecision]]:
    """Return the decisions about each object by the object's id, the oldest first.

    With *only_of*, return only the decisions of the invitee with this id.
    """
    ids = ", ".join(map(quoted, object_ids))
    found: dict[str, list[ReviewDecision]] = {}
    for record in reader.query(_VERDICTS.format(ids)) if ids else ():
        invitee = record.get("invitee") or {}
        verdict = ReviewDecision(
            record["id"],
            record["status"] or "",
            invitee.get("name") or "Unknown person",
            record["review_session_invitee_id"],
        )
        if only_of is None or verdict.invitee_id == only_of:
            found.setdefault(record["review_session_object_id"], []).append(verdict)
    return found


def annotations_of(reader: PageReader, object_id: str) -> dict[str, Sequence[Any]]:
    """Return the strokes that invitees drew on an object, by the id of the note."""
    drawn: dict[str, Sequence[Any]] = {}
    for record in reader.query(_ANNOTATIONS.format(quoted(object_id))):
        note_id, strokes = strokes_of(record["data"])
        if note_id is not None:
            drawn[note_id] = strokes
    return drawn


def notes_of(
    reader: PageReader,
    parent_id: str,
    drawn: Optional[Mapping[str, Sequence[Any]]] = None,
    sees_only: Optional[str] = None,
) -> list[ReviewNote]:
    """Return the notes on an entity with their replies, the oldest first.

    *drawn* contains the strokes of drawings by the id of the note. With *sees_only*, return only
    the notes of the person with this id and of users of the site. See :attr:`Visit.sees_only`.
    """
    records = reader.query(_NOTES.format(f"parent_id is {quoted(parent_id)}"))
    ids = ", ".join(quoted(one["id"]) for one in records)
    answers = reader.query(_NOTES.format(f"in_reply_to_id in ({ids})")) if ids else []
    names, hosts = _names(reader, {one["user_id"] for one in (*records, *answers)})
    if sees_only is not None:
        seen = hosts | {sees_only}
        records = [one for one in records if one["user_id"] in seen]
        answers = [one for one in answers if one["user_id"] in seen]
    notes = {one["id"]: _note(one, names, drawn or {}) for one in records}
    for one in answers:
        if one["in_reply_to_id"] in notes:
            notes[one["in_reply_to_id"]].replies.append(_note(one, names, {}))
    return [notes[one["id"]] for one in records if one["in_reply_to_id"] not in notes]


def _names(reader: PageReader, ids: Iterable[Optional[str]]) -> tuple[dict[str, str], set[str]]:
    """Return the names of the people *ids* by id, and the ids of the users among them."""
    wanted = ", ".join(quoted(one) for one in sorted(filter(None, ids)))
    if not wanted:
        return {}, set()
    people = reader.query(f"select first_name, last_name from BaseUser where id in ({wanted})")
    users = reader.query(f"select username from User where id in ({wanted})")
    usernames = {one["id"]: one["username"] for one in users}
    names = {
        one["id"]: person_name({**one, "username": usernames.get(one["id"])}) for one in people
    }
    return names, set(usernames)


def _note(
    record: Record, names: Mapping[str, str], drawn: Mapping[str, Sequence[Any]]
) -> ReviewNote:
    return ReviewNote(
        record["id"],
        record["content"] or "",
        names.get(record["user_id"] or "", "Unknown person"),
        record["user_id"],
        record["date"],
        record["frame_number"],
        drawn.get(record["id"], ()),
        [one["component"] for one in record["note_components"] if _is_picture(one["component"])],
    )


def _is_picture(component: Optional[Record]) -> bool:
    return (component or {}).get("file_type") in _PICTURES
