"""Event servers that take everything and say nothing any more."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub

#: The seconds of a heartbeat: servers that go silent are waited for.
HEARTBEAT = 1
#: The same for servers that live, which a busy machine must not delay for so long.
LONG_HEARTBEAT = 2
#: What a busy machine may add, in seconds.
SLACK = 1.5
#: How long a server goes on with what it does; a hub that does not notice fails the test.
LONG = 30.0


class HalfOpen:
    """A server that greets each websocket, and then lets *go_on* decide what is read and sent."""

    def __init__(
        self, go_on: Callable[[socket.socket, threading.Event], None], heartbeat: int
    ) -> None:
        self.opened: list[float] = []
        self.ended = threading.Event()
        self._go_on = go_on
        self._heartbeat = heartbeat
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End everything."""
        self.ended.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                received = peer.recv(65536)
                if not received:
                    return
                request += received
            lines = request.split(b"\r\n")
            if b"/websocket/" not in lines[0]:
                body = b"id:%d:60:websocket" % self._heartbeat
                head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                peer.sendall(head % len(body) + body)
                return
            if self.opened:
                return  # The first websocket alone is looked at.
            name = b"sec-websocket-key: "
            key = next(line[len(name) :] for line in lines if line.lower().startswith(name))
            digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            peer.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
                + base64.b64encode(digest)
                + b"\r\n\r\n\x81\x031::"
            )
            self.opened.append(time.monotonic())
            self._go_on(peer, self.ended)


def swallow(peer: socket.socket, ended: threading.Event) -> None:
    """Take everything at once."""
    while peer.recv(65536):
        pass


def sip(peer: socket.socket, ended: threading.Event) -> None:
    """Take a little now and then."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    while peer.recv(20_000) and not ended.wait(0.05):
        pass


def refuse(peer: socket.socket, ended: threading.Event) -> None:
    """Take nothing."""
    ended.wait(LONG)


def drip(peer: socket.socket, ended: threading.Event) -> None:
    """Send a message that is never complete, a byte at a time."""
    peer.sendall(b"\x81\x7e\xff\xff")
    while not ended.wait(0.05):
        peer.sendall(b"5")


@pytest.fixture
def serve() -> Iterator[Callable[..., HalfOpen]]:
    """Return a function that starts a server."""
    servers: list[HalfOpen] = []

    def start(go_on: Any, heartbeat: int) -> HalfOpen:
        servers.append(HalfOpen(go_on, heartbeat))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def keep_publishing(hub: EventHub, size: int, stop: threading.Event) -> None:
    """Publish events of *size* characters until told to *stop*."""
    while not stop.wait(0.01):
        hub.publish(Event("a", data={"text": "x" * size}), on_error="ignore")


@pytest.mark.parametrize("server", [swallow, sip, refuse, drip])
@pytest.mark.parametrize(
    ("waiting", "publishing"),
    [(0, 0), (0, 10), (0, 200_000), (30, 0), (30, 10)],
    ids=["quiet", "small events", "large events", "many wait", "many wait and small events"],
)
def test_silent_server_is_noticed(
    server: Any, waiting: int, publishing: int, serve: Any, until: Any
) -> None:
    """A connection on which nothing complete comes is given up, however much goes out on it."""
    silent = serve(server, HEARTBEAT)
    hub = EventHub(silent.url, "user", "key")
    hub.init_connection()
    text = "x" * 2_000_000
    for number in range(waiting):
        hub.publish(Event("a", data={"n": number, "text": text}))
    hub.connect_in_background()
    until(lambda: hub._connection is not None, timeout=LONG)
    connection = hub._connection
    stop = threading.Event()
    if publishing:
        arguments = (hub, publishing, stop)
        threading.Thread(target=keep_publishing, args=arguments, daemon=True).start()
    until(lambda: hub._connection is not connection, timeout=LONG)
    elapsed = time.monotonic() - silent.opened[0]
    stop.set()
    silent.close()
    hub.close()
    assert elapsed < 1.5 * HEARTBEAT + SLACK


def test_long_message_in_pieces_is_no_silence(serve: Any, until: Any) -> None:
    """A long message that comes slowly, but comes, keeps the connection."""
    text = b'5:::{"name":"ftrack.event","args":[{"topic":"long","data":{"t":"%s"}}]}'
    message = text % (b"x" * 1_000_000)

    def send(peer: socket.socket, ended: threading.Event) -> None:
        peer.sendall(b"\x81\x7f" + len(message).to_bytes(8, "big"))
        for begin in range(0, len(message), 25_000):
            peer.sendall(message[begin : begin + 25_000])
            ended.wait(LONG_HEARTBEAT / 20)  # two heartbeats for all of it
        ended.wait(LONG)

    server = serve(send, LONG_HEARTBEAT)
    hub = EventHub(server.url, "user", "key")
    heard: list[int] = []
    hub.subscribe("topic=long", lambda event: heard.append(len(event["data"]["t"])))
    hub.connect()
    until(lambda: hub.wait(0.05) or heard, timeout=LONG)
    assert heard == [1_000_000]
    assert len(server.opened) == 1
    hub.close()


def test_websocket_pings_are_life(serve: Any, until: Any) -> None:
    """A server that pings is there, even if it says nothing else."""

    def ping(peer: socket.socket, ended: threading.Event) -> None:
        for _ in range(40):  # two heartbeats
            peer.sendall(b"\x89\x00")
            ended.wait(LONG_HEARTBEAT / 20)
        peer.sendall(b'\x81\x3c5:::{"name":"ftrack.event","args":[{"topic":"a","data":{}}]}')
        ended.wait(LONG)

    server = serve(ping, LONG_HEARTBEAT)
    hub = EventHub(server.url, "user", "key")
    heard: list[Event] = []
    hub.subscribe("topic=a", heard.append)
    hub.connect()
    until(lambda: hub.wait(0.05) or heard, timeout=LONG)
    assert len(server.opened) == 1
    hub.close()
