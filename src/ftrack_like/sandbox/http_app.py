"""The sandbox over HTTP: routes, limits on bodies, and answers in the shapes of the protocol.

:class:`ftrack_like.sandbox.api.Api` handles each request on a worker thread, so that a long query
of one client does not delay other clients. Other modules (files, events, pages) add their own
lists of routes.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from typing import Optional

import anyio.to_thread
from sqlalchemy.exc import DataError, DBAPIError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ftrack_like.sandbox.api import SERVER_VERSION, Api, ApiAnswer, error_answer
from ftrack_like.sandbox.auth import RequestCredentials, RequestUser
from ftrack_like.sandbox.compression import compressed
from ftrack_like.sandbox.database.faults import first_line
from ftrack_like.sandbox.database.outages import is_outage
from ftrack_like.sandbox.errors import RequestTooLargeError, SandboxError
from ftrack_like.sandbox.events.audience import Audience
from ftrack_like.sandbox.events.broker import Broker
from ftrack_like.sandbox.events.routes import event_routes
from ftrack_like.sandbox.events.sessions import Sessions, SessionStore
from ftrack_like.sandbox.events.speakers import Speakers
from ftrack_like.sandbox.events.update import Updates

__all__ = ["ROUTES", "create_app", "read_body", "server_url"]

_LOGGER = logging.getLogger(__name__)

#: The maximum number of requests that are handled at once, each on a thread; others wait.
MAXIMUM_THREADS = 200

#: A body of at most this many bytes is read before its client is authenticated, so that one thread
#: can do all the work. The server has buffered that much anyway.
_SMALL_BODY = 16 * 1024

#: The server reads and drops the rest of a body that is too large, up to this multiple of the
#: limit.
_DROPPED = 4


def create_app(api: Api, routes: Iterable[BaseRoute] = ()) -> Starlette:
    """Return the web application for *api*, with *routes* after its own routes.

    Handlers find *api* at ``request.app.state.api``, the broker of events at
    ``request.app.state.broker``, and what grants its websockets at ``request.app.state.sessions``.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # Writers wait on threads for their turn, so there must be more threads than waiting
        # writers.
        anyio.to_thread.current_default_thread_limiter().total_tokens = MAXIMUM_THREADS
        await run_in_threadpool(broker.exchange.start)
        yield
        await run_in_threadpool(broker.exchange.stop)
        await run_in_threadpool(api.close)

    def authenticate(username: str, key: str) -> RequestUser:
        return api.authenticate(RequestCredentials(username, key))

    audience = Audience(api.database)
    if api.database.is_sqlite:
        broker = Broker(now=api.clock.now, view=audience.view)
        sessions: SessionStore = Sessions(broker.heartbeat)
    else:
        broker, sessions = _shared_events(api, audience)
    speakers = Speakers(api.database, broker.dismiss)
    broker.rights_listeners += [audience.forget, speakers.forget]
    api.listeners += [audience.committed, speakers.committed]
    if api.database.is_sqlite:
        api.listeners.append(Updates(api.database, broker.publish))
    api.reset_listeners += [audience.forget, speakers.forget]
    events = event_routes(broker, authenticate, speakers, sessions)
    files = api.media.routes(api.database, authenticate, api.allow_component, api.allow_holder)
    app = Starlette(
        routes=[*files, *events, *ROUTES, *routes],
        lifespan=lifespan,
        exception_handlers={
            ClientDisconnect: _nobody_there,
            DataError: _no_such_value,
            DBAPIError: _database_failed,
        },
    )
    app.state.api = api
    app.state.broker = broker
    app.state.sessions = sessions
    return app


def _shared_events(api: Api, audience: Audience) -> tuple[Broker, SessionStore]:
    """Return a broker and sessions that other processes of the database share."""
    # lazy: most sandboxes use SQLite, and have no driver for PostgreSQL.
    from ftrack_like.sandbox.events.commits import CommitEvents
    from ftrack_like.sandbox.events.postgresql import PostgresExchange
    from ftrack_like.sandbox.events.stored_sessions import StoredSessions

    exchange = PostgresExchange(api.database)
    broker = Broker(now=api.clock.now, view=audience.view, exchange=exchange)
    api.storing.append(CommitEvents(exchange))
    api.reset_listeners.append(exchange.tell_rights)
    return broker, StoredSessions(api.database, broker.heartbeat, api.find_user)


async def _nobody_there(request: Request, error: Exception) -> Response:
    """Answer a client that left before its request was complete: not an error to log."""
    return Response(status_code=400)


async def _no_such_value(request: Request, error: Exception) -> Response:
    """Answer a request with a text that no row can contain, such as a name with a NUL character."""
    return PlainTextResponse("The database cannot store a value in this request.", 400)


