"""Fixtures for events: a broker on a loopback address, hubs, and a proxy that cuts and stalls."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional

import pytest

from ftrack_like.event.hub import EventHub

if TYPE_CHECKING:
    from ftrack_like.sandbox.events.broker import Broker

#: The heartbeat of the event server of these tests, in seconds: everything happens sooner.
HEARTBEAT = 1.0
KEY = "a-key-that-must-not-show"


@dataclass
class EventServer:
    """A broker that listens."""

    broker: Broker
    port: int

    @property
    def url(self) -> str:
        """The address for hubs."""
        return f"http://127.0.0.1:{self.port}"


@dataclass
class _User:
    username: str
    unrestricted: bool = True
    id: str = "1"


def _serve(port: int = 0, **options: Any) -> tuple[EventServer, Callable[[], None]]:
    pytest.importorskip("starlette")
    import uvicorn
    from starlette.applications import Starlette

    from ftrack_like.sandbox.errors import InvalidCredentialsError
    from ftrack_like.sandbox.events.broker import Broker
    from ftrack_like.sandbox.events.routes import event_routes

    def authenticate(username: str, key: str) -> _User:
        if key != KEY:
            raise InvalidCredentialsError("The supplied API key is not valid.")
        return _User(username)

    broker = Broker(heartbeat=HEARTBEAT)
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    config = uvicorn.Config(
        Starlette(routes=event_routes(broker, authenticate)),
        ws="wsproto",
        loop="asyncio",
        lifespan="off",
        log_level="error",
        timeout_graceful_shutdown=1,
        **options,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(10)
        listener.close()

    return EventServer(broker, listener.getsockname()[1]), stop


@pytest.fixture(scope="module")
def event_server() -> Iterator[EventServer]:
    """Return an event server that the tests of a module share."""
    server, stop = _serve()
    yield server
    stop()


@pytest.fixture
def serve_events() -> Iterator[Callable[..., tuple[EventServer, Callable[[], None]]]]:
    """Return a function that starts an event server and gives it with a function to stop it."""
    stops = []

    def serve(port: int = 0, **options: Any) -> tuple[EventServer, Callable[[], None]]:
        server, stop = _serve(port, **options)
        stops.append(stop)
        return server, stop

    yield serve
    for stop in stops:
        stop()


@pytest.fixture
def make_hub() -> Iterator[Callable[..., EventHub]]:
    """Return a function that makes a hub for an address, connected unless told otherwise."""
    hubs: list[EventHub] = []

    def make(url: str, connect: bool = True, **options: Any) -> EventHub:
        hub = EventHub(url, options.pop("user", "user"), options.pop("key", KEY), **options)
        hubs.append(hub)
        if connect:
            hub.connect()
        return hub

    yield make
    for hub in hubs:
        hub.close()


@pytest.fixture
def in_background(until: Callable[..., None]) -> Iterator[Callable[..., threading.Thread]]:
    """Return a function that lets a hub wait on a thread of its own until the hub disconnects.

    When it returns, the server knows what the hub has subscribed to: what another hub publishes
    next cannot overtake that. A server that is not *answering* cannot say so.
    """
    threads: list[tuple[EventHub, threading.Thread]] = []

    def start(hub: EventHub, answering: bool = True, **options: Any) -> threading.Thread:
        thread = threading.Thread(target=hub.wait, kwargs=options, daemon=True)
        thread.start()
        threads.append((hub, thread))
        if hub.connected and answering:
            until(lambda: not (hub._courier.catching_up or hub._courier._unanswered))
        return thread

    yield start
    for hub, thread in threads:
        hub.close()
        thread.join(5)


@pytest.fixture
def until() -> Callable[..., None]:
    """Return a function that waits for a condition, and fails when it does not come true."""

    def wait(condition: Callable[[], Any], timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.005)

    return wait


class Proxy:
    """Passes bytes on between clients and a server, and can spoil it in several ways.

    * :meth:`cut` breaks all connections; while `down`, new ones are refused.
    * while `stalled`, nothing is passed on, and nobody is told.
    * `piece` is how many bytes are passed on at a time.
    """

    def __init__(self, port: int) -> None:
        self.down = False
        self.stalled = False
        self.piece = 65536
        self.target = port
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break all connections, with a reset."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    reset = struct.pack("ii", 1, 0)
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def close(self) -> None:
        """End everything."""
        self.down = True
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server: Optional[socket.socket] = None
            with contextlib.suppress(OSError):
                if not self.down:
                    server = socket.create_connection(("127.0.0.1", self.target))
            if server is None:
                client.close()
                continue
            self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while self.stalled:
                    time.sleep(0.01)
                for begin in range(0, len(data), self.piece):
                    sink.sendall(data[begin : begin + self.piece])
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def make_proxy() -> Iterator[Callable[[int], Proxy]]:
    """Return a function that puts a proxy before a port."""
    proxies: list[Proxy] = []

    def make(port: int) -> Proxy:
        proxies.append(Proxy(port))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()
