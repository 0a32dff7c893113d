"""What studios override and patch on event hubs: it is reached when it is needed."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from typing import Any, Callable
from unittest import mock

import pytest

from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub, SocketIoSession
from ftrack_like.event.subscriber import Subscriber

TOPIC = "studio.test"


@pytest.fixture
def make_hub(sandbox: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that makes a hub of a class, connected unless told not to."""
    made: list[EventHub] = []

    def make(class_: Any = EventHub, connect: bool = True) -> Any:
        hub = class_(sandbox.server_url, sandbox.api_user, sandbox.api_key)
        made.append(hub)
        if connect:
            hub.connect()
        return hub

    yield make
    for hub in made:
        hub.close()


class StoringHub(EventHub):
    """Takes the events of the server by itself and hands them to a ``wait`` of its own.

    So do services that store events before they are handled.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.stored: list[Event] = []
        self.threads: set[str] = set()
        super().__init__(*arguments, **options)

    def _handle_packet(self, code: str, packet_identifier: str, path: str, data: str) -> Any:
        """Store events; leave all other packets to the hub."""
        self.threads.add(threading.current_thread().name)
        if self._code_name_mapping[code] != "event":
            return super()._handle_packet(code, packet_identifier, path, data)
        payload = self._decode(data)
        for mapping in payload["args"]:
            self._event_queue.put(("event", Event(**mapping)))
        return None

    def wait(self, duration: Any = None) -> None:
        """Store one event that was received."""
        item = self._event_queue.get(timeout=10)
        while not isinstance(item, tuple):  # Events of the hub itself.
            item = self._event_queue.get(timeout=10)
        kind, event = item
        assert kind == "event"
        self.stored.append(event)


def test_hub_that_stores_events(make_hub: Any) -> None:
    """Packets and waiting may be taken over; events are made again of what was decoded."""
    storing, publisher = make_hub(StoringHub), make_hub()
    storing.subscribe(f"topic={TOPIC}", lambda event: None)
    assert storing.wait_connected(10)
    event = Event(topic=TOPIC, data={"number": 3})
    publisher.publish(event)
    storing.wait()
    assert [each["id"] for each in storing.stored] == [event["id"]]
    again = Event(**storing.stored[0]._data)
    assert again["data"] == {"number": 3}
    assert storing.threads == {"ftrack-event-hub"}


def test_decoded_packets_have_the_fields_of_events(make_hub: Any) -> None:
    """A packet that is decoded by hand names its fields as an event of ours does."""
    hub = make_hub(connect=False)
    packet = hub._encode({"name": "ftrack.event", "args": [Event(TOPIC, in_reply_to_event="1")]})
    assert '"inReplyToEvent"' in packet
    assert Event(**hub._decode(packet)["args"][0])["in_reply_to_event"] == "1"


def test_codes_have_names_both_ways(make_hub: Any) -> None:
    """Codes of packets are looked up by name and names by code."""
    codes = make_hub(connect=False)._code_name_mapping
    assert (codes["2"], codes["heartbeat"]) == ("heartbeat", "2")
    assert (codes["5"], codes["event"]) == ("event", "5")
    assert all(codes[codes[name]] == name for name in codes)


def test_heartbeats_are_answered_through_the_seam(make_hub: Any) -> None:
    """A heartbeat that is handed in is answered by ``_send_packet``, as subclasses do it too."""
    sent = []

    class Noting(EventHub):
        """A hub that notes what it sends."""

        def _send_packet(self, code: str, data: str = "", callback: Any = None) -> Any:
            sent.append(self._code_name_mapping[code])
            return super()._send_packet(code, data, callback)

    hub = make_hub(Noting)
    del sent[:]
    hub._handle_packet("2", "", "", "")
    hub.publish(Event(TOPIC))
    assert [name for name in sent if name != "acknowledge"] == ["heartbeat", "event"]


def test_handling_is_reached_for_each_event(make_hub: Any) -> None:
    """``wait`` and ``publish`` hand events to the ``_handle`` that is there, whatever is queued."""
    handled: list[Any] = []

    class Handling(EventHub):
        """A hub that handles by itself."""

        def _handle(self, event: Any, synchronous: bool = False) -> Any:
            handled.append(event)
            return super()._handle(event, synchronous) if isinstance(event, Event) else None

    hub = make_hub(Handling)
    event = Event(TOPIC)
    hub._event_queue.put(("stored", event))
    hub._event_queue.put(event)
    hub.wait(0.2)
    hub.publish(Event("local"), synchronous=True)
    assert ("stored", event) in handled
    assert event in handled
    assert handled[-1]["topic"] == "local"


def test_events_are_prepared_through_the_seams(make_hub: Any) -> None:
    """What a studio adds to events and replies travels with them."""

    class Preparing(EventHub):
        """A hub that says where it is."""

        def _prepare_event(self, event: Any) -> None:
            super()._prepare_event(event)
            event["source"]["site"] = "north"

        def _prepare_reply_event(self, event: Any, source_event: Any, source: Any = None) -> None:
            super()._prepare_reply_event(event, source_event, source)
            event["data"]["signed"] = True

    hub = make_hub(Preparing)
    seen: list[Any] = []

    def answer(event: Any) -> Any:
        seen.append(event["source"]["site"])
        return {"text": "yes"}

    hub.subscribe(f"topic={TOPIC}", answer)
    replies: list[Any] = []
    hub.publish(Event(TOPIC), on_reply=replies.append)
    for _ in range(100):
        hub.wait(0.05)
        if replies:
            break
    assert seen == ["north"]
    assert replies[0]["data"] == {"text": "yes", "signed": True}


class LookAlike:
    """A websocket with nothing but ``send``, ``recv`` and ``close``, as tests make them."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.incoming: queue.Queue[Any] = queue.Queue()

    def send(self, packet: str) -> None:
        """Note *packet* and the thread, and acknowledge it if that is asked for."""
        self.sent.append((threading.current_thread().name, packet))
        code, identifier = packet.split(":")[:2]
        if code == "5" and identifier.endswith("+"):
            self.incoming.put(f'6:::{identifier}[{{"success": true}}]')

    def recv(self) -> Any:
        """Return the next packet; None at the end."""
        return self.incoming.get()

    def close(self) -> None:
        """End reading."""
        self.incoming.put(None)


