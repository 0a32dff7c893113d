"""How long a hub waits, and what it handles while it does."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.event.base import Event
from ftrack_like.event.handshake import SocketIoSession
from ftrack_like.event.hub import EventHub

SHORT = [0, 0.0, -1, -0.5, 1e-9]
DISCONNECTED = "ftrack.meta.disconnected"


def told(hub: EventHub, *topics: str) -> list[str]:
    """Queue events about *topics* on *hub*, empty before; return the list of those handled."""
    while not hub._event_queue.empty():
        hub._event_queue.get()
    seen: list[str] = []
    hub.subscribe("topic=*", lambda event: seen.append(event["topic"]))
    for topic in topics:
        hub._event_queue.put(Event(topic))
    return seen


@pytest.fixture
def hub() -> EventHub:
    """Return a hub that is about to be connected, so that it may be waited for."""
    made = EventHub("http://127.0.0.1:1", "user", "key")
    made.init_connection()
    return made


@pytest.mark.parametrize("duration", SHORT)
def test_short_wait_handles_one_event(hub: EventHub, duration: float) -> None:
    """However short the duration is, one waiting event is handled, and no second."""
    seen = told(hub, "a", "b", "c")
    for expected in (["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c"]):
        hub.wait(duration)
        assert seen == expected


@pytest.mark.parametrize("duration", SHORT)
@pytest.mark.parametrize("workers", [None, 2])
def test_first_short_wait_handles_an_event(
    event_server: Any, make_hub: Any, duration: float, workers: Any
) -> None:
    """The event that tells of the new connection is handled beside the first other one."""
    hub = make_hub(event_server.url)
    seen: list[str] = []
    hub.subscribe("topic=a", lambda event: seen.append(event["topic"]))
    hub._event_queue.put(Event("a"))
    hub._event_queue.put(Event("a"))
    hub.wait(duration, workers=workers)
    assert seen == ["a"]


@pytest.mark.parametrize("duration", SHORT)
def test_short_wait_with_workers_handles_an_event(hub: EventHub, duration: float) -> None:
    """Workers too handle a waiting event in the shortest time."""
    seen = told(hub, "a", "b", "c")
    for count in (1, 2, 3):
        hub.wait(duration, workers=2)
        assert len(seen) == count


def test_connected_hub_is_pumped_by_a_timer(event_server: Any, make_hub: Any, until: Any) -> None:
    """A timer that calls ``wait(0)`` brings all events, also those of other hubs, and replies."""
    hub, other = make_hub(event_server.url), make_hub(event_server.url)
    seen: list[int] = []
    replies: list[Event] = []
    hub.subscribe("topic=numbered", lambda event: seen.append(event["data"]["n"]))
    until(lambda: not hub._courier._unanswered)
    for number in range(20):
        other.publish(Event("numbered", data={"n": number}))
    until(lambda: hub.wait(0) or len(seen) == 20)
    assert seen == list(range(20))
    hub.subscribe("topic=question", lambda event: "answer")
    hub.publish(Event("question"), on_reply=replies.append)
    until(lambda: hub.wait(0) or replies)
    assert replies[0]["data"] == "answer"


def test_callback_may_wait(hub: EventHub) -> None:
    """A callback that opens a dialog, whose timer waits in turn, gets the events after its own."""
    seen = told(hub, "a", "b", "c")
    hub.subscribe("topic=a", lambda event: hub.wait(0))
    hub.wait(0)
    assert seen == ["a", "b"]


@pytest.mark.parametrize("duration", [None, 30])
@pytest.mark.parametrize("workers", [None, 1, 3])
def test_disconnection_ends_the_waiting(hub: EventHub, duration: Any, workers: Any) -> None:
    """Waiting ends when a queued disconnection was handled, with everything before it."""
    seen = told(hub, "a", "b", DISCONNECTED, "c")
    thread = threading.Thread(
        target=hub.wait, args=(duration,), kwargs={"workers": workers}, daemon=True
    )
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert sorted(seen) == ["a", "b", DISCONNECTED]
    hub.wait(0)
    assert seen[-1] == "c"


def test_waiting_goes_on_over_a_drop(
    event_server: Any, make_hub: Any, make_proxy: Any, in_background: Any, until: Any
) -> None:
    """A connection that breaks is opened again, and the waiting goes on, with every event."""
    proxy = make_proxy(event_server.port)
    hub = make_hub(proxy.url)
    seen: list[str] = []
    hub.subscribe("topic=*", lambda event: seen.append(event["topic"]))
    thread = in_background(hub)
    for number in (1, 2):
        proxy.cut()
        until(lambda number=number: seen.count("ftrack.meta.reconnected") == number)
    assert seen.count(DISCONNECTED) == 2
    assert thread.is_alive()
    assert not hub._inbox._interruptions


def test_dropped_interruptions_are_forgotten(
    hub: EventHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing stays of a disconnection that was dropped since too many events waited."""
    monkeypatch.setattr("ftrack_like.event.inbox.QUEUE_LIMIT", 3)
    for _ in range(10):
        hub._tell("ftrack.meta.disconnected", {})
    assert len(hub._inbox._interruptions) == 3
    hub.wait(0.01)
    assert not hub._inbox._interruptions


