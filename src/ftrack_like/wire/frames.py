"""Websocket frames as bytes (RFC 6455): those that a client sends, and those that it reads."""

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
#: How many bytes a message may have: a broken length must not let a reader wait for ever.
MAXIMUM_LENGTH = 256 * 1024 * 1024

_FINAL = _MASKED = 0x80


class Frame(NamedTuple):
    """A piece of a message, the last one if *final*, or a control frame."""

    opcode: int
    final: bool
    payload: bytes


class FrameError(ValueError):
    """What was read is no frame that a server may send."""


def encode_frame(opcode: int, payload: bytes, key: bytes) -> bytes:
    """Return *payload* as one whole frame, masked with *key*, which is four random bytes."""
    length = len(payload)
    if length < 126:
        head = bytes((_FINAL | opcode, _MASKED | length))
    elif length < 1 << 16:
        head = bytes((_FINAL | opcode, _MASKED | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((_FINAL | opcode, _MASKED | 127)) + length.to_bytes(8, "big")
    # One operation on two long numbers, where a loop over bytes takes as long as all the rest.
    mask = int.from_bytes((key * (length // 4 + 1))[:length], "big")
    masked = (int.from_bytes(payload, "big") ^ mask).to_bytes(length, "big")
    return head + key + masked


class FrameReader:
    """Cuts the bytes that a server sends into frames, however they arrive."""

    def __init__(self) -> None:
        """Initialise a reader that has read nothing."""
        self._buffer = bytearray()

    def read(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that *data* completes.

        Take all of them before the next call. Raise :exc:`FrameError` behind the last good one
        if what follows is none; such a reader is of no more use.
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
    """Return where the payload of the frame at *position* begins, and its length.

    The beginning is 0 if its head is not complete yet.
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
