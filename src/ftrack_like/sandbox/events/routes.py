"""The broker on the network: handshake, websocket and audit."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Mapping
from typing import Any, Callable, Optional, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ftrack_like.sandbox.errors import PermissionDeniedError, SandboxError
from ftrack_like.sandbox.events.broker import Broker
from ftrack_like.sandbox.events.clients import Websocket
from ftrack_like.sandbox.events.outgoing import Outgoing
from ftrack_like.sandbox.events.sessions import Caller, Granted, Sessions, SessionStore
from ftrack_like.wire import packets

__all__ = ["event_routes"]

#: Seconds that a disconnected slow reader has to read the reason, and that any other client has to
#: close the websocket.
NOTICE_PATIENCE = 30.0
CLOSE_PATIENCE = 0.5

TRY_AGAIN_LATER = 1013
GOING_AWAY = 1001


class Directory(Protocol):
    """Knows which users may be connected, and in whose name they publish."""

    def is_active(self, account: Any) -> bool:
        """Return whether a user may be connected; may block."""

    def user_of(self, account: Any, said: Any) -> Mapping[str, Any]:
        """Return the user to put into an event that names *said*."""


#: Takes a user name and a key; returns the user or raises a SandboxError.
Authenticate = Callable[[str, str], Caller]


def event_routes(
    broker: Broker,
    authenticate: Authenticate,
    directory: Optional[Directory] = None,
    sessions: Optional[SessionStore] = None,
) -> list[BaseRoute]:
    """Return the routes that connect *broker* to the network.

    *authenticate* may block, because it is called on worker threads. Without *directory*, all users
    are active and publish in their own name. Without *sessions*, only the handshake grants them.
    """
    server = _EventServer(broker, authenticate, directory, sessions or Sessions(broker.heartbeat))
    return [
        Route("/socket.io/1/", server.shake_hands, methods=["GET", "POST"]),
        Route("/socket.io/1", server.shake_hands, methods=["GET", "POST"]),
        WebSocketRoute("/socket.io/1/websocket/{session}", server.converse),
        Route("/events", server.show_audit, methods=["GET"]),
    ]


class _EventServer:
    def __init__(
        self,
        broker: Broker,
        authenticate: Authenticate,
        directory: Optional[Directory],
        sessions: SessionStore,
    ) -> None:
        self._broker = broker
        self._authenticate = authenticate
        self._directory = directory
        self._sessions = sessions

    async def shake_hands(self, request: Request) -> Response:
        """Return `SESSION:HEARTBEAT:CLOSE:websocket` for a user of the sandbox."""
        try:
            user = await self._user_of(request)
        except SandboxError as error:
            return PlainTextResponse(str(error), status_code=error.status)
        replays = request.headers.get(packets.REPLAY_HEADER) == "1"
        if self._sessions.blocks:
            text = await run_in_threadpool(self._sessions.grant, user, replays)
        else:
            text = self._sessions.grant(user, replays)
        return PlainTextResponse(text)

    async def converse(self, socket: WebSocket) -> None:
        """Serve one websocket from its opening to its end."""
        identifier = socket.path_params["session"]
        if self._sessions.blocks:
            session = await run_in_threadpool(self._sessions.take, identifier)
        else:
            session = self._sessions.take(identifier)
        if session is None:
            await socket.close(GOING_AWAY)
            return
        conversation = _Conversation(self._broker, socket, session, self._directory)
        # Check after the broker knows the websocket: from then on, the broker closes it when the
        # user is deactivated.
        if self._directory is not None and not await run_in_threadpool(
            self._directory.is_active, session.user
        ):
            conversation.leave()
            await socket.close(GOING_AWAY)
            return
        await socket.accept()
        await conversation.run()

    async def show_audit(self, request: Request) -> Response:
        """Return the latest events as JSON, at most `limit`, and the numbers of clients."""
        try:
            user = await self._user_of(request)
            if not user.unrestricted:
                raise PermissionDeniedError("Only an administrator may look at all events.")
        except SandboxError as error:
            return JSONResponse(error.as_wire(), status_code=error.status)
        # A client that has just committed or published finds its events, in any process.
        with contextlib.suppress(TimeoutError):
            await run_in_threadpool(self._broker.exchange.catch_up)
        limit = request.query_params.get("limit", "")
        is_number = limit.isascii() and limit.isdigit() and len(limit) < 10
        events = self._broker.audit(int(limit)) if is_number else self._broker.audit()
        return JSONResponse({"events": events, **self._broker.statistics()})

    async def _user_of(self, request: Request) -> Caller:
        """Return the user of the headers, or of a browser's query; or raise SandboxError."""
        headers, query = request.headers, request.query_params
        username = headers.get("ftrack-user") or query.get("api_user") or ""
        key = headers.get("ftrack-api-key") or query.get("api_key") or ""
        return await run_in_threadpool(self._authenticate, username, key)


class _Conversation:
    """A websocket with three tasks: they read, write and watch, and end together."""

    def __init__(
        self,
        broker: Broker,
        socket: WebSocket,
        session: Granted,
        directory: Optional[Directory],
    ) -> None:
        self._broker = broker
        self._socket = socket
        self._outgoing = Outgoing(asyncio.get_running_loop())
        self._websocket: Websocket = broker.connect(
            session.user.username,
            self._outgoing.put,
            session.replays,
            speak=None if directory is None else functools.partial(directory.user_of, session.user),
            end=self._outgoing.end,
        )

    def leave(self) -> None:
        """End the conversation before it begins."""
        self._broker.disconnect(self._websocket)
        self._outgoing.close()

    async def run(self) -> None:
        """Run the tasks until any task ends."""
        tasks = [asyncio.ensure_future(work()) for work in (self._read, self._write, self._watch)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._broker.disconnect(self._websocket)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._outgoing.close()
            await self._say_goodbye()

    async def _read(self) -> None:
        while self._websocket.state != "closed":
            message: Mapping[str, Any] = await self._socket.receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            self._broker.receive(self._websocket, message.get("bytes") if text is None else text)

    async def _write(self) -> None:
        packet = await self._outgoing.get()
        while packet is not None:
            await self._socket.send_text(packet)
            packet = await self._outgoing.get()

    async def _watch(self) -> None:
        """Send heartbeats; end when the client is slow or silent, or when another one took over."""
        pause = 0.6 * self._broker.heartbeat
        beat = time.monotonic() + pause
        while self._websocket.state != "closed" and not self._outgoing.check():
            await asyncio.sleep(min(pause, 0.5))
            self._broker.resume_late(self._websocket)
            if time.monotonic() >= beat:
                beat += pause
                self._outgoing.put(packets.HEARTBEAT)
                if self._broker.is_silent(self._websocket):
                    return

    async def _say_goodbye(self) -> None:
        """Close the websocket, and send a slow reader the reason for when it reads again."""
        slow = self._outgoing.overflow
        patience = NOTICE_PATIENCE if slow else CLOSE_PATIENCE
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, asyncio.TimeoutError, OSError):
            if slow:
                notice = packets.join(packets.Packet("7", data="reading too slowly+reconnect"))
                await asyncio.wait_for(self._socket.send_text(notice), patience)
            await asyncio.wait_for(self._socket.close(TRY_AGAIN_LATER if slow else 1000), patience)
