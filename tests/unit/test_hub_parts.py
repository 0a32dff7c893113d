"""The parts of the event hub, each alone behind a seam of plain functions."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable
from unittest import mock

import pytest

from ftrack_like import exception
from ftrack_like._transport.connection_settings import ConnectionSettings
from ftrack_like.event import connector as connector_module
from ftrack_like.event.connector import Connector
from ftrack_like.event.courier import Courier
from ftrack_like.event.durable import DurableSubscriptions
from ftrack_like.event.forks import renew_after_fork
from ftrack_like.event.handshake import SocketIoSession
from ftrack_like.event.hub_seams import HubSeams
from ftrack_like.event.inbox import Inbox
from ftrack_like.event.link import Link, LinkHooks
from ftrack_like.event.part_attribute import PartAttribute
from ftrack_like.event.receiver import Receiver
from ftrack_like.event.replies import Replies
from ftrack_like.event.router import Router, target_matcher
from ftrack_like.event.subscriber import Subscriber
from ftrack_like.wire import packets
from ftrack_like.wire.events import Event
from ftrack_like.wire.states import LINK, advance

LOGGER = logging.getLogger("test.hub.parts")
PATIENCE = 10.0


def _unexpected(name: str) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        raise AssertionError(f"{name} was called with {arguments}")

    return call


def _seams(**functions: Any) -> HubSeams:
    """Return a seam with *functions*; calling another one fails the test."""
    usual: dict[str, Any] = {name: _unexpected(name) for name in HubSeams._fields}
    usual.update(
        get_logger=lambda: LOGGER,
        connected=lambda: True,
        expects_events=lambda: True,
        event_namespace=lambda: "ftrack.event",
        subscribers=list,
    )
    return HubSeams(**{**usual, **functions})


def _subscriber(
    subscription: str, identifier: str, priority: int = 100, callback: Any = print
) -> Subscriber:
    return Subscriber(subscription, callback, {"id": identifier}, priority)


def _ids(subscribers: Any) -> list[str]:
    return [entry.metadata["id"] for entry in subscribers]


class Socket:
    """A websocket that notes the packets sent, and fails while it is `broken`."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.broken = False
        self.incoming: queue.Queue[Any] = queue.Queue()

    def send(self, packet: str, /) -> None:
        """Note *packet*."""
        if self.broken:
            raise ConnectionError("cut")
        self.sent.append(packet)

    def recv(self) -> Any:
        """Return the next packet; None at the end."""
        return self.incoming.get(timeout=PATIENCE)

    def close(self) -> None:
        """End reading."""
        self.incoming.put(None)


# The router.


def test_router_keeps_order_of_priority_then_of_subscribing() -> None:
    """Candidates come by priority, and in the order of subscribing where it is equal."""
    router = Router(_seams())
    for identifier, subscription, priority in [
        ("late", "topic=a", 100),
        ("first", "topic=*", 1),
        ("second", "not topic=z", 1),
        ("last", "topic=a or topic=b", 100),
        ("other", "topic=c", 0),
    ]:
        router.add(_subscriber(subscription, identifier, priority))
    assert _ids(router.candidates("a")) == ["first", "second", "late", "last"]
    assert _ids(router.candidates("z")) == ["first", "second"]


def test_router_does_not_visit_subscribers_of_other_topics() -> None:
    """A subscriber to another topic is not even a candidate, however many there are."""
    router = Router(_seams())
    for number in range(500):
        router.add(_subscriber(f"topic=t{number} and data.x=1", str(number)))
    assert _ids(router.candidates("t42")) == ["42"]
    assert router.candidates("t500") == ()


def test_router_forgets_removed_subscribers() -> None:
    """A removed subscriber is neither found nor a candidate, and leaves nothing behind."""
    router = Router(_seams())
    entries = [_subscriber("topic=a or topic=b*", str(number)) for number in range(3)]
    for entry in entries:
        router.add(entry)
    for entry in entries:
        router.remove(entry)
    assert router.get("1") is None
    assert router.candidates("a") == ()
    assert len(router) == 0
    assert not router._index._exact
    assert not router._index._prefixes


