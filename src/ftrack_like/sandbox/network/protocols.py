"""Connections that keep to time limits: uvicorn's protocols, watched.

uvicorn bounds how long a connection idles between two requests. It does not bound how long a
client takes for its first request, for the rest of one, or to read an answer.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Optional, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.utilities import LocalProtocolError

from ftrack_like.sandbox.network.connections import Connections
from ftrack_like.sandbox.network.settings import Network

__all__ = ["HttpConnection", "NetworkConfig", "WebsocketConnection"]

#: How fast a body must come on average while the server waits for it, in bytes a second.
_SLOWEST_BODY = 256

#: A body of which nothing came for so long may make room for another connection, in seconds.
_PAUSE = 5.0

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 57\r\n\r\n"
    b"Too many connections are open. Close some, or wait a bit."
)


class NetworkConfig(uvicorn.Config):
    """uvicorn's settings, with ours of the *network*."""

    def __init__(
        self, app: Any, network: Network, connections: Connections, **options: Any
    ) -> None:
        """Prepare to serve *app*."""
        super().__init__(
            app,
            http=HttpConnection,
            ws=WebsocketConnection,
            timeout_keep_alive=cast(int, network.idle_timeout),  # any number will do
            # Those beyond are refused before they send a request; this counts only requests.
            limit_concurrency=network.connections + 1,
            proxy_headers=bool(network.trusted_proxies),
            forwarded_allow_ips=list(network.trusted_proxies),
            # A compressed message may be a thousand times as large as what arrives.
            ws_per_message_deflate=False,
            **options,
        )
        self.network = network
        self.open_connections = connections


class _Writing:
    """Watches whether the other side reads what is sent to it."""

    def __init__(self, transport: asyncio.Transport, patience: float) -> None:
        self._transport = transport
        self._patience = patience
        self._left = 0
        self._since = 0.0
        self._resumed = False

    def resume(self) -> None:
        """Take notice that the other side read enough for more to be sent."""
        self._resumed = True

    @property
    def is_idle(self) -> bool:
        """Return whether nothing waits for the other side to read it."""
        return not self._transport.get_write_buffer_size()

    def stalled_since(self, now: float) -> float:
        """Return since when nothing was read although something waits, *now* otherwise."""
        left = self._transport.get_write_buffer_size()
        if not left or left != self._left or self._resumed:
            self._left, self._since, self._resumed = left, now, False
        return self._since

    def is_stalled(self, now: float) -> bool:
        """Return whether nothing was read for too long."""
        return now - self.stalled_since(now) > self._patience


class HttpConnection(H11Protocol):
    """An HTTP connection that is watched."""

    config: NetworkConfig

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, or refuse it."""
        super().connection_made(transport)
        self._head_since = self._body_since = self._heard = time.monotonic()
        self._body_size = 0
        self._writing = _Writing(transport, self.config.network.transfer_timeout)
        self.config.open_connections.admit(self)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Forget the connection."""
        self.config.open_connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take notice that the client says something."""
        self._heard = time.monotonic()
        self._body_size += len(data)
        cycle = self.cycle
        super().data_received(data)
        if self.cycle is not cycle:
            self._begin_body()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over to a websocket, which is counted instead."""
        self.config.open_connections.remove(self)
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._head_since = self._heard = time.monotonic()
        cycle = self.cycle
        super().on_response_complete()
        if self.cycle is not cycle:  # it was sent ahead
            self._begin_body()

    def resume_writing(self) -> None:
        """Take notice that the client reads."""
        self._writing.resume()
        super().resume_writing()

    # What the limits ask

    @property
    def address(self) -> str:
        """Return the IP address of the other side."""
        return self.client[0] if self.client else ""

    @property
    def file_number(self) -> int:
        """Return the file descriptor, -1 where there is none."""
        return _file_number(self.transport)

    @property
    def waiting_since(self) -> Optional[float]:
        """Return since when the server has waited for the client, None while it is busy."""
        now = time.monotonic()
        if self._awaits_head:
            return self._head_since
        since = self._heard if self._awaits_body else self._writing.stalled_since(now)
        return since if now - since > _PAUSE else None

    def is_overdue(self) -> bool:
        """Return whether the client takes too long to send or to read."""
        now = time.monotonic()
        if self._writing.is_stalled(now):
            return True
        if self._awaits_head:
            return now - self._head_since > self.config.network.header_timeout
        self._head_since = now  # the client may still read the answer
        if not self._awaits_body:
            self._begin_body()
            return False
        patience = self.config.network.transfer_timeout
        if now - self._body_since <= patience:
            return False
        too_slow = self._body_size < patience * _SLOWEST_BODY
        self._begin_body()
        return too_slow

    def refuse(self) -> None:
        """Answer that the server is full, and close."""
        self.transport.write(_FULL)
        self.transport.close()

    def abort(self) -> None:
        """Close without waiting for the other side."""
        self.transport.abort()

    @property
    def _awaits_head(self) -> bool:
        is_answered = self.cycle is None or self.cycle.response_complete
        return is_answered and self._writing.is_idle

    @property
    def _awaits_body(self) -> bool:
        """Return whether the client is to send more of a body now."""
        cycle = self.cycle
        return (
            cycle is not None
            and not cycle.response_complete
            and cycle.more_body
            and not cycle.waiting_for_100_continue
            and not self.flow.read_paused
        )

    def _begin_body(self) -> None:
        """Look from now on how fast the body comes."""
        self._body_since, self._body_size = time.monotonic(), 0


class WebsocketConnection(WSProtocol):
    """A websocket that is watched. The event server notices by itself who is silent."""

    config: NetworkConfig

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, whose request arrived already."""
        super().connection_made(transport)
        self._since = time.monotonic()
        self._writing = _Writing(transport, self.config.network.transfer_timeout)
        self.config.open_connections.admit(self)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Forget the connection."""
        self.config.open_connections.remove(self)
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Take notice that the client reads."""
        self._writing.resume()
        super().resume_writing()

    def shutdown(self) -> None:
        """Say goodbye and close, as uvicorn does; there is nobody to tell once it is closed."""
        try:
            super().shutdown()
        except LocalProtocolError:  # it would keep the server from stopping the others
            self.transport.close()

    @property
    def address(self) -> str:
        """Return the IP address of the other side."""
        return self.client[0] if self.client else ""

    @property
    def file_number(self) -> int:
        """Return the file descriptor, -1 where there is none."""
        return _file_number(self.transport)

    @property
    def waiting_since(self) -> Optional[float]:
        """Return None: a websocket is at work."""
        return None

    def is_overdue(self) -> bool:
        """Return whether the client takes too long to shake hands or to read."""
        now = time.monotonic()
        late = not self.handshake_complete and (
            now - self._since > self.config.network.header_timeout
        )
        return late or self._writing.is_stalled(now)

    def refuse(self) -> None:
        """Answer that the server is full, and close."""
        self.transport.write(_FULL)
        self.transport.close()

    def abort(self) -> None:
        """Close without waiting for the other side."""
        self.transport.abort()


def _file_number(transport: asyncio.Transport) -> int:
    socket = transport.get_extra_info("socket")
    return -1 if socket is None else int(socket.fileno())
