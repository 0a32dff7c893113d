"""The hub without a server: subscribing, and publishing synchronously."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub, ServerDetails


@pytest.fixture
def hub() -> EventHub:
    """Return a hub that is not connected."""
    return EventHub("http://localhost:5005", "user", "secret-key")


def test_synchronous_publish_returns_answers_in_order_of_priority(hub: EventHub) -> None:
    """The answers of all subscribers come back, those with a lower priority first."""
    hub.subscribe("topic=a", lambda event: "usual")
    hub.subscribe("topic=a", lambda event: None, priority=50)
    hub.subscribe("topic=a", lambda event: "early", priority=5)
    hub.subscribe("topic=b", lambda event: "other")
    assert hub.publish(Event("a"), synchronous=True) == ["early", None, "usual"]
    assert hub.publish(Event("c"), synchronous=True) == []


def test_published_event_tells_its_source(hub: EventHub) -> None:
    """The hub says who published an event, where the event does not, and never when."""
    event = Event("a", source={"applicationId": "mine"})
    hub.publish(event, synchronous=True)
    assert event["source"]["id"] == hub.id
    assert event["source"]["user"] == {"username": "user"}
    assert event["source"]["applicationId"] == "mine"
    assert event["source"]["host"]
    assert event["sent"] is None


@pytest.mark.parametrize("value", ["studio.x", None, {"topic": "studio.x"}, ["studio.x"]])
def test_anything_but_an_event_is_refused_with_advice(hub: EventHub, value: Any) -> None:
    """Whatever publishes, or replies to, a value that is not an event says what to pass."""
    calls = (
        lambda: hub.publish(value),
        lambda: hub.publish(value, synchronous=True, on_error="ignore"),
        lambda: hub.publish_and_wait(value),
        lambda: hub.publish_reply(value, {}),
    )
    for call in calls:
        with pytest.raises(TypeError, match=r"Pass Event\(topic='studio\.\w+', data=\{…\}\)"):
            call()


def test_stopped_event_goes_no_further(hub: EventHub) -> None:
    """A callback that stops an event keeps it from later ones; its own answer counts."""

    def stop(event: Event) -> str:
        event.stop()
        return "stopped"

    hub.subscribe("topic=a", stop, priority=1)
    hub.subscribe("topic=a", lambda event: "never")
    assert hub.publish(Event("a"), synchronous=True) == ["stopped"]


def test_target_selects_subscribers_by_metadata(hub: EventHub) -> None:
    """Only subscribers whose metadata match the target are told."""
    hub.subscribe("topic=a", lambda event: "one", subscriber={"id": "one", "version": 2})
    hub.subscribe("topic=a", lambda event: "two")
    assert hub.publish(Event("a", target="id=one"), synchronous=True) == ["one"]
    assert hub.publish(Event("a", target="version>1"), synchronous=True) == ["one"]
    assert hub.publish(Event("a", target="id=three"), synchronous=True) == []


def test_target_that_makes_no_sense_is_logged(
    hub: EventHub, caplog: pytest.LogCaptureFixture
) -> None:
    """An event with a broken target reaches nobody, and the log says so."""
    hub.subscribe("topic=a", lambda event: "one")
    assert hub.publish(Event("a", target="bad expression"), synchronous=True) is None
    assert "failed to parse event target" in caplog.text


def test_error_of_a_callback_is_logged_and_the_others_are_called(
    hub: EventHub, caplog: pytest.LogCaptureFixture
) -> None:
    """One faulty callback does not keep others from being told, and its error is in the log."""
    hub.subscribe("topic=a", lambda event: 1 / 0, priority=1)
    hub.subscribe("topic=a", lambda event: "fine")
    assert hub.publish(Event("a"), synchronous=True) == ["fine"]
    assert "Error calling subscriber" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_slow_callback_is_named(
    hub: EventHub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback that holds others up is named in the log."""
    monkeypatch.setattr("ftrack_like.event.router.SLOW_CALLBACK", 0.0)
    hub.subscribe("topic=a", lambda event: None, subscriber={"id": "the-slow-one"})
    hub.publish(Event("a"), synchronous=True)
    assert "the-slow-one" in caplog.text
    assert "other events had to wait" in caplog.text


def test_subscribers_have_unique_ids(hub: EventHub) -> None:
    """An id is given to who has none, and may be used once."""
    metadata: dict[str, Any] = {"name": "x"}
    identifier = hub.subscribe("topic=a", print, subscriber=metadata)
    assert metadata == {"name": "x", "id": identifier}
    found = hub.get_subscriber_by_identifier(identifier)
    assert found is not None
    assert found.metadata is metadata
    assert hub.get_subscriber_by_identifier("nobody") is None
    with pytest.raises(exception.NotUniqueError, match=identifier):
        hub.subscribe("topic=b", print, subscriber={"id": identifier})


def test_unsubscribe_removes_a_subscriber(hub: EventHub) -> None:
    """An unsubscribed callback is called no more, and cannot be unsubscribed again."""
    identifier = hub.subscribe("topic=a", lambda event: "gone")
    hub.unsubscribe(identifier)
    assert hub.publish(Event("a"), synchronous=True) == []
    with pytest.raises(exception.NotFoundError, match=identifier):
        hub.unsubscribe(identifier)


def test_subscription_context_unsubscribes(hub: EventHub) -> None:
    """Within the context the callback is called, and after it not."""
    with hub.subscription("topic=a", lambda event: "inside") as identifier:
        assert hub.get_subscriber_by_identifier(identifier) is not None
        assert hub.publish(Event("a"), synchronous=True) == ["inside"]
    assert hub.publish(Event("a"), synchronous=True) == []


