"""Sockets that observe the limit of a request, and connection pools of urllib3 that use them.

urllib3 gives each socket one time-out for each wait. It has no limit for a whole request, and no
way to wake a thread that waits for a socket. So the pools of this module wrap each new socket in a
:class:`WatchedSocket`. Before each wait it sets the time-out of the real socket to the rest of the
limit, and another thread may abort it. The limit, the flight and the registry of connections reach
the socket through context variables, because urllib3 and requests pass no such arguments through.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import http.client
import io
import math
import queue
import socket
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Optional

import urllib3

from ftrack_like._transport.cancellation import Cancellation, hold
from ftrack_like._transport.flight import CURRENT_FLIGHT, MOST_BYTES_PER_SEND, Flight
from ftrack_like._transport.limits import CURRENT_LIMIT, Limit, OpenConnections, VariableSetting
from ftrack_like._transport.names import SlowNameError, forget_addresses, look_up, needs_lookup

__all__ = ["CURRENT_CONNECTIONS", "Shelf", "WatchedSocket", "registering", "watch", "watching"]

#: The registry for connections that are opened in this context.
CURRENT_CONNECTIONS: ContextVar[Optional[OpenConnections]] = ContextVar(
    "CURRENT_CONNECTIONS", default=None
)

#: The most bytes to read from the network at a time.
_READ_SIZE = 16 * 1024

#: A thread that waits for an idle connection checks the pool again after this many seconds.
_SHELF_TICK = 0.005


class WatchedSocket:
    """A socket whose waits end at the *limit* of the current request.

    It wraps *sock*, plain or TLS, and forwards all other attributes. Setting the time-out before
    each wait costs less than a thread that watches the socket, and needs no clean-up. During a
    *flight*, closing the socket is postponed to the end of the flight. A request that only reads
    has no flight.
    """

    __slots__ = (
        "__weakref__",
        "_idle",
        "_is_closing",
        "_sock",
        "_wait",
        "cancellation",
        "flight",
        "limit",
    )

    def __init__(
        self, sock: socket.socket, limit: Optional[Limit], flight: Optional[Flight] = None
    ) -> None:
        """Initialise for *sock*; *limit* and *flight* may be replaced for each request."""
        self._sock = sock
        #: The longest wait in seconds: as the user of this socket set it, and as it is currently
        #: set on the wrapped socket.
        self._idle = self._wait = sock.gettimeout()
        self._is_closing = False
        self.limit = limit
        self.flight = flight
        #: The work that waits for this socket, if it can be cancelled.
        self.cancellation: Optional[Cancellation] = None

    def __getattr__(self, name: str) -> Any:
        """Return the attribute *name* of the wrapped socket."""
        return getattr(self._sock, name)

    @property
    def wrapped(self) -> socket.socket:
        """The wrapped socket, with the time-out that was set on this socket."""
        self.settimeout(self._idle)
        return self._sock

    def settimeout(self, value: Optional[float]) -> None:
        """Limit each wait to *value* seconds; None means no limit."""
        self._idle = value
        if value != self._wait:
            self._sock.settimeout(value)
            self._wait = value

    def gettimeout(self) -> Optional[float]:
        """Return the limit of each wait in seconds; None means no limit."""
        return self._idle

    def recv(self, *arguments: Any) -> bytes:
        """Receive bytes, as a socket does; raise :exc:`socket.timeout` at the limit."""
        received: bytes = self._within(self._sock.recv, *arguments)
        return received

    def recv_into(self, *arguments: Any) -> int:
        """Read into a buffer, as a socket does; raise :exc:`socket.timeout` at the limit."""
        count: int = self._within(self._sock.recv_into, *arguments)
        return count

    def send(self, *arguments: Any) -> int:
        """Send a part of the data, as a socket does; raise :exc:`socket.timeout` at the limit."""
        count: int = self._within(self._sock.send, *arguments)
        return count

    def fileno(self) -> int:
        """Return the file descriptor of the socket."""
        return self._sock.fileno()

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all *data*; raise :exc:`socket.timeout` at the limit."""
        if self.flight is not None:
            self._send_in_flight(self.flight, data)
            return
        sent = self.send(data) if isinstance(data, bytes) else 0
        if sent == len(data):
            return
        with memoryview(data) as view, view.cast("B") as rest:
            while sent < len(rest):
                sent += self.send(rest[sent:])

    def _send_in_flight(self, flight: Flight, data: Any) -> None:
        """Send all *data*, a part of the request of *flight*, and record the sent bytes."""
        piece = flight.begin(self, data)
        if isinstance(data, bytes) and len(data) <= MOST_BYTES_PER_SEND:
            piece.sent = self.send(data)
            if piece.sent == len(data):
                return
        with memoryview(data) as view, view.cast("B") as rest:
            while piece.sent < len(rest):
                piece.sent += self.send(rest[piece.sent : piece.sent + MOST_BYTES_PER_SEND])

    def close(self) -> None:
        """Close the socket; during a flight, at the end of the flight."""
        if self.flight is not None and self.flight.holds(self):
            self._is_closing = True
        else:
            self._sock.close()

    def land(self) -> None:
        """End the flight; close the socket if :meth:`close` was called during the flight."""
        self.flight = None
        if self._is_closing:
            self._sock.close()

    def makefile(self, *arguments: Any, **options: Any) -> io.BufferedReader:
        """Return a file to read from, as responses do."""
        return io.BufferedReader(_Reader(self, self._sock.makefile("rb", 0)), _READ_SIZE)

    def abort(self) -> None:
        """Raise an error in the thread that waits for the socket."""
        with contextlib.suppress(OSError, TypeError):
            # Not the method of a TLS socket: it would discard the TLS state that another thread
            # is using.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def _within(self, action: Callable[..., Any], *arguments: Any) -> Any:
        """Call *action*, a read or write; raise :exc:`socket.timeout` at the limit."""
        limit = self.limit
        if limit is None:
            self.settimeout(self._idle)
            return action(*arguments)
        left = limit.left()
        if left <= 0:
            raise socket.timeout(limit.explain())
        is_shorter = self._idle is None or left < self._idle
        wait = left if is_shorter else self._idle
        if wait != self._wait:  # Usually equal; setting it costs a system call.
            self._sock.settimeout(wait)
            self._wait = wait
        try:
            result = action(*arguments)
        except socket.timeout as error:
            limit.moved(0)
            if is_shorter:
                raise socket.timeout(limit.explain()) from error
            raise
        limit.moved(len(result) if isinstance(result, bytes) else result or 0)
        return result


