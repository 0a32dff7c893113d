"""The end of a server that another process replaces: no request may get lost.

A server that closes a connection may do so just when the client sends the next request on it. So
the server first asks its clients to open new connections, which reach another process, and closes
only the connections that stay idle.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Farewell"]


class Farewell:
    """Passes requests to *app*; once :attr:`said`, each answer ends its connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        #: Whether clients must open a new connection for the next request.
        self.said = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request or a websocket."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_and_close(message: Message) -> None:
            if self.said and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_and_close)
