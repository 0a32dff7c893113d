"""Templates into answers: escaping, the headers that guard a page, and how errors look."""

from __future__ import annotations

import functools
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Optional

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.auth import User
from ftrack_like.sandbox.errors import SandboxError
from ftrack_like.sandbox.http_app import read_body, server_url
from ftrack_like.sandbox.web.reading import Reader

if TYPE_CHECKING:
    import jinja2

__all__ = ["Asked", "Handler", "PageError", "error_page", "go_to", "page_route", "render"]

#: The largest form that is read, in bytes: a note with a drawing.
MAXIMUM_FORM = 2 * 1024 * 1024

#: Nothing but what this server sends is loaded, and no script or style stands in a page.
_POLICY = (
    "default-src 'none'; img-src 'self'; media-src 'self'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'"
)
_ALONE = "; frame-ancestors 'none'"

_HEADERS = {
    "Cache-Control": "no-store",
    # Not "no-referrer": browsers would then hide the origin of a form from its own server.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class PageError(Exception):
    """What a visitor is shown instead of the page: *status*, a *title* and a *text*."""

    def __init__(self, status: int, title: str, text: str) -> None:
        """Prepare the error."""
        super().__init__(title)
        self.status = status
        self.title = title
        self.text = text


@dataclass(frozen=True)
class Asked:
    """A visitor's request: *form* is what was posted, empty otherwise."""

    request: Request
    api: Api
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def query(self) -> Mapping[str, str]:
        """Return the parameters of the address."""
        return self.request.query_params

    def part(self, name: str) -> str:
        """Return the part *name* of the path."""
        return str(self.request.path_params[name])

    def execute(self, operations: Sequence[Mapping[str, Any]], user: User) -> list[Any]:
        """Run *operations* of the protocol for *user*, as if a client had sent them."""
        return self.api.execute(operations, user, server_url(self.request))

    def reader(self, user: User) -> Reader:
        """Return what reads for *user*."""
        return Reader(lambda operations: self.execute(operations, user))


#: Makes the answer to a request, on a worker thread; may raise PageError and SandboxError.
Handler = Callable[[Asked], Response]


def page_route(path: str, handler: Handler, method: str = "GET") -> Route:
    """Return the route that answers *method* at *path* by *handler*.

    What is posted from a page of another site is refused.
    """

    async def answer(request: Request) -> Response:
        try:
            form: Mapping[str, str] = {}
            if method == "POST":
                _refuse_foreign(request)
                form = _read_form(await read_body(request, MAXIMUM_FORM))
            return await run_in_threadpool(handler, Asked(request, request.app.state.api, form))
        except PageError as error:
            return error_page(error.status, error.title, error.text)
        except SandboxError as error:
            return error_page(error.status, "That did not work", error.content)

    return Route(path, answer, methods=[method])


def render(
    template: str, status: int = 200, *, embeddable: bool = False, **values: Any
) -> HTMLResponse:
    """Return the answer that shows *template* with *values*.

    *embeddable* pages may be shown within pages of other programs.
    """
    headers = {**_HEADERS, "Content-Security-Policy": _POLICY + ("" if embeddable else _ALONE)}
    text = _environment().get_template(template).render(values)
    return HTMLResponse(text, status, headers)


def error_page(status: int, title: str, text: str, *, embeddable: bool = False) -> HTMLResponse:
    """Return the answer that tells what went wrong."""
    return render("message.html", status, embeddable=embeddable, title=title, text=text, theme=None)


def go_to(path: str, **parameters: Optional[str]) -> RedirectResponse:
    """Return the answer that leads on to *path* after a form, without asking to send it again."""
    named = {name: value for name, value in parameters.items() if value is not None}
    separator = "&" if "?" in path else "?"
    address = path + (separator + urllib.parse.urlencode(named) if named else "")
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})


def _refuse_foreign(request: Request) -> None:
    """Raise :exc:`PageError` if a browser says that another site's page sends this."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    foreign = site not in {None, "same-origin"} or (
        origin is not None and urllib.parse.urlsplit(origin).netloc != host
    )
    if foreign:
        raise PageError(
            403, "Not from here", "This form was sent by a page of another site, so it was ignored."
        )


def _read_form(body: bytes) -> dict[str, str]:
    try:
        pairs = urllib.parse.parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=100
        )
    except ValueError as error:
        raise PageError(400, "Not understood", "The form could not be read.") from error
    return dict(pairs)


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2  # lazy: a server that is asked for no page starts without it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ftrack_like.sandbox.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        day=lambda value: f"{value:%Y-%m-%d}" if isinstance(value, date) else "",
        moment=lambda value: f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else "",
        machine=lambda value: f"{value.isoformat()}Z" if isinstance(value, datetime) else "",
        person=person_name,
        file_size=_file_size,
    )
    return environment


def person_name(record: Optional[Mapping[str, Any]]) -> str:
    """Return the name of a user or collaborator for others to read."""
    if not record:
        return "Somebody"
    parts = (record.get("first_name"), record.get("last_name"))
    return " ".join(part for part in parts if part) or record.get("username") or "Somebody"


def _file_size(size: Optional[float]) -> str:
    value = float(size or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