class Granted(EventHub):
    """A hub that is granted a session without asking."""

    def _get_socket_io_session(self) -> SocketIoSession:
        return SocketIoSession("granted", 15, ["websocket"])


def test_websocket_library_may_be_patched(make_hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A patched ``websocket.create_connection`` and handshake are those that are used."""
    websocket, asked = LookAlike(), []

    def create_connection(address: str, **options: Any) -> LookAlike:
        asked.append(address)
        return websocket

    monkeypatch.setattr("websocket.create_connection", create_connection)
    hub = make_hub(Granted)
    assert asked[0].endswith("/socket.io/1/websocket/granted")
    assert hub.connected
    assert hub._connection is websocket
    event = Event(TOPIC, data={"a": 1})
    hub.publish(event)
    thread, packet = websocket.sent[-1]
    assert thread == threading.current_thread().name
    assert f'"{event["id"]}"' in packet
    heard: list[Any] = []
    hub.subscribe(f"topic={TOPIC}", heard.append)
    websocket.incoming.put("5:::" + hub._encode({"name": "ftrack.event", "args": [event]}))
    for _ in range(100):
        hub.wait(0.05)
        if heard:
            break
    assert heard[0]["data"] == {"a": 1}


@pytest.mark.parametrize(
    ("error", "waits", "log"),
    [(ConnectionError("cut"), 1, None), (AssertionError("odd"), 0, "Error sending event")],
)
def test_faults_of_sending(
    make_hub: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    waits: int,
    log: Any,
) -> None:
    """A broken connection makes an event wait; any other error is logged before publish returns."""
    websocket = LookAlike()
    monkeypatch.setattr("websocket.create_connection", lambda address, **options: websocket)
    hub = make_hub(Granted)

    def fail(packet: str) -> None:
        raise error

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        # From now on nothing else may be opened, so that what waits stays where it is.
        patch.setattr(hub, "_get_socket_io_session", lambda: fail(""))
        patch.setattr(websocket, "send", fail)
        hub.publish(Event(TOPIC))
        assert hub._event_send_queue.qsize() == waits
    assert (log is None) or any(log in record.message for record in caplog.records)


def test_headers_and_cookies_may_be_set_late(
    make_hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers and cookies that are set on a hub go with its next connection."""
    given = {}

    def create_connection(address: str, **options: Any) -> LookAlike:
        given.update(options)
        return LookAlike()

    monkeypatch.setattr("websocket.create_connection", create_connection)
    hub = make_hub(Granted, connect=False)
    hub._headers["x-studio"] = "1"
    hub._cookies = {"gate": "open"}
    hub.connect()
    assert "x-studio: 1" in given["header"]
    assert given["cookie"] == "gate=open"


def test_hub_attributes_that_studios_read(make_hub: Any) -> None:
    """The state of a hub can be read under the names that studios know."""
    hub = make_hub(connect=False)
    assert (hub._connection, hub.connected) == (None, False)
    assert (hub._connection_initialised, hub._intentional_disconnect) == (False, False)
    assert isinstance(hub._event_queue, queue.Queue)
    assert isinstance(hub._event_send_queue, queue.Queue)
    hub.init_connection()
    assert hub._connection_initialised
    hub.connect()
    assert hub._subscribers[0].metadata["id"] == hub.id
    hub.disconnect()
    assert hub._intentional_disconnect
    assert hub.server.hostname == "127.0.0.1"


def test_attributes_may_be_set_before_the_constructor_of_the_hub(make_hub: Any) -> None:
    """A subclass may set attributes of the hub first, as it may with the published client."""

    class Early(EventHub):
        """A hub that names its attributes first."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._connection = None
            self._event_queue = queue.Queue()
            super().__init__(*arguments, **options)

    hub = make_hub(Early)
    hub.publish(Event(TOPIC))
    assert hub.connected


def test_attributes_of_hubs_can_be_patched(make_hub: Any) -> None:
    """A patched attribute is used by the hub while it is patched, and is restored."""
    hub = make_hub(connect=False)
    websocket, waiting = LookAlike(), queue.Queue[Any]()
    usual = hub._event_queue
    with mock.patch.object(hub, "_connection", websocket):
        assert hub.connected
        hub.publish(Event(TOPIC))
        assert len(websocket.sent) == 1
    assert hub._connection is None
    with mock.patch.object(hub, "_connection_initialised", True):
        hub.publish(Event(TOPIC))
        with mock.patch.object(hub, "_event_queue", waiting):
            waiting.put(Event("ftrack.meta.disconnected"))
            hub.wait()
    assert waiting.empty()
    assert hub._event_queue is usual
    assert hub._event_send_queue.qsize() == 1
    hub._subscribers = []
    hub._subscribers.append(Subscriber(f"topic={TOPIC}", lambda event: "heard", {}, 100))
    assert hub.publish(Event(TOPIC), synchronous=True) == ["heard"]
