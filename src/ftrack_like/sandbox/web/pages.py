"""Render templates, and wrap the handlers of pages with checks, error pages and headers."""

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
from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.errors import SandboxError
from ftrack_like.sandbox.http_app import read_body, server_url
from ftrack_like.sandbox.links import REVIEW_PATH
from ftrack_like.sandbox.web.posted import PostedFile, is_multipart, posted_form
from ftrack_like.sandbox.web.reading import PageReader

if TYPE_CHECKING:
    import jinja2

__all__ = [
    "Asked",
    "Handler",
    "PageError",
    "error_page",
    "go_to",
    "home_of",
    "page_route",
    "render",
]

#: The largest form that the server reads, in bytes. The largest is a note with a drawing.
MAXIMUM_FORM = 2 * 1024 * 1024

#: The browser loads only files of this server, and runs no scripts or styles inside a page.
_POLICY = (
    "default-src 'none'; img-src 'self'; media-src 'self'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'"
)
_ALONE = "; frame-ancestors 'none'"
#: Pages with actions show widgets of other servers in frames, and icons that an answer contains.
_WITH_WIDGETS = "; frame-src http: https:"
_ICONS = ("img-src 'self'", "img-src 'self' data:")

_HEADERS = {
    "Cache-Control": "no-store",
    # With "no-referrer" browsers would send no origin with a form, even to this server.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


#: The parameters of the address of a review.
_REVIEW_LINK = ("invitee", "person", "expires", "signature")


class PageError(Exception):
    """A handler raises this to show an error page with an HTTP *status*, a *title* and a *text*."""

    def __init__(self, status: int, title: str, text: str) -> None:
        """Initialise the error."""
        super().__init__(title)
        self.status = status
        self.title = title
        self.text = text


@dataclass(frozen=True)
class Asked:
    """The request for a page. *form* contains the posted values, and is empty for a GET.

    *files* are the posted files, in the order of the form. They are open until the handler returns.
    """

    request: Request
    api: Api
    form: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[PostedFile] = ()

    @property
    def query(self) -> Mapping[str, str]:
        """Return the query parameters of the address."""
        return self.request.query_params

    def part(self, name: str) -> str:
        """Return the part *name* of the path."""
        return str(self.request.path_params[name])

    def execute(
        self,
        operations: Sequence[Mapping[str, Any]],
        user: RequestUser,
        events: Sequence[Mapping[str, Any]] = (),
    ) -> list[Any]:
        """Run API *operations* for *user*, as if a client had sent them; return their results.

        *events* are published with the changes. Raise :exc:`SandboxError` if an operation fails.
        Then all are rolled back.
        """
        return self.api.execute(operations, user, server_url(self.request), events=events)

    def reader(self, user: RequestUser) -> PageReader:
        """Return a reader with the permissions of *user*."""
        return PageReader(lambda operations: self.execute(operations, user))


#: Returns the response to a request. It runs on a worker thread. PageError and SandboxError
#: become error pages.
Handler = Callable[[Asked], Response]


def page_route(
    path: str, handler: Handler, method: str = "GET", *, with_files: bool = False
) -> Route:
    """Return a route that answers requests of *method* for *path* with *handler*.

    The route rejects forms that a page of another site posts. With *with_files*, forms can contain
    files.
    """

    async def answer(request: Request) -> Response:
        api: Api = request.app.state.api
        try:
            if method != "POST":
                return await run_in_threadpool(handler, Asked(request, api))
            _refuse_foreign(request)
            if with_files and is_multipart(request):
                async with posted_form(request, MAXIMUM_FORM, api.limits.note_bytes) as posted:
                    asked = Asked(request, api, posted.values, posted.files)
                    return await run_in_threadpool(handler, asked)
            form = _read_form(await read_body(request, MAXIMUM_FORM))
            return await run_in_threadpool(handler, Asked(request, api, form))
        except PageError as error:
            return error_page(error.status, error.title, error.text, home=_home(request))
        except SandboxError as error:
            return error_page(
                error.status, "The request failed", error.content, home=_home(request)
            )

    return Route(path, answer, methods=[method])


def render(
    template: str,
    status: int = 200,
    *,
    embeddable: bool = False,
    with_actions: bool = False,
    **values: Any,
) -> HTMLResponse:
    """Return a response with *template*, rendered with *values*.

    Other sites can show an *embeddable* page in a frame. A page *with_actions* can show the widgets
    and icons of actions.
    """
    policy = _POLICY + ("" if embeddable else _ALONE)
    if with_actions:
        policy = policy.replace(*_ICONS) + _WITH_WIDGETS
    headers = {**_HEADERS, "Content-Security-Policy": policy}
    text = _environment().get_template(template).render(values)
    return HTMLResponse(text, status, headers)


def error_page(
    status: int,
    title: str,
    text: str,
    *,
    embeddable: bool = False,
    home: Optional[tuple[str, str]] = None,
) -> HTMLResponse:
    """Return a response that shows an error with a *title* and a *text*.

    *home* is the address and the words of the link that leads on.
    """
    return render(
        "message.html",
        status,
        embeddable=embeddable,
        title=title,
        text=text,
        home=home,
        theme=None,
    )


def home_of(path: str, query: str) -> tuple[str, str]:
    """Return the address and the words of the link that leads on from an error at *path*."""
    link = dict(urllib.parse.parse_qsl(query))
    signed = {name: link[name] for name in _REVIEW_LINK if name in link}
    if path.startswith(f"{REVIEW_PATH}/") and len(signed) == len(_REVIEW_LINK):
        return f"{REVIEW_PATH}?{urllib.parse.urlencode(signed)}", "Back to the review"
    if path.startswith(("/browse/", "/encoding", "/outbox", "/webhooks")):
        return "/browse", "Go to the projects"
    return "/", "Go to the start page"


def _home(request: Request) -> tuple[str, str]:
    return home_of(request.url.path, request.url.query)


def go_to(path: str, **parameters: Optional[str]) -> RedirectResponse:
    """Return a redirect to *path*. Status 303 prevents that a reload posts the form again."""
    named = {name: value for name, value in parameters.items() if value is not None}
    separator = "&" if "?" in path else "?"
    address = path + (separator + urllib.parse.urlencode(named) if named else "")
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})


def _refuse_foreign(request: Request) -> None:
    """Raise :exc:`PageError` if the headers say that a page of another site sent the request."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    foreign = site not in {None, "same-origin"} or (
        origin is not None and urllib.parse.urlsplit(origin).netloc != host
    )
    if foreign:
        raise PageError(
            403, "Wrong origin", "A page of another site sent this form. The server ignored it."
        )


def _read_form(body: bytes) -> dict[str, str]:
    try:
        pairs = urllib.parse.parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=100
        )
    except ValueError as error:
        raise PageError(400, "Invalid form", "The server could not read the form.") from error
    return dict(pairs)


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2  # lazy: a server that serves no pages starts faster without it

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
    """Return the name of a user or collaborator, or "Unknown person" if there is none."""
    if not record:
        return "Unknown person"
    parts = (record.get("first_name"), record.get("last_name"))
    return " ".join(part for part in parts if part) or record.get("username") or "Unknown person"


def _file_size(size: Optional[float]) -> str:
    value = float(size or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
