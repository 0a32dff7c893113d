"""The sandbox's event server on real sockets: many clients, slow ones, silent ones."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import threading
import time
from typing import Any

import pytest
import requests

from ftrack_like.event.base import Event

KEY = "a-key-that-must-not-show"


class RawClient:
    """A websocket client that reads when told to, and answers nothing by itself."""

    def __init__(self, server: Any) -> None:
        headers = {"ftrack-user": "user", "ftrack-api-key": KEY}
        answer = requests.get(f"{server.url}/socket.io/1/", headers=headers, timeout=10)
        self.session = answer.text.split(":")[0]
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        key = base64.b64encode(os.urandom(16))
        self.socket.sendall(
            b"GET /socket.io/1/websocket/%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
            % (self.session.encode(), key)
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        self.status = int(head.split()[1])
        magic = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        if self.status == 101:
            assert base64.b64encode(hashlib.sha1(key + magic).digest()) in head

    def send(self, text: str) -> None:
        """Send a short text, masked with nothing."""
        data = text.encode()
        head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else bytes([0x81, 0xFE])
        if len(data) >= 126:
            head += len(data).to_bytes(2, "big")
        self.socket.sendall(head + bytes(4) + data)

    def receive(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame."""
        first, size = self._exactly(2)
        if size == 126:
            size = int.from_bytes(self._exactly(2), "big")
        elif size == 127:
            size = int.from_bytes(self._exactly(8), "big")
        return first & 0x0F, self._exactly(size)

    def until_closed(self) -> list[bytes]:
        """Return what is received until the server closes."""
        payloads = []
        while True:
            try:
                opcode, payload = self.receive()
            except EOFError:
                return payloads
            payloads.append(payload)
            if opcode == 8:
                return payloads

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)


@pytest.fixture
def subscribed(event_server: Any) -> Any:
    """Return a raw client that subscribed to the topic `a`."""
    client = RawClient(event_server)
    client.send(
        '5:1+::{"name":"ftrack.event","args":[{"topic":"ftrack.meta.subscribe","data":{'
        f'"subscriber":{{"id":"{client.session}"}},"subscription":"topic=a"}}}}]}}'
    )
    assert client.receive()[1] == b"1::"
    assert client.receive()[1] == b'6:::1+[{"success": true}]'
    yield client
    client.socket.close()


def test_heartbeats_come_and_silence_ends_the_connection(
    event_server: Any, subscribed: Any
) -> None:
    """The server sends heartbeats, and leaves who does not answer them."""
    begin = time.monotonic()
    payloads = subscribed.until_closed()
    assert payloads[0] == b"2::"
    assert 1.4 < time.monotonic() - begin < 4


def test_answered_heartbeats_keep_the_connection(event_server: Any, subscribed: Any) -> None:
    """Who answers heartbeats stays connected for longer than silence is suffered."""
    for _ in range(4):
        assert subscribed.receive() == (1, b"2::")
        subscribed.send("2::")


def test_slow_reader_is_cut_off_and_others_are_not_held_up(
    event_server: Any, subscribed: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """A client that reads too slowly is told so and cut off; others hear everything at once."""
    hub = make_hub(event_server.url)
    got: list[int] = []
    hub.subscribe("topic=a", lambda event: got.append(event["data"]["n"]))
    in_background(hub)
    assert hub.wait_connected(5)
    blob = "x" * 100_000
    for number in range(200):
        event_server.broker.publish({"topic": "a", "data": {"n": number, "blob": blob}})
    until(lambda: len(got) == 200)
    assert got == list(range(200))

    def cut_off() -> bool:
        if event_server.broker.statistics()["connections"] > 1:
            subscribed.send("2::")  # alive, and still not reading
            time.sleep(0.1)
            return False
        return True

    until(cut_off)
    assert hub.connected
    payloads = subscribed.until_closed()
    assert any(payload.startswith(b"7:::reading too slowly") for payload in payloads)


def test_unknown_session_is_refused(event_server: Any) -> None:
    """A websocket needs a session from the handshake, and each session serves once."""
    headers = {"ftrack-user": "user", "ftrack-api-key": KEY}
    answer = requests.get(f"{event_server.url}/socket.io/1/", headers=headers, timeout=10)
    session = answer.text.split(":")[0]
    statuses = []
    for name in (session, session, "made-up"):
        with socket.create_connection(("127.0.0.1", event_server.port), timeout=10) as raw:
            raw.sendall(
                b"GET /socket.io/1/websocket/%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Key: eGVzdHRlc3R0ZXN0dGVzdA==\r\n"
                b"Sec-WebSocket-Version: 13\r\n\r\n" % name.encode()
            )
            statuses.append(int(raw.recv(1000).split()[1]))
    assert statuses == [101, 403, 403]


def test_several_hundred_connections_hear_what_concerns_them(
    event_server: Any, make_hub: Any, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """300 hubs on one server: each event reaches exactly those that asked for it."""
    subscribers = event_server.broker.statistics()["subscribers"]
    hubs = [make_hub(event_server.url, connect=False) for _ in range(300)]
    for number, hub in enumerate(hubs):
        hub.subscribe(f"topic=room.{number % 15}", lambda event: None)
    threads = [threading.Thread(target=hub.connect) for hub in hubs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    until(lambda: all(hub.wait_connected(0) for hub in hubs), timeout=30)
    until(lambda: event_server.broker.statistics()["subscribers"] == subscribers + 600)
    before = [hub._event_queue.qsize() for hub in hubs]
    counts = [event_server.broker.publish({"topic": f"room.{room}"}) for room in range(15)]
    assert counts == [20] * 15
    until(
        lambda: [hub._event_queue.qsize() for hub in hubs] == [count + 1 for count in before],
        timeout=20,
    )
    hubs[0].publish(Event("room.0"))
    until(lambda: hubs[15]._event_queue.qsize() == before[15] + 2)
    for hub in hubs:
        hub.disconnect()
    until(lambda: event_server.broker.statistics()["connections"] == 0)
    # The server keeps the subscribers of a connection that was cut, for its return.
    if "Trying again" not in caplog.text:
        assert event_server.broker.statistics()["subscribers"] == subscribers
