"""A request that writes, from its first byte to the begin of its answer.

Python runs signal handlers on the main thread, between any two instructions and inside waits for
a socket. urllib3 closes the connection when a handler raises an exception, and then the client
cannot know whether the server is still working on the request. A flight keeps the connection open
and can wait for the begin of the answer later.

The exception may come after the operating system took or gave bytes and before Python knows how
many. So the state of a flight must be right at each instruction:

- The first bytes of the answer land in a buffer of the flight, which was zeros before.
- The number of bytes sent is written down after each piece. The piece under way may be lost,
  sent in part or sent. If the request may be complete with it, as many line breaks as may be
  missing are sent after it. A server that waits for more reads a body that is no JSON, and refuses
  it. A server that has the whole request ignores line breaks before the next one (RFC 9112, 2.2).
"""

from __future__ import annotations

import http.client
import os
import re
import threading
from collections.abc import Iterable
from contextvars import ContextVar, copy_context
from typing import Any, Callable, Optional, Protocol

import urllib3

from ftrack_like._transport.interruption import interruption, raise_interruption

__all__ = ["CURRENT_FLIGHT", "LONGEST_PIECE", "Flight", "Piece", "RunningRequests"]

#: The most bytes that a socket is given at a time while a flight is under way.
LONGEST_PIECE = 64 * 1024

#: The first read of an answer takes no more bytes than this.
_FIRST_READ = 4096

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

_END_OF_HEAD = b"\r\n\r\n"

#: The most requests that their callers left and that keep their connections.
_MOST_LEFT = 8

#: What a broken connection raises. It may also come from a signal handler.
_FAULTS = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)


class Connection(Protocol):
    """The socket of a flight."""

    def recv_into(self, buffer: bytearray, count: int) -> int:
        """Read up to *count* bytes into *buffer* and return their number."""

    def sendall(self, data: bytes) -> None:
        """Send all *data*."""

    def land(self) -> None:
        """End the flight: close the socket now if that was asked for during the flight."""

    def close(self) -> None:
        """Close the socket; during a flight that waits for its end."""


class Piece:
    """Bytes that a flight gave to a socket, and how many of them are *sent* for certain."""

    __slots__ = ("data", "sent")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sent = 0


class Flight:
    """One request that writes. One thread uses it at a time."""

    def __init__(self) -> None:
        #: The thread that sends the request.
        self.thread = threading.get_ident()
        self.process = os.getpid()
        #: Whether an exception made that thread leave the request.
        self.is_left = False
        #: Whether the answer has begun, the connection is broken or nothing was sent.
        self.is_over = False
        self._connection: Optional[Connection] = None
        self._pieces: list[Piece] = []
        self._buffer = bytearray(1)
        self._has_read = False

    @property
    def is_answered(self) -> bool:
        """Whether the answer has begun."""
        return self._has_read or self._buffer[0] != 0

    def begin(self, connection: Connection, data: bytes) -> Piece:
        """Return a piece for *data*, which is about to be sent on *connection*.

        A proxy may have answered the request for a tunnel before, and a server a request without
        the right credentials. What counts is the last request.
        """
        if connection is not self._connection or self.is_answered:
            self._pieces = []
            self._buffer = bytearray(_FIRST_READ)
            self._has_read = False
            self._connection = connection
        piece = Piece(data)
        self._pieces.append(piece)
        return piece

    def read_into(self, target: memoryview) -> int:
        """Read the begin of the answer into *target* and return the number of bytes."""
        assert self._connection is not None
        count = self._connection.recv_into(self._buffer, min(len(target), _FIRST_READ))
        target[:count] = memoryview(self._buffer)[:count]
        self._has_read = count > 0
        return count

    def end(self) -> None:
        """Let go of the connection."""
        self.is_over = True
        connection, self._connection = self._connection, None
        self._pieces = []
        if connection is not None:
            connection.land()

    def cut(self) -> None:
        """Let go of the connection and close it."""
        connection = self._connection
        if connection is not None:
            connection.close()
        self.end()

    def settle(self) -> None:
        """Wait until the server has answered the request that its thread left, or cannot any more.

        An exception of a signal handler ends the waiting, and it may be called again.
        """
        missing = self._missing()
        if self._connection is not None and missing is not None and not self.is_answered:
            try:
                self._wait(self._connection, missing)
            except OSError as error:  # The time is up or the connection broken.
                raise_interruption(error)
        self.cut()

    def _wait(self, connection: Connection, missing: int) -> None:
        """Wait for the answer to a request of which up to *missing* bytes may not be sent."""
        if missing:
            connection.sendall((b"\r\n" * missing)[:missing])
        while not self.is_answered:
            if not connection.recv_into(self._buffer, _FIRST_READ):
                break

    def _missing(self) -> Optional[int]:
        """Return how many bytes of the request may not be sent; None if some are certainly not."""
        if not self._pieces:
            return None
        head, *rest = self._pieces
        begin, _, body = bytes(head.data).partition(_END_OF_HEAD)
        length = _LENGTH.search(begin)
        if length is None:
            return 0
        if head.sent < len(head.data) or not (rest or body):
            return None
        sent = len(body) + sum(piece.sent for piece in rest)
        missing = max(0, int(length[1]) - sent)
        return missing if missing <= LONGEST_PIECE else None


#: The flight of the request that this context sends; None for a request that only reads.
CURRENT_FLIGHT: ContextVar[Optional[Flight]] = ContextVar("CURRENT_FLIGHT", default=None)


class RunningRequests:
    """The requests of a session that write and are under way. Threads may share it."""

    def __init__(self) -> None:
        self._flights: list[Flight] = []
        #: The number of requests that were begun: a call that left it unchanged sent nothing.
        self.begun = 0

    def run(self, send: Callable[[], Any]) -> Any:
        """Return the response of *send*, which sends one request.

        When an exception of a signal handler ends *send*, :meth:`wait` knows the request.
        """
        self.begun += 1
        flight = Flight()
        self._flights.append(flight)
        # A context of its own ends with *send*, whatever is raised and wherever.
        context = copy_context()
        context.run(CURRENT_FLIGHT.set, flight)
        try:
            response = context.run(send)
        except _FAULTS as error:
            flight.is_left = interruption(error) is not None
            if not flight.is_left:
                self._remove(flight)
            raise
        except BaseException:
            flight.is_left = True
            self._bound()
            raise
        self._remove(flight)
        return response

    def _remove(self, flight: Flight) -> None:
        """Forget *flight*, which is over."""
        flight.end()
        self._flights.remove(flight)

    def _cut(self, flights: Iterable[Flight]) -> None:
        """Close the connections of *flights* and forget them."""
        for flight in flights:
            flight.cut()
            self._flights.remove(flight)

    def _bound(self) -> None:
        """Give up the oldest of too many requests that were left."""
        self._cut([each for each in self._flights if each.is_left][:-_MOST_LEFT])

    def wait(self) -> None:
        """Wait until the server has answered the requests that an exception ended.

        An exception of a signal handler ends the waiting, and it may be called again. A thread
        that waits is not inside a request, so an exception ended all those that it sent.
        """
        thread = threading.get_ident()
        for flight in list(self._flights):
            if flight.process != os.getpid():
                self._cut([flight])
            elif flight.is_left or flight.thread == thread:
                flight.settle()
                self._flights.remove(flight)

    def forget(self) -> None:
        """Close the connections of the requests that an exception ended."""
        self._cut([each for each in self._flights if each.is_left])
