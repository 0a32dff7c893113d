"""The broker, without sockets: routing, acknowledgements, coming back, and the client's wire."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub
from ftrack_like.wire import packets

pytest.importorskip("starlette")

from ftrack_like.sandbox.events import broker as brokers
from ftrack_like.sandbox.events.audit import AUDITED_EVENTS
from ftrack_like.sandbox.events.broker import Broker
from ftrack_like.sandbox.events.clients import Websocket


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Wire:
    """One websocket in memory, with what was received on it."""

    def __init__(
        self, broker: Broker, user: str = "user", hub: str = "hub", replays: bool = False
    ) -> None:
        self.broker = broker
        self.hub = hub
        self.received: list[str] = []
        self.websocket: Websocket = broker.connect(user, self.received.append, replays)
        self._number = 0

    def publish(self, topic: str, data: Any = None, **fields: Any) -> dict[str, Any]:
        """Publish an event and return the server's answer."""
        event = {"topic": topic, "data": data or {}, "source": {"id": self.hub}, **fields}
        self._number += 1
        text = packets.dumps(packets.event_data(event))
        self.broker.receive(self.websocket, f"5:{self._number}+::{text}")
        answers = [
            message.arguments[0]
            for message in self.messages(packets.Acknowledgement)
            if message.identifier == self._number
        ]
        assert len(answers) == 1
        return dict(answers[0])

    def subscribe(self, subscription: str, identifier: str, **metadata: Any) -> dict[str, Any]:
        """Subscribe and return the server's answer."""
        metadata["id"] = identifier
        data = {"subscriber": metadata, "subscription": subscription}
        return self.publish("ftrack.meta.subscribe", data)

    def messages(self, kind: type) -> list[Any]:
        """Return the messages of a kind that came."""
        every = [packets.read(packets.split(text)) for text in self.received]
        return [message for message in every if isinstance(message, kind)]

    def heard(self) -> list[Any]:
        """Return the `n` in the data of the events that came, and forget them."""
        numbers = [
            message.arguments[0]["data"].get("n") for message in self.messages(packets.EventMessage)
        ]
        self.received.clear()
        return numbers


@pytest.fixture
def clock() -> Clock:
    """Return a clock to be set by hand."""
    return Clock()


@pytest.fixture
def broker(clock: Clock) -> Broker:
    """Return a broker without clients."""
    return Broker(heartbeat=10, clock=clock)


def test_server_greets_first(broker: Broker) -> None:
    """The first packet of the server says that it is ready."""
    assert Wire(broker).received == ["1::"]


def test_event_goes_to_each_matching_connection_once(broker: Broker) -> None:
    """Two fitting subscribers on one connection get one copy; others get none."""
    first, second, third = (Wire(broker, hub=name) for name in "abc")
    first.subscribe("topic=a", "1")
    first.subscribe("topic=*", "2")
    second.subscribe("topic=a and data.n>5", "3")
    assert third.publish("a", {"n": 1}) == {"success": True}
    assert third.publish("a", {"n": 9}) == {"success": True}
    assert (first.heard(), second.heard(), third.heard()) == ([1, 9], [9], [])


def test_publisher_hears_itself(broker: Broker) -> None:
    """An event comes back to its publisher if that asked for it."""
    wire = Wire(broker)
    wire.subscribe("topic=a", "1")
    wire.publish("a", {"n": 1})
    assert wire.heard() == [1]


def test_sent_is_null(broker: Broker) -> None:
    """Subscribers receive no time in `sent`, whatever the client wrote there."""
    wire = Wire(broker)
    wire.subscribe("topic=a", "1")
    wire.publish("a", sent="long ago")
    (message,) = wire.messages(packets.EventMessage)
    assert message.arguments[0]["sent"] is None
    assert broker.audit()[-1]["sent"].endswith("Z")


def test_target_is_compared_with_metadata(broker: Broker) -> None:
    """A target selects connections by the metadata of their subscribers."""
    first, second = Wire(broker, hub="a"), Wire(broker, hub="b")
    first.subscribe("topic=a", "1", version=3)
    second.subscribe("topic=a", "2", version=4)
    first.publish("a", {"n": 1}, target="id=2 or version<=3")
    first.publish("a", {"n": 2}, target="version>3")
    assert (first.heard(), second.heard()) == ([1], [1, 2])


def test_the_user_in_metadata_is_the_user_of_the_connection(broker: Broker) -> None:
    """A subscriber cannot claim another user; other metadata stay as they are."""
    first, second = Wire(broker, "ada", hub="a"), Wire(broker, "bob", hub="b")
    first.subscribe("topic=a", "1", user={"username": "bob", "desk": 7})
    second.subscribe("topic=a", "2", user={}, desk="user")
    first.publish("a", {"n": 1}, target="user.username=bob")
    first.publish("a", {"n": 2}, target="user.username=ada and user.desk=7")
    first.publish("a", {"n": 3}, target="desk=user")
    assert (first.heard(), second.heard()) == ([2], [1, 3])


