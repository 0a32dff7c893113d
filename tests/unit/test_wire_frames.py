"""Websocket frames, compared with a library that the server uses."""

from __future__ import annotations

import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrack_like.wire import frames

frame_protocol = pytest.importorskip("wsproto.frame_protocol")

_lengths = st.sampled_from([0, 1, 125, 126, 127, 65535, 65536, 70_000])


@given(length=_lengths, opcode=st.sampled_from([frames.TEXT, frames.BINARY]))
def test_a_server_reads_what_a_client_sends(length: int, opcode: int) -> None:
    """Frames of every form of length are read by another implementation as they were meant."""
    payload = bytes(number % 128 for number in range(length))
    decoder = frame_protocol.FrameDecoder(client=False)
    data = frames.encode_frame(opcode, payload, os.urandom(4))
    read, finished = bytearray(), False
    for begin in range(0, len(data), 30_000):  # as it comes from a socket
        decoder.receive_bytes(data[begin : begin + 30_000])
        while (frame := decoder.process_buffer()) is not None:
            read += frame.payload
            assert frame.opcode == (0 if len(read) > len(frame.payload) else opcode)
            finished = frame.message_finished
    assert finished
    assert read == payload


def test_frames_are_masked() -> None:
    """What travels is not the text itself, but the text combined with the key."""
    assert frames.encode_frame(frames.TEXT, b"abcde", b"\x01\x02\x03\x04") == (
        b"\x81\x85\x01\x02\x03\x04" + bytes([0x60, 0x60, 0x60, 0x60, 0x64])
    )


@given(
    messages=st.lists(
        st.tuples(st.binary(max_size=300), st.booleans(), st.booleans()), min_size=1, max_size=8
    ),
    piece=st.integers(1, 50),
)
def test_a_client_reads_what_a_server_sends(
    messages: list[tuple[bytes, bool, bool]], piece: int
) -> None:
    """However bytes arrive, whole or in pieces, the frames are those that the server sent."""
    protocol = frame_protocol.FrameProtocol(client=False, extensions=[])
    data, expected = b"", []
    for payload, whole, ping in messages:
        if ping:
            data += protocol.ping(payload[:100])
            expected.append(frames.Frame(frames.PING, True, payload[:100]))
        if not whole:
            data += protocol.send_data(payload, fin=False)
            expected.append(frames.Frame(frames.BINARY, False, payload))
        data += protocol.send_data(payload, fin=True)
        opcode = frames.BINARY if whole else frames.CONTINUATION
        expected.append(frames.Frame(opcode, True, payload))
    assert list(frames.FrameReader().read(data)) == expected
    reader, read = frames.FrameReader(), []
    for begin in range(0, len(data), piece):
        read += reader.read(data[begin : begin + piece])
    assert read == expected


@given(rubbish=st.binary(max_size=200), piece=st.integers(1, 20))
def test_rubbish_is_frames_or_an_error(rubbish: bytes, piece: int) -> None:
    """Random bytes are read as frames as far as they can be; what cannot raises one error."""
    reader = frames.FrameReader()
    with contextlib.suppress(frames.FrameError):
        for begin in range(0, len(rubbish), piece):
            for frame in reader.read(rubbish[begin : begin + piece]):
                assert frame.opcode in frames.OPCODES


@pytest.mark.parametrize(
    "head",
    [
        b"\xc1\x00",  # a reserved bit
        b"\x83\x00",  # a reserved kind
        b"\x81\x80",  # masked, which a server must not
        b"\x82\x7f" + (frames.MAXIMUM_LENGTH + 1).to_bytes(8, "big"),
    ],
)
def test_good_frames_come_before_the_error(head: bytes) -> None:
    """What was read before a faulty frame is not lost with it."""
    read = frames.FrameReader().read(b"\x81\x02ok" + head)
    assert next(read).payload == b"ok"
    with pytest.raises(frames.FrameError):
        next(read)