def test_router_notices_changes_of_the_list_by_hand() -> None:
    """Code that changes the list of subscribers itself is taken notice of."""
    router = Router(_seams())
    router.add(_subscriber("topic=a", "1"))
    router.subscribers.append(_subscriber("topic=a", "2", priority=1))
    assert _ids(router.candidates("a")) == ["2", "1"]
    del router.subscribers[0]
    assert _ids(router.candidates("a")) == ["2"]
    assert router.get("1") is None
    router.subscribers[:] = []
    assert router.candidates("a") == ()


def test_target_matcher_compares_metadata() -> None:
    """A target is an expression over the metadata of subscribers."""
    matches = target_matcher("id=a or application.version>=2")
    assert matches({"id": "a"})
    assert matches({"id": "b", "application": {"version": 3}})
    assert not matches({"id": "b"})
    with pytest.raises(exception.ParseError):
        target_matcher("nonsense")


def test_router_refuses_a_second_subscriber_with_the_same_id() -> None:
    """The second subscriber with an id is refused, and the first one stays."""
    router = Router(_seams())
    first = _subscriber("topic=a", "1")
    router.add(first)
    with pytest.raises(exception.NotUniqueError):
        router.add(_subscriber("topic=b", "1"))
    assert router.all() == [first]


def test_router_pops_by_id_and_refuses_an_unknown_one() -> None:
    """Removing by id returns the subscriber; an unknown id is an error."""
    router = Router(_seams())
    entry = _subscriber("topic=a", "1")
    router.add(entry)
    assert router.pop("1") is entry
    with pytest.raises(exception.NotFoundError):
        router.pop("1")


def test_router_puts_the_hub_first_and_once() -> None:
    """The subscriber of the hub itself is the first in the list, and added once."""
    router = Router(_seams())
    router.add(_subscriber("topic=a", "early"))
    router.add_first(_subscriber("topic=r", "hub"))
    router.add_first(_subscriber("topic=r", "hub"))
    assert _ids(router.all()) == ["hub", "early"]


def test_dispatch_collects_results_and_publishes_replies() -> None:
    """All results are returned; those that are not None are published as replies."""
    replies: list[Any] = []
    router = Router(_seams(publish_reply=lambda *reply: replies.append(reply)))
    router.add(_subscriber("topic=a", "1", callback=lambda event: "yes"))
    router.add(_subscriber("topic=a", "2", callback=lambda event: None))
    event = Event("a")
    assert router.dispatch(event) == ["yes", None]
    assert replies == [(event, "yes", {"id": "1"})]
    assert router.dispatch(event, synchronous=True) == ["yes", None]
    assert len(replies) == 1


