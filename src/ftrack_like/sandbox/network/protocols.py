"""uvicorn's connections with additional time limits.

uvicorn limits how long a connection idles between two requests. It does not limit how long a client
takes to send its first request, to send the rest of a request, or to read an answer.
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

#: The minimum average speed of a body while the server waits for it, in bytes per second.
_SLOWEST_BODY = 256

#: Seconds without data after which an unfinished body may make room for another connection.
_PAUSE = 5.0

#: How large the headers of a request may be, in bytes.
_HEADER_BYTES = 16 * 1024

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 57\r\n\r\n"
    b"Too many connections are open. Close some, or wait a bit."
)

_BAD = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s"
)


class NetworkConfig(uvicorn.Config):
    """uvicorn's settings, with the additional settings of *network*."""

    def __init__(
        self, app: Any, network: Network, connections: Connections, **options: Any
    ) -> None:
        super().__init__(
            app,
            http=HttpConnection,
            ws=WebsocketConnection,
            timeout_keep_alive=cast(int, network.idle_timeout),  # uvicorn accepts any number
            # The server refuses further connections before they send a request; this counts only
            # requests.
            limit_concurrency=network.connections + 1,
            proxy_headers=bool(network.trusted_proxies),
            forwarded_allow_ips=list(network.trusted_proxies),
            # A compressed message may expand to a thousand times its size.
            ws_per_message_deflate=False,
            **options,
        )
        self.network = network
        self.open_connections = connections


class _Writing:
    """Checks whether the client reads the data that the server sends."""

    def __init__(self, transport: asyncio.Transport, patience: float) -> None:
        self._transport = transport
        self._patience = patience
        self._left = 0
        self._since = 0.0
        self._resumed = False

    def resume(self) -> None:
        """Note that the client has read enough for the server to send more."""
        self._resumed = True

    @property
    def is_idle(self) -> bool:
        """Return whether no sent data wait for the client."""
        return not self._transport.get_write_buffer_size()

    def stalled_since(self, now: float) -> float:
        """Return the time since which waiting data were not read, *now* if none are waiting."""
        left = self._transport.get_write_buffer_size()
        if not left or left != self._left or self._resumed:
            self._left, self._since, self._resumed = left, now, False
        return self._since

    def is_stalled(self, now: float) -> bool:
        """Return whether the client has not read for too long."""
        return now - self.stalled_since(now) > self._patience


class _Watched(asyncio.Protocol):
    """The part of a connection that the limits use, for both protocols.

    A subclass names it before a protocol of uvicorn, which sets the attributes declared here.
    """

    transport: asyncio.Transport
    client: Optional[tuple[str, int]]
    _writing: _Writing

    def resume_writing(self) -> None:
        """Note that the client has read data."""
        self._writing.resume()
        super().resume_writing()

    @property
    def address(self) -> str:
        """Return the IP address of the other side."""
        return self.client[0] if self.client else ""

    @property
    def file_number(self) -> int:
        """Return the file descriptor, -1 if there is none."""
        socket = self.transport.get_extra_info("socket")
        return -1 if socket is None else int(socket.fileno())

    def refuse(self) -> None:
        """Answer that the server is full, and close."""
        self.transport.write(_FULL)
        self.transport.close()

    def hang_up(self) -> None:
        """Close after the data that were sent."""
        self.transport.close()

    def abort(self) -> None:
        """Close without waiting for the other side."""
        self.transport.abort()


class _Requests(h11.Connection):
    """The requests of a connection; *problem* says why one was refused."""

    problem: str = ""

    def next_event(self) -> Any:
        """Return the next event; raise :exc:`h11.RemoteProtocolError` for a refused request."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.problem = _problem_of(event)
            if self.problem:
                raise h11.RemoteProtocolError(self.problem)
        return event


def _problem_of(request: h11.Request) -> str:
    """Return why *request* is refused, an empty text if it is not."""
    # Headers that come in one piece are complete before h11 looks at their size.
    size = len(request.target) + sum(len(name) + len(value) for name, value in request.headers)
    if size > _HEADER_BYTES:
        return f"The headers of the request are larger than {_HEADER_BYTES} bytes."
    names = {name for name, _ in request.headers}
    if {b"content-length", b"transfer-encoding"} <= names:
        # A proxy that believes the other header sees other requests than the server does.
        return "A request has either Content-Length or Transfer-Encoding, not both."
    return ""


class HttpConnection(_Watched, H11Protocol):
    """An HTTP connection with time limits."""

    config: NetworkConfig

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Initialise as uvicorn does, but for the requests that are refused."""
        super().__init__(*arguments, **options)
        self._requests = _Requests(h11.SERVER, _HEADER_BYTES)
        self.conn: h11.Connection = self._requests

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, or refuse it."""
        super().connection_made(transport)
        self._head_since = self._body_since = self._heard = time.monotonic()
        self._is_idle = False
        self._body_size = 0
        self._writing = _Writing(transport, self.config.network.transfer_timeout)
        self.config.open_connections.admit(self)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Remove the connection."""
        self.config.open_connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note that the client has sent data."""
        self._heard = time.monotonic()
        self._body_size += len(data)
        if self._is_idle:
            self._is_idle, self._head_since = False, self._heard
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
        if self.cycle is not cycle:  # the client has sent the next request already
            self._begin_body()
        else:
            self._is_idle = not self._requests.trailing_data[0]

    def send_400_response(self, msg: str) -> None:
        """Answer that the request is refused, and close; h11 would not, for some methods."""
        text = (self._requests.problem or msg).encode("utf-8")
        self.transport.write(_BAD % (len(text), text))
        self.transport.close()

    # The methods of Watched

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
        """Return the time since which the server waits for the client, None while it is busy."""
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
            network = self.config.network
            patience = network.idle_timeout if self._is_idle else network.header_timeout
            return now - self._head_since > patience
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

    def hang_up(self) -> None:
        """Close after the data that were sent."""
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
        """Return whether the client has to send more of a body now."""
        cycle = self.cycle
        return (
            cycle is not None
            and not cycle.response_complete
            and cycle.more_body
            and not cycle.waiting_for_100_continue
            and not self.flow.read_paused
        )

    def _begin_body(self) -> None:
        """Start to measure the speed of a body."""
        self._body_since, self._body_size = time.monotonic(), 0


class WebsocketConnection(_Watched, WSProtocol):
    """A websocket with time limits. The event server detects silent clients itself."""

    config: NetworkConfig

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection; its request has already arrived."""
        super().connection_made(transport)
        self._since = time.monotonic()
        self._writing = _Writing(transport, self.config.network.transfer_timeout)
        self.config.open_connections.admit(self)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Remove the connection."""
        self.config.open_connections.remove(self)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Send the close message and close, as uvicorn does; ignore a closed websocket."""
        try:
            super().shutdown()
        except LocalProtocolError:  # the error would keep the server from stopping the others
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
        """Return None: a websocket always counts as busy."""
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

    def hang_up(self) -> None:
        """Close after the data that were sent."""
        self.transport.close()

    def abort(self) -> None:
        """Close without waiting for the other side."""
        self.transport.abort()


def _file_number(transport: asyncio.Transport) -> int:
    socket = transport.get_extra_info("socket")
    return -1 if socket is None else int(socket.fileno())
