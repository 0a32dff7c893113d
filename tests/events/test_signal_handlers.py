"""Signal handlers that use the session while they interrupt it, at the worst instruction.

A signal comes at random. So each test calls the handler's work from within the interrupted
function, on a thread that may not wait for itself.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ftrack_like._transport import names
from ftrack_like._transport.limits import OpenConnections
from ftrack_like.event.reentrant_queue import ReentrantQueue


def without_waiting_for_itself(work: Callable[[], object]) -> None:
    """Do *work* on another thread, and fail if that waits for ever."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "the thread waits for itself"
    for error in errors:
        raise error


def test_closing_while_a_connection_is_registered() -> None:
    """A handler may close the session while a connection is being registered."""
    connections = OpenConnections()
    aborted = []

    class Interrupted:
        """A connection that is interrupted when it is added to a set."""

        def __hash__(self) -> int:
            connections.end()
            return 1

        def abort(self) -> None:
            """Note that the connection is cut."""
            aborted.append(self)

    made = Interrupted()
    without_waiting_for_itself(lambda: connections.add(made))
    assert aborted == [made]


def test_looking_up_a_name_while_another_one_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A handler may make a request while a request looks for known addresses."""
    original = names._Lookup
    found = []

    def interrupted(host: str, port: int) -> Any:
        if host == "outer.example":
            found.append(names.look_up("inner.example", port, 10.0))
        return original(host, port)

    monkeypatch.setattr(names, "_Lookup", interrupted)
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.9", 1))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: answer)
    without_waiting_for_itself(lambda: found.append(names.look_up("outer.example", 65001, 10.0)))
    assert found == [["127.0.0.9"], ["127.0.0.9"]]
    for name in ("inner.example", "outer.example"):
        names.forget_addresses(name, 65001)


def test_publishing_while_an_event_is_taken() -> None:
    """A handler may queue an event while one is taken from the queue, and none is lost."""
    waiting: ReentrantQueue[str] = ReentrantQueue()
    waiting.put("outer")
    taken = []

    def take() -> None:
        with waiting.mutex:
            waiting.put("inner")
            taken.append(waiting.get_nowait())

    without_waiting_for_itself(take)
    assert taken == ["outer"]
    assert waiting.get(timeout=1) == "inner"