def test_broken_subscription_is_refused(hub: EventHub) -> None:
    """A subscription that makes no sense is an error at once, and subscribes nobody."""
    with pytest.raises(exception.ParseError):
        hub.subscribe("topic a", print)
    assert len(hub._subscribers) == 0


def test_publish_without_a_connection_raises_unless_told_to_ignore(hub: EventHub) -> None:
    """An event that can be neither sent nor kept is an error, or nothing on request."""
    with pytest.raises(exception.EventHubConnectionError, match="not connected"):
        hub.publish(Event("a"))
    assert hub.publish(Event("a"), on_error="ignore") is None


def test_publish_with_a_connection_to_come_keeps_the_event(hub: EventHub) -> None:
    """Once a connection is announced, events wait for it in the queue."""
    hub.init_connection()
    event = Event("a")
    assert hub.publish(event) is True
    assert hub._event_send_queue.qsize() == 1
    assert hub._event_send_queue.get()[0] is event


def test_publish_says_when_too_many_events_wait(
    hub: EventHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buffer for a connection to come has a bound, and reaching it is an error."""
    monkeypatch.setattr("ftrack_like.event.courier.BUFFER_LIMIT", 3)
    hub.init_connection()
    for _ in range(3):
        hub.publish(Event("a"))
    with pytest.raises(exception.EventHubError, match="3 events already wait"):
        hub.publish(Event("a"))


def test_wait_and_disconnect_without_a_connection_say_so(hub: EventHub) -> None:
    """Waiting for a connection that nobody makes is an error that says what to do."""
    with pytest.raises(exception.EventHubConnectionError, match=r"connect\(\)"):
        hub.wait(1)
    with pytest.raises(exception.EventHubConnectionError, match="Not currently connected"):
        hub.disconnect()
    hub.close()
    assert not hub.wait_connected(1)


@pytest.mark.parametrize(
    ("url", "server", "location", "secure"),
    [
        ("https://x.y", ServerDetails("https", "x.y", None), "x.y", True),
        ("https://x.y:8080/p", ServerDetails("https", "x.y", 8080), "x.y:8080", True),
        ("http://x/", ServerDetails("http", "x", None), "x", False),
        ("http://[::1]:80/", ServerDetails("http", "::1", 80), "[::1]:80", False),
        ("https://[fe80::1]", ServerDetails("https", "fe80::1", None), "[fe80::1]", True),
    ],
)
def test_server_details(url: str, server: Any, location: str, secure: bool) -> None:
    """The hub tells where its server is."""
    hub = EventHub(url, "user", "key")
    assert hub.server == server
    assert hub.get_network_location() == location
    assert hub.get_server_url() == f"{server.scheme}://{location}"
    assert hub.secure is secure


@pytest.mark.parametrize("url", ["x", "", "http://"])
def test_address_without_a_server_is_refused(url: str) -> None:
    """An address that names no server is an error."""
    with pytest.raises(ValueError, match="Could not determine"):
        EventHub(url, "user", "key")


def test_key_does_not_show(hub: EventHub, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the text of a hub nor its log show the key."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(exception.EventHubConnectionError) as caught:
        EventHub("http://127.0.0.1:1", "user", "secret-key").connect()
    for text in (repr(hub), str(hub), caplog.text, str(caught.value)):
        assert "secret-key" not in text


def test_websocket_library_is_not_loaded_without_a_connection() -> None:
    """Importing and using a hub locally costs no websocket library."""
    code = (
        "import sys\n"
        "from ftrack_like.event.hub import EventHub, SocketIoSession\n"
        "from ftrack_like.event.base import Event\n"
        "EventHub('http://x', 'u', 'k').publish(Event('a'), synchronous=True)\n"
        "assert 'websocket' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"inReplyToEvent": 1}', {"in_reply_to_event": 1}),
        ('[{"a": {"inReplyToEvent": 1}}]', [{"a": {"in_reply_to_event": 1}}]),
        ('{"args": [{"inReplyToEvent": 1}]}', {"args": [{"in_reply_to_event": 1}]}),
        (
            '{"args": [{"data": {"inReplyToEvent": 1}}]}',
            {"args": [{"data": {"in_reply_to_event": 1}}]},
        ),
        ('{"a": [1]}', {"a": [1]}),
    ],
)
def test_decode_names_the_field_of_replies(hub: EventHub, text: str, value: Any) -> None:
    """What comes from the server bears our names of fields, wherever an event stands."""
    assert hub._decode(text) == value


def test_encode_names_the_field_of_replies(hub: EventHub) -> None:
    """What goes to the server bears its names of fields, wherever an event stands."""
    text = hub._encode({"args": [Event("a", in_reply_to_event="0", data={"b": Event("b")})]})
    assert text.count('"inReplyToEvent"') == 2
    assert "in_reply_to_event" not in text


def test_fault_of_the_connection_queues_the_event(
    hub: EventHub, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken connection lets an event wait; any other error of sending is logged at once."""

    class Connection:
        connected = True
        error: Exception = BrokenPipeError("gone")

        def send(self, packet: str) -> None:
            raise self.error

    hub._connection = Connection()
    assert hub.publish(Event("kept")) is True
    assert hub._event_send_queue.qsize() == 1
    Connection.error = RuntimeError("odd")
    assert hub.publish(Event("lost")) is None
    assert hub._event_send_queue.qsize() == 1
    assert "Error sending event" in caplog.text
