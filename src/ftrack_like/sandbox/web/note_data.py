"""The queries of the pages for notes: their threads, drawings and attached files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ftrack_like.sandbox.schema.notes import REVIEW_LABEL_ID
from ftrack_like.sandbox.web.drawing import strokes_of
from ftrack_like.sandbox.web.pages import person_name
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = [
    "RESOLVED_BY",
    "NoteFilter",
    "ReviewNote",
    "annotations_of",
    "fingerprint",
    "note_category",
    "note_object",
    "notes_of",
    "objects_with_notes",
    "own_components",
    "resolver_of",
]

#: The key under which the metadata of a note name the person who resolved it, as JSON
#: ``{"id": id}``. ``completed_by`` of a note can only name a user, and most invitees are
#: collaborators.
RESOLVED_BY = "reviewResolvedBy"

#: The file types of attachments that the page shows with a note.
_PICTURES = {".jpg", ".jpeg", ".png", ".gif", ".webp"}

_NOTES = (
    "select id, content, date, frame_number, user_id, parent_id, in_reply_to_id, completed_at,"
    " completed_by_id, metadata.key, metadata.value, note_components.component.name,"
    " note_components.component.file_type, note_components.component.size"
    " from Note where {} order by date, id"
)
_OBJECTS = (
    "select id, name, version, version_id, asset_version.version, asset_version.asset.name"
    " from ReviewSessionObject where review_session_id is {} {}"
)
_ANNOTATIONS = (
    "select id, data, frame_number from ReviewSessionObjectAnnotation"
    " where review_session_object_id in ({}) order by created_at, id"
)


@dataclass
class ReviewNote:
    """A note with its *replies*. *frame* is None if the note is about the whole version.

    *parent_id* is the entity with the note, None for a reply. *drawing* contains the strokes,
    *pictures* the components of the attached images, *files* those of the other attached files.
    *resolved_at* is None for an open note, and *resolved_by* the name of the person.
    """

    id: str
    content: str
    author: str
    author_id: Optional[str]
    date: Any
    frame: Optional[int]
    parent_id: Optional[str] = None
    drawing: Sequence[Any] = ()
    pictures: Sequence[Record] = ()
    files: Sequence[Record] = ()
    resolved_at: Any = None
    resolved_by: str = ""
    replies: list[ReviewNote] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Return a short text that changes with the content."""
        return fingerprint(self.content)

    @property
    def components(self) -> list[Record]:
        """Return the components of all attachments, with those of the replies."""
        below = [component for reply in self.replies for component in reply.components]
        return [*self.pictures, *self.files, *below]


@dataclass(frozen=True)
class NoteFilter:
    """The notes that a visitor wants to see. An empty text selects all of them.

    *author* is the id of a person, and selects the threads in which the person wrote. *state* is
    ``open`` or ``resolved``.
    """

    author: str = ""
    state: str = ""

    def __call__(self, note: ReviewNote) -> bool:
        """Return whether the visitor wants to see the thread of *note*."""
        authors = {note.author_id, *(reply.author_id for reply in note.replies)}
        if self.author and self.author not in authors:
            return False
        return not self.state or (self.state == "resolved") == (note.resolved_at is not None)


def fingerprint(content: str) -> str:
    """Return a short text that changes with the *content* of a note."""
    return hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]


def note_category(reader: PageReader) -> Optional[str]:
    """Return the id of the category of notes from reviews, None if older data have none."""
    found = reader.one(f"NoteCategory where id is {quoted(REVIEW_LABEL_ID)}")
    return found["id"] if found else None


def annotations_of(
    reader: PageReader, object_ids: Iterable[str]
) -> dict[str, tuple[str, Sequence[Any]]]:
    """Return the drawings on objects by the id of their note: annotation id and strokes."""
    ids = ", ".join(map(quoted, object_ids))
    drawn: dict[str, tuple[str, Sequence[Any]]] = {}
    for record in reader.query(_ANNOTATIONS.format(ids)) if ids else ():
        note_id, strokes = strokes_of(record["data"])
        if note_id is not None:
            drawn[note_id] = (record["id"], strokes)
    return drawn


