"""Events across processes that share a PostgreSQL database: brokers, each with its exchange."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from sqlalchemy.exc import OperationalError

pytest.importorskip("starlette")
pytest.importorskip("psycopg")

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.events import broker as brokers
from ftrack_like.sandbox.events import outbox, reader, writer
from ftrack_like.sandbox.events.broker import Broker
from ftrack_like.sandbox.events.outbox import Snapshot
from ftrack_like.sandbox.events.postgresql import PostgresExchange
from ftrack_like.wire import packets

URL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

pytestmark = pytest.mark.skipif(URL is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL is not set")


def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until *condition* is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.005)


class Process:
    """A process of the site, without sockets: a broker and its exchange."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.exchange = PostgresExchange(self.database)
        self.now = 0.0
        self.view: brokers.View = lambda user, event: event if user != "guest" else None
        self.broker = Broker(
            heartbeat=10,
            clock=lambda: time.monotonic() + self.now,
            exchange=self.exchange,
            view=lambda user, event: self.view(user, event),
        )
        self.exchange.start()
        self._running = True

    def connect(self, hub: str, user: str = "ada", replays: bool = True) -> Wire:
        """Return a new websocket of *hub*."""
        return Wire(self.broker, hub, user, replays)

    def query(self, statement: str) -> list[Any]:
        """Return the rows of *statement*."""
        with outbox.connect(self.database, "test") as connection:
            return connection.execute(statement).fetchall()

    def stop(self) -> None:
        """End as a server that is stopped."""
        if self._running:
            self._running = False
            self.exchange.stop()
            self.database.close()

    def kill(self) -> None:
        """End without the last word of a stopped process, as kill -9 does."""
        with mock.patch.object(reader.Reader, "_end", return_value=None):
            self.stop()


class Wire:
    """One websocket in memory, with what was received on it."""

    def __init__(self, broker: Broker, hub: str, user: str, replays: bool) -> None:
        self.broker = broker
        self.hub = hub
        self.packets: list[str] = []
        self.websocket = broker.connect(user, self.packets.append, replays, end=self._end)
        self.ended = False
        self._number = 0

    def _end(self) -> None:
        self.ended = True

    def send(self, topic: str, data: Any = None, **fields: Any) -> int:
        """Publish an event, and return the number of its packet."""
        event = {"topic": topic, "data": data or {}, "source": {"id": self.hub}, **fields}
        self._number += 1
        text = packets.dumps(packets.event_data(event))
        self.broker.receive(self.websocket, f"5:{self._number}+::{text}")
        return self._number

    def answer(self, number: int) -> Any:
        """Return the acknowledgement of the packet *number*, None if there is none."""
        for message in self._messages(packets.Acknowledgement):
            if message.identifier == number:
                return message.arguments[0]
        return None

    def publish(self, topic: str, data: Any = None, **fields: Any) -> Any:
        """Publish an event, and wait for its acknowledgement."""
        number = self.send(topic, data, **fields)
        until(lambda: self.answer(number))
        return self.answer(number)

    def subscribe(self, subscription: str, identifier: str, **metadata: Any) -> Any:
        """Subscribe, and wait for the acknowledgement."""
        data = {"subscriber": {**metadata, "id": identifier}, "subscription": subscription}
        return self.publish("ftrack.meta.subscribe", data)

    def ask(self, subscription: str, identifier: str) -> int:
        """Subscribe without waiting; return the number of the packet."""
        data = {"subscriber": {"id": identifier}, "subscription": subscription}
        return self.send("ftrack.meta.subscribe", data)

    def heard(self) -> list[Any]:
        """Return the `n` in the data of the events that came so far."""
        return [one.arguments[0]["data"].get("n") for one in self._messages(packets.EventMessage)]

    def acknowledge(self) -> None:
        """Acknowledge all events that came."""
        numbers = [
            one.identifier.rstrip("+")
            for one in map(packets.split, self.packets)
            if one.code == "5"
        ]
        if numbers and numbers[-1]:
            self.broker.receive(self.websocket, f"6:::{numbers[-1]}")

    def close(self) -> None:
        """Break the connection."""
        self.broker.disconnect(self.websocket)

    def _messages(self, kind: type) -> list[Any]:
        every = [packets.read(packets.split(text)) for text in list(self.packets)]
        return [message for message in every if isinstance(message, kind)]


@pytest.fixture
def start(namespace: Any) -> Iterator[Callable[[], Process]]:
    """Return the function that starts another process of the same site."""
    with namespace(URL) as url, contextlib.ExitStack() as stack:

        def begin() -> Process:
            process = Process(url)
            stack.callback(process.stop)
            return process

        yield begin


