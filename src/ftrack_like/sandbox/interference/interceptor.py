"""The layer around the application that carries faults out."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Optional

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ftrack_like.sandbox.interference.faults import DROP, HALF, Fault
from ftrack_like.sandbox.interference.requests import SeenRequest, read_seen
from ftrack_like.sandbox.interference.switchboard import Switchboard
from ftrack_like.sandbox.network.connections import Connections

__all__ = ["Interceptor"]

#: Seconds to wait until a connection that was hung up is closed.
_PATIENCE = 5.0


class Interceptor:
    """Passes requests to *app*, unless *switchboard* has other plans for them.

    *connections* are those of the server, in order to close one of them.
    """

    def __init__(self, app: ASGIApp, switchboard: Switchboard, connections: Connections) -> None:
        self._app = app
        self._switchboard = switchboard
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request or a websocket."""
        if not self._switchboard.is_active or scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._websocket(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = SeenRequest(scope["method"], scope["path"])
        if self._switchboard.reads_batches and (request.method, request.path) == ("POST", "/api"):
            body = await _read_body(receive)
            if body is None:
                return
            request = read_seen(request.method, request.path, body)
            receive = _replaying(body, receive)
        fault = self._switchboard.receive(request)
        if fault is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(fault.delay)
        if fault.outcome is None:
            await self._app(scope, receive, send)
        elif isinstance(fault.outcome, int):
            await _drain(receive)
            await _failure(fault)(scope, receive, send)
        elif fault.outcome == DROP:
            await _drain(receive)
            await self._hang_up(scope, receive, send)
        else:
            await self._cut(scope, receive, send, keeps_half=fault.outcome == HALF)

    async def _cut(self, scope: Scope, receive: Receive, send: Send, keeps_half: bool) -> None:
        """Handle the request, and send half of the answer or nothing."""
        answer = _Cut(send if keeps_half else None)
        await self._app(scope, receive, answer)
        await self._hang_up(scope, receive, send, answer.started)

    async def _hang_up(
        self, scope: Scope, receive: Receive, send: Send, started: bool = False
    ) -> None:
        """Close the connection of a request, after the part of an answer that was sent."""
        connection = self._connections.find(scope.get("client"))
        if connection is None:
            # A trusted proxy hides the connection. It would answer with this status itself.
            if not started:
                await PlainTextResponse("The server hung up.", 502)(scope, receive, send)
            return
        connection.hang_up()
        await asyncio.wait_for(_drain(receive, "http.disconnect"), _PATIENCE)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        switchboard = self._switchboard
        fault = switchboard.receive(SeenRequest("WEBSOCKET", scope["path"]))
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.outcome is not None:
                self._drop(scope)

        async def disturbed() -> Message:
            message = await receive()
            chaos = switchboard.chaos
            is_hit = (
                chaos is not None
                and message["type"] == "websocket.receive"
                and chaos.draw_for_message()
            )
            if is_hit:
                self._drop(scope)
            return message

        await self._app(scope, disturbed, send)

    def _drop(self, scope: Scope) -> None:
        connection = self._connections.find(scope.get("client"))
        if connection is not None:
            connection.abort()


class _Cut:
    """Sends half of an answer to *send*, or nothing if it is None, and drops the rest."""

    def __init__(self, send: Optional[Send]) -> None:
        self._send = send
        self._left: Optional[int] = None
        self.started = False

    async def __call__(self, message: Message) -> None:
        """Handle a part of the answer."""
        if self._send is None:
            return
        if message["type"] == "http.response.start":
            self._left = _length(message)
            self.started = True
            await self._send(message)
            return
        piece = message.get("body", b"")
        # An answer without a length ends after its first piece.
        kept = piece if self._left is None else piece[: self._left // 2]
        is_half = self._left is None or len(piece) >= self._left // 2
        if self._left is not None:
            self._left -= 2 * len(piece)
        if kept:
            await self._send({"type": "http.response.body", "body": kept, "more_body": True})
        if is_half:
            self._send = None


def _length(start: Message) -> Optional[int]:
    """Return the length of an answer in bytes, None if its headers do not say."""
    headers: dict[bytes, bytes] = dict(start.get("headers", ()))
    text = headers.get(b"content-length", b"")
    return int(text) if text.isdigit() else None


def _failure(fault: Fault) -> PlainTextResponse:
    status = int(fault.outcome or 500)
    known = {one.value: one.phrase for one in HTTPStatus}
    headers = {}
    if fault.retry_after is not None and status in {429, 503}:
        headers["Retry-After"] = f"{fault.retry_after:g}"
    text = f"{known.get(status, 'Failure')} (a fault that a test has planned)"
    return PlainTextResponse(text, status, headers)


async def _read_body(receive: Receive) -> Optional[bytes]:
    """Return the body of a request, None if its client has left."""
    pieces: list[bytes] = []
    message: dict[str, Any] = {"more_body": True}
    while message.get("more_body"):
        message = dict(await receive())
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
    return b"".join(pieces)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Return *receive* with *body* before its messages."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return first.pop() if first else await receive()

    return receive_again


async def _drain(receive: Receive, end: str = "http.request") -> None:
    """Read and drop messages until the body of the request is complete, or until *end* comes."""
    while True:
        message = await receive()
        is_complete = message["type"] == "http.request" and not message.get("more_body")
        if message["type"] == "http.disconnect" or (is_complete and end == "http.request"):
            return