def watch(sock: socket.socket) -> WatchedSocket:
    """Return *sock* wrapped with the limit, flight and registry of the current context."""
    watched = WatchedSocket(sock, CURRENT_LIMIT.get(), CURRENT_FLIGHT.get())
    connections = CURRENT_CONNECTIONS.get()
    if connections is not None:
        connections.add(watched)
    hold(watched, watched.flight is None)
    return watched


def registering(
    connections: Optional[OpenConnections],
) -> VariableSetting[Optional[OpenConnections]]:
    """Return a context manager that registers connections opened inside it."""
    return VariableSetting(CURRENT_CONNECTIONS, connections)


class _Reader(io.RawIOBase):
    """The raw file below a response."""

    def __init__(self, sock: WatchedSocket, raw: Any) -> None:
        """Initialise to read from *sock*; *raw* is the raw file of the wrapped socket."""
        super().__init__()
        self._sock = sock
        self._raw = raw

    def readable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor of the socket."""
        number: int = self._raw.fileno()
        return number

    def readinto(self, buffer: Any) -> Optional[int]:
        """Read into *buffer* and return the number of bytes."""
        flight = self._sock.flight
        if flight is None or flight.is_answered:
            return self._sock.recv_into(buffer)
        return flight.read_into(buffer)

    def close(self) -> None:
        """Release the socket."""
        if not self.closed:
            self._raw.close()
        super().close()


#: The errors of urllib3 when it cannot connect.
_CONNECTING = (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError)


def _unresolved(connection: Any, host: str, why: object) -> Exception:
    """Return the error of urllib3 for a *connection* that cannot resolve *host*."""
    return urllib3.exceptions.NewConnectionError(connection, f"Failed to resolve {host!r} ({why})")


class _WatchedConnection:
    """A mixin for the connections of urllib3: their sockets observe the limit."""

    sock: Any
    timeout: Any
    port: Any
    _dns_host: str

    def _new_conn(self) -> Any:
        """Return a watched socket, connected within the limit."""
        host = self._dns_host
        self._shorten_timeout()
        # With a SOCKS proxy, the proxy may resolve names.
        is_bounded = isinstance(self.timeout, (int, float)) and not hasattr(self, "_socks_options")
        if not is_bounded or not needs_lookup(host):
            return watch(super()._new_conn())  # type: ignore[misc]
        failure: Optional[Exception] = None
        for address in self._addresses(host):
            self._shorten_timeout()
            self._dns_host = address
            try:
                return watch(super()._new_conn())  # type: ignore[misc]
            except _CONNECTING as error:
                failure = error
            finally:
                self._dns_host = host
        forget_addresses(host, self.port)
        raise failure or _unresolved(self, host, "it has no address")

    def _shorten_timeout(self) -> None:
        """Limit the time to connect to the rest of the limit."""
        limit = CURRENT_LIMIT.get()
        if limit is not None:
            left = max(limit.left(), 0.001)
            if not isinstance(self.timeout, (int, float)) or self.timeout > left:
                self.timeout = left

    def _addresses(self, host: str) -> list[str]:
        """Return the addresses of *host*, looked up within the time-out."""
        try:
            return look_up(host, self.port, self.timeout)
        except SlowNameError as error:
            raise urllib3.exceptions.ConnectTimeoutError(self, str(error)) from error
        except socket.gaierror as error:
            raise _unresolved(self, host, error) from error
        except UnicodeError:
            return [host]  # urllib3 raises an error that explains why the host is invalid.

    def connect(self) -> Any:
        """Connect, through a proxy and TLS where needed, and watch the socket."""
        result = super().connect()  # type: ignore[misc]
        if self.sock is not None and not isinstance(self.sock, WatchedSocket):
            self.sock = watch(self.sock)
        return result

    def putrequest(self, *arguments: Any, **options: Any) -> Any:
        """Begin a request; on a reused connection, set the limit and flight of this request."""
        if isinstance(self.sock, WatchedSocket):
            self.sock.limit = CURRENT_LIMIT.get()
            self.sock.flight = CURRENT_FLIGHT.get()
            hold(self.sock, self.sock.flight is None)
        return super().putrequest(*arguments, **options)  # type: ignore[misc]


@functools.cache
def _watched_connection(kind: Any) -> Any:
    """Return a subclass of the connection class *kind* that watches its socket.

    Tools that record requests in tests may use other classes; those are returned unchanged.
    """
    if not (isinstance(kind, type) and issubclass(kind, http.client.HTTPConnection)):
        return kind
    # urllib3 shows the class name in errors.
    return type(kind.__name__, (_WatchedConnection, kind), {})


class Shelf:
    """At most *maxsize* idle connections, a stack with the methods of a queue.

    The queues of Python use a lock in Python code. An exception of a signal handler there could
    leave the lock acquired, and then each later request would wait forever. The methods of a deque
    are atomic and need no lock.
    """

    def __init__(self, maxsize: int = 0) -> None:
        self._maxsize = maxsize
        self._items: collections.deque[Any] = collections.deque()

    def put(self, item: Any, block: bool = True, timeout: Optional[float] = None) -> None:
        """Put *item* on top; raise :exc:`queue.Full` at once if there is no room."""
        if 0 < self._maxsize <= len(self._items):
            raise queue.Full
        self._items.append(item)

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        """Remove and return the top item.

        Raise :exc:`queue.Empty` if there is none; with *block*, only after *timeout* seconds.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return self._items.pop()
            except IndexError:
                if not block or time.monotonic() >= end:
                    raise queue.Empty from None
            time.sleep(_SHELF_TICK)

    def qsize(self) -> int:
        """Return the number of items."""
        return len(self._items)


@functools.cache
def _watching_pool(kind: Any) -> Any:
    """Return a subclass of the pool class *kind* whose connections watch their sockets."""

    def connection_class(self: Any) -> Any:
        """Return the class of connections. It is read at each use, since it may be replaced."""
        return _watched_connection(kind.ConnectionCls)

    names = {"ConnectionCls": property(connection_class), "QueueCls": Shelf}
    return type(kind.__name__, (kind,), names)


def watching(manager: Any) -> Any:
    """Change *manager*, a pool manager, so that new connections watch their sockets; return it."""
    classes: Mapping[str, Any] = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {
        scheme: _watching_pool(kind) for scheme, kind in classes.items()
    }
    return manager