@pytest.fixture
def pair(start: Callable[[], Process]) -> tuple[Process, Process]:
    """Return two processes of one site."""
    return start(), start()


def settled(*processes: Process) -> None:
    """Return when all stored events are routed in *processes*."""
    for process in processes:
        process.exchange.catch_up(20)


def test_an_event_reaches_each_process_once(pair: tuple[Process, Process]) -> None:
    """Subscribers of both processes receive an event once, in order."""
    here, there = pair
    one, two = here.connect("one"), there.connect("two")
    one.subscribe("topic=a", "1")
    two.subscribe("topic=a", "2")
    for n in range(20):
        assert one.publish("a", {"n": n}) == {"success": True}
    settled(here, there)
    assert one.heard() == two.heard() == list(range(20))


def test_replies_and_targets_cross(pair: tuple[Process, Process]) -> None:
    """A reply reaches the publisher in the other process, and only the target of the reply."""
    here, there = pair
    asking, other, answering = here.connect("q"), here.connect("o"), there.connect("r")
    asking.subscribe("topic=ftrack.meta.reply", "q")
    other.subscribe("topic=ftrack.meta.reply", "o")
    answering.subscribe("topic=ftrack.action.discover", "r")
    asking.publish("ftrack.action.discover", {"n": 1}, id="e1")
    until(answering.heard)
    answering.publish("ftrack.meta.reply", {"n": 2}, inReplyToEvent="e1", target="id=q")
    until(asking.heard)
    settled(here, there)
    assert (asking.heard(), other.heard()) == ([2], [])


def test_an_invalid_target_is_refused(pair: tuple[Process, Process]) -> None:
    """An event whose target is no expression is refused, and not stored."""
    here, _ = pair
    answer = here.connect("one").publish("a", target="((")
    assert answer["success"] is False
    assert "target is invalid" in answer["message"]
    assert here.query("SELECT count(*) FROM event_outbox") == [(0,)]


def test_a_restricted_event_is_reduced_in_each_process(pair: tuple[Process, Process]) -> None:
    """The event of a commit goes only to users who may see it, wherever they are connected."""
    here, there = pair
    allowed, denied = there.connect("one"), there.connect("two", "guest")
    for number, wire in enumerate((allowed, denied)):
        wire.subscribe("topic=ftrack.update", str(number))
    here.broker.publish({"topic": "ftrack.update", "data": {"n": 1}}, restricted=True)
    until(allowed.heard)
    settled(there)
    assert denied.heard() == []


def test_a_repeated_event_is_routed_once(pair: tuple[Process, Process]) -> None:
    """A hub that repeats an event on another process is answered, and the event goes out once."""
    here, there = pair
    listener = there.connect("listener")
    listener.subscribe("topic=a", "1")
    first = here.connect("hub")
    first.publish("a", {"n": 1}, id="e1")
    first.close()
    again = there.connect("hub")
    assert again.publish("a", {"n": 1}, id="e1") == {"success": True}
    again.publish("a", {"n": 2}, id="e2")
    again.publish("a", {"n": 2}, id="e2")
    settled(here, there)
    assert listener.heard() == [1, 2, 2]


def test_same_event_id_of_another_user_is_another_event(pair: tuple[Process, Process]) -> None:
    """Users cannot suppress each other's events by their ids."""
    here, there = pair
    listener = there.connect("listener")
    listener.subscribe("topic=a", "1")
    here.connect("hub", "eve").publish("a", {"n": 1}, id="e1")
    there.connect("hub", "ada").publish("a", {"n": 2}, id="e1")
    settled(here, there)
    assert sorted(listener.heard()) == [1, 2]


@pytest.mark.parametrize("replays", [True, False])
def test_a_hub_continues_on_another_process(pair: tuple[Process, Process], replays: bool) -> None:
    """A hub that returns elsewhere gets what it missed, in order, before new events, and once."""
    here, there = pair
    source = here.connect("source")
    old = here.connect("hub", replays=replays)
    old.subscribe("topic=a", "1")
    old.subscribe("topic=b", "2")
    source.publish("a", {"n": 0})
    until(old.heard)
    old.acknowledge()
    old.close()
    for n, topic in enumerate("abc", 1):
        source.publish(topic, {"n": n})
    new = there.connect("hub", replays=replays)
    assert new.subscribe("topic=b", "2") == {"success": True, "resumed": True}
    source.publish("a", {"n": 4})
    settled(here, there)
    assert new.heard() == []
    assert new.subscribe("topic=a", "1") == {"success": True, "resumed": True}
    source.publish("b", {"n": 5})
    settled(here, there)
    until(lambda: len(new.heard()) == 4)
    assert new.heard() == [1, 2, 4, 5]
    assert here.broker.statistics()["away"] == 0