@pytest.mark.parametrize("duration", [None, *SHORT, 0.01])
def test_hub_that_nobody_connects_raises(event_server: Any, make_hub: Any, duration: Any) -> None:
    """Without a connection to come, waiting raises, before and after one; events stay queued."""
    hub = make_hub(event_server.url, connect=False)
    for _ in range(2):
        seen = told(hub, "a")
        with pytest.raises(exception.EventHubConnectionError, match=r"connect\(\)"):
            hub.wait(duration)
        assert not seen
        assert hub._event_queue.qsize() == 1
        hub.connect()
        hub.close()


def test_hub_between_two_connections_is_waited_for(event_server: Any, make_hub: Any) -> None:
    """A hub that was disconnected to connect again handles what was received before."""
    hub = make_hub(event_server.url)
    hub.disconnect(unsubscribe=False, reconnect=True)
    seen = told(hub, "a", "b")
    hub.wait(0)
    hub.wait(0.01)
    assert seen == ["a", "b"]


def test_closing_in_a_callback_ends_the_waiting(event_server: Any, make_hub: Any) -> None:
    """A callback that closes the hub is the last one that is called."""
    hub = make_hub(event_server.url)
    seen = told(hub, "a", "b")
    hub.subscribe("topic=a", lambda event: hub.close())
    hub.wait()
    assert seen == ["a"]


@pytest.mark.parametrize("workers", [None, 2])
@pytest.mark.parametrize(
    "item", [(Event("a"), False, None), ("a", "b"), (), 5, None, {"topic": "a"}, {}, [1]]
)
def test_other_things_in_the_queue_reach_the_handler(item: Any, workers: Any) -> None:
    """A subclass may queue tuples and more for a ``_handle`` that knows them."""
    handled = []

    class Studio(EventHub):
        """A hub that handles anything."""

        def _handle(self, event: Any, synchronous: bool = False) -> Any:
            handled.append(event)

    hub = Studio("http://127.0.0.1:1", "user", "key")
    hub.init_connection()
    hub._event_queue.put(item)
    hub.wait(0, workers=workers)
    assert handled == [item]


@pytest.mark.parametrize("workers", [None, 2])
def test_nonsense_in_the_queue_is_logged(
    hub: EventHub, workers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What no subscriber can be called with is logged, and the next event is handled."""
    seen = told(hub)
    for item in (("a", "b"), None, 5, {"id": []}, Event("after")):
        hub._event_queue.put(item)
    for _ in range(5):
        hub.wait(0, workers=workers)
    assert seen == ["after"]
    assert caplog.text.count("Error handling event") == 4


@pytest.mark.parametrize("workers", [None, 2])
def test_program_may_end_from_a_callback(hub: EventHub, workers: Any) -> None:
    """``sys.exit`` in a callback ends the waiting and comes out of it; other events stay."""
    seen = told(hub, "a", "b", "b", "b")

    def leave(event: Event) -> None:
        raise SystemExit(3)

    hub.subscribe("topic=a", leave)
    with pytest.raises(SystemExit):
        hub.wait(30, workers=workers)
    for _ in range(5):
        hub.wait(0)
    assert seen == ["a", "b", "b", "b"]


@pytest.mark.parametrize(
    "transports", [["xhr-polling"], [], (), "xhr-polling", None, ["websockets", "flashsocket"]]
)
def test_session_without_websocket_is_refused(
    event_server: Any, make_hub: Any, transports: Any
) -> None:
    """Connecting fails if the session, also one that a program gives, has no websocket."""
    hub = make_hub(event_server.url, connect=False)
    granted = hub._get_socket_io_session

    def replaced() -> SocketIoSession:
        return granted()._replace(supportedTransports=transports)

    hub._get_socket_io_session = replaced
    with pytest.raises(exception.EventHubConnectionError, match="does not support websocket"):
        hub.connect()
    assert not hub.connected
    del hub._get_socket_io_session
    hub.connect()
    assert hub.connected


@pytest.mark.parametrize("transports", [["websocket"], ("xhr-polling", "websocket"), "websocket"])
def test_session_with_websocket_is_taken(event_server: Any, make_hub: Any, transports: Any) -> None:
    """A session that a program gives is used if a websocket is among its transports."""
    hub = make_hub(event_server.url, connect=False)
    granted = hub._get_socket_io_session
    hub._get_socket_io_session = lambda: granted()._replace(supportedTransports=transports)
    hub.connect()
    assert hub.connected
