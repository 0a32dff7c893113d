"""What the hub holds when things happen at once that nobody wanted at once."""

from __future__ import annotations

from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.event.base import Event


def test_fault_that_nobody_thought_of_costs_the_connection_only(
    event_server: Any, make_hub: Any, until: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Whatever fails where the hub reads, it connects again instead of being deaf for good."""
    hub = make_hub(event_server.url)
    before = hub._connection

    def fail(last: bool) -> None:
        monkeypatch.undo()
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(
        hub._connector.link, "_hooks", hub._connector.link._hooks._replace(send_waiting=fail)
    )
    event_server.broker.publish({"topic": "x"})
    hub.publish(Event("wakes the reader by its acknowledgement"))
    until(lambda: hub._connection not in (None, before) and hub.wait_connected(5))
    assert "a fault of ours" in caplog.text


def test_subscriber_that_cannot_be_told_is_refused(event_server: Any, make_hub: Any) -> None:
    """Metadata that is no JSON is refused while connected; before, it stops nobody else."""
    hub = make_hub(event_server.url, connect=False)
    hub.subscribe("topic=a", print, {"id": "odd", "thing": object()})
    hub.connect()
    assert hub.wait_connected(5)
    with pytest.raises(TypeError):
        hub.subscribe("topic=a", print, {"id": "late", "thing": object()})
    assert hub.get_subscriber_by_identifier("late") is None
    hub.publish(Event("a"))
    assert hub._courier.wait_settled(5)


def test_event_that_no_server_takes_is_refused(
    event_server: Any, make_hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A huge event is an error at once; it would end the connection each time it is sent."""
    monkeypatch.setattr("ftrack_like.event.courier.LARGEST_EVENT", 100_000)
    hub = make_hub(event_server.url)
    connection = hub._connection
    with pytest.raises(exception.EventHubError, match="no more than 100,000"):
        hub.publish(Event("huge", data={"text": "x" * 100_000}))
    hub.publish(Event("a", data={"text": "x" * 99_000}))
    assert hub._courier.wait_settled(5)
    assert hub._connection is connection


def test_huge_event_that_waits_holds_up_nothing(
    serve_events: Any, make_hub: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Where a huge event was published before there was a connection, the log tells of it."""
    monkeypatch.setattr("ftrack_like.event.courier.LARGEST_EVENT", 100_000)
    server, _ = serve_events()
    hub = make_hub(server.url, connect=False)
    hub.init_connection()
    hub.publish(Event("huge", data={"text": "x" * 100_000}))
    hub.publish(Event("next"))
    hub.connect()
    assert hub._courier.wait_settled(5)
    assert [one["event"]["topic"] for one in server.broker.audit()] == ["next"]
    assert "no more than 100,000" in caplog.text
    assert "x" * 1000 not in caplog.text


def test_late_thread_of_an_earlier_connection_changes_nothing(
    event_server: Any, make_hub: Any
) -> None:
    """What the thread of a hub's earlier connection does late does not touch the next one."""
    hub = make_hub(event_server.url)
    earlier, old = hub._connector.link, hub._connection
    hub.disconnect(unsubscribe=False)
    hub.connect()
    connection = hub._connection
    hub._connector.opened(earlier, old, None)
    hub._connector.lost(earlier, "late")
    assert hub._connection is connection
    assert hub.connected