def test_dispatch_survives_callbacks_and_replies_that_fail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An exception of a callback or of a reply is logged, and the next subscriber is called."""

    def fail(*arguments: Any) -> Any:
        raise RuntimeError("a fault of the program")

    router = Router(_seams(publish_reply=fail))
    router.add(_subscriber("topic=a", "1", callback=fail))
    router.add(_subscriber("topic=a", "2", callback=lambda event: "lost"))
    router.add(_subscriber("topic=a", "3", callback=lambda event: None))
    assert router.dispatch(Event("a")) == ["lost", None]
    assert "Error calling subscriber" in caplog.text
    assert "was not sent" in caplog.text


def test_callbacks_run_without_the_lock_of_the_router() -> None:
    """While a callback runs, another thread can subscribe."""
    router = Router(_seams())

    def subscribe_elsewhere(event: Event) -> bool:
        thread = threading.Thread(target=router.add, args=(_subscriber("topic=b", "2"),))
        thread.start()
        thread.join(PATIENCE)
        return thread.is_alive()

    router.add(_subscriber("topic=a", "1", callback=subscribe_elsewhere))
    assert router.dispatch(Event("a"), synchronous=True) == [False]


# The courier.


def _courier(**functions: Any) -> tuple[Courier, list[tuple[Event, Any]]]:
    """Return a courier whose events go into the list that is returned too."""
    emitted: list[tuple[Event, Any]] = []
    functions.setdefault("emit", lambda event, callback: emitted.append((event, callback)))
    return Courier(_seams(**functions)), emitted


def test_courier_sends_at_once_and_forgets_after_the_answer() -> None:
    """A connected courier sends at once, and passes the answer of the server on."""
    courier, emitted = _courier()
    answers: list[Any] = []
    event = Event("a")
    assert courier.deliver(event, answers.append) is None
    assert courier.waiting == 1
    emitted[0][1]({"success": True})
    assert answers == [{"success": True}]
    assert courier.waiting == 0


def test_courier_without_a_connection_queues_in_the_published_form() -> None:
    """Events without a connection are queued as the tuples that programs know."""
    courier, emitted = _courier(connected=lambda: False)
    event, callback = Event("a"), lambda answer: None
    assert courier.deliver(event, callback) is True
    assert courier.send_queue.get_nowait() == (event, False, callback, None)
    assert emitted == []


def test_courier_sends_again_before_it_sends_new_events() -> None:
    """After a new connection: first events without an acknowledgement, then the queued ones."""
    courier, emitted = _courier()
    first, second, third = Event("1"), Event("2"), Event("3")
    courier.deliver(first, print)
    courier.deliver(second, print)
    courier.begin(Socket(), again=True)
    assert courier.deliver(third, print) is True
    emitted.clear()
    while courier.catch_up() is not None:
        pass
    assert [event for event, _ in emitted] == [first, second, third]
    assert not courier.catching_up


def test_courier_announces_subscribers_before_events() -> None:
    """After a new connection the subscribers are announced before any event is sent."""
    order: list[str] = []
    entry = _subscriber("topic=a", "1")
    courier, _ = _courier(
        subscribers=lambda: [entry],
        announce=lambda subscriber: order.append("subscriber"),
        emit=lambda event, callback: order.append("event"),
    )
    courier.begin(Socket(), again=False)
    courier.deliver(Event("a"), print)
    while courier.catch_up() is not None:
        pass
    assert order == ["subscriber", "event"]
    courier.answered(entry)
    assert courier.ready


def test_courier_keeps_an_event_whose_connection_breaks(caplog: pytest.LogCaptureFixture) -> None:
    """A broken connection queues the event; another exception is logged, and drops it."""
    errors: list[Exception] = [exception.EventHubConnectionError("cut"), AssertionError("odd")]

    def fail(event: Event, callback: Any) -> None:
        raise errors.pop(0)

    courier, _ = _courier(emit=fail)
    assert courier.deliver(Event("kept"), print) is True
    assert courier.deliver(Event("dropped"), print) is None
    assert courier.waiting == 1
    assert "Error sending event" in caplog.text


def test_courier_sends_packets_and_gives_a_broken_websocket_up() -> None:
    """A packet goes out as text; a fault gives the websocket up and is an error of ours."""
    given_up: list[Any] = []
    courier, _ = _courier(give_up=given_up.append)
    with pytest.raises(exception.EventHubConnectionError, match="not connected"):
        courier.send(packets.Packet("2"))
    websocket = courier.websocket = Socket()
    assert courier.send(packets.Packet("2")) == "2:::"
    assert websocket.sent == ["2:::"]
    websocket.broken = True
    with pytest.raises(exception.EventHubConnectionError, match="cut"):
        courier.send(packets.Packet("2"))
    assert given_up == [websocket]


def test_courier_hands_out_each_callback_once() -> None:
    """The callback for an answer is handed out once; a new connection forgets the others."""
    courier, _ = _courier()
    first, second = courier.expect_answer(print), courier.expect_answer(repr)
    assert courier.take_callback(first) is print
    assert courier.take_callback(first) is None
    courier.begin(Socket(), again=False)
    assert courier.take_callback(second) is None


def test_courier_takes_answers_while_a_thread_is_stuck_in_sending() -> None:
    """The thread that reads gets at callbacks though another thread holds the guard."""
    courier, _ = _courier()
    number = courier.expect_answer(print)
    found: list[Any] = []
    with courier.guard:
        reader = threading.Thread(target=lambda: found.append(courier.take_callback(number)))
        reader.start()
        reader.join(PATIENCE)
    assert found == [print]


def test_courier_acknowledges_many_packets_at_once() -> None:
    """Packets are acknowledged together, or when the next read may block for ever."""
    acknowledged: list[str] = []
    courier, _ = _courier(acknowledge_packet=acknowledged.append)
    for number in range(49):
        courier.arrived(f"{number}+")
    assert acknowledged == []
    courier.arrived("49+")
    assert acknowledged == ["49+"]
    courier.arrived("50+")
    courier.send_waiting(last=False)
    assert acknowledged == ["49+"]
    courier.send_waiting(last=True)
    assert acknowledged == ["49+", "50+"]


# The inbox and the replies.


def _inbox(**functions: Any) -> Inbox:
    seams = _seams(**functions)
    return Inbox(seams, Replies(), DurableSubscriptions(seams, tuple, lambda: None))


def test_inbox_takes_each_event_once() -> None:
    """A repeat of an event is neither queued nor shown to watchers."""
    inbox, watched = _inbox(), []
    inbox.watchers.append(watched.append)
    event = Event("a")
    inbox.accept(event)
    inbox.accept(Event(**event._data))
    assert inbox.queue.qsize() == 1
    assert watched == [event]


def test_inbox_handles_until_the_hub_disconnects() -> None:
    """Handling ends with a disconnection that a program queued, and goes on after the hub's own."""
    handled: list[str] = []
    inbox = _inbox(handle=lambda event: handled.append(event["topic"]))
    inbox.put_own(Event("ftrack.meta.disconnected"))
    inbox.put(Event("a"))
    inbox.put(Event("ftrack.meta.disconnected"))
    inbox.put(Event("late"))
    inbox.handle_all(None)
    assert handled == ["ftrack.meta.disconnected", "a", "ftrack.meta.disconnected"]
    assert inbox.queue.qsize() == 1


