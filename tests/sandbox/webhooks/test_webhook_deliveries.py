"""The queue of deliveries: repetitions, restarts, several servers, and the bounds of the log."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest
import sqlalchemy

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from tests.sandbox.webhooks.conftest import PATIENCE, POSTGRESQL

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.tables.layout import TABLES, create_tables
from ftrack_like.sandbox.webhooks import queue
from ftrack_like.sandbox.webhooks.deliveries import Deliveries
from ftrack_like.sandbox.webhooks.queue import DeliveryQueue, Outcome, enqueue
from ftrack_like.testing import Sandbox

RECEIVE = 'entity.entity_type = "User"'


@pytest.fixture(
    params=[None, POSTGRESQL] if POSTGRESQL else [None],
    ids=["sqlite", "postgresql"][: 1 + bool(POSTGRESQL)],
)
def database(request: Any, namespace: Any) -> Iterator[Database]:
    """Return a database with empty tables, on each kind of database."""
    with namespace(request.param) as url:
        opened = Database(url)
        with opened.write() as connection:
            create_tables(connection)
        yield opened
        opened.close()


@pytest.fixture
def deliveries(database: Database) -> Iterator[Callable[..., Deliveries]]:
    """Return the function that starts deliveries with given delays."""
    started: list[Deliveries] = []

    def start(*delays: float) -> Deliveries:
        started.append(Deliveries(database, True, delays))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


def webhook(database: Database, url: str) -> str:
    """Store a webhook to *url* and return its id."""
    action_id = str(uuid.uuid4())
    row = {"id": action_id, "action_type": "webhook", "webhook_url": url}
    with database.write() as connection:
        connection.execute(sqlalchemy.insert(TABLES["action"]), row)
    return action_id


def store(database: Database, action_id: str, *names: str) -> None:
    """Store a delivery with each of *names* as event."""
    rows = [
        {"action_id": action_id, "event_id": name, "summary": "x", "body": json.dumps({"id": name})}
        for name in names
    ]
    with database.write() as connection:
        enqueue(connection, rows)


def log(database: Database) -> list[str]:
    """Return the messages of the log, in order."""
    columns = TABLES["action_log"].c
    with database.read() as connection:
        return list(
            connection.execute(sqlalchemy.select(columns.message).order_by(columns.id)).scalars()
        )


def wait_until(condition: Callable[[], Any]) -> None:
    """Return when *condition* is true."""
    pause = threading.Event()
    for _ in range(PATIENCE * 100):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("the condition did not become true")


@pytest.fixture
def couriers() -> Callable[[], list[threading.Thread]]:
    """Return the function that returns the delivering threads that the test has started."""
    before = set(threading.enumerate())
    return lambda: [
        one for one in threading.enumerate() if one.name == "sandbox-webhook" and one not in before
    ]


def test_the_last_failure_drops_the_event(
    database: Database, deliveries: Any, receivers: Any
) -> None:
    """After the last repetition the event is dropped, and the log says so."""
    failing = receivers(500, 500, 500)
    action_id = webhook(database, failing.url)
    store(database, action_id, "a")
    started = deliveries(0.0, 0.0)
    wait_until(lambda: not started.queue.waiting() and len(log(database)) == 3)
    first, second, third = log(database)
    assert first.startswith("Attempt 1 of 3 ")
    assert first.endswith("The next attempt follows in 0 s.")
    assert second.startswith("Attempt 2 of 3 ")
    assert third.startswith("Attempt 3 of 3 ")
    assert third.endswith("The event is dropped.")
    assert len(failing.calls) == 3


def test_many_deliveries_arrive_in_order(
    database: Database, deliveries: Any, receiver: Any
) -> None:
    """The deliveries of a webhook arrive in the order of the changes."""
    action_id = webhook(database, receiver.url)
    names = [f"{number:03}" for number in range(100)]
    store(database, action_id, *names)
    started = deliveries()
    assert [one.body["id"] for one in receiver.wait(100)] == names
    wait_until(lambda: not started.queue.waiting())
    assert len(log(database)) == 100


def test_threads_end_when_nothing_is_left(
    database: Database, deliveries: Any, receiver: Any, couriers: Any
) -> None:
    """A thread exists only while deliveries wait, and a later delivery gets a new one."""
    started = deliveries()
    assert not couriers()
    action_id = webhook(database, receiver.url)
    store(database, action_id, "a")
    started.wake([action_id])
    receiver.wait()
    wait_until(lambda: not couriers())
    store(database, action_id, "b")
    started.wake([action_id])
    receiver.wait(2)
    wait_until(lambda: not couriers())


def test_stop_during_a_delivery(
    database: Database, deliveries: Any, receivers: Any, couriers: Any
) -> None:
    """Stopping ends a running delivery at once, and the next start repeats it."""
    hanging = receivers(0)
    action_id = webhook(database, hanging.url)
    store(database, action_id, "a")
    first = deliveries()
    hanging.wait()
    first.stop(15)
    assert not couriers()
    waiting = first.queue.waiting()[action_id]
    assert (waiting.count, log(database)) == (1, [])
    with database.write() as connection:  # as if the minute of the lease was over
        due = sqlalchemy.update(TABLES["webhook_delivery"]).values(due_at=time.time())
        connection.execute(due)
    deliveries()
    assert [one.body["id"] for one in hanging.wait(2)] == ["a", "a"]
    wait_until(lambda: len(log(database)) == 1)


def test_errors_of_the_database_are_survived(
    database: Database, deliveries: Any, receiver: Any, monkeypatch: Any, caplog: Any
) -> None:
    """If the database fails, the thread logs the error and tries again."""
    from ftrack_like.sandbox.webhooks import deliveries as module

    monkeypatch.setattr(module, "_REST", 0.0)
    failures = [RuntimeError("the disk is on fire")]
    take = DeliveryQueue.take

    def failing(self: DeliveryQueue, action_id: str, most: int) -> Any:
        if failures:
            raise failures.pop()
        return take(self, action_id, most)

    monkeypatch.setattr(DeliveryQueue, "take", failing)
    action_id = webhook(database, receiver.url)
    store(database, action_id, "a")
    deliveries()
    receiver.wait()
    assert "the disk is on fire" in caplog.text


def test_two_servers_of_a_database_do_not_share_a_delivery(database: Database) -> None:
    """On PostgreSQL a delivery belongs to the server that took it, until it gives it back."""
    if database.is_sqlite:
        pytest.skip("only one server uses an SQLite database")
    action_id = webhook(database, "http://127.0.0.1:1")
    store(database, action_id, "a", "b")
    one, other = DeliveryQueue(database), DeliveryQueue(database)
    first, second = one.take(action_id, 20)
    assert other.take(action_id, 20) == []
    one.record([Outcome(first, True, "done")], [second])
    (taken,) = other.take(action_id, 20)
    assert taken.event_id == "b"


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_a_server_whose_clock_is_wrong_takes_what_is_due(
    database: Database, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    """On PostgreSQL the clock of a machine decides neither what is due nor whose it is."""
    if database.is_sqlite:
        pytest.skip("only one machine uses an SQLite database")
    action_id = webhook(database, "http://127.0.0.1:1")
    store(database, action_id, "a")
    one, wrong = DeliveryQueue(database), DeliveryQueue(database)
    now = time.time()
    (taken,) = one.take(action_id, 20)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + ahead)
        assert wrong.take(action_id, 20) == []
        one.record([Outcome(taken, False, "failed", 0.0)])
        (taken,) = wrong.take(action_id, 20)
    assert taken.attempts == 1
    assert one.take(action_id, 20) == []


def test_bound_of_the_log(database: Database, monkeypatch: Any) -> None:
    """The log keeps a number of rows; older rows are removed."""
    monkeypatch.setattr(queue, "LOGGED", 50)
    action_id = webhook(database, "http://127.0.0.1:1")
    store(database, action_id, *map(str, range(300)))
    deliveries = DeliveryQueue(database)
    deliveries.record([Outcome(one, True, one.event_id) for one in deliveries.take(action_id, 300)])
    assert log(database) == [str(number) for number in range(250, 300)]


def test_deleted_webhook(database: Database, deliveries: Any) -> None:
    """A delivery whose webhook does not exist is removed without a row in the log."""
    store(database, "unknown", "a")
    started = deliveries()
    wait_until(lambda: not started.queue.waiting())
    assert log(database) == []


# Whole servers


def _hook(session: Any, url: str) -> None:
    automation = session.create("Automation", {"name": "hook"})
    session.create("Trigger", {"automation_id": automation["id"], "filter": RECEIVE})
    values = {"automation_id": automation["id"], "webhook_url": url}
    session.create("WebhookAction", {**values, "headers": '{"X-Token": "secret-token"}'})
    session.commit()


def test_restart_repeats_what_waits(tmp_path: Any, receivers: Any) -> None:
    """A delivery that waits for its repetition is sent after a restart, with the same id."""
    failing = receivers(503)
    with Sandbox(tmp_path, loopback_webhooks=True) as sandbox, sandbox.session() as session:
        _hook(session, failing.url)
        session.create("User", {"username": "mira"})
        session.commit()
        (first,) = failing.wait()
    with Sandbox(tmp_path, loopback_webhooks=True):
        assert failing.wait(2)[1].body == first.body


class Server:
    """A sandbox in a process with data in a folder or at a URL."""

    def __init__(self, folder: Any, database: Optional[str]) -> None:
        where = ["--data", str(folder)]
        if database:
            where = ["--database", database, "--media", str(folder)]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ftrack_like.sandbox", "--json", "--port", "0"),
                *("--loopback-webhooks", *where),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.known: dict[str, str] = json.loads(self.process.stdout.readline())

    def session(self) -> Any:
        """Return a session of the administrator."""
        import ftrack_like

        return ftrack_like.Session(**self.known)

    def end(self, number: int) -> str:
        """Send the signal *number* and return what the process wrote to its log."""
        self.process.send_signal(number)
        return self.process.communicate(timeout=PATIENCE)[1]


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Return the function that starts a sandbox in a process."""
    started: list[Server] = []

    def start(folder: Any, database: Optional[str] = None) -> Server:
        started.append(Server(folder, database))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate(timeout=PATIENCE)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_server_loses_nothing(tmp_path: Any, serve: Any, receivers: Any) -> None:
    """After kill -9 during a delivery, the next start sends all committed events."""
    hanging = receivers(0)
    server = serve(tmp_path)
    with server.session() as session:
        _hook(session, hanging.url)
        for name in ("a", "b", "c"):
            session.create("User", {"username": name})
            session.commit()
        (first,) = hanging.wait()
        server.end(signal.SIGKILL)
    again = serve(tmp_path)
    received = [one.body["entity"]["new"]["username"] for one in hanging.wait(4)]
    assert received == ["a", "a", "b", "c"]
    assert hanging.calls[1].body == first.body
    assert again.end(signal.SIGTERM) == ""


def test_a_hanging_receiver_does_not_delay_the_end(
    tmp_path: Any, serve: Any, receivers: Any
) -> None:
    """A server ends while a receiver does not answer, and its log shows no header."""
    hanging = receivers(0)
    server = serve(tmp_path)
    with server.session() as session:
        _hook(session, hanging.url)
        session.create("User", {"username": "mira"})
        session.commit()
    hanging.wait()
    assert server.end(signal.SIGTERM) == ""
    assert server.process.returncode == 0
