"""A *flight*: a request that writes, from its first byte to the beginning of its answer.

A flight solves this problem: a user presses Ctrl-C, or a time limit sends a signal, during a
commit. Python runs the signal handler on the main thread, between any two instructions and inside
waits for a socket. If the handler raises an exception, urllib3 closes the connection. Then the
client cannot know whether the server is still working on the request: the outcome of the batch is
in doubt, and the server may apply it later.

A flight keeps the connection open after such an exception. The next call of the session waits for
the beginning of the answer. A server that has begun to answer has finished its work on the request.

The exception may arrive after the operating system has sent or received bytes, and before Python
knows how many. So the state of a flight must be correct at every instruction:

- *Receiving*: the first bytes of the answer go directly into a buffer of the flight that was zero
  before. A first byte other than zero shows that the answer has begun.
- *Sending*: the flight passes a limited number of bytes at a time to the operating system, and then
  records their number. After an exception, the last of these portions may have been sent fully,
  partly, or not at all. If the request may be complete with this portion, the flight sends line
  breaks, as many bytes as may be missing. A server that still waits for bytes
  then reads a body that is not JSON and rejects it. A server that has the whole request ignores
  line breaks before the next request (RFC 9112, section 2.2).
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import threading
from collections.abc import Iterable
from contextvars import ContextVar, copy_context
from typing import Any, Callable, Optional, Protocol

import urllib3

from ftrack_like._transport.interruption import interruption, raise_interruption

__all__ = ["CURRENT_FLIGHT", "MOST_BYTES_PER_SEND", "Flight", "Piece", "RunningRequests"]

#: The most bytes to pass to a socket at a time during a flight.
MOST_BYTES_PER_SEND = 64 * 1024

#: The first read of an answer reads at most this many bytes.
_FIRST_READ = 4096

_LENGTH = rb"(?i)\r\ncontent-length: *(\d+)"

_END_OF_HEAD = b"\r\n\r\n"

#: At most this many interrupted requests of a session keep their connections open.
_MOST_INTERRUPTED = 8

#: The errors of a broken connection. A signal handler may raise the same types, for example
#: ``TimeoutError``.
_FAULTS = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)


class Connection(Protocol):
    """The socket of a flight."""

    def recv_into(self, buffer: bytearray, count: int) -> int:
        """Read up to *count* bytes into *buffer* and return their number."""

    def sendall(self, data: bytes) -> None:
        """Send all *data*."""

    def abort(self) -> None:
        """Raise an error in the thread that waits for the socket."""

    def land(self) -> None:
        """End the flight; close the socket if :meth:`close` was called during the flight."""

    def close(self) -> None:
        """Close the socket; during a flight, at the end of the flight."""


class Piece:
    """A part of a request: *data*, of which at least the first *sent* bytes have been sent."""

    __slots__ = ("data", "sent")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sent = 0


class Flight:
    """One request that writes. One thread uses it at a time, except :meth:`give_up`."""

    def __init__(self) -> None:
        #: The thread that sends the request.
        self.thread = threading.get_ident()
        self.process = os.getpid()
        #: Whether an exception interrupted the request, so that no thread waits for the answer.
        self.is_interrupted = False
        self._is_settling = False
        self._connection: Optional[Connection] = None
        self._pieces: list[Piece] = []
        self._buffer = bytearray(1)
        self._has_read = False

    @property
    def is_answered(self) -> bool:
        """Whether the answer has begun."""
        return self._has_read or self._buffer[0] != 0

    def holds(self, connection: Connection) -> bool:
        """Return whether the flight uses *connection*: something was sent, and nothing released."""
        return connection is self._connection

    def begin(self, connection: Connection, data: bytes) -> Piece:
        """Return a piece for *data*, which is about to be sent on *connection*.

        One flight can send several requests, and only the last one counts. A CONNECT request to a
        proxy, or a request without the right credentials, may have been answered before.
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
        """Read the beginning of the answer into *target* and return the number of bytes."""
        assert self._connection is not None
        count = self._connection.recv_into(self._buffer, min(len(target), _FIRST_READ))
        target[:count] = memoryview(self._buffer)[:count]
        self._has_read = count > 0
        return count

    def end(self) -> None:
        """Release the connection."""
        connection, self._connection = self._connection, None
        self._pieces = []
        if connection is not None:
            connection.land()

    def cut(self) -> None:
        """Release the connection and close it."""
        connection = self._connection
        if connection is not None:
            connection.close()
        self.end()

    def give_up(self) -> None:
        """Release the connection and close it; end :meth:`settle` on another thread.

        That thread then closes the connection itself. If this thread closed it, the other thread
        might wait on, or read from a new connection with the same file number. In a forked
        process there is no such thread, and an abort would break the connection of the parent.
        """
        connection = self._connection
        is_shared = self._is_settling and self.process == os.getpid()
        if is_shared and connection is not None:
            connection.abort()
        else:
            self.cut()

    def settle(self) -> None:
        """Wait until the server answers the interrupted request or the connection breaks.

        An exception of a signal handler ends the wait; then the method may be called again.
        """
        self._is_settling = True
        try:
            self._settle()
        finally:
            self._is_settling = False
        self.cut()

    def _settle(self) -> None:
        """Wait, as :meth:`settle` says; leave the connection open."""
        missing = self._missing()
        if self._connection is not None and missing is not None and not self.is_answered:
            try:
                self._wait(self._connection, missing)
            except OSError as error:  # A time-out or a broken connection, or a signal handler.
                raise_interruption(error)

    def _wait(self, connection: Connection, missing: int) -> None:
        """Wait for the answer. Up to *missing* bytes of the request may not have been sent."""
        if missing:
            connection.sendall((b"\r\n" * missing)[:missing])
        while not self.is_answered:
            if not connection.recv_into(self._buffer, _FIRST_READ):
                break

    def _missing(self) -> Optional[int]:
        """Return how many bytes of the request may be missing; None if some surely are.

        If bytes are surely missing, the server never has the whole request, so it cannot apply it.
        """
        if not self._pieces:
            return None
        head, *rest = self._pieces
        begin, _, body = bytes(head.data).partition(_END_OF_HEAD)
        length = re.search(_LENGTH, begin)
        if length is None:
            return 0  # The number is unknown, so the flight only waits.
        if head.sent < len(head.data) or not (rest or body):
            return None
        sent = len(body) + sum(piece.sent for piece in rest)
        missing = max(0, int(length[1]) - sent)
        # Only the last portion is uncertain, and no portion is longer than this.
        return missing if missing <= MOST_BYTES_PER_SEND else None