def test_inbox_logs_what_handling_raises(caplog: pytest.LogCaptureFixture) -> None:
    """An exception of the handling is logged, and the next event is handled."""
    handled: list[Any] = []

    def handle(event: Event) -> None:
        handled.append(event["topic"])
        raise RuntimeError("a fault")

    inbox = _inbox(handle=handle)
    inbox.put(Event("a"))
    inbox.put(Event("ftrack.meta.disconnected"))
    inbox.handle_all(None)
    assert handled == ["a", "ftrack.meta.disconnected"]
    assert "Error handling event" in caplog.text


def test_inbox_keeps_what_its_workers_did_not_start() -> None:
    """Events that no worker has started when the time is over are handled by the next wait."""
    handled: list[str] = []
    inbox = _inbox(handle=lambda event: handled.append(event["topic"]))
    for topic in ("a", "b", "c"):
        inbox.put(Event(topic, source={"id": "one"}))
    inbox.handle_all_with(0.0, 2, None)
    while len(handled) < 3:
        inbox.handle_all(0.0)
    assert handled == ["a", "b", "c"]


def test_replies_reach_the_callback_and_the_waiting_thread() -> None:
    """A reply belongs to the callback for its event, and to a thread that waits for it."""
    replies = Replies()
    replies.expect("1", print)
    reply = Event("ftrack.meta.reply", in_reply_to_event="1")
    assert replies.callback_for(reply) is print
    with replies.waiting_for("1", PATIENCE) as waiting:
        replies.deliver(reply)
        replies.deliver(Event("other", in_reply_to_event="1"))
        assert waiting.get_nowait() is reply
        assert waiting.empty()
    assert len(replies.awaited) == 0


# The receiver.


class Parts:
    """A courier, an inbox and a receiver that share one seam."""

    def __init__(self, **functions: Any) -> None:
        self.seams = _seams(**functions)
        self.courier = Courier(self.seams)
        durable = DurableSubscriptions(self.seams, tuple, lambda: None)
        self.inbox = Inbox(self.seams, Replies(), durable)
        self.receiver = Receiver(self.seams, self.courier, self.inbox)

    def handle(self, text: str) -> None:
        """Pass the packet *text* to the receiver."""
        packet = packets.split(text)
        self.receiver.handle(packets.read(packet), packet.identifier)


