"""A websocket that reads all available data at once, and masks a message in one step.

The websocket library opens the connection, through proxies and TLS. Its own methods handle frames
byte by byte, which takes most of the time of an event. A session that does not connect imports
neither this module nor the library.
"""

from __future__ import annotations

import collections
import contextlib
import math
import os
import socket
import threading
import time
from typing import Any, Callable, ClassVar, Optional, Union

import websocket

from ftrack_like._transport.sockets import WatchedSocket, watch
from ftrack_like.event.named_hosts import Targets, seconds_left, targets_of
from ftrack_like.wire import frames

__all__ = ["SwiftWebSocket"]

#: The maximum number of bytes in one read.
READ_SIZE = 64 * 1024
#: The number of masks, of four bytes each, that are created together. Each request for random
#: bytes releases the interpreter lock, and getting it back takes longer than everything else.
MASKS_AT_ONCE = 1024
#: The number of bytes of an incomplete message that prove that the server is alive.
PROGRESS_SIZE = 16 * 1024
#: The minimum time limit for sending, in seconds.
SHORTEST_SENDING = 0.05

WEBSOCKET_ERRORS = (websocket.WebSocketException, OSError)


class SwiftWebSocket(websocket.WebSocket):
    """A websocket of the library with faster methods to send and receive.

    The limit of the context applies to its socket while the connection is being opened.
    """

    _is_opening = False
    #: Whether there was a socket since the last attempt to connect.
    _was_open = False
    _socket: Union[socket.socket, WatchedSocket, None] = None

    # The arguments are those of the installed version of the library.
    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        """Initialise as the library does."""
        super().__init__(*arguments, **options)
        #: Messages that were read and not yet returned.
        self.waiting: collections.deque[Union[str, bytes]] = collections.deque()
        #: Grows with each message, and with each large part of a message.
        self.progress: int = 0
        #: The time, of :func:`time.monotonic`, at which a silent server counts as gone. Sending
        #: stops waiting then.
        self.silent_at: float = math.inf
        self._unfinished = 0
        self._frames = frames.FrameReader()
        self._pieces: Optional[bytearray] = None
        self._pieces_opcode = 0
        self._masks = b""
        # A signal handler may send while it interrupts the sending of the main thread.
        self.lock = threading.RLock()  # type: ignore[assignment]
        self._outgoing: collections.deque[bytes] = collections.deque()
        self._is_sending = False

    @property
    def sock(self) -> Any:  # noqa: ANN401  # a watched socket is no subclass of the library's type
        """The socket, None before it is opened and after it is closed."""
        return self._socket

    @sock.setter
    def sock(self, value: Optional[socket.socket]) -> None:
        """Use *value* from now on."""
        self._was_open = value is not None or self._was_open
        self._socket = watch(value) if value is not None and self._is_opening else value

    def connect(self, url: str, **options: Any) -> None:  # noqa: ANN401  # as in the library
        """Open the connection as the library does, within the limit of the context."""
        self._is_opening = True
        try:
            self._connect_to_one(targets_of(url, options, self.gettimeout()))
        finally:
            self._is_opening = False
            if isinstance(self._socket, WatchedSocket):
                self._socket = self._socket.wrapped

    def _connect_to_one(self, targets: Targets) -> None:
        """Connect to the first of *targets* that accepts a connection."""
        failure: Optional[OSError] = None
        for target in targets.targets:
            if target.server_hostname is not None:
                self.sock_opt.sslopt.setdefault("server_hostname", target.server_hostname)
            timeout = seconds_left(self.gettimeout())
            self._was_open = False
            try:
                super().connect(target.url, **{**target.options, "timeout": timeout})  # type: ignore[no-untyped-call]
            except OSError as error:
                if self._was_open:
                    raise
                failure = error
            else:
                return
        targets.forget()
        if failure is not None:
            raise failure
        raise websocket.WebSocketAddressException("The host has no address.")

    def send(self, payload: Union[str, bytes], opcode: int = frames.TEXT) -> int:
        """Send *payload* as one message, and return the number of bytes sent.

        Threads may send at the same time. Raise `OSError` or a `WebSocketException` if the
        connection is broken.
        """
        data = payload.encode("utf-8") if isinstance(payload, str) else bytes(payload)
        with self.lock:
            frame = frames.encode_frame(opcode, data, self._next_mask())
            self._outgoing.append(frame)
            if not self._is_sending:  # Otherwise a signal handler interrupts a frame.
                self._send_outgoing()
        return len(frame)

    def _send_outgoing(self) -> None:
        """Send the frames that wait, one after the other."""
        self._is_sending = True
        try:
            while self._outgoing:
                rest = memoryview(self._outgoing.popleft())
                while rest:
                    rest = rest[self._send_some(rest) :]
        finally:
            self._outgoing.clear()
            self._is_sending = False

    def _send_some(self, data: memoryview) -> int:
        """Send the start of *data*, and return the number of bytes sent."""
        sock = self._open_socket()
        left = self.silent_at - time.monotonic()
        usual: Optional[float] = self.gettimeout()
        if usual is None or left >= usual:
            return sock.send(data)
        sock.settimeout(max(left, SHORTEST_SENDING))
        try:
            return sock.send(data)
        finally:
            with contextlib.suppress(OSError):  # another thread closed the socket
                sock.settimeout(usual)

    def recv(self) -> Union[str, bytes]:
        """Return the next message.

        Return an empty message if none is complete yet, and at the end of the connection;
        `connected` is false then. Raise `OSError` or a `WebSocketException` if the connection is
        broken.
        """
        with self.readlock:
            if not self.waiting:
                self._read()
            return self.waiting.popleft() if self.waiting else ""

    def _open_socket(self) -> Union[socket.socket, WatchedSocket]:
        sock = self._socket
        if sock is None:
            raise websocket.WebSocketConnectionClosedException("The websocket is closed.")
        return sock

    def _next_mask(self) -> bytes:
        if not self._masks:
            self._masks = os.urandom(4 * MASKS_AT_ONCE)
        mask, self._masks = self._masks[:4], self._masks[4:]
        return mask

    def _read(self) -> None:
        """Read once, and queue the messages that are complete."""
        try:
            data = self._open_socket().recv(READ_SIZE)
        except socket.timeout:  # a part of a TLS record; the rest will follow
            return
        if not data:
            self.connected = False
            raise websocket.WebSocketConnectionClosedException("The server hung up.")
        self._unfinished += len(data)
        if self._unfinished >= PROGRESS_SIZE:
            self._note_progress()
        try:
            for frame in self._frames.read(data):
                self._handlers[frame.opcode](self, frame)
        except frames.FrameError as error:
            raise websocket.WebSocketProtocolException(str(error)) from error

    def _note_progress(self) -> None:
        self.progress += 1
        self._unfinished = 0

    def _on_data(self, frame: frames.Frame) -> None:
        if self._pieces is not None:
            raise frames.FrameError("a message began within another one")
        if frame.final:
            self._add(frame.opcode, frame.payload)
        else:
            self._pieces, self._pieces_opcode = bytearray(frame.payload), frame.opcode

    def _on_continuation(self, frame: frames.Frame) -> None:
        if self._pieces is None:
            raise frames.FrameError("a message went on that never began")
        self._pieces += frame.payload
        if len(self._pieces) > frames.MAXIMUM_LENGTH:
            raise frames.FrameError("a message is too long")
        if frame.final:
            self._add(self._pieces_opcode, bytes(self._pieces))
            self._pieces = None

    def _add(self, opcode: int, payload: bytes) -> None:
        message: Union[str, bytes] = payload
        if opcode == frames.TEXT:
            try:
                message = payload.decode("utf-8")
            except UnicodeDecodeError:  # the bytes are passed on, and ignored there
                pass
        self.waiting.append(message)
        self._note_progress()

    def _on_close(self, frame: frames.Frame) -> None:
        self.waiting.append("")
        self._note_progress()
        with contextlib.suppress(*WEBSOCKET_ERRORS):
            self.send_close()

    def _on_ping(self, frame: frames.Frame) -> None:
        self._note_progress()
        # If this fails, reading fails soon too, after the messages that arrived before.
        with contextlib.suppress(*WEBSOCKET_ERRORS):
            self.pong(frame.payload)

    def _on_pong(self, frame: frames.Frame) -> None:
        """Ignore the payload: Socket.IO has separate heartbeats."""
        self._note_progress()

    _handlers: ClassVar[dict[int, Callable[[SwiftWebSocket, frames.Frame], None]]] = {
        frames.CONTINUATION: _on_continuation,
        frames.TEXT: _on_data,
        frames.BINARY: _on_data,
        frames.CLOSE: _on_close,
        frames.PING: _on_ping,
        frames.PONG: _on_pong,
    }
