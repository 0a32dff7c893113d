"""The gate before the application: checks the host and the origin of each request."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ftrack_like.sandbox.network.hosts import AllowedHosts
from ftrack_like.sandbox.network.origins import AllowedOrigins
from ftrack_like.sandbox.network.peer import PEER

__all__ = ["Gate"]


class Gate:
    """Passes requests to *app* if they are addressed to any of *hosts*.

    Pages of *origins* may call the API. The gate answers their preflight requests, and adds the
    headers to the answers of *app* that let the pages read them.
    """

    def __init__(self, app: ASGIApp, hosts: AllowedHosts, origins: AllowedOrigins) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request or a websocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        PEER.set(client[0] if client else "")
        headers = Headers(scope=scope)
        if not await self._is_for_us(scope, headers):
            await self._refuse(_misaddressed(headers), scope, receive, send)
            return
        origin = headers.get("origin")
        if origin is None or scope["type"] != "http" or not self._origins.is_open(scope["path"]):
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await self._preflight(origin, headers)(scope, receive, send)
        else:
            await self._app(scope, receive, _adding(self._origins.headers(origin), send))

    async def _is_for_us(self, scope: Scope, headers: Headers) -> bool:
        server = scope.get("server")
        host = headers.get("host")
        if self._hosts.allow(host, server[0] if server else ""):
            return True
        return self._hosts.may_look_up and await run_in_threadpool(
            self._hosts.allow_by_lookup, host or ""
        )

    def _preflight(self, origin: str, headers: Headers) -> Response:
        allowing = self._origins.preflight(origin, headers)
        if allowing is None:
            return PlainTextResponse(
                f"Pages of {origin[:200]} may not call this server. "
                "Start it with --allowed-origins to allow them.",
                403,
                {"Vary": "Origin"},
            )
        return Response(status_code=204, headers=allowing)

    async def _refuse(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await response(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": 1008})


def _misaddressed(headers: Headers) -> Response:
    host = headers.get("host", "")[:200]
    return PlainTextResponse(
        f"This server does not answer to the host {host!r}. "
        "Start it with --allowed-hosts or --public-url to allow it.",
        400,
    )


def _adding(headers: Mapping[str, str], send: Send) -> Send:
    """Return *send* with *headers* added to the answer."""

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            answered = MutableHeaders(scope=message)
            answered.update(headers)
            answered.add_vary_header("Origin")
        await send(message)

    return send_more
