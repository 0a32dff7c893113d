"""Errors in the form that the client of a request can show.

The routes answer errors as plain text. This wrapper of the application replaces such an answer: for
a browser that opens an address by a page with a way home, for the place of a picture by a
placeholder, and for a program that asks for JSON by JSON. The status and the headers stay.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Optional
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ftrack_like.sandbox.media import images

__all__ = ["ErrorAnswers"]

_PAGE, _PICTURE, _JSON = "page", "picture", "json"

#: The title and the text for the answers that contain only the name of their status.
_WORDS = {
    404: ("This page does not exist", "The server has no page with this address."),
    405: ("This address takes no such request", "Open it in another way, or start at home."),
    500: (
        "The server failed",
        "It could not answer because of a fault. Try again; the log of the server has the details.",
    ),
}
#: The titles for the other answers, whose text says what is wrong.
_TITLES = {
    400: "The request cannot be read",
    403: "This is not for you",
    404: "It is not here",
    410: "It is gone",
    413: "This is too large",
    429: "Too many attempts",
}

_LARGEST_PICTURE = 1024


class ErrorAnswers:
    """Passes requests to *app* and replaces its errors in plain text."""

    def __init__(self, app: ASGIApp) -> None:
        """Initialise with the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        form = _wanted(scope) if scope["type"] == "http" else None
        if form is None:
            await self._app(scope, receive, send)
            return
        replaced: Optional[Message] = None
        text = b""

        async def send_in_form(message: Message) -> None:
            nonlocal replaced, text
            if message["type"] == "http.response.start" and _is_plain_error(message):
                replaced = message
            elif replaced is None:
                await send(message)
            else:
                text += message.get("body", b"")
                if not message.get("more_body", False):
                    start, replaced = replaced, None
                    await _answer(form, scope, start, text.decode("utf-8", "replace"), send)

        await self._app(scope, receive, send_in_form)


def _wanted(scope: Scope) -> Optional[str]:
    """Return the form of an error that the client can show; None is the text as it is."""
    accept = Headers(scope=scope).get("accept", "")
    if "text/html" in accept:
        return _PAGE
    if accept.startswith("image/"):
        return _PICTURE
    return _JSON if "application/json" in accept else None


def _is_plain_error(message: Message) -> bool:
    kind = Headers(raw=message["headers"]).get("content-type", "text/plain")
    return bool(message["status"] >= 400 and kind.startswith("text/plain"))


async def _answer(form: str, scope: Scope, start: Message, text: str, send: Send) -> None:
    status = start["status"]
    headers = MutableHeaders(raw=list(start["headers"]))
    if form == _PAGE:
        body, added = await run_in_threadpool(_page, scope, status, text)
    elif form == _PICTURE:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        body, added = _picture(query.get("size", [""])[0])
    else:
        content = {"exception": _name(status), "content": text, "error_code": None}
        body, added = json.dumps(content).encode(), {"content-type": "application/json"}
    headers.update({**added, "content-length": str(len(body))})
    await send({**start, "headers": headers.raw})
    empty = scope["method"] == "HEAD"
    await send({"type": "http.response.body", "body": b"" if empty else body})


def _name(status: int) -> str:
    """Return the name of the status in the style of the API: ``NotFoundError``."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Server"
    name = "".join(word for word in phrase.title() if word.isalpha())
    return name if name.endswith("Error") else f"{name}Error"


def _page(scope: Scope, status: int, text: str) -> tuple[bytes, dict[str, str]]:
    # lazy: the pages take a megabyte of memory and time to import.
    from ftrack_like.sandbox.web.pages import error_page, home_of

    title, words = _TITLES.get(status, "The request failed"), text
    if status in _WORDS and text in {"", HTTPStatus(status).phrase}:
        title, words = _WORDS[status]
    home = home_of(scope["path"], scope.get("query_string", b"").decode("latin-1"))
    page = error_page(status, title, words, home=home)
    return bytes(page.body), dict(page.headers)


def _picture(size: str) -> tuple[bytes, dict[str, str]]:
    wanted = int(size) if size.isascii() and size.isdigit() and len(size) < 6 else 0
    side = max(1, min(wanted or images.DEFAULT_SIZE, _LARGEST_PICTURE))
    return images.placeholder(side), {"content-type": "image/png", "cache-control": "no-store"}