@pytest.mark.parametrize(
    ("topic", "data", "message"),
    [
        ("ftrack.meta.subscribe", {}, "subscriber with an id"),
        ("ftrack.meta.subscribe", {"subscriber": {"id": ""}}, "subscriber with an id"),
        ("ftrack.meta.subscribe", {"subscriber": {"id": "1"}}, "must have a subscription"),
        (
            "ftrack.meta.subscribe",
            {"subscriber": {"id": "1"}, "subscription": "topic a"},
            "Failed to parse",
        ),
        ("ftrack.meta.unsubscribe", {"subscriber": {"id": "1"}}, "no subscriber with the id '1'"),
    ],
)
def test_nonsense_is_refused_with_a_reason(
    broker: Broker, topic: str, data: Any, message: str
) -> None:
    """What cannot be done is refused in the acknowledgement, in words."""
    answer = Wire(broker).publish(topic, data)
    assert answer["success"] is False
    assert message in answer["message"]


def test_id_of_a_living_subscriber_is_refused(broker: Broker) -> None:
    """An id that a living connection holds is refused, even to the same connection."""
    first, second = Wire(broker, hub="a"), Wire(broker, hub="b")
    assert first.subscribe("topic=a", "1") == {"success": True}
    for wire in (first, second):  # each with another expression
        answer = wire.subscribe("topic=b", "1")
        assert answer["success"] is False
        assert "1 is subscribed already" in answer["message"]


def test_same_subscription_may_be_sent_twice(broker: Broker) -> None:
    """A connection that repeats a subscription is answered with success, and hears events once."""
    wire = Wire(broker)
    for _ in range(2):
        assert wire.subscribe("topic=a", "1", version=3) == {"success": True}
    wire.publish("a", {"n": 1})
    assert wire.heard() == [1]


def test_id_of_another_user_is_refused_even_when_gone(broker: Broker) -> None:
    """Nobody takes over the subscriber of another user."""
    first = Wire(broker, user="jane")
    first.subscribe("topic=a", "1")
    broker.disconnect(first.websocket)
    assert Wire(broker, user="joe").subscribe("topic=a", "1")["success"] is False
    assert Wire(broker, user="jane").subscribe("topic=a", "1")["success"] is True


def test_silent_connection_is_taken_over(broker: Broker, clock: Clock) -> None:
    """A newer connection of the same user takes over an id whose connection is silent."""
    first, second = Wire(broker, hub="a"), Wire(broker, hub="b")
    first.subscribe("topic=a", "1")
    clock.now += 14
    assert second.subscribe("topic=a", "1")["success"] is False
    clock.now += 2
    assert second.subscribe("topic=a", "1")["success"] is True
    assert first.websocket.state == "closed"


def test_same_hub_takes_over_at_once(broker: Broker) -> None:
    """A hub that is back before the server noticed its absence need not wait."""
    first, second = Wire(broker), Wire(broker)
    first.subscribe("topic=a", "1")
    assert second.subscribe("topic=a", "1")["success"] is True
    second.publish("a", {"n": 1})
    assert second.heard() == [1]
    assert broker.statistics() == {"connections": 1, "subscribers": 1, "away": 0}


def test_disconnected_client_is_away_and_forgotten_in_time(broker: Broker, clock: Clock) -> None:
    """A client that was dropped is remembered for a while, and not for ever."""
    wire = Wire(broker)
    wire.subscribe("topic=a", "1")
    broker.disconnect(wire.websocket)
    assert broker.statistics() == {"connections": 0, "subscribers": 1, "away": 1}
    clock.now += brokers.RETENTION + 1
    broker.publish({"topic": "a"})
    assert broker.statistics() == {"connections": 0, "subscribers": 0, "away": 0}


def test_goodbye_is_remembered_by_nobody(broker: Broker) -> None:
    """A client that says goodbye leaves nothing behind."""
    wire = Wire(broker)
    wire.subscribe("topic=a", "1")
    broker.receive(wire.websocket, "0::")
    assert wire.websocket.state == "closed"
    broker.disconnect(wire.websocket)
    assert broker.statistics() == {"connections": 0, "subscribers": 0, "away": 0}