def notes_of(
    reader: PageReader,
    parent_ids: Iterable[str],
    drawn: Optional[Mapping[str, tuple[str, Sequence[Any]]]] = None,
    sees_only: Optional[str] = None,
) -> list[ReviewNote]:
    """Return the notes on entities with their replies, the oldest first.

    *drawn* contains the drawings from :func:`annotations_of`. With *sees_only*, return only the
    notes of the person with this id and of users of the site. See :attr:`Visit.sees_only`.
    """
    wanted = ", ".join(map(quoted, parent_ids))
    records = reader.query(_NOTES.format(f"parent_id in ({wanted})")) if wanted else []
    ids = ", ".join(quoted(one["id"]) for one in records)
    answers = reader.query(_NOTES.format(f"in_reply_to_id in ({ids})")) if ids else []
    names, hosts = _names(reader, _people((*records, *answers)))
    if sees_only is not None:
        seen = hosts | {sees_only}
        names = {id_: name for id_, name in names.items() if id_ in seen}
        records = [one for one in records if one["user_id"] in seen]
        answers = [one for one in answers if one["user_id"] in seen]
    strokes = {id_: strokes for id_, (_, strokes) in (drawn or {}).items()}
    notes = {one["id"]: _note(one, names, strokes) for one in records}
    for one in answers:
        if one["in_reply_to_id"] in notes:
            notes[one["in_reply_to_id"]].replies.append(_note(one, names, {}))
    return [notes[one["id"]] for one in records if one["in_reply_to_id"] not in notes]


def note_object(reader: PageReader, session_id: str, id_: str) -> Optional[Record]:
    """Return the object *id_* of a review session, or None if it is not part of the session."""
    return reader.one(_OBJECTS.format(quoted(session_id), f"and id is {quoted(id_)}"))


def objects_with_notes(reader: PageReader, session_id: str) -> list[Record]:
    """Return the objects of a review session that have notes, in their order."""
    criteria = "and notes any (id is_not none) order by sort_order, name, id"
    return reader.query(_OBJECTS.format(quoted(session_id), criteria))


def own_components(
    reader: PageReader, component_ids: Iterable[str], note_ids: Collection[str]
) -> list[str]:
    """Return those of *component_ids* that exist only for the notes *note_ids*.

    A program can also attach a component of a version, or one component to several notes.
    """
    ids = ", ".join(map(quoted, component_ids))
    if not ids:
        return []
    found = reader.query(
        f"select id from FileComponent where id in ({ids}) and version_id is none"
        " and container_id is none"
    )
    links = reader.query(
        f"select component_id, note_id from NoteComponent where component_id in ({ids})"
    )
    used = {one["component_id"] for one in links if one["note_id"] not in note_ids}
    return [one["id"] for one in found if one["id"] not in used]


def _people(records: Iterable[Record]) -> Iterator[Optional[str]]:
    """Yield the ids of the people that notes name."""
    for one in records:
        yield from (one["user_id"], resolver_of(one))


def resolver_of(record: Record) -> Optional[str]:
    """Return the id of the person who resolved a note, None if it is unknown.

    *record* has the ``completed_by_id`` and the ``metadata`` of the note.
    """
    # completed_by is newer than the metadata if a program has completed the note again.
    if record["completed_by_id"]:
        return str(record["completed_by_id"])
    for one in record.get("metadata") or ():
        if one["key"] == RESOLVED_BY:
            try:
                person = json.loads(one["value"] or "").get("id")
            except (ValueError, AttributeError):  # any client can write metadata
                return None
            return person if isinstance(person, str) else None
    return None


def _names(reader: PageReader, ids: Iterable[Optional[str]]) -> tuple[dict[str, str], set[str]]:
    """Return the names of the people *ids* by id, and the ids of the users among them."""
    wanted = ", ".join(quoted(one) for one in sorted(set(filter(None, ids))))
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
    components = [one["component"] for one in record["note_components"] if one["component"]]
    return ReviewNote(
        record["id"],
        record["content"] or "",
        names.get(record["user_id"] or "", "Unknown person"),
        record["user_id"],
        record["date"],
        record["frame_number"],
        record["parent_id"],
        drawn.get(record["id"], ()),
        [one for one in components if _is_picture(one)],
        [one for one in components if not _is_picture(one)],
        record["completed_at"],
        names.get(resolver_of(record) or "", ""),
    )


def _is_picture(component: Record) -> bool:
    return (component.get("file_type") or "").lower() in _PICTURES
