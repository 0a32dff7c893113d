"""The summary of a review for the producer, as a page and as CSV, for invitees and for users."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

from starlette.responses import Response

from ftrack_like.sandbox.web.log_in import Visitor
from ftrack_like.sandbox.web.media import address_maker
from ftrack_like.sandbox.web.pages import PageError, render
from ftrack_like.sandbox.web.reading import Record, quoted
from ftrack_like.sandbox.web.review_access import Visit
from ftrack_like.sandbox.web.summary_csv import write_csv
from ftrack_like.sandbox.web.summary_data import Summary, summarise

__all__ = ["send_csv", "send_guest_csv", "show_guest_summary", "show_summary"]


def show_guest_summary(visit: Visit) -> Response:
    """Return the page with all that the invitee may see."""
    return render(
        "review_summary.html",
        visit=visit,
        session=visit.session,
        summary=_of_guest(visit),
        component=address_maker(visit.asked, visit.user),
        theme=None,
    )


def send_guest_csv(visit: Visit) -> Response:
    """Return the same as CSV."""
    return _csv(visit.session, _of_guest(visit))


def show_summary(visitor: Visitor) -> Response:
    """Return the page for a user of the site who may read the review session."""
    session = _session(visitor)
    return render(
        "browse_summary.html",
        visitor=visitor,
        session=session,
        summary=summarise(visitor.reader, session["id"]),
        component=address_maker(visitor.asked, visitor.user),
        theme=None,
    )


def send_csv(visitor: Visitor) -> Response:
    """Return the same as CSV."""
    session = _session(visitor)
    return _csv(session, summarise(visitor.reader, session["id"]))


def _of_guest(visit: Visit) -> Summary:
    own = visit.invitee["id"] if visit.session["is_moderated"] else None
    return summarise(visit.reader, visit.session["id"], only_of=own, sees_only=visit.sees_only)


def _session(visitor: Visitor) -> Record:
    id_ = visitor.asked.part("id")
    found = visitor.reader.one(
        "select id, name, description, project.full_name, project_id, is_moderated"
        f" from ReviewSession where id is {quoted(id_)}"
    )
    if found is None:
        raise PageError(
            404,
            "No such review session",
            "The review session with this address does not exist.",
        )
    return found


def _csv(session: Record, summary: Summary) -> Response:
    headers: dict[str, Any] = {
        "Cache-Control": "no-store",
        "Content-Disposition": _disposition(f"{session['name']} summary.csv"),
        "X-Content-Type-Options": "nosniff",
    }
    return Response(write_csv(summary), media_type="text/csv; charset=utf-8", headers=headers)


def _disposition(name: str) -> str:
    """Return the header that makes a browser save the answer as the file *name* (RFC 6266)."""
    safe = re.sub(r"[\\/:*?\"<>|\x00-\x1f]+", " ", name).strip() or "summary.csv"
    plain = re.sub(r"[^ -~]|%", "_", safe)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{urllib.parse.quote(safe, safe='')}"