def test_returning_client_hears_what_it_missed_in_order(broker: Broker) -> None:
    """What happened while a client was away comes when it is back, before what is new."""
    old, other = Wire(broker, replays=False), Wire(broker, hub="other")
    old.subscribe("topic=a", "1")
    old.subscribe("topic=b", "2")
    broker.disconnect(old.websocket)
    for number, topic in enumerate("abab"):
        other.publish(topic, {"n": number})
    new = Wire(broker)
    new.subscribe("topic=b", "2")
    other.publish("b", {"n": 4})
    assert new.messages(packets.EventMessage) == []
    new.subscribe("topic=a", "1")
    other.publish("a", {"n": 5})
    assert new.heard() == [0, 1, 2, 3, 4, 5]


def test_returning_client_may_leave_subscribers_behind(broker: Broker, clock: Clock) -> None:
    """A client that does not subscribe everything again gets the rest after a moment."""
    old, other = Wire(broker), Wire(broker, hub="other")
    old.subscribe("topic=a", "1")
    old.subscribe("topic=b", "2")
    broker.disconnect(old.websocket)
    for number, topic in enumerate("abab"):
        other.publish(topic, {"n": number})
    new = Wire(broker)
    new.subscribe("topic=b", "2")
    broker.resume_late(new.websocket)
    assert new.messages(packets.EventMessage) == []
    clock.now += brokers.RESUME_PATIENCE
    broker.resume_late(new.websocket)
    assert new.heard() == [1, 3]
    assert broker.statistics()["subscribers"] == 1


def test_returning_client_may_unsubscribe_what_it_had(broker: Broker, clock: Clock) -> None:
    """To end an earlier subscription is as good as to begin it anew: what was held comes."""
    old, other = Wire(broker), Wire(broker, hub="other")
    old.subscribe("topic=a", "1")
    old.subscribe("topic=b", "2")
    broker.disconnect(old.websocket)
    for number, topic in enumerate("abab"):
        other.publish(topic, {"n": number})
    new = Wire(broker)
    new.subscribe("topic=b", "2")
    assert new.publish("ftrack.meta.unsubscribe", {"subscriber": {"id": "1"}}) == {"success": True}
    assert new.heard() == [1, 3]
    clock.now += brokers.RESUME_PATIENCE
    broker.resume_late(new.websocket)


def test_unacknowledged_events_are_sent_again_to_clients_that_drop_repeats(
    broker: Broker,
) -> None:
    """What was sent and not acknowledged, alone or by a later one, is sent again on request."""
    old, other = Wire(broker, replays=True), Wire(broker, hub="other")
    old.subscribe("topic=a", "1")
    for number in range(4):
        other.publish("a", {"n": number})
    broker.receive(old.websocket, "6:::2")
    broker.disconnect(old.websocket)
    other.publish("a", {"n": 4})
    new = Wire(broker, replays=True)
    new.subscribe("topic=a", "1")
    assert new.heard() == [2, 3, 4]


