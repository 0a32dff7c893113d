"""Rubbish for everything that reads from the network.

Each test takes a second; ``FTRACK_LIKE_TEST_FUZZ_SECONDS`` says how long instead, and then it is
other rubbish every time: ``tox run -e nightly``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import time
from collections.abc import Iterator
from typing import Any, Callable, Union

import pytest

from ftrack_like.event.hub import EventHub
from ftrack_like.wire import events, frames, packets

SECONDS = os.environ.get("FTRACK_LIKE_TEST_FUZZ_SECONDS")

GOOD = [
    '5:12+::{"name":"ftrack.event","args":[{"topic":"t","id":"1","data":{"a":[1,null,"\\u00e4"]},'
    '"source":{"id":"s","user":{"username":"u"}},"target":"id=x","inReplyToEvent":"0"}]}',
    '5:3+::{"name":"ftrack.event","args":[{"topic":"ftrack.meta.subscribe","data":{"subscriber":'
    '{"id":"a"},"subscription":"topic=t and (data.a>=1 or not data.b=\\"x*\\")"}}]}',
    '5:::{"name":"ftrack.event","args":[{"topic":"ftrack.meta.reply","in_reply_to_event":"1"}]}',
    '6:::12+[{"success":true}]',
    '4:::{"a":[[[[{}]]]]}',
    "7:::reason+advice",
    "2::",
]


def _rubbish(whole: list[Union[str, bytes]]) -> Iterator[Any]:
    """Yield changed, cut, doubled and joined pieces of *whole* and noise, until time is up."""
    dice = random.Random(os.urandom(16) if SECONDS else 4)
    deadline = time.monotonic() + float(SECONDS or 1)
    while time.monotonic() < deadline:
        for _ in range(100):
            changed = dice.choice(whole)
            for _ in range(dice.randint(0, 6)):
                begin = dice.randrange(len(changed) + 1)
                end = begin + dice.choice((0, 0, 1, 3, 30))
                changed = changed[:begin] + _piece(dice, changed) + changed[end:]
            yield changed


def _piece(dice: random.Random, text: Union[str, bytes]) -> Any:
    begin = dice.randrange(len(text) + 1)
    if isinstance(text, bytes):
        return dice.choice((b"", dice.randbytes(dice.randint(1, 4)), text[begin : begin + 20]))
    noise = chr(dice.choice((dice.randrange(0x250), dice.randrange(0xD800), 0x1F600)))
    known = dice.choice(
        ('"', "{", "[", "]", "}", ":", "+", "null", "1e999", "NaN", "-0", "\\u", "*")
    )
    return dice.choice(("", noise, known, text[begin : begin + 20]))


@contextlib.contextmanager
def _named(payload: Any) -> Iterator[None]:
    """Say which *payload* it was that could not be read."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"Not survived: {payload!r}") from error


def test_packets_never_raise() -> None:
    """Whatever a packet looks like, it is read or called unreadable, and so is its event."""
    for payload in _rubbish([*GOOD]):
        with _named(payload):
            message = packets.read(packets.split(payload))
            for argument in getattr(message, "arguments", ()):
                with contextlib.suppress(ValueError):
                    events.from_wire(argument)


def test_frames_raise_one_error() -> None:
    """Whatever bytes come, they are read as frames, or there is the one error that says not."""
    good = b"".join(
        bytes([first, len(payload)]) + payload
        for first, payload in [
            (0x81, b"text"),
            (0x01, b"a"),
            (0x80, b"b"),
            (0x89, b""),
            (0x88, b""),
        ]
    )
    long = b"\x82\x7e\x01\x00" + bytes(256) + b"\x81\x7f" + (300).to_bytes(8, "big") + bytes(300)
    for payload in _rubbish([good, long]):
        reader = frames.FrameReader()
        with _named(payload), contextlib.suppress(frames.FrameError):
            for begin in range(0, len(payload), 7):
                for frame in reader.read(payload[begin : begin + 7]):
                    assert frame.opcode in frames.OPCODES


def test_hub_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a server sends, the hub neither fails nor stops hearing."""
    hub = EventHub("http://localhost", "user", "key")
    heard: list[Any] = []
    hub.subscribe("topic=t and not data.a>2", heard.append)
    hub._reply_callbacks.add("1", heard.append, 0.0, 1e9)
    with caplog.at_level(logging.ERROR):
        for payload in _rubbish([*GOOD]):
            with _named(payload):
                hub._receiver.receive(payload)
                while hub._event_queue.qsize():
                    hub._handle(hub._event_queue.get())
            heard.clear()
    assert "Error handling a packet" not in caplog.text
    hub._receiver.receive('5:::{"name":"ftrack.event","args":[{"topic":"t","id":"still here"}]}')
    hub._handle(hub._event_queue.get())
    assert [event["id"] for event in heard] == ["still here"]


def test_broker_goes_on() -> None:
    """Whatever a client sends, the sandbox neither fails nor stops passing events on."""
    pytest.importorskip("sqlalchemy")
    from ftrack_like.sandbox.events.broker import Broker

    broker = Broker()
    sent: list[str] = []
    send: Callable[[str], None] = sent.append
    websocket = broker.connect("user", send, True)
    for payload in _rubbish([*GOOD]):
        with _named(payload):
            broker.receive(websocket, payload)
        if websocket.state == "closed" or payload[:1] == "0":
            broker.disconnect(websocket)
            websocket = broker.connect("user", send, True)
        sent.clear()
    last = broker.connect("other", send)
    broker.receive(last, GOOD[1].replace('"id":"a"', '"id":"a new one"'))
    assert broker.publish({"topic": "t", "data": {"a": 1}}) >= 1
    assert any('"topic": "t"' in packet for packet in sent)