def test_receiver_passes_each_packet_to_its_part(caplog: pytest.LogCaptureFixture) -> None:
    """A heartbeat is answered, an event queued, an answer passed on, a disconnection obeyed."""
    calls: list[Any] = []
    answers: list[Any] = []
    parts = Parts(
        send_sign=lambda name: calls.append(name),
        give_up=lambda websocket: calls.append(websocket),
        pop_packet_callback=lambda number: answers.append if number == 7 else None,
    )
    websocket = parts.courier.websocket = Socket()
    parts.handle("2:::")
    parts.handle('5:1+::{"name": "ftrack.event", "args": [{"topic": "a"}, {"no": "topic"}]}')
    parts.handle('5:::{"name": "other", "args": [{"topic": "b"}]}')
    parts.handle('6:::7+[{"success": false}]')
    parts.handle("6:::8")
    parts.handle("7:::reason+advice")
    parts.handle("8:::")
    parts.handle("0:::")
    assert calls == ["heartbeat", websocket]
    assert [event["topic"] for event in list(parts.inbox.queue.queue)] == ["a"]
    assert answers == [{"success": False}]
    assert "reports an error: reason advice" in caplog.text


def test_receiver_logs_what_a_replaced_method_raises(caplog: pytest.LogCaptureFixture) -> None:
    """An exception of `_handle_packet` is logged, since it must not end the thread that reads."""
    Parts(handle_packet=lambda *parts: 1 / 0).receiver.receive("2:::")
    assert "Error handling a packet" in caplog.text


# The connection.


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a connector over substitutes, with the notes of its seam and its websockets."""
    found = mock.Mock()
    found.sockets, found.notes = [], []

    def open_websocket(*arguments: Any) -> Socket:
        found.sockets.append(Socket())
        return found.sockets[-1]

    monkeypatch.setattr(connector_module, "open_websocket", open_websocket)
    found.parts = Parts(
        connected=lambda: found.parts.courier.websocket is not None,
        expects_events=lambda: found.connector.initialised,
        init_connection=lambda: setattr(found.connector, "initialised", True),
        get_socket_io_session=lambda: SocketIoSession("1", 15, ["websocket"]),
        websocket_address=lambda session: f"ws://x/{session.id}",
        headers=dict,
        cookies=dict,
        server_url=lambda: "http://x",
        opened=lambda gap: found.notes.append(("opened", gap is not None)),
        lost=lambda reason: found.notes.append(("lost", reason)),
        send_sign=lambda name: found.notes.append(name),
        unsubscribe_all=lambda: found.notes.append("unsubscribed"),
        handle_packet=lambda *parts: found.notes.append(parts[0]),
        give_up=lambda websocket: found.connector.give_up(websocket),
    )
    found.connector = Connector(
        found.parts.seams, found.parts.courier, found.parts.receiver, ConnectionSettings()
    )
    yield found
    with contextlib.suppress(exception.EventHubConnectionError):
        found.connector.disconnect(unsubscribe=False, reconnect=False)


def test_connector_connects_once_and_says_goodbye(connection: Any) -> None:
    """A connector opens one websocket, refuses a second connection, and takes leave."""
    connection.connector.connect()
    assert connection.parts.courier.websocket is connection.sockets[0]
    with pytest.raises(exception.EventHubConnectionError, match="Already connected"):
        connection.connector.connect()
    connection.connector.disconnect(unsubscribe=True, reconnect=False)
    assert connection.notes == [("opened", False), "unsubscribed", "disconnect"]
    assert connection.connector.intentional_disconnect
    with pytest.raises(exception.EventHubConnectionError, match="Not currently connected"):
        connection.connector.disconnect(unsubscribe=True, reconnect=False)


def test_connector_that_cannot_connect_names_server_and_reason(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed connection is one error with the address and the reason; the next try may work."""

    def fail(*arguments: Any) -> Any:
        raise OSError("no route")

    with monkeypatch.context() as patch:
        patch.setattr(connector_module, "open_websocket", fail)
        with pytest.raises(exception.EventHubConnectionError, match=r"http://x.*no route"):
            connection.connector.connect()
    assert not connection.connector.initialised
    connection.connector.connect()
    assert len(connection.sockets) == 1


