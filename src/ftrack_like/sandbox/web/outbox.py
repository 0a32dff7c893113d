"""The outbox: the mail that the sandbox sent, as a page and as JSON for programs."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.auth import RequestCredentials, RequestUser
from ftrack_like.sandbox.errors import PermissionDeniedError, SandboxError
from ftrack_like.sandbox.web.listing import part_of
from ftrack_like.sandbox.web.log_in import Visitor, for_visitors, is_administrator
from ftrack_like.sandbox.web.pages import Asked, PageError, page_route, render

__all__ = ["outbox_routes"]

#: The most messages on a page.
_MESSAGES = 50

#: A link in a message acts for its recipient, so other users must not see it.
_REFUSED = "The outbox contains links of other people. Only administrators may read it."


def outbox_routes() -> list[BaseRoute]:
    """Return the route of the outbox."""
    show_page = for_visitors(show)

    def answer(asked: Asked) -> Response:
        headers = asked.request.headers
        if "ftrack-user" in headers or "text/html" not in headers.get("accept", ""):
            return answer_program(asked)
        return show_page(asked)

    return [page_route("/outbox", answer)]


def answer_program(asked: Asked) -> Response:
    """Return the messages as JSON, the oldest first.

    The headers must contain the credentials of an administrator; otherwise the answer is the
    error. :meth:`ftrack_like.sandbox.mail.MailOutbox.messages` describes the format.
    """
    try:
        user = asked.api.authenticate(RequestCredentials.from_headers(asked.request.headers))
        _refuse_others(asked, user)
    except SandboxError as error:
        return JSONResponse(error.as_wire(), error.status)
    return JSONResponse(asked.api.outbox.messages(), headers={"Cache-Control": "no-store"})


def show(visitor: Visitor) -> Response:
    """Return the page with the messages, the newest first."""
    if not visitor.is_administrator:
        raise PageError(403, "For administrators", _REFUSED)
    messages = list(reversed(visitor.asked.api.outbox.messages()))
    shown = part_of(messages, visitor.asked.query, _MESSAGES)
    return render("outbox.html", visitor=visitor, messages=shown, theme=None)


def _refuse_others(asked: Asked, user: RequestUser) -> None:
    if not is_administrator(asked, user):
        raise PermissionDeniedError(_REFUSED)