async def _database_failed(request: Request, error: Exception) -> Response:
    """Ask the client to repeat the request later, if the database cannot be reached.

    An error report of the API would say that the batch was refused. But the database may have
    committed before its connection broke. Clients treat the status 503 like a lost answer.
    """
    if not isinstance(error, DBAPIError) or not is_outage(error):
        raise error
    _LOGGER.error("The database cannot be reached: %s.", first_line(error))
    return PlainTextResponse(
        "The database of the server cannot be reached at the moment. Try again.",
        503,
        {"Retry-After": "1"},
    )


async def post_api(request: Request) -> Response:
    """Return the answer to a batch of operations."""
    strict = request.headers.get("ftrack-strict-api", "").strip().lower() == "true"
    api: Api = request.app.state.api
    credentials = RequestCredentials.from_headers(request.headers)
    known: Optional[RequestUser] = None
    try:
        if not 0 < _announced_size(request) <= _SMALL_BODY:
            # Before the body is read: an unknown client must not fill the memory.
            known = await run_in_threadpool(api.authenticate, credentials)
        pieces = await read_pieces(request, api.limits.body_bytes, "--body-bytes")
    except SandboxError as error:
        return _respond(error_answer(error), strict)
    token = request.headers.get("ftrack-clienttoken")
    bulk = request.headers.get("ftrack-bulk", "").strip().lower() == "true"
    url = server_url(request)
    client = None if request.client is None else request.client.host

    def work() -> tuple[ApiAnswer, Optional[bytes]]:
        """Return the answer, and its body compressed, if that pays."""
        try:
            user = api.authenticate(credentials) if known is None else known
        except SandboxError as error:
            return error_answer(error), None
        answer = api.answer_pieces(pieces, user, url, token, bulk)
        return answer, compressed(answer.body, request.headers, client)

    # On one thread: to hand a request to a thread and back takes a tenth of a small request.
    answer, smaller = await run_in_threadpool(work)
    return _respond(answer, strict, smaller)


def _announced_size(request: Request) -> int:
    """Return the size of the body of *request* in bytes that the client announces, 0 if none."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


async def get_api(request: Request) -> Response:
    """Return the server information to a known user."""
    api: Api = request.app.state.api
    try:
        await run_in_threadpool(api.authenticate, RequestCredentials.from_headers(request.headers))
    except SandboxError as error:
        return _respond(error_answer(error), True)
    return _respond(await run_in_threadpool(api.information), True)


async def read_body(request: Request, maximum: int) -> bytes:
    """Return the body of *request*; raise :exc:`RequestTooLargeError` beyond *maximum* bytes."""
    return b"".join(await read_pieces(request, maximum))


async def read_pieces(request: Request, maximum: int, option: str = "") -> list[bytes]:
    """Return the body of *request* in pieces.

    Raise :exc:`RequestTooLargeError` beyond *maximum* bytes; *option* is the command-line option
    that sets the maximum. The rest of such a body is read and dropped, up to a multiple of the
    maximum, so that the client receives the answer.
    """
    pieces: list[bytes] = []
    size = 0
    announced = _announced_size(request)
    too_large = announced > maximum
    if announced <= _DROPPED * maximum:
        async for piece in request.stream():
            size += len(piece)
            too_large = too_large or size > maximum
            if size > _DROPPED * maximum:
                break
            if too_large:
                pieces.clear()
            else:
                pieces.append(piece)
    if too_large:
        hint = f", or start the sandbox with a larger {option}" if option else ""
        raise RequestTooLargeError(
            f"The body of the request is larger than {maximum} bytes. Commit less at a time{hint}."
        )
    return pieces


def server_url(request: Request) -> str:
    """Return the address of this server, as the client of *request* uses it."""
    api: Api = request.app.state.api
    return api.server_url or str(request.base_url).rstrip("/")


def _respond(answer: ApiAnswer, strict: bool, smaller: Optional[bytes] = None) -> Response:
    """Return the response for *answer*; *smaller* is its body compressed by gzip, or None."""
    headers: dict[str, str] = {
        "Cache-Control": "no-cache",
        "FTRACK_VERSION": SERVER_VERSION,
        "Vary": "Accept-Encoding",
    }
    headers.update(answer.headers)
    if smaller is not None:
        headers["Content-Encoding"] = "gzip"
    return Response(
        answer.body if smaller is None else smaller,
        status_code=answer.status if strict else 200,
        media_type="application/json",
        headers=headers,
    )


#: The routes of the API itself.
ROUTES: list[BaseRoute] = [
    Route("/api", post_api, methods=["POST"]),
    Route("/api", get_api, methods=["GET"]),
]