def test_connector_opens_a_lost_connection_again(connection: Any) -> None:
    """When the server closes the websocket, the link opens another one and says so."""
    connection.connector.connect()
    connection.sockets[0].incoming.put("2:::")
    connection.sockets[0].incoming.put(None)
    deadline = time.monotonic() + PATIENCE
    while ("opened", True) not in connection.notes and time.monotonic() < deadline:
        time.sleep(0.005)
    assert connection.notes == [
        ("opened", False),
        "2",
        ("lost", "it was closed by the server"),
        ("opened", True),
    ]
    assert connection.parts.courier.websocket is connection.sockets[1]


def test_reports_of_an_old_link_change_nothing(connection: Any) -> None:
    """A link that the connector replaced can neither set the websocket nor remove it."""
    connection.connector.connect()
    old = connection.connector.link
    connection.connector.disconnect(unsubscribe=False, reconnect=True)
    connection.connector.connect()
    connection.notes.clear()
    connection.connector.opened(old, connection.sockets[0], None)
    connection.connector.lost(old, "late")
    assert connection.parts.courier.websocket is connection.sockets[1]
    assert connection.notes == []


@pytest.mark.parametrize(
    ("events", "state"),
    [
        (["connect", "opened"], "connected"),
        (["connect", "failed", "connect", "opened", "lost"], "waiting"),
        (["connect", "close", "opened"], "closed"),
        (["close", "connect", "opened", "lost", "failed"], "closed"),
        (["lost", "opened", "failed"], "new"),
        (["connect", "opened", "lost", "opened"], "waiting"),
    ],
)
def test_link_follows_its_table(events: list[str], state: str) -> None:
    """Late and unexpected reports change nothing, and a closed link stays closed."""
    found = "new"
    for event in events:
        found = advance(LINK, found, event)
    assert found == state


def test_link_closes_a_websocket_that_opens_after_it_was_closed() -> None:
    """A websocket that is open only after the link was closed is closed at once."""
    websocket, opened = mock.Mock(spec=["send", "recv", "close"]), []

    def open_late() -> tuple[Any, float]:
        link.close()
        return websocket, 15.0

    hooks = LinkHooks(
        open_late,
        lambda *arguments: opened.append(arguments),
        lambda last: None,
        lambda payload: None,
        lambda link, reason: None,
    )
    link = Link(hooks, LOGGER)
    with pytest.raises(exception.EventHubConnectionError, match="while connecting"):
        link.open()
    assert websocket.close.called
    assert not opened


# Attributes of the hub that belong to parts.


class Whole:
    """An object with an attribute of a part."""

    value: PartAttribute[int] = PartAttribute("part", "number")

    def __init__(self) -> None:
        self.part = mock.Mock(number=1)


def test_attribute_of_a_part_is_read_written_and_patched() -> None:
    """Reading, setting and patching the attribute of the hub reach the part."""
    whole = Whole()
    assert whole.value == 1
    whole.value = 2  # type: ignore[assignment]
    assert whole.part.number == 2
    with mock.patch.object(whole, "value", 3):
        assert whole.part.number == 3
    assert whole.part.number == 2
    assert isinstance(Whole.value, PartAttribute)


# Forks.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_parts_are_renewed_in_a_forked_child() -> None:
    """A child gets new locks even if another thread of the parent holds the old ones."""
    courier, _ = _courier()
    router = Router(_seams())
    router.add(_subscriber("topic=a", "1"))
    renew_after_fork(courier, router)
    courier.websocket = Socket()
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with courier.guard, router.lock:
            held.set()
            release.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE)
    child = os.fork()
    if child == 0:
        good = courier.guard.acquire(blocking=False) and courier.websocket is None
        os._exit(0 if good and router.lock.acquire(blocking=False) and len(router) == 1 else 1)
    _, status = os.waitpid(child, 0)
    release.set()
    thread.join(PATIENCE)
    assert os.waitstatus_to_exitcode(status) == 0
    assert courier.websocket is not None


def test_seam_functions_are_all_documented() -> None:
    """The docstring of the seam names each function."""
    text = HubSeams.__doc__ or ""
    assert all(f"*{name}*" in text for name in HubSeams._fields)


def test_unused_replies_are_released() -> None:
    """Callbacks whose time is over are removed when the hub looks for events."""
    inbox = _inbox(expects_events=lambda: False)
    inbox._replies.callbacks.add("1", print, 0.0, 0.0)
    inbox.handle_all(None)
    assert len(inbox._replies.callbacks) == 0
