"""What the hub holds when the network, the server or a packet is at fault."""

from __future__ import annotations

import gc
import logging
import os
import random
import socket
import threading
import time
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub

HEARTBEAT = 1.0


def test_events_over_drops_arrive_once_and_in_order(
    event_server: Any, make_hub: Any, make_proxy: Any, in_background: Any, until: Any
) -> None:
    """2,000 events over ten drops on either side arrive exactly once, in order."""
    sending, receiving = make_proxy(event_server.port), make_proxy(event_server.port)
    publisher, receiver = make_hub(sending.url), make_hub(receiving.url)
    got: list[int] = []
    receiver.subscribe("topic=numbered", lambda event: got.append(event["data"]["n"]))
    in_background(receiver)
    dice = random.Random(7)
    drops = dict.fromkeys(dice.sample(range(2000), 10))
    for number in range(2000):
        if number in drops:
            dice.choice([sending, receiving]).cut()
        publisher.publish(Event("numbered", data={"n": number}))
    until(lambda: len(got) >= 2000, timeout=30)
    assert got == list(range(2000))
    until(lambda: publisher._courier.waiting == 0)


def test_hub_is_back_soon_after_an_outage(
    event_server: Any, make_hub: Any, make_proxy: Any, until: Any
) -> None:
    """After an outage of three seconds the hub is back within two, and tells of the gap."""
    proxy = make_proxy(event_server.port)
    hub = make_hub(proxy.url)
    told: list[Event] = []
    hub.subscribe("topic=ftrack.meta.*", told.append)
    before = logging.root.manager.disable
    proxy.down = True
    proxy.cut()
    until(lambda: not hub.connected)
    assert not hub.wait_connected(3)
    assert logging.root.manager.disable == before
    proxy.down = False
    assert hub.wait_connected(2)
    hub.wait(0.1)
    topics = [event["topic"] for event in told]
    assert topics[-3:] == [
        "ftrack.meta.disconnected",
        "ftrack.meta.connected",
        "ftrack.meta.reconnected",
    ]
    assert 2.9 < told[-1]["data"]["gap"] < 5.5


def test_half_open_socket_is_noticed_within_one_and_a_half_heartbeats(
    event_server: Any, make_hub: Any, make_proxy: Any, until: Any
) -> None:
    """A connection on which nothing comes any more is given up soon."""
    proxy = make_proxy(event_server.port)
    hub = make_hub(proxy.url)
    proxy.stalled = True
    begin = time.monotonic()
    until(lambda: not hub.connected, timeout=5)
    assert time.monotonic() - begin < 1.5 * HEARTBEAT + 0.1
    proxy.stalled = False
    assert hub.wait_connected(5)


def test_events_pass_byte_by_byte(
    event_server: Any, make_hub: Any, make_proxy: Any, in_background: Any, until: Any
) -> None:
    """However the network cuts packets to pieces, they are read whole."""
    proxy = make_proxy(event_server.port)
    proxy.piece = 1
    hub = make_hub(proxy.url)
    got: list[Event] = []
    hub.subscribe("topic=a", got.append)
    in_background(hub)
    hub.publish(Event("a", data={"text": "ä:::5" * 50}))
    until(lambda: got)
    assert got[0]["data"] == {"text": "ä:::5" * 50}


