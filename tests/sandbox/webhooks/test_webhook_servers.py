"""Webhooks of several servers on one PostgreSQL database: each delivery is sent once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy
from tests.sandbox.webhooks.conftest import POSTGRESQL
from tests.sandbox.webhooks.test_webhook_deliveries import store, wait_until, webhook

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.tables.layout import TABLES, create_tables
from ftrack_like.sandbox.webhooks import queue, service
from ftrack_like.sandbox.webhooks.deliveries import Deliveries
from ftrack_like.sandbox.webhooks.queue import DeliveryQueue
from ftrack_like.sandbox.webhooks.service import Webhooks

pytestmark = pytest.mark.skipif(
    POSTGRESQL is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL is not set"
)


@pytest.fixture
def connect(namespace: Any) -> Iterator[Callable[[], Database]]:
    """Return the function that opens the database of a site for one more server."""
    with namespace(POSTGRESQL) as url, ExitStack() as stack:
        first = Database(url)
        stack.callback(first.close)
        with first.write() as connection:
            create_tables(connection)

        def opened() -> Database:
            database = Database(url)
            stack.callback(database.close)
            return database

        yield opened


def left(database: Database) -> int:
    """Return the number of waiting deliveries."""
    count = sqlalchemy.select(sqlalchemy.func.count()).select_from(TABLES["webhook_delivery"])
    with database.read() as connection:
        return int(connection.execute(count).scalar() or 0)


def test_servers_send_each_delivery_once(connect: Callable[[], Database], receiver: Any) -> None:
    """Three servers that deliver for the same webhook at once send no body twice."""
    databases = [connect() for _ in range(3)]
    action = webhook(databases[0], receiver.url)
    names = [f"n{number}" for number in range(120)]
    store(databases[0], action, *names)
    sending = [Deliveries(one, True) for one in databases]
    for one in sending:
        one.start()
    wait_until(lambda: left(databases[0]) == 0)
    for one in sending:
        one.stop()
    assert sorted(call.body["id"] for call in receiver.calls) == sorted(names)


def test_a_running_server_delivers_for_a_killed_one(
    connect: Callable[[], Database], receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed server had taken is sent by another one that had nothing to do."""
    monkeypatch.setattr(queue, "_LEASE", 0.5)
    monkeypatch.setattr(service, "_OVERDUE", 0.1)
    monkeypatch.setattr(service, "_INHERITANCE", 0.1)
    killed, running = connect(), connect()
    webhooks = Webhooks(running, True)
    webhooks.start()
    action = webhook(killed, receiver.url)
    store(killed, action, "a", "b")
    DeliveryQueue(killed).take(action, 20)
    wait_until(lambda: len(receiver.calls) == 2 and left(running) == 0)
    webhooks.stop()
    assert [call.body["id"] for call in receiver.calls] == ["a", "b"]