def test_subscriptions_that_arrive_together_are_all_told(pair: tuple[Process, Process]) -> None:
    """Each subscriber of a hub that returns elsewhere learns that it missed nothing, no new one."""
    here, there = pair
    old = here.connect("hub")
    for identifier in "123":
        old.subscribe("topic=a", identifier)
    old.close()
    new = there.connect("hub")
    numbers = [new.ask("topic=a", identifier) for identifier in "1234"]
    until(lambda: all(new.answer(number) for number in numbers))
    resumed = {"success": True, "resumed": True}
    assert [new.answer(number) for number in numbers] == [resumed] * 3 + [{"success": True}]


def test_a_hub_that_missed_too_much_is_not_told_otherwise(
    pair: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub whose oldest events were dropped learns on another process that some are missing."""
    monkeypatch.setattr("ftrack_like.sandbox.events.clients.BUFFER_LIMIT", 3)
    here, there = pair
    source = here.connect("source")
    old = here.connect("hub")
    old.subscribe("topic=a", "1")
    for n in range(6):
        source.publish("a", {"n": n})
    settled(here)
    old.close()
    assert there.connect("hub").subscribe("topic=a", "1") == {"success": True}


def test_unacknowledged_events_are_sent_again(pair: tuple[Process, Process]) -> None:
    """Events that a hub did not acknowledge before its connection broke come again elsewhere."""
    here, there = pair
    old = here.connect("hub")
    old.subscribe("topic=a", "1")
    for n in range(3):
        old.publish("a", {"n": n})
    settled(here)
    old.acknowledge()
    old.publish("a", {"n": 3})
    settled(here)
    old.close()
    new = there.connect("hub")
    new.subscribe("topic=a", "1")
    until(new.heard)
    assert new.heard() == [3]


def test_a_connected_hub_is_moved(pair: tuple[Process, Process]) -> None:
    """A hub that returns elsewhere before its old process noticed the break need not wait."""
    here, there = pair
    old = here.connect("hub")
    old.subscribe("topic=a", "1")
    new = there.connect("hub")
    assert new.subscribe("topic=a", "1") == {"success": True, "resumed": True}
    assert old.websocket.state == "closed"
    here.connect("source").publish("a", {"n": 1})
    settled(here, there)
    assert (old.heard(), new.heard()) == ([], [1])


def test_the_id_of_a_connected_subscriber_is_refused_elsewhere(
    pair: tuple[Process, Process],
) -> None:
    """Another hub cannot take the id of a connected subscriber, and another user never."""
    here, there = pair
    old = here.connect("hub")
    old.subscribe("topic=a", "1")
    for wire in (there.connect("other hub"), there.connect("hub", "eve")):
        answer = wire.subscribe("topic=a", "1")
        assert answer["success"] is False
        assert "1 is subscribed already" in answer["message"]
    old.publish("a", {"n": 1})
    settled(here, there)
    assert old.heard() == [1]


def test_a_silent_connection_is_taken_over_elsewhere(pair: tuple[Process, Process]) -> None:
    """Another hub of the user takes over an id whose connection is silent."""
    here, there = pair
    here.connect("hub").subscribe("topic=a", "1")
    here.now += 16
    answer = there.connect("other hub").subscribe("topic=a", "1")
    assert answer == {"success": True, "resumed": True}


def test_the_clients_of_a_stopped_process_continue(pair: tuple[Process, Process]) -> None:
    """A process that stops leaves its clients to the others."""
    here, there = pair
    old, source = here.connect("hub"), there.connect("source")
    old.subscribe("topic=a", "1")
    here.stop()
    source.publish("a", {"n": 1})
    new = there.connect("hub")
    new.subscribe("topic=a", "1")
    until(new.heard)
    assert new.heard() == [1]


def test_the_clients_of_a_killed_process_continue(pair: tuple[Process, Process]) -> None:
    """Hubs of a killed process get all events that they have not acknowledged, elsewhere."""
    here, there = pair
    old, source = here.connect("hub"), there.connect("source")
    old.subscribe("topic=a", "1")
    source.publish("a", {"n": 1})
    until(old.heard)
    here.kill()
    source.publish("a", {"n": 2})
    new = there.connect("hub")
    new.subscribe("topic=a", "1")
    until(lambda: len(new.heard()) == 2)
    assert new.heard() == [1, 2]


def test_a_restarted_site_continues(start: Callable[[], Process]) -> None:
    """The only process restarts, and its clients continue as if it had gone on."""
    first = start()
    old = first.connect("hub")
    old.subscribe("topic=a", "1")
    old.subscribe("topic=b", "2")
    old.publish("a", {"n": 1})
    settled(first)
    old.close()
    first.stop()
    second = start()
    second.connect("source").publish("b", {"n": 2})
    new = second.connect("hub")
    new.subscribe("topic=b", "2")
    new.subscribe("topic=a", "1")
    until(lambda: len(new.heard()) == 2)
    assert new.heard() == [1, 2]


def test_unsubscribed_ids_are_free_everywhere(pair: tuple[Process, Process]) -> None:
    """An id that was given back can be used by anybody in any process."""
    here, there = pair
    old = here.connect("hub")
    old.subscribe("topic=a", "1")
    old.publish("ftrack.meta.unsubscribe", {"subscriber": {"id": "1"}})
    until(lambda: here.query("SELECT count(*) FROM event_client") == [(0,)])
    assert there.connect("hub", "eve").subscribe("topic=a", "1") == {"success": True}


def test_an_absent_client_is_forgotten_in_time(pair: tuple[Process, Process]) -> None:
    """After the retention, nothing is left of an absent client in the tables."""
    here, _ = pair
    old = here.connect("hub")
    old.subscribe("topic=a", "1")
    old.close()
    here.now += brokers.RETENTION + 1
    here.broker.publish({"topic": "x"})
    until(lambda: here.query("SELECT count(*) FROM event_client") == [(0,)])
    assert here.query("SELECT count(*) FROM event_subscriber") == [(0,)]


def test_old_events_are_removed(
    start: Callable[[], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events, processes and clients older than the retention leave the tables."""
    monkeypatch.setattr(reader, "_TRIMMING", 0.2)
    process = start()
    past = f"extract(epoch FROM clock_timestamp()) - {outbox.KEPT + 1}"
    process.query(
        f"WITH a AS (INSERT INTO event_outbox (kind, content, created_at)"
        f"  VALUES ('event', '{{}}', {past})),"
        f" b AS (INSERT INTO event_process (id, seen_at) VALUES ('gone', {past})),"
        f" c AS (INSERT INTO event_client (id, username, process, updated_at)"
        f"  VALUES ('old', 'ada', 'gone', {past})),"
        f" d AS (INSERT INTO event_subscriber VALUES ('1', 'old', '{{}}')) SELECT 1"
    )
    process.connect("hub").subscribe("topic=a", "2")
    for table, left in (("outbox", 0), ("process", 1), ("client", 1), ("subscriber", 1)):
        statement = f"SELECT count(*) FROM event_{table}"
        until(lambda wanted=left, asked=statement: process.query(asked) == [(wanted,)])


def test_transactions_that_commit_late_are_read(pair: tuple[Process, Process]) -> None:
    """An event with a smaller number that is committed after others is not skipped."""
    here, there = pair
    wire = there.connect("hub")
    wire.subscribe("topic=a", "1")
    with outbox.connect(here.database, "late") as late:
        with late.transaction():
            late.execute(
                "INSERT INTO event_outbox (kind, content) VALUES ('event', %s)",
                ('{"topic": "a", "data": {"n": 0}, "target": "", "id": "late"}',),
            )
            here.connect("source").publish("a", {"n": 1})
            settled(there)
            assert wire.heard() == [1]
    settled(there)
    assert wire.heard() == [1, 0]


def test_a_value_that_cannot_be_stored_is_refused_alone(pair: tuple[Process, Process]) -> None:
    """A subscriber with a NUL in its id is refused; other requests of the moment succeed."""
    here, _ = pair
    wire = here.connect("hub")
    bad = {"subscriber": {"id": "a\0b"}, "subscription": "topic=a"}
    numbers = [
        wire.send("a", {"n": 1}),
        wire.send("ftrack.meta.subscribe", bad),
        wire.send("a", {"n": "\0"}),
    ]
    until(lambda: all(wire.answer(number) for number in numbers))
    answers = [wire.answer(number)["success"] for number in numbers]
    assert answers == [True, False, True]


def test_a_full_queue_refuses_events(
    start: Callable[[], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a database, events wait in bounded number; further ones are refused with a reason."""
    monkeypatch.setattr(writer, "_WAITING", 0)
    answer = start().connect("hub").publish("a")
    assert answer["success"] is False
    assert "cannot store events now" in answer["message"]


def test_rights_are_read_again_in_each_process(pair: tuple[Process, Process]) -> None:
    """A change of rights in one process ends connections and known rights in the other."""
    here, there = pair
    forgotten: list[bool] = []
    there.broker.rights_listeners.append(lambda: forgotten.append(True))
    leaving, staying = there.connect("one", "eve"), there.connect("two", "ada")
    here.query(
        "INSERT INTO event_outbox (kind, content) VALUES ('rights', '[\"eve\"]') RETURNING 1"
    )
    settled(there)
    assert forgotten == [True]
    assert (leaving.ended, staying.ended) == (True, False)


def test_sixteen_writers_and_a_lost_listener(pair: tuple[Process, Process]) -> None:
    """No event of 16 hubs is lost or doubled while the listening connections are killed."""
    here, there = pair
    listeners = [process.connect(f"l{number}") for number, process in enumerate(pair)]
    for number, wire in enumerate(listeners):
        wire.subscribe("topic=a", f"l{number}")
    writers = [pair[number % 2].connect(f"w{number}") for number in range(16)]

    def publish(number: int) -> None:
        for count in range(60):
            writers[number].publish("a", {"n": [number, count]})

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    killed = 0
    while any(thread.is_alive() for thread in threads) or not killed:
        killed += here.query(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name"
            f" IN ('ftrack-like {here.exchange.process}', 'ftrack-like {there.exchange.process}')"
        )[0][0]
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    settled(here, there)
    for wire in listeners:
        heard = wire.heard()
        assert sorted(heard) == [[number, count] for number in range(16) for count in range(60)]
        for number in range(16):  # the events of one hub stay in their order
            assert [count for one, count in heard if one == number] == list(range(60))


def test_events_wait_while_connections_break(pair: tuple[Process, Process]) -> None:
    """An event is acknowledged only when it is stored, and stored once, when connections break."""
    here, there = pair
    wire, listener = here.connect("hub"), there.connect("listener")
    listener.subscribe("topic=a", "1")
    done = threading.Event()

    def publish() -> None:
        for n in range(100):
            wire.publish("a", {"n": n})
        done.set()

    threading.Thread(target=publish).start()
    while not done.is_set():
        here.query(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            f" WHERE application_name = 'ftrack-like events {here.exchange.process}'"
        )
        time.sleep(0.05)
    settled(here, there)
    assert listener.heard() == list(range(100))


def test_an_event_whose_audience_cannot_be_read_is_tried_again(
    pair: tuple[Process, Process],
) -> None:
    """If the rights of a user cannot be read for a moment, each listener still hears once."""
    here, there = pair
    broken = [True]

    def view(user: str, event: Any) -> Any:
        if user == "bob" and broken:
            broken.pop()
            raise OperationalError("SELECT 1", {}, Exception("the server is away"))
        return event

    there.view = view
    wires = [there.connect(user, user) for user in ("ada", "bob")]
    for wire in wires:
        wire.subscribe("topic=a", wire.hub)
    for n in range(2):
        here.broker.publish({"topic": "a", "data": {"n": n}}, restricted=True)
    until(lambda: all(len(wire.heard()) == 2 for wire in wires))
    settled(there)
    assert [wire.heard() for wire in wires] == [[0, 1], [0, 1]]


def test_reading_the_outbox_uses_indexes(namespace: Any) -> None:
    """Neither new nor missed events are found by a scan of the outbox."""
    with (
        namespace(URL) as url,
        contextlib.closing(Database(url)) as database,
        outbox.connect(database, "test") as connection,
    ):
        outbox.create_tables(connection)
        connection.execute(
            "INSERT INTO event_outbox (kind, content) SELECT 'event', repeat('x', 300)"
            " FROM generate_series(1, 20000)"
        )
        connection.execute("ANALYZE event_outbox")
        snapshot = outbox.current_snapshot(connection)
        values = Snapshot.read(snapshot)
        new = (values.following, values.running)
        missed = ([1, 2], values.following, values.running, [], snapshot)
        for statement, parameters in ((outbox.READ_NEW, new), (outbox.READ_MISSED, missed)):
            plan = "\n".join(
                line for (line,) in connection.execute(f"EXPLAIN {statement}", parameters)
            )
            assert "Seq Scan on event_outbox" not in plan, plan
            assert "ix_event_outbox_xid" in plan
