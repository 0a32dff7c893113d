"""The review page, which an invitee opens with the link in the invitation mail."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Optional

from starlette.responses import Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.actions.batch import new_id
from ftrack_like.sandbox.events.web_client import tell_component_added
from ftrack_like.sandbox.links import REVIEW_PATH
from ftrack_like.sandbox.network.throttle import Throttle
from ftrack_like.sandbox.web.drawing import DrawingError, read_drawing
from ftrack_like.sandbox.web.media import Medium, address_maker, media_of
from ftrack_like.sandbox.web.pages import Asked, Handler, PageError, go_to, page_route, render
from ftrack_like.sandbox.web.picture import drawn_picture
from ftrack_like.sandbox.web.reading import Record
from ftrack_like.sandbox.web.review_access import (
    PassphraseWanted,
    Visit,
    enter,
    is_passphrase,
    keep_passphrase,
    open_visit,
)
from ftrack_like.sandbox.web.review_data import (
    STATUS_WORDS,
    annotations_of,
    note_category,
    notes_of,
    objects_of,
    verdicts_of,
)
from ftrack_like.sandbox.web.review_share import share_routes
from ftrack_like.sandbox.web.review_write import (
    note_operations,
    picture_operations,
    verdict_operation,
)

__all__ = ["review_routes"]

#: The longest note, in characters, and the text of a note that has only a drawing.
MAXIMUM_NOTE = 20_000
_ONLY_DRAWN = "(drawing)"


def review_routes() -> list[BaseRoute]:
    """Return the routes of the page and of its forms."""
    throttle = Throttle(most=10, seconds=60)
    return [
        page_route(REVIEW_PATH, _guarded(show)),
        page_route(f"{REVIEW_PATH}/note", _guarded(write_note), "POST"),
        page_route(f"{REVIEW_PATH}/status", _guarded(set_status), "POST"),
        page_route(
            f"{REVIEW_PATH}/passphrase", lambda asked: give_passphrase(asked, throttle), "POST"
        ),
        *share_routes(),
    ]


def show(asked: Asked) -> Response:
    """Return the review page with the object that the address names, by default the first."""
    visit = open_visit(asked)
    reader = visit.reader
    objects = objects_of(reader, visit.session["id"])
    chosen = _chosen(objects, asked.query.get("object"))
    own = visit.invitee["id"] if visit.session["is_moderated"] else None
    verdicts = verdicts_of(reader, (one["id"] for one in objects), own)
    values: dict[str, Any] = {"chosen": chosen, "medium": Medium("none"), "notes": []}
    if chosen is not None:
        media = media_of(asked, reader, [chosen["version_id"]], visit.user)
        values["medium"] = media.get(chosen["version_id"], Medium("none"))
        drawn = annotations_of(reader, chosen["id"])
        values["notes"] = notes_of(reader, chosen["id"], drawn, visit.sees_only)
    return render(
        "review.html",
        visit=visit,
        session=visit.session,
        objects=objects,
        verdicts=verdicts,
        words=STATUS_WORDS,
        component=address_maker(asked, visit.user),
        has_data=asked.api.media.store.exists,
        theme=None,
        **values,
    )


def write_note(asked: Asked) -> Response:
    """Save the posted note or reply. A note may have a frame and a drawing."""
    visit = open_visit(asked)
    object_ = _object_of(visit)
    reply_to = asked.form.get("reply_to") or None
    if reply_to is not None:
        _refuse_other_note(visit, reply_to, object_["id"])
    try:
        strokes = read_drawing(asked.form.get("drawing", ""))
    except DrawingError as error:
        raise PageError(400, "The drawing could not be read", str(error)) from error
    content = asked.form.get("content", "").replace("\r\n", "\n").strip()
    if not content and not strokes:
        raise PageError(400, "The note is empty", "Write or draw something first.")
    if len(content) > MAXIMUM_NOTE:
        raise PageError(400, "The note is too long", f"The limit is {MAXIMUM_NOTE} characters.")
    frame = _frame(asked.form.get("frame", ""))
    operations = note_operations(
        content or _ONLY_DRAWN,
        object_id=object_["id"],
        frame=frame,
        strokes=strokes,
        in_reply_to_id=reply_to,
        category_id=note_category(visit.reader),
    )
    visit = visit.as_collaborator()
    note_id = operations[0]["entity_key"][0]
    with _picture(visit, object_, note_id, frame, strokes if reply_to is None else []) as attaching:
        asked.execute(operations + attaching, visit.user)
    _tell_uploaded(visit, attaching)
    return go_to(visit.address(object=object_["id"]))


def _tell_uploaded(visit: Visit, operations: list[dict[str, Any]]) -> None:
    """Publish which components the committed *operations* put into a location."""
    user = {"id": visit.user.id, "username": visit.user.username}
    for data in (one["entity_data"] for one in operations):
        if data["__entity_type__"] == "ComponentLocation":
            broker = visit.asked.request.app.state.broker
            tell_component_added(broker, data["component_id"], data["location_id"], user)


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


def set_status(asked: Asked) -> Response:
    """Save the invitee's decision about an object. It replaces the invitee's earlier decision."""
    visit = open_visit(asked)
    object_ = _object_of(visit)
    status = asked.form.get("status", "")
    if status not in STATUS_WORDS:
        raise PageError(400, "No such decision", f"It is one of {', '.join(STATUS_WORDS)}.")
    visit = visit.as_collaborator()
    earlier = verdicts_of(visit.reader, [object_["id"]]).get(object_["id"], [])
    own = [one.id for one in earlier if one.invitee_id == visit.invitee["id"]]
    operation = verdict_operation(
        status,
        object_id=object_["id"],
        invitee_id=visit.invitee["id"],
        resource_id=visit.user.id,
        previous=own[-1] if own else None,
    )
    asked.execute([operation], visit.user)
    return go_to(visit.address(object=object_["id"]))


def give_passphrase(asked: Asked, throttle: Throttle) -> Response:
    """Check the posted passphrase and set the cookie. *throttle* limits the wrong attempts."""
    visit = enter(asked)
    if throttle.is_exhausted(visit.session["id"]):
        raise PageError(429, "Too many attempts", "Wait a minute, then try again.")
    if not is_passphrase(visit, asked.form.get("passphrase", "")):
        throttle.count(visit.session["id"])
        return _ask_passphrase(visit, wrong=True)
    response = go_to(visit.address())
    keep_passphrase(visit, response)
    return response


def _guarded(handler: Handler) -> Handler:
    """Return a handler that calls *handler*, or shows the passphrase form if it is required."""

    def guarded(asked: Asked) -> Response:
        try:
            return handler(asked)
        except PassphraseWanted as wanted:
            return _ask_passphrase(wanted.visit)

    return guarded


def _ask_passphrase(visit: Visit, wrong: bool = False) -> Response:
    return render(
        "passphrase.html",
        403 if wrong or visit.asked.form else 200,
        visit=visit,
        session=visit.session,
        wrong=wrong,
        theme=None,
    )


def _chosen(objects: list[Record], id_: Optional[str]) -> Optional[Record]:
    """Return the object *id_*, else the first object, or None if there are none."""
    return next((one for one in objects if one["id"] == id_), objects[0] if objects else None)


def _object_of(visit: Visit) -> Record:
    """Return the object that the form names.

    Raise :exc:`PageError` if it is not part of this review.
    """
    id_ = visit.asked.form.get("object", "")
    for one in objects_of(visit.reader, visit.session["id"]):
        if one["id"] == id_:
            return one
    raise PageError(404, "No such version", "The version is not part of this review.")


def _refuse_other_note(visit: Visit, note_id: str, object_id: str) -> None:
    """Raise :exc:`PageError` unless the note is on the object and the visitor can see it."""
    notes = notes_of(visit.reader, object_id, sees_only=visit.sees_only)
    if note_id not in {note.id for note in notes}:
        raise PageError(404, "No such note", "The note to reply to does not exist.")


def _frame(text: str) -> Optional[int]:
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise PageError(400, "No such frame", "A frame is a whole number.")
