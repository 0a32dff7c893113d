"""Websocket frames as bytes (RFC 6455): a client encodes its frames and reads the server's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "MAXIMUM_LENGTH",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "FrameError",
    "FrameReader",
    "encode_frame",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
OPCODES = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
#: The maximum length of a message, in bytes. A broken length must not block a reader for ever.
MAXIMUM_LENGTH = 256 * 1024 * 1024

_FINAL = _MASKED = 0x80


class Frame(NamedTuple):
    """A piece of a message (the last piece if *final*), or a control frame."""

    opcode: int
    final: bool
    payload: bytes


class FrameError(ValueError):
    """The bytes are not a frame that a server may send."""


def encode_frame(opcode: int, payload: bytes, key: bytes) -> bytes:
    """Return *payload* as one frame, masked with the four random bytes *key*."""
    length = len(payload)
    if length < 126:
        head = bytes((_FINAL | opcode, _MASKED | length))
    elif length < 1 << 16:
        head = bytes((_FINAL | opcode, _MASKED | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((_FINAL | opcode, _MASKED | 127)) + length.to_bytes(8, "big")
    # One XOR of two long numbers: a loop over the bytes takes as long as everything else.
    mask = int.from_bytes((key * (length // 4 + 1))[:length], "big")
    masked = (int.from_bytes(payload, "big") ^ mask).to_bytes(length, "big")
    return head + key + masked


class FrameReader:
    """Cuts the bytes of a server into frames, in pieces of any size."""

    def __init__(self) -> None:
        """Initialise a reader with an empty buffer."""
        self._buffer = bytearray()

    def read(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that *data* completes.

        Consume the iterator before the next call. Raise :exc:`FrameError` after the last good
        frame if the next bytes are not a frame; the reader cannot be used after that.
        """
        buffer = self._buffer
        buffer += data
        position = 0
        while True:
            begin, length = _measure(buffer, position)
            end = begin + length
            if not begin or end > len(buffer):
                break
            first, position = buffer[position], end
            yield Frame(first & 0x0F, bool(first & _FINAL), bytes(buffer[begin:end]))
        del buffer[:position]


def _measure(buffer: bytearray, position: int) -> tuple[int, int]:
    """Return the start and the length of the payload of the frame at *position*.

    The start is 0 while the head of the frame is incomplete.
    """
    begin = position + 2
    if begin > len(buffer):
        return 0, 0
    first, second = buffer[position], buffer[position + 1]
    if first & 0x70 or first & 0x0F not in OPCODES or second & _MASKED:
        raise FrameError(f"no frame of a server begins with the bytes {first:#04x} {second:#04x}")
    if second < 126:
        return begin, second
    size = 2 if second == 126 else 8
    if begin + size > len(buffer):
        return 0, 0
    length = int.from_bytes(buffer[begin : begin + size], "big")
    if length > MAXIMUM_LENGTH:
        raise FrameError(f"a frame of {length} bytes is too long")
    return begin + size, length
