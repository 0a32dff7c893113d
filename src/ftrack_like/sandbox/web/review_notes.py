"""The forms for notes on the review page: write, edit, delete and resolve notes.

Scripts post a form with ``quiet``. They receive JSON with the id of the note, and then read the
list from ``/notes``. Without scripts the answer is a redirect to the page.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from starlette.responses import JSONResponse, Response

from ftrack_like.sandbox.actions.batch import new_id
from ftrack_like.sandbox.actions.compose import update_operation
from ftrack_like.sandbox.errors import DuplicateEntryError
from ftrack_like.sandbox.events.web_client import component_added
from ftrack_like.sandbox.web.attachments import attached, check_files
from ftrack_like.sandbox.web.drawing import DrawingError, read_drawing
from ftrack_like.sandbox.web.media import address_maker, media_of
from ftrack_like.sandbox.web.note_changes import answer_if_changed
from ftrack_like.sandbox.web.note_data import (
    NoteFilter,
    ReviewNote,
    annotations_of,
    note_category,
    note_object,
    notes_of,
    objects_with_notes,
    own_components,
)
from ftrack_like.sandbox.web.note_rights import NoteRights
from ftrack_like.sandbox.web.pages import PageError, go_to, render
from ftrack_like.sandbox.web.picture import drawn_picture
from ftrack_like.sandbox.web.reading import Record, quoted
from ftrack_like.sandbox.web.review_access import Visit
from ftrack_like.sandbox.web.review_write import (
    deletion_operations,
    note_operations,
    picture_operations,
    resolve_operations,
)

__all__ = ["NOTE_FORMS", "NOTE_PAGES", "note_values"]

#: The longest note, in characters, and the text of a note that has only a drawing or files.
MAXIMUM_NOTE = 20_000
_ONLY_DRAWN = "(drawing)"
_ONLY_FILES = "(files)"

#: The value of the filter that shows the notes on all versions.
_ALL = "all"

_CLIENT_ID = re.compile(r"\A[0-9a-f]{32}\Z")


def show_notes(visit: Visit) -> Response:
    """Return the list of notes alone. Pages ask for it again and again."""
    return answer_if_changed(visit.asked, lambda: _note_list(visit))


def _note_list(visit: Visit) -> Response:
    chosen = _object_of(visit, visit.asked.query.get("object", ""))
    values = note_values(visit, chosen)
    return render("review_note_list.html", visit=visit, chosen=chosen, theme=None, **values)


def note_values(visit: Visit, chosen: Record) -> dict[str, Any]:
    """Return the values of the templates with notes, for the object *chosen* of the review.

    The address says which notes: ``on`` is ``all`` or the id of an object, by default the one of
    *chosen*. See :class:`NoteFilter` for ``author`` and ``state``.
    """
    asked, reader = visit.asked, visit.reader
    others = [one for one in _objects_with_notes(visit) if one["id"] != chosen["id"]]
    by_id = {one["id"]: one for one in (chosen, *others)}
    on = asked.query.get("on", "")
    on = on if on == _ALL or on in by_id else chosen["id"]
    shown = list(by_id) if on == _ALL else [on]
    notes = notes_of(reader, shown, annotations_of(reader, shown), visit.sees_only)
    wanted = NoteFilter(asked.query.get("author", ""), asked.query.get("state", ""))
    threads = [(note, *note.replies) for note in notes]
    authors = {one.author_id: one.author for thread in threads for one in thread if one.author_id}
    return {
        "notes": [note for note in notes if wanted(note)],
        "hidden_notes": sum(not wanted(note) for note in notes),
        "note_filter": wanted,
        "notes_on": on,
        "note_authors": sorted(authors.items(), key=lambda one: one[1].lower()),
        "note_objects": others,
        "objects_by_id": by_id,
        "rights": NoteRights(visit, notes),
        "component": address_maker(asked, visit.user),
        "has_data": asked.api.media.store.exists,
        "note_bytes": asked.api.limits.note_bytes,
    }


def _objects_with_notes(visit: Visit) -> list[Record]:
    """Return the objects with notes that the visitor sees."""
    found = objects_with_notes(visit.reader, visit.session["id"])
    if visit.sees_only is None:
        return found
    ids = [one["id"] for one in found]
    seen = {note.parent_id for note in notes_of(visit.reader, ids, sees_only=visit.sees_only)}
    return [one for one in found if one["id"] in seen]


def write_note(visit: Visit) -> Response:
    """Save the posted note or reply, once for each ``client_id`` of a visitor.

    A note may have a frame and a drawing, and like a reply it may have files.
    """
    asked = visit.asked
    object_ = _object_of(visit, visit.asked.form.get("object", ""))
    note_id = _note_id(visit)
    if note_id is not None and _exists(visit, note_id):
        return _done(visit, object_, note_id)
    reply_to = asked.form.get("reply_to") or None
    if reply_to is not None:
        _refuse_other_note(visit, reply_to, object_["id"])
    try:
        strokes = read_drawing(asked.form.get("drawing", ""))
    except DrawingError as error:
        raise PageError(400, "The drawing could not be read", str(error)) from error
    files = check_files(asked.files)
    content = _content(visit, required=not strokes and not files)
    frame = _frame(asked.form.get("frame", ""))
    note_id = note_id or new_id()
    operations = note_operations(
        content or (_ONLY_DRAWN if strokes else _ONLY_FILES),
        note_id=note_id,
        object_id=object_["id"],
        frame=frame,
        strokes=strokes,
        in_reply_to_id=reply_to,
        category_id=note_category(visit.reader),
    )
    visit = visit.as_collaborator()
    drawn = strokes if reply_to is None else []
    try:
        with (
            _picture(visit, object_, note_id, frame, drawn) as picture,
            attached(asked.api.media.store, files, note_id) as attaching,
        ):
            added = _uploads(visit, picture + attaching)
            asked.execute(operations + picture + attaching, visit.user, added)
    except DuplicateEntryError:  # the same note arrived twice at the same time
        if not _exists(visit, note_id):
            raise
        return _done(visit, object_, note_id)
    return _done(visit, object_, note_id)


def edit_note(visit: Visit) -> Response:
    """Replace the content of a note or a reply of the visitor."""
    note, object_ = _note_of(visit)
    if not NoteRights(visit, [note]).may_edit(note):
        raise PageError(403, "This is not your note", "Only its author can edit a note.")
    content = _content(visit, required=True)
    before = visit.asked.form.get("before", "")
    if content != note.content:
        if before and before != note.fingerprint:
            raise PageError(
                409,
                "The note has changed",
                "The note has changed since you began. Compare the texts, then edit it again.",
            )
        visit.asked.execute([update_operation("Note", note.id, {"content": content})], visit.user)
    return _done(visit, object_, note.id)


def delete_note(visit: Visit) -> Response:
    """Delete a note or a reply, with its replies, its drawing and its files."""
    note, object_ = _note_of(visit)
    rights = NoteRights(visit, [note])
    if not rights.may_delete(note):
        if rights.may_edit(note):
            raise PageError(
                409, "The note has replies", "Others replied to this note. Edit it instead."
            )
        raise PageError(403, "This is not your note", "Only its author can delete a note.")
    reader = visit.reader
    drawn = annotations_of(reader, [object_["id"]])
    thread = [note.id, *(reply.id for reply in note.replies)]
    annotations = [drawn[id_][0] for id_ in thread if id_ in drawn]
    components = own_components(reader, [one["id"] for one in note.components], thread)
    operations = deletion_operations(note.id, annotations, components)
    visit.asked.execute(operations, visit.user)
    for id_ in components:
        visit.asked.api.media.store.remove(id_)
    return _done(visit, object_, note.id)


def resolve_note(visit: Visit) -> Response:
    """Mark a note as resolved, or as open again if ``resolved`` is not ``1``."""
    note, object_ = _note_of(visit)
    if note.parent_id is None:
        raise PageError(400, "This is a reply", "Resolve the note at the top of the thread.")
    resolved = visit.asked.form.get("resolved", "") == "1"
    if resolved != (note.resolved_at is not None):
        visit = visit.as_collaborator()
        is_user = NoteRights(visit, []).host is not None
        known = visit.reader.one(
            f"select metadata.key from Note where id is {quoted(note.id)}"
        ) or {"metadata": []}
        keys = {one["key"] for one in known["metadata"]}
        operations = resolve_operations(
            note.id, visit.user.id if resolved else None, is_user=is_user, known=keys
        )
        visit.asked.execute(operations, visit.user)
    return _done(visit, object_, note.id)


#: The pages and the forms by their paths below the review, each for a visit of an open review.
NOTE_PAGES = {"/notes": show_notes}
NOTE_FORMS = {
    "/note": write_note,
    "/note/edit": edit_note,
    "/note/delete": delete_note,
    "/note/resolve": resolve_note,
}


def _done(visit: Visit, object_: Mapping[str, Any], note_id: str) -> Response:
    if visit.asked.form.get("quiet"):
        return JSONResponse({"note": note_id}, headers={"Cache-Control": "no-store"})
    return go_to(visit.address(object=object_["id"]))


def _note_id(visit: Visit) -> Optional[str]:
    """Return the id for a note with the posted ``client_id``, None if the form has none."""
    text = visit.asked.form.get("client_id", "")
    if not text:
        return None
    if not _CLIENT_ID.match(text):
        raise PageError(400, "Invalid form", "client_id must be 32 hexadecimal digits.")
    # The id depends on the invitee, so that a visitor cannot take the id of another note.
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{visit.invitee['id']} {text}"))


def _exists(visit: Visit, note_id: str) -> bool:
    return visit.reader.one(f"select id from Note where id is {quoted(note_id)}") is not None


def _content(visit: Visit, *, required: bool) -> str:
    content = visit.asked.form.get("content", "").replace("\r\n", "\n").strip()
    if required and not content:
        raise PageError(400, "The note is empty", "Write or draw something first.")
    if len(content) > MAXIMUM_NOTE:
        raise PageError(400, "The note is too long", f"The limit is {MAXIMUM_NOTE} characters.")
    return content


def _note_of(visit: Visit) -> tuple[ReviewNote, Record]:
    """Return the note or reply that the form names, with its object.

    A note has all its replies, even those that the visitor does not see. Raise :exc:`PageError`
    if the note is not part of the review, or the visitor does not see it.
    """
    id_ = visit.asked.form.get("note", "")
    object_ = _object_of(visit, visit.asked.form.get("object", ""))
    seen = {
        one.id
        for note in notes_of(visit.reader, [object_["id"]], sees_only=visit.sees_only)
        for one in (note, *note.replies)
    }
    if id_ in seen:
        for note in notes_of(visit.reader, [object_["id"]]):
            for one in (note, *note.replies):
                if one.id == id_:
                    return one, object_
    raise PageError(404, "No such note", "The note does not exist any more.")


def _object_of(visit: Visit, id_: str) -> Record:
    """Return the object *id_*.

    Raise :exc:`PageError` if it is not part of this review.
    """
    found = note_object(visit.reader, visit.session["id"], id_)
    if found is None:
        raise PageError(404, "No such version", "The version is not part of this review.")
    return found


def _refuse_other_note(visit: Visit, note_id: str, object_id: str) -> None:
    """Raise :exc:`PageError` unless the note is on the object and the visitor can see it."""
    notes = notes_of(visit.reader, [object_id], sees_only=visit.sees_only)
    if note_id not in {note.id for note in notes}:
        raise PageError(404, "No such note", "The note to reply to does not exist.")


def _frame(text: str) -> Optional[int]:
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise PageError(400, "No such frame", "A frame is a whole number.")


def _uploads(visit: Visit, operations: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    """Return an event for each component that *operations* put into a location."""
    user = {"id": visit.user.id, "username": visit.user.username}
    return [
        component_added(data["component_id"], data["location_id"], user)
        for data in (one["entity_data"] for one in operations)
        if data["__entity_type__"] == "ComponentLocation"
    ]


@contextlib.contextmanager
def _picture(
    visit: Visit, object_: Record, note_id: str, frame: Optional[int], strokes: list[Any]
) -> Iterator[list[dict[str, Any]]]:
    """Store the picture of a note's drawing; yield the operations that attach it to the note.

    Yield no operations if there is no picture. If the block raises, remove the stored data.
    """
    version, service = object_["version_id"], visit.asked.api.media
    media = media_of(visit.asked, visit.reader, [version], visit.user) if strokes else {}
    picture = drawn_picture(service, media[version], frame, strokes) if version in media else None
    if picture is None:
        yield []
        return
    component_id, store = new_id(), service.store
    incoming = store.receive(component_id, len(picture))
    try:
        incoming.write(picture)
        incoming.commit()
        yield picture_operations(
            component_id, len(picture), note_id=note_id, object_id=object_["id"], frame=frame
        )
    except BaseException:
        incoming.abort()
        store.remove(component_id)
        raise
