"""The review page, which an invitee opens with the link in the invitation mail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.links import REVIEW_PATH
from ftrack_like.sandbox.web.media import Medium, address_maker
from ftrack_like.sandbox.web.pages import Asked, Handler, PageError, go_to, page_route, render
from ftrack_like.sandbox.web.player_facts import object_player, show_object_player
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
    decisions_of,
    objects_of,
)
from ftrack_like.sandbox.web.review_list import list_objects, show_rows
from ftrack_like.sandbox.web.review_notes import NOTE_FORMS, NOTE_PAGES, note_values
from ftrack_like.sandbox.web.review_play import show_playlist, tell_object
from ftrack_like.sandbox.web.review_share import share_routes
from ftrack_like.sandbox.web.review_summary import send_guest_csv, show_guest_summary
from ftrack_like.sandbox.web.review_write import decision_operation

__all__ = ["review_routes"]


def review_routes() -> list[BaseRoute]:
    """Return the routes of the page and of its forms."""
    return [
        page_route(REVIEW_PATH, _guarded(show)),
        page_route(f"{REVIEW_PATH}/player", _guarded(show_object_player)),
        *(page_route(f"{REVIEW_PATH}{path}", _visited(page)) for path, page in _PAGES.items()),
        *(
            page_route(f"{REVIEW_PATH}{path}", _visited(form), "POST", with_files=True)
            for path, form in NOTE_FORMS.items()
        ),
        page_route(f"{REVIEW_PATH}/status", _guarded(set_status), "POST"),
        page_route(f"{REVIEW_PATH}/passphrase", give_passphrase, "POST"),
        *share_routes(),
    ]


def show(asked: Asked) -> Response:
    """Return the review page with the object that the address names, by default the first."""
    visit = open_visit(asked)
    reader = visit.reader
    listing = list_objects(visit)
    chosen = listing.chosen
    own = visit.invitee["id"] if visit.session["is_moderated"] else None
    decisions = decisions_of(reader, [chosen["id"]] if chosen else [], own)
    values: dict[str, Any] = {"chosen": chosen, "medium": Medium("none")}
    if chosen is not None:
        values["medium"], values["facts"] = object_player(visit, chosen)
        values.update(note_values(visit, chosen))
    return render(
        "review.html",
        visit=visit,
        session=visit.session,
        listing=listing,
        decisions=decisions,
        words=STATUS_WORDS,
        theme=None,
        **{
            "component": address_maker(asked, visit.user),
            "has_data": asked.api.media.store.exists,
            **values,
        },
    )


def set_status(asked: Asked) -> Response:
    """Save the invitee's decision about an object. It replaces the invitee's earlier decision."""
    visit = open_visit(asked)
    object_ = _object_of(visit)
    status = asked.form.get("status", "")
    if status not in STATUS_WORDS:
        raise PageError(400, "No such decision", f"It is one of {', '.join(STATUS_WORDS)}.")
    visit = visit.as_collaborator()
    earlier = decisions_of(visit.reader, [object_["id"]]).get(object_["id"], [])
    own = [one.id for one in earlier if one.invitee_id == visit.invitee["id"]]
    operation = decision_operation(
        status,
        object_id=object_["id"],
        invitee_id=visit.invitee["id"],
        resource_id=visit.user.id,
        previous=own[-1] if own else None,
    )
    asked.execute([operation], visit.user)
    return go_to(visit.address(object=object_["id"]))


def give_passphrase(asked: Asked) -> Response:
    """Check the posted passphrase and set the cookie; refuse after too many wrong attempts."""
    throttle = asked.api.counters.counter("passphrase", most=10, seconds=60)
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


def _visited(page: Callable[[Visit], Response]) -> Handler:
    """Return a guarded handler that calls *page* with the visit."""
    return _guarded(lambda asked: page(open_visit(asked)))


#: The other pages below the review, by their path.
_PAGES: Mapping[str, Callable[[Visit], Response]] = {
    **NOTE_PAGES,
    "/objects": show_rows,
    "/play": show_playlist,
    "/play/object": tell_object,
    "/summary": show_guest_summary,
    "/summary.csv": send_guest_csv,
}


def _ask_passphrase(visit: Visit, wrong: bool = False) -> Response:
    return render(
        "passphrase.html",
        403 if wrong or visit.asked.form else 200,
        visit=visit,
        session=visit.session,
        wrong=wrong,
        theme=None,
    )


def _object_of(visit: Visit) -> Record:
    """Return the object that the form names.

    Raise :exc:`PageError` if it is not part of this review.
    """
    id_ = visit.asked.form.get("object", "")
    for one in objects_of(visit.reader, visit.session["id"]):
        if one["id"] == id_:
            return one
    raise PageError(404, "No such version", "The version is not part of this review.")
