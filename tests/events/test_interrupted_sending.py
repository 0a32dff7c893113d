"""Signal handlers that raise an exception in the middle of a large message."""

from __future__ import annotations

import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import websocket

from ftrack_like.event.base import Event
from ftrack_like.event.swift_websocket import SwiftWebSocket

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no SIGALRM here")


class OutOfTime(Exception):
    """The time limit of a program is over."""


ERRORS = pytest.mark.parametrize("error", [OutOfTime, TimeoutError, KeyboardInterrupt])


@pytest.fixture
def on_alarm() -> Iterator[Callable[[type[BaseException]], None]]:
    """Return a function that installs a handler of SIGALRM, which raises an exception."""
    before = signal.getsignal(signal.SIGALRM)

    def install(error: type[BaseException]) -> None:
        def handler(number: int, frame: Any) -> None:
            raise error("time is over")

        signal.signal(signal.SIGALRM, handler)

    yield install
    signal.signal(signal.SIGALRM, before)


class InterruptedSocket(socket.socket):
    """A socket that gets a signal after it has sent a part."""

    def send(self, data: Any, flags: int = 0) -> int:
        """Send ten bytes, and let a signal interrupt the program."""
        sent = super().send(data[:10], flags)
        signal.raise_signal(signal.SIGALRM)
        return sent


@ERRORS
def test_nothing_follows_a_part_of_a_frame(on_alarm: Any, error: type[BaseException]) -> None:
    """After an exception within a frame, the websocket sends nothing more."""
    on_alarm(error)
    ours, theirs = socket.socketpair()
    interrupted = InterruptedSocket(fileno=ours.detach())
    connection = SwiftWebSocket(enable_multithread=True)
    connection.sock, connection.connected = interrupted, True
    with theirs, interrupted:
        theirs.settimeout(10)
        with pytest.raises(error):
            connection.send("large" * 100)
        with pytest.raises((OSError, websocket.WebSocketException)):
            connection.send("the next one")
        assert theirs.recv(1000) != b""
        assert theirs.recv(1000) == b""


def raise_alarm_within_a_frame(hub: Any, finish: threading.Event) -> None:
    """Send SIGALRM to the main thread when the socket of *hub* takes nothing more of a frame."""
    target = threading.main_thread().ident
    while not finish.is_set():
        used = hub._courier.websocket
        if used is not None and used._is_sending and not select.select([], [used.sock], [], 0)[1]:
            signal.pthread_kill(target, signal.SIGALRM)
            return
        time.sleep(0.001)


@ERRORS
def test_event_that_was_interrupted_is_sent_again(
    event_server: Any, make_hub: Any, make_proxy: Any, in_background: Any, until: Any,
    on_alarm: Any, error: type[BaseException],
) -> None:  # fmt: skip
    """The program gets its exception, and the server gets this event and the next one whole."""
    received: list[tuple[str, int]] = []
    receiver = make_hub(event_server.url)
    receiver.subscribe(
        "topic=interrupted",
        lambda event: received.append((event["data"]["name"], len(event["data"]["text"]))),
    )
    in_background(receiver)
    proxy = make_proxy(event_server.port)
    hub = make_hub(proxy.url)
    until(lambda: hub._courier.ready)
    first = hub._courier.websocket
    first.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    size = 6_000_000
    on_alarm(error)
    proxy.stalled = True
    finish = threading.Event()
    watcher = threading.Thread(target=raise_alarm_within_a_frame, args=(hub, finish))
    watcher.start()
    try:
        with pytest.raises(error, match="time is over"):
            hub.publish(Event("interrupted", data={"name": "large", "text": "x" * size}))
    finally:
        finish.set()
        watcher.join()
        proxy.stalled = False
    hub.publish(Event("interrupted", data={"name": "small", "text": "x"}))
    until(lambda: len(received) >= 2, timeout=60)
    assert sorted(received) == [("large", size), ("small", 1)]
    assert hub._courier.websocket is not first


def test_interruption_before_sending_is_reported_only(
    event_server: Any, make_hub: Any, until: Any, on_alarm: Any, monkeypatch: Any
) -> None:
    """An event that was not yet on its way does not wait, and the connection stays."""
    on_alarm(OutOfTime)
    hub = make_hub(event_server.url)
    until(lambda: hub._courier.ready)
    used = hub._courier.websocket
    with monkeypatch.context() as patch:
        patch.setattr(hub, "_encode", lambda data: signal.raise_signal(signal.SIGALRM))
        with pytest.raises(OutOfTime):
            hub.publish(Event("interrupted", data={}))
    assert hub._courier.websocket is used
    assert hub._courier.waiting == 0
