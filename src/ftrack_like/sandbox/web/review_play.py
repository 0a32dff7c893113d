"""The page that plays all objects of a review, one after the other.

The page contains the object that the address names, and links to its neighbours. A script
(``static/screening.js``) asks for the next objects and shows them without loading the page again,
so that full screen and sound stay on.
"""

from __future__ import annotations

from typing import Any, Optional

from starlette.responses import JSONResponse, Response

from ftrack_like.sandbox.web.listing import offset_of
from ftrack_like.sandbox.web.media import Medium, media_of
from ftrack_like.sandbox.web.pages import PageError, render
from ftrack_like.sandbox.web.review_access import Visit
from ftrack_like.sandbox.web.review_list import (
    object_ids,
    object_name,
    object_records,
    object_version,
)

__all__ = ["IMAGE_SECONDS", "show_playlist", "tell_object"]

#: The time for which the page shows an image, and an object without media, in seconds.
IMAGE_SECONDS = 4
NOTHING_SECONDS = 2


def show_playlist(visit: Visit) -> Response:
    """Return the page with the object that the address names, by default the first."""
    ids = object_ids(visit.reader, visit.session["id"])
    if not ids:
        raise PageError(404, "Nothing to play", "This review has no versions yet.")
    wanted = visit.asked.query.get("object", "")
    index = ids.index(wanted) if wanted in ids else 0
    return render(
        "review_play.html",
        visit=visit,
        session=visit.session,
        one=_described(visit, ids, index),
        image_seconds=IMAGE_SECONDS,
        nothing_seconds=NOTHING_SECONDS,
        theme="dark",
    )


def tell_object(visit: Visit) -> Response:
    """Return the object at the offset ``at`` as JSON for the script."""
    ids = object_ids(visit.reader, visit.session["id"])
    index = offset_of(visit.asked.query, "at", 0)
    if index >= len(ids):
        raise PageError(404, "No such version", "The review has no version at this place.")
    return JSONResponse(_described(visit, ids, index), headers={"Cache-Control": "no-store"})


def _described(visit: Visit, ids: list[str], index: int) -> dict[str, Any]:
    """Return what the page shows about the object at *index* of *ids*."""
    records = object_records(visit.reader, [ids[index]])
    if not records:
        raise PageError(404, "No such version", "The version was removed from the review.")
    (record,) = records
    version = record["version_id"]
    media = media_of(visit.asked, visit.reader, [version], visit.user)
    medium = media.get(version, Medium("none"))
    return {
        "id": ids[index],
        "at": index,
        "total": len(ids),
        "name": object_name(record),
        "version": object_version(record),
        "kind": medium.kind,
        "url": medium.url,
        "page": visit.address(object=ids[index]),
        "play": visit.address("/play", object=ids[index]),
        "previous": _neighbour(visit, ids, index - 1),
        "next": _neighbour(visit, ids, index + 1),
    }


def _neighbour(visit: Visit, ids: list[str], index: int) -> Optional[str]:
    """Return the address of the page with the object at *index*, or None beyond the ends."""
    return visit.address("/play", object=ids[index]) if 0 <= index < len(ids) else None
