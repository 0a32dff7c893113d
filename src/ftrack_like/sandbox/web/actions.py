"""Actions in the pages: the connection of a page for events, and the jobs of its user.

The page itself publishes `ftrack.action.discover` and the other events of actions, and receives the
replies. It speaks the protocol of the clients over a websocket (``static/events.js``). A route that
publishes for the page and collects the replies would be a second way into the broker: it would have
to hold the request for handlers that take minutes, and could not tell the page of
`ftrack.action.trigger-user-interface`.

A page has no API key. The user's cookie alone does not open a websocket either, because browsers
send cookies with the websockets of every site. The page therefore posts its form token, and gets a
session for one websocket. The broker then applies the rules of every connection: events name the
user of the connection, and the connection ends when the user is deactivated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.web.listing import Listing, list_records
from ftrack_like.sandbox.web.log_in import Visitor, for_visitors
from ftrack_like.sandbox.web.pages import page_route, render
from ftrack_like.sandbox.web.reading import PageReader, Record, quoted

__all__ = ["action_routes"]

#: The most jobs on a page.
_JOBS = 50


def action_routes() -> list[BaseRoute]:
    """Return the routes that pages with actions use."""
    return [
        page_route("/browse/connection", for_visitors(connect), "POST"),
        page_route("/browse/jobs", for_visitors(show_jobs)),
    ]


def connect(visitor: Visitor) -> Response:
    """Return a session for a websocket of the visitor, as the handshake of the protocol does."""
    text = visitor.asked.request.app.state.sessions.grant(visitor.user)
    return PlainTextResponse(text, headers={"Cache-Control": "no-store"})


def show_jobs(visitor: Visitor) -> Response:
    """Return the page with the jobs of the visitor. Other pages show the start of its list."""
    jobs = jobs_of(visitor.reader, visitor.user.id, visitor.asked.query)
    return render("browse_jobs.html", visitor=visitor, jobs=jobs, theme=None)


def jobs_of(reader: PageReader, user_id: str, query: Mapping[str, str]) -> Listing[Record]:
    """Return the jobs of the user *user_id*, the latest first, each with a ``description``."""
    jobs = list_records(
        reader,
        "select type, status, data, created_at, finished_at from Job",
        f"user_id is {quoted(user_id)}",
        "created_at desc, id",
        query,
        _JOBS,
    )
    for job in jobs.entries:
        job["description"] = _description(job["data"]) or job["type"]
    return jobs


def _description(data: Any) -> str:
    """Return the ``description`` in the JSON text *data* of a job, "" if there is none."""
    try:
        content = json.loads(data or "{}") if isinstance(data, str) else data
    except ValueError:
        return ""
    description = content.get("description") if isinstance(content, dict) else None
    return description if isinstance(description, str) else ""
