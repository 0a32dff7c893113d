"""A session with ``connect="lazy"``: it starts when a program first needs the server."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import exception

PLUGIN = """
def register(session):
    session.event_hub.subscribe(
        "topic=ftrack.api.session.ready", lambda event: calls.append("ready"), {"id": "plugin"}
    )
    calls.append("register")
"""


def test_constructor_sends_nothing(server: Any, open_session: Any) -> None:
    """Neither the constructor, nor settings, the hub, nor closing a lazy session send a request."""
    session = open_session(server, connect="lazy")
    assert "jane" in repr(session)
    session.event_hub.subscribe("topic=a", lambda event: None)
    session.reset()
    assert not session.pending()
    session.commit()
    session.close()
    assert server.requests == []


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session.types["Task"],
        lambda session: session.schemas,
        lambda session: session.server_information,
        lambda session: session.query("Task").all(),
        lambda session: session.create("Task"),
        lambda session: session.call([{"action": "query", "expression": "Task"}]),
        lambda session: session.check_server_compatibility(),
    ],
)
def test_first_use_starts(server: Any, open_session: Any, use: Any) -> None:
    """Each use that needs the server starts the session, once, before its own request."""
    session = open_session(server, connect="lazy")
    use(session)
    use(session)
    assert server.actions[:2] == [["query_server_information"], ["query_schemas"]]
    assert server.actions.count(["query_server_information"]) == 1


def test_other_values_are_refused(server: Any, open_session: Any) -> None:
    """Another value of *connect* is refused before anything is opened."""
    with pytest.raises(ValueError, match="connect is 'now' or 'lazy', not 'later'"):
        open_session(server, connect="later")


def test_errors_come_each_time_until_the_start_works(server: Any, open_session: Any) -> None:
    """A server that refuses the key fails each use; the session works as soon as it is accepted."""
    refusal = {"content": "The API key is invalid", "exception": "NotAuthenticated"}
    session = open_session(server, connect="lazy")
    server.next_answers = [refusal, refusal]
    for use in (lambda: session.types, lambda: session.query("Task")):
        with pytest.raises(exception.ServerError):
            use()
    assert session.query("Task").all() == []
    assert not session.closed


def test_failed_step_is_repeated_and_no_other(
    server: Any, open_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If loading the schemas fails, plugins are not registered again by the next use."""
    calls: list[str] = []
    monkeypatch.setattr("builtins.calls", calls, raising=False)
    (tmp_path / "noting.py").write_text(PLUGIN)
    session = open_session(server, connect="lazy", plugin_paths=[str(tmp_path)])
    lost = [{"content": "no", "exception": "ServerError"}]
    server.next_answers = [server.answer, *lost]
    with pytest.raises(exception.ServerError):
        session.create("Task")
    assert calls == ["register"]
    session.create("Task")
    assert calls == ["register", "ready"]
    assert server.actions.count(["query_server_information"]) == 1


def test_program_can_subscribe_before_the_start(server: Any, open_session: Any) -> None:
    """Subscribers that a program adds first receive the events of the start."""
    told: list[str] = []
    session = open_session(server, connect="lazy")
    for topic in ("ftrack.api.session.configure-location", "ftrack.api.session.ready"):
        session.event_hub.subscribe(f"topic={topic}", lambda event: told.append(event["topic"]))
    assert told == []
    assert "Task" in session.types
    assert told == ["ftrack.api.session.configure-location", "ftrack.api.session.ready"]


def test_connecting_the_hub_starts(server: Any, open_session: Any) -> None:
    """A listener that only connects the hub has its plugins: connecting starts the session."""
    session = open_session(server, connect="lazy")
    with pytest.raises(exception.EventHubConnectionError):  # This server has no events.
        session.event_hub.connect()
    assert server.batches[0] == [{"action": "query_server_information"}]
    assert "types" in vars(session)


def test_threads_start_once(server: Any, open_session: Any) -> None:
    """Threads that use a lazy session at the same time start it once and get the same types."""
    session = open_session(server, connect="lazy")
    arrived = threading.Event()

    def slow(batch: Any) -> Any:
        arrived.wait(10)
        return server.answer(batch)

    server.next_answers = [slow]
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(session.types)) for _ in range(8)]
    for each in threads:
        each.start()
    arrived.set()
    for each in threads:
        each.join(30)
    assert len(found) == 8
    assert {id(each) for each in found} == {id(session.types)}
    assert server.actions == [["query_server_information"], ["query_schemas"]]


def test_closed_before_the_start(server: Any, open_session: Any) -> None:
    """A lazy session that was closed does not start any more."""
    session = open_session(server, connect="lazy")
    session.close()
    for use in (lambda: session.types, lambda: session.server_information):
        with pytest.raises(exception.ConnectionClosedError):
            use()
    assert server.requests == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_before_the_start(server: Any, open_session: Any) -> None:
    """A forked process starts its own copy of a lazy session, also while a thread starts it."""
    session = open_session(server, connect="lazy")
    begun, goes_on = threading.Event(), threading.Event()

    def slow(batch: Any) -> Any:
        begun.set()
        goes_on.wait(30)
        return server.answer(batch)

    server.next_answers = [slow]
    thread = threading.Thread(target=lambda: session.types)
    thread.start()
    assert begun.wait(30)
    child = os.fork()
    if not child:
        os._exit(0 if "Task" in session.types else 1)
    _, status = os.waitpid(child, 0)
    goes_on.set()
    thread.join(30)
    assert status == 0