def test_subscriber_that_is_refused_after_a_reconnect_is_announced_again(
    serve_events: Any,
    make_hub: Any,
    make_proxy: Any,
    in_background: Any,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that still holds the old connection refuses, and is asked again until it agrees."""
    monkeypatch.setattr("ftrack_like.event.courier.RETRY_PAUSE", 0.05)
    server, _ = serve_events()
    proxy = make_proxy(server.port)
    hub = make_hub(proxy.url)
    got: list[Event] = []
    hub.subscribe("topic=a", got.append, subscriber={"id": "mine"})
    in_background(hub)
    assert hub.wait_connected(5)
    refusals = []
    subscribe = server.broker._subscribe

    def refuse_at_first(subscriber: Any, answer: Any) -> None:
        if subscriber.identifier == "mine" and len(refusals) < 2:
            refusals.append(subscriber)
            raise ValueError("A subscriber with the id mine is subscribed already.")
        subscribe(subscriber, answer)

    monkeypatch.setattr(server.broker, "_subscribe", refuse_at_first)
    proxy.cut()
    until(lambda: len(refusals) == 2)
    until(lambda: got or server.broker.publish({"topic": "a"}) < 0)


def _closes_in_time(hub: EventHub) -> None:
    begin = time.monotonic()
    hub.close()
    assert time.monotonic() - begin < 2
    assert not hub.connected
    link = hub._connector.link
    assert link is None


@pytest.mark.parametrize("state", ["connected", "stalled", "waiting", "unacknowledged"])
def test_close_is_quick_and_final(
    state: str, event_server: Any, make_hub: Any, make_proxy: Any, until: Any
) -> None:
    """Whatever the connection is doing, closing takes at most two seconds, and it stays closed."""
    proxy = make_proxy(event_server.port)
    hub = make_hub(proxy.url)
    if state in ("stalled", "unacknowledged"):
        proxy.stalled = True
    if state == "unacknowledged":
        hub.publish(Event("a"))
    if state == "waiting":
        proxy.down = True
        proxy.cut()
        until(lambda: not hub.connected)
    _closes_in_time(hub)
    proxy.down = proxy.stalled = False
    time.sleep(0.3)  # as long as a first try to connect again would take
    assert not hub.connected
    assert not hub.wait_connected(0)


def test_close_while_connecting_to_a_silent_server(make_hub: Any, until: Any) -> None:
    """A server that accepts and says nothing does not hold up closing, and is left in the end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        hub = make_hub(url, connect=False, connect_timeout=1.0)
        hub.connect_in_background()
        _closes_in_time(hub)


def test_stuck_publisher_does_not_hold_up_closing(make_hub: Any, until: Any) -> None:
    """A server that reads nothing blocks neither publishing for long nor closing."""
    server = _RawServer(read=False)
    hub = make_hub(server.url)
    blob = "x" * 200_000

    def flood() -> None:
        while hub.connected:
            hub.publish(Event("a", data={"blob": blob}), on_error="ignore")

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    until(lambda: len(hub._courier.outbox) > 5)
    _closes_in_time(hub)
    thread.join(5)
    assert not thread.is_alive()
    server.close()


def test_reconnects_leave_nothing_behind(
    event_server: Any, make_hub: Any, make_proxy: Any, until: Any
) -> None:
    """Many reconnects leave threads, descriptors and callbacks as they were."""
    proxy = make_proxy(event_server.port)
    hub = make_hub(proxy.url)
    hub.subscribe("topic=a", print)

    def reconnect() -> None:
        connection = hub._connection
        hub.publish(Event("other"))
        proxy.cut()
        until(lambda: hub._connection not in (None, connection) and hub.wait_connected(5))

    reconnect()
    until(lambda: hub._courier.waiting == 0 and not hub._packet_callbacks)
    gc.collect()
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    hub_threads = _hub_threads()
    for _ in range(50):
        reconnect()
    assert _hub_threads() == hub_threads
    until(lambda: hub._courier.waiting == 0 and not hub._packet_callbacks)
    assert len(hub._subscribers) == 2
    assert len(hub._courier._announced) == 2
    if before:
        until(lambda: gc.collect() >= 0 and len(os.listdir("/proc/self/fd")) <= before + 2)


def _hub_threads() -> int:
    return sum(thread.name == "ftrack-event-hub" for thread in threading.enumerate())


class _RawServer:
    """Speaks just enough to be connected to, then sends what a test wants."""

    def __init__(self, read: bool = True) -> None:
        self._read = read
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def send(self, payload: bytes, opcode: int = 1) -> None:
        """Send a frame to the latest client."""
        size = len(payload)
        if size < 126:
            head = bytes([0x80 | opcode, size])
        elif size < 65536:
            head = bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | opcode, 127]) + size.to_bytes(8, "big")
        self.connections[-1].sendall(head + payload)

    def close(self) -> None:
        """End everything."""
        self._listener.close()
        for connection in self.connections:
            connection.close()

    def _serve(self) -> None:
        import base64
        import hashlib

        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            head = received = client.recv(4096)
            while received and b"\r\n\r\n" not in head:
                received = client.recv(4096)
                head += received
            if not received:
                client.close()
                continue
            if b"Upgrade: websocket" not in head:
                body = b"session:30:60:websocket,xhr-polling"
                client.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                    % (len(body), body)
                )
                client.close()
                continue
            key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
            magic = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key + magic).digest())
            # Before the answer: a test may send as soon as the client knows that it is connected.
            self.connections.append(client)
            client.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept
            )
            self.send(b"1::")
            if self._read:
                threading.Thread(target=self._swallow, args=(client,), daemon=True).start()

    @staticmethod
    def _swallow(client: socket.socket) -> None:
        try:
            while client.recv(65536):
                pass
        except OSError:
            return