def test_buffer_of_an_absent_client_is_bounded(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the latest events are kept for a client that is away."""
    monkeypatch.setattr("ftrack_like.sandbox.events.clients.BUFFER_LIMIT", 10)
    wire = Wire(broker)
    wire.subscribe("topic=a", "1")
    broker.disconnect(wire.websocket)
    for number in range(50):
        broker.publish({"topic": "a", "data": {"n": number}})
    back = Wire(broker)
    back.subscribe("topic=a", "1")
    assert back.heard() == list(range(40, 50))


def test_buffer_of_an_absent_client_is_bounded_in_size(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few large events fill the buffer as many small ones do."""
    monkeypatch.setattr("ftrack_like.sandbox.events.clients.BUFFER_SIZE", 5000)
    wire = Wire(broker)
    wire.subscribe("topic=a", "1")
    broker.disconnect(wire.websocket)
    for number in range(20):
        broker.publish({"topic": "a", "data": {"n": number, "blob": "x" * 1000}})
    back = Wire(broker)
    back.subscribe("topic=a", "1")
    assert back.heard() == list(range(16, 20))


def test_event_sent_again_after_a_drop_is_passed_on_once(broker: Broker) -> None:
    """A repeat from the same hub on another connection is acknowledged, and goes no further."""
    listener, first = Wire(broker, hub="listener"), Wire(broker)
    listener.subscribe("topic=a", "1")
    first.publish("a", {"n": 1}, id="e1")
    broker.disconnect(first.websocket)
    again = Wire(broker)
    assert again.publish("a", {"n": 1}, id="e1") == {"success": True}
    assert again.publish("a", {"n": 2}, id="e2") == {"success": True}
    assert again.publish("a", {"n": 2}, id="e2") == {"success": True}
    assert listener.heard() == [1, 2, 2]


def test_audit_keeps_the_latest_events(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest events are kept for debugging, with how many they went to."""
    wire = Wire(broker)
    wire.subscribe("topic=a", "1")
    for number in range(AUDITED_EVENTS + 5):
        broker.publish({"topic": "ab"[number % 2], "data": {"n": number}})
    audit = broker.audit()
    assert len(audit) == AUDITED_EVENTS
    assert [entry["recipients"] for entry in audit[-2:]] in ([0, 1], [1, 0])
    assert broker.audit(1)[0]["event"]["data"]["n"] == AUDITED_EVENTS + 4
    assert broker.audit(0) == []


def test_audit_is_bounded_in_size(broker: Broker) -> None:
    """Large events push others out of the audit, so that it stays within some megabytes."""
    for number in range(50):
        broker.publish({"topic": "large", "data": {"n": number, "text": "x" * 1024 * 1024}})
    kept = [entry["event"]["data"]["n"] for entry in broker.audit()]
    assert 0 < len(kept) < 40
    assert kept == list(range(50 - len(kept), 50))


@pytest.mark.parametrize("field", ["topic", "id"])
def test_long_topics_and_ids_are_refused(broker: Broker, field: str) -> None:
    """An event whose topic or id is longer than any program makes it is refused."""
    event: dict[str, Any] = {"topic": "a", "id": "1", field: "x" * 1025}
    answer = Wire(broker).publish(event.pop("topic"), {}, **event)
    assert not answer["success"]
    assert "1024 characters" in answer["message"]


def test_long_expressions_are_refused_unread(broker: Broker) -> None:
    """A subscription or a target of a megabyte is refused before anything parses it."""
    wire, long = Wire(broker), "a=b or " * 150_000 + "a=b"
    for answer in (wire.subscribe(long, "1"), wire.publish("a", {}, target=long)):
        assert not answer["success"]
        assert "65536 characters" in answer["message"]
    assert not wire.subscribe("topic=a", "x" * 1025)["success"]


def test_what_a_client_subscribes_to_is_bounded(broker: Broker) -> None:
    """A client that subscribes to a megabyte of expressions is refused more, others are not."""
    wire, text = Wire(broker), f'a="{"b" * 63_000}"'
    answers = [wire.subscribe(text, str(number)) for number in range(20)]
    assert answers[0]["success"]
    assert "Unsubscribe others first" in answers[-1]["message"]
    assert Wire(broker, hub="other").subscribe("topic=a", "other")["success"]


@pytest.mark.parametrize("payload", ["", "9:::", "5:::{", b"\x00", "6:::x", "5:1+::[]", "7", "8::"])
def test_no_packet_disturbs_the_broker(broker: Broker, payload: Any) -> None:
    """Whatever a client sends, the next packet is understood."""
    wire = Wire(broker)
    broker.receive(wire.websocket, payload)
    assert wire.subscribe("topic=a", "1") == {"success": True}


class MemoryConnection:
    """The hub's connection, straight into a broker; what comes back waits to be passed on."""

    def __init__(self, broker: Broker) -> None:
        self.connected = True
        self.waiting: list[str] = []
        self.broker = broker
        self.websocket = broker.connect("user", self.waiting.append, replays=True)

    def send(self, text: str) -> None:
        """Hand *text* to the broker."""
        self.broker.receive(self.websocket, text)

    def close(self) -> None:
        """Close."""
        self.connected = False


def _pump(hub: EventHub, rubbish: Optional[str] = None) -> None:
    while hub._connection.waiting:
        if rubbish is not None:
            hub._receiver.receive(rubbish)
        hub._receiver.receive(hub._connection.waiting.pop(0))


@pytest.mark.parametrize("rubbish", [None, "9:::x", "5:::{", "hello", "6:::99+[]"])
def test_hub_and_broker_understand_each_other_in_memory(
    broker: Broker, rubbish: Optional[str]
) -> None:
    """Client and server speak to each other without a socket, with rubbish in between."""
    hub = EventHub("http://x", "user", "key")
    hub._connection = MemoryConnection(broker)
    got: list[Event] = []
    hub.subscribe("topic=a", lambda event: got.append(event) or {"n": 2})
    hub._tell_connected(None)
    hub._courier.announce(hub._subscribers[0])
    replies: list[Event] = []
    hub.publish(Event("a", data={"n": 1}), on_reply=replies.append)
    for _ in range(3):
        _pump(hub, rubbish)
        hub.wait(0.02)
    assert [event["data"] for event in got] == [{"n": 1}]
    assert [event["data"] for event in replies] == [{"n": 2}]
    assert hub._courier.waiting == 0
    assert not hub._packet_callbacks
    assert json.loads(json.dumps(broker.audit()))[0]["recipients"] == 1