#: The flight of the current request; None for a request that only reads.
CURRENT_FLIGHT: ContextVar[Optional[Flight]] = ContextVar("CURRENT_FLIGHT", default=None)


class RunningRequests:
    """The flights of a session. Threads may share it."""

    def __init__(self) -> None:
        self._flights: list[Flight] = []
        #: The number of flights so far. If a call leaves it unchanged, the call sent nothing.
        self.begun = 0

    def run(self, send: Callable[[], Any]) -> Any:
        """Call *send*, which sends one request, and return its response.

        If an exception of a signal handler interrupts *send*, :meth:`wait` can wait for the answer.
        """
        self.begun += 1
        flight = Flight()
        self._flights.append(flight)
        # The variable is set only in a copy of the context. Setting it here and resetting it in a
        # "finally" would be simpler, but a signal handler could interrupt the "finally".
        context = copy_context()
        context.run(CURRENT_FLIGHT.set, flight)
        try:
            response = context.run(send)
        except _FAULTS as error:
            flight.is_interrupted = interruption(error) is not None
            if not flight.is_interrupted:
                self._remove(flight)
            raise
        except BaseException:
            flight.is_interrupted = True
            self._bound()
            raise
        self._remove(flight)
        return response

    def _remove(self, flight: Flight) -> None:
        """End *flight* and remove it."""
        flight.end()
        self._drop(flight)

    def _drop(self, flight: Flight) -> None:
        """Remove *flight*, unless another thread has removed it."""
        with contextlib.suppress(ValueError):
            self._flights.remove(flight)

    def _give_up(self, flights: Iterable[Flight]) -> None:
        """Close the connections of *flights* and remove them."""
        for flight in flights:
            flight.give_up()
            self._drop(flight)

    def _bound(self) -> None:
        """Give up the oldest interrupted requests beyond :data:`_MOST_INTERRUPTED`."""
        self._give_up([each for each in self._flights if each.is_interrupted][:-_MOST_INTERRUPTED])

    def wait(self) -> None:
        """Wait until the server has answered the interrupted requests.

        An exception of a signal handler ends the wait; then the method may be called again.
        """
        # The calling thread is not inside a request. So each flight that it began was interrupted,
        # even if the exception came before ``is_interrupted`` was set.
        thread = threading.get_ident()
        for flight in list(self._flights):
            if flight.process != os.getpid():
                self._give_up([flight])
            elif flight.is_interrupted or flight.thread == thread:
                flight.settle()
                self._drop(flight)

    def forget(self) -> None:
        """Close the connections of the interrupted requests, without waiting."""
        self._give_up([each for each in self._flights if each.is_interrupted])
