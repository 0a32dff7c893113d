"""A websocket that reads whatever has arrived at once, and masks a message in one step.

The websocket library opens the connection, through proxies and TLS; from then on it would spend
most of the time of an event on single bytes. Only who connects imports this module, and with it
the library.
"""

from __future__ import annotations

import collections
import contextlib
import math
import os
import socket
import time
from typing import Any, Callable, Optional, Union

import websocket

from ftrack_like.wire import frames

__all__ = ["SwiftWebSocket"]

#: How many bytes are read at once, at most.
READ_SIZE = 64 * 1024
#: How many masks are made at once, of four bytes each: asking for randomness lets other threads
#: run, and waiting for them to be done takes longer than all the rest.
MASKS_AT_ONCE = 1024
#: How many bytes of a message that is not complete say that the server is alive.
PROGRESS_SIZE = 16 * 1024
#: How long sending may take at least, in seconds.
SHORTEST_SENDING = 0.05

FAULTS = (websocket.WebSocketException, OSError)


class SwiftWebSocket(websocket.WebSocket):
    """A websocket of the library with its own way to send and to receive."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Initialise as the library does."""
        super().__init__(*arguments, **options)
        #: Messages that were read and not yet asked for.
        self.waiting: collections.deque[Union[str, bytes]] = collections.deque()
        #: Grows whenever the server shows that it is alive: by a message, or a good part of one.
        self.progress = 0
        #: When the server counts as gone unless it shows life, as :func:`time.monotonic` counts;
        #: sending waits no longer.
        self.silent_at = math.inf
        self._unfinished = 0
        self._frames = frames.FrameReader()
        self._pieces: Optional[bytearray] = None
        self._pieces_opcode = 0
        self._masks = b""

    def send(self, payload: Union[str, bytes], opcode: int = frames.TEXT) -> int:
        """Send *payload* as one message, and return how many bytes that took.

        Threads may send at the same time. Raise `OSError` or a `WebSocketException` if the
        connection is broken.
        """
        data = payload.encode("utf-8") if isinstance(payload, str) else bytes(payload)
        with self.lock:
            rest = memoryview(frames.encode_frame(opcode, data, self._next_mask()))
            length = len(rest)
            while rest:
                rest = rest[self._send_some(rest) :]
        return length

    def _send_some(self, data: memoryview) -> int:
        """Send the begin of *data*, and return how many bytes that took."""
        sock = self._open_socket()
        left = self.silent_at - time.monotonic()
        usual: Optional[float] = self.gettimeout()
        if usual is None or left >= usual:
            return sock.send(data)
        sock.settimeout(max(left, SHORTEST_SENDING))
        try:
            return sock.send(data)
        finally:
            with contextlib.suppress(OSError):  # closed meanwhile
                sock.settimeout(usual)

    def recv(self) -> Union[str, bytes]:
        """Return the next message.

        It is empty if there is no complete one yet, and at the end of the conversation; then this
        is no longer `connected`. Raise `OSError` or a `WebSocketException` if the connection is
        broken.
        """
        with self.readlock:
            if not self.waiting:
                self._read()
            return self.waiting.popleft() if self.waiting else ""

    def _open_socket(self) -> socket.socket:
        sock: Optional[socket.socket] = self.sock
        if sock is None:
            raise websocket.WebSocketConnectionClosedException("The websocket is closed.")
        return sock

    def _next_mask(self) -> bytes:
        if not self._masks:
            self._masks = os.urandom(4 * MASKS_AT_ONCE)
        mask, self._masks = self._masks[:4], self._masks[4:]
        return mask

    def _read(self) -> None:
        """Read once, and put the messages that are complete by that to the waiting ones."""
        try:
            data = self._open_socket().recv(READ_SIZE)
        except socket.timeout:  # part of what TLS needs; the rest is still to come
            return
        if not data:
            self.connected = False
            raise websocket.WebSocketConnectionClosedException("The server hung up.")
        self._unfinished += len(data)
        if self._unfinished >= PROGRESS_SIZE:
            self._note_progress()
        try:
            for frame in self._frames.read(data):
                _HANDLERS[frame.opcode](self, frame)
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
            except UnicodeDecodeError:  # bytes are a message too: one that means nothing
                pass
        self.waiting.append(message)
        self._note_progress()

    def _on_close(self, frame: frames.Frame) -> None:
        self.waiting.append("")
        self._note_progress()
        with contextlib.suppress(*FAULTS):
            self.send_close()

    def _on_ping(self, frame: frames.Frame) -> None:
        self._note_progress()
        # Where answering fails, reading will soon fail too; what came before is read first.
        with contextlib.suppress(*FAULTS):
            self.pong(frame.payload)

    def _on_pong(self, frame: frames.Frame) -> None:
        """Ignore what it says: the protocol above has heartbeats of its own."""
        self._note_progress()


_HANDLERS: dict[int, Callable[[SwiftWebSocket, frames.Frame], None]] = {
    frames.CONTINUATION: SwiftWebSocket._on_continuation,
    frames.TEXT: SwiftWebSocket._on_data,
    frames.BINARY: SwiftWebSocket._on_data,
    frames.CLOSE: SwiftWebSocket._on_close,
    frames.PING: SwiftWebSocket._on_ping,
    frames.PONG: SwiftWebSocket._on_pong,
}