@pytest.fixture
def raw_server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a server that sends frames as a test wants, and answers nothing."""
    monkeypatch.setattr("ftrack_like.event.courier.ANSWER_PATIENCE", 0.02)
    server = _RawServer()
    yield server
    server.close()


_GOOD = b'5:::{"name":"ftrack.event","args":[{"topic":"good","id":"%d","novelty":1}]}'


@pytest.mark.parametrize(
    ("payload", "opcode"),
    [
        (b"", 1),
        (b"8::", 1),
        (b"9:::x", 1),
        (b"rubbish", 1),
        (b"5:::{", 1),
        (b'5:::{"name":"other","args":[1]}', 1),
        (b'5:::{"name":"ftrack.event","args":[{"no":"topic"}]}', 1),
        (b'5:::{"name":"ftrack.event","args":[NaN]}', 1),
        (b"5:::" + b"[" * 50_000, 1),
        (b"6:::77+[]", 1),
        (b"6:::x", 1),
        (b"7:::bad+day", 1),
        (b"4:::1", 1),
        (b"3:::text", 1),
        (b"\xff\xfe", 1),
        (b"\x00\x01", 2),
        (b"ping", 9),
    ],
)
def test_no_packet_makes_the_hub_deaf(
    payload: bytes, opcode: int, raw_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """After any packet, however broken, the next event is heard on the same connection."""
    hub = make_hub(raw_server.url)
    got: list[Event] = []
    hub.subscribe("topic=good", got.append)
    in_background(hub, answering=False)
    raw_server.send(payload, opcode)
    raw_server.send(_GOOD % 1)
    until(lambda: got)
    assert len(raw_server.connections) == 1


def test_disconnect_packet_leads_to_a_new_connection(
    raw_server: Any, make_hub: Any, until: Any
) -> None:
    """A server that says goodbye is connected to again."""
    hub = make_hub(raw_server.url)
    raw_server.send(b"0::")
    until(lambda: len(raw_server.connections) == 2 and hub.connected)


def test_repeated_event_is_heard_once(raw_server: Any, make_hub: Any, until: Any) -> None:
    """An event with an id that was received before is dropped."""
    hub = make_hub(raw_server.url)
    got: list[str] = []
    hub.subscribe("topic=good", lambda event: got.append(event["id"]))
    for number in (1, 2, 1, 2, 3):
        raw_server.send(_GOOD % number)
    until(lambda: hub.wait(0.05) or "3" in got)
    assert got == ["1", "2", "3"]


def test_flood_is_bounded_and_the_latest_events_stay(
    raw_server: Any,
    make_hub: Any,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Events that nobody handles do not fill the memory: the oldest go, and the log says so."""
    monkeypatch.setattr("ftrack_like.event.inbox.QUEUE_LIMIT", 100)
    hub = make_hub(raw_server.url)
    for number in range(500):
        raw_server.send(_GOOD % number)
    got: list[str] = []
    until(lambda: hub._inbox._dropped >= 400)
    assert hub._event_queue.qsize() <= 100
    hub.subscribe("topic=good", lambda event: got.append(event["id"]))
    hub.wait(0.1)
    assert got[-1] == "499"
    assert len(got) <= 100
    assert "the oldest are dropped" in caplog.text


def test_unacknowledged_events_are_bounded(
    raw_server: Any,
    make_hub: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that acknowledges nothing does not make the hub grow for ever."""
    hub = make_hub(raw_server.url)
    hub._courier.outbox.limit = 10
    for _ in range(50):
        hub.publish(Event("a"))
    assert len(hub._courier.outbox) == 10
    assert caplog.text.count("acknowledges nothing") == 1


def test_unreachable_server_is_an_error_now_and_tried_again_in_the_background(
    serve_events: Any, make_hub: Any
) -> None:
    """Connecting in the foreground fails at once; in the background it works later."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with pytest.raises(exception.EventHubConnectionError, match=f"event server at {url}"):
        make_hub(url)
    hub = make_hub(url, connect=False)
    hub.connect_in_background()
    assert hub.publish(Event("a")) is True
    serve_events(port)
    assert hub.wait_connected(10)
    assert hub._courier.wait_settled(5)


def test_reconnect_gives_up_after_its_attempts(make_hub: Any) -> None:
    """Reconnecting by hand tries as often as it is told, and then raises."""
    hub = make_hub("http://127.0.0.1:1", connect=False)
    with pytest.raises(exception.EventHubConnectionError, match="after 2 attempts"):
        hub.reconnect(attempts=2, delay=0.01)
    with pytest.raises(exception.EventHubConnectionError):
        hub.publish(Event("a"))


def test_redirect_is_refused(make_hub: Any) -> None:
    """A handshake that is sent elsewhere is refused, since the key would go along."""
    import http.server

    class Redirect(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Redirect)
    threading.Thread(target=server.handle_request, daemon=True).start()
    with pytest.raises(exception.EventHubConnectionError, match="redirects to"):
        make_hub(f"http://127.0.0.1:{server.server_port}")
    server.server_close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_is_not_connected_and_leaves_the_parent_alone(
    event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """In a forked child the hub is not connected, says so, and the parent goes on."""
    hub = make_hub(event_server.url)
    got: list[Event] = []
    hub.subscribe("topic=after", got.append)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            hub.publish(Event("after"))
        except exception.EventHubConnectionError:
            status = 0 if not hub.connected else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    in_background(hub)
    hub.publish(Event("after"))
    until(lambda: got)
