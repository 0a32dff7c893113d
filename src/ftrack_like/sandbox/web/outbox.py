"""The mail that the sandbox sent, for programs and for whoever runs it."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from ftrack_like.sandbox.auth import Credentials, User
from ftrack_like.sandbox.errors import PermissionDeniedError, SandboxError
from ftrack_like.sandbox.web.log_in import Visitor, for_visitors, is_administrator
from ftrack_like.sandbox.web.pages import Asked, PageError, page_route, render

__all__ = ["outbox_routes"]

#: Its messages hold links that act in the name of those they were sent to.
_REFUSED = "The outbox holds other people's links; it is for administrators alone."


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
    """Answer the messages as JSON, to an administrator's credentials in the headers.

    It is a list in the order they were sent, of what
    :meth:`ftrack_like.sandbox.mail.MailOutbox.messages` returns.
    """
    try:
        user = asked.api.authenticate(Credentials.from_headers(asked.request.headers))
        _refuse_others(asked, user)
    except SandboxError as error:
        return JSONResponse(error.as_wire(), error.status)
    return JSONResponse(asked.api.outbox.messages(), headers={"Cache-Control": "no-store"})


def show(visitor: Visitor) -> Response:
    """Answer the page of the messages, the newest first."""
    if not visitor.is_administrator:
        raise PageError(403, "For administrators", _REFUSED)
    messages = list(reversed(visitor.asked.api.outbox.messages()))
    return render("outbox.html", visitor=visitor, messages=messages, theme=None)


def _refuse_others(asked: Asked, user: User) -> None:
    if not is_administrator(asked, user):
        raise PermissionDeniedError(_REFUSED)
