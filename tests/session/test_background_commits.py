"""Commits in the background: their order, contents and errors."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ftrack_like import exception

#: The class of the fixture "server".
CannedServer = Any

REFUSAL = {"content": "The name is taken", "exception": "ValidationError"}


class Gate:
    """An answer that waits until the test opens the gate."""

    def __init__(self, server: CannedServer) -> None:
        self._server = server
        self.begun = threading.Event()
        self.opened = threading.Event()

    def __call__(self, batch: Any) -> Any:
        """Answer *batch* when the gate is open."""
        self.begun.set()
        self.opened.wait(30)
        return self._server.answer(batch)


@pytest.fixture
def gate(server: CannedServer) -> Iterator[Gate]:
    """Return a gate that is open at the end of the test."""
    made = Gate(server)
    yield made
    made.opened.set()


def written(server: CannedServer) -> list[list[str]]:
    """Return the names in the batches that created something."""
    return [
        [each["entity_data"]["name"] for each in batch if each["action"] == "create"]
        for *_, batch in server.requests
        if any(each["action"] == "create" for each in batch)
    ]


def test_commits_run_in_order_with_their_own_changes(
    server: CannedServer, open_session: Any, gate: Gate
) -> None:
    """Each commit has the changes recorded before its call, whatever the program does next."""
    session = open_session(server)
    server.next_answers = [gate]
    session.create("Task", {"name": "a"})
    first = session.commit_in_background()
    assert gate.begun.wait(30)
    session.create("Task", {"name": "b"})
    second = session.commit_in_background()
    session.create("Task", {"name": "c"})
    assert not first.done()
    assert not second.done()
    gate.opened.set()
    assert second.result(30) is None
    assert first.done()
    assert written(server) == [["a"], ["b"]]
    assert [each["name"] for each in session.created] == ["c"]
    session.commit()
    assert written(server) == [["a"], ["b"], ["c"]]
    assert not session.recorded_operations


def test_later_values_do_not_leak_into_an_earlier_commit(
    server: CannedServer, open_session: Any, gate: Gate
) -> None:
    """A value set after the call stays local, and is sent by the next commit."""
    session = open_session(server)
    task = session.create("Task", {"name": "a"})
    server.next_answers = [gate]
    future = session.commit_in_background()
    assert gate.begun.wait(30)
    task["name"] = "b"
    gate.opened.set()
    future.result(30)
    assert task["name"] == "b"
    session.commit()
    assert server.requests[-1][3][0]["entity_data"]["name"] == "b"


def test_error_is_in_the_future_and_commit_sends_again(
    server: CannedServer, open_session: Any
) -> None:
    """After a refused commit the changes stay pending, and commit() raises or heals."""
    session = open_session(server)
    session.create("Task", {"name": "a"})
    server.next_answers = [REFUSAL, REFUSAL]
    future = session.commit_in_background()
    assert isinstance(future.exception(30), exception.ServerValidationError)
    with pytest.raises(exception.ServerValidationError):
        session.commit()
    session.commit()
    assert written(server) == [["a"]] * 3
    session.close()


def test_next_commit_has_the_changes_of_a_failed_one(
    server: CannedServer, open_session: Any, gate: Gate
) -> None:
    """If a commit in the background fails, the one after it sends the changes of both."""
    session = open_session(server)
    server.next_answers = [gate, REFUSAL]
    session.create("Task", {"name": "0"})
    session.commit_in_background()
    assert gate.begun.wait(30)
    session.create("Task", {"name": "a"})
    first = session.commit_in_background()
    session.create("Task", {"name": "b"})
    second = session.commit_in_background()
    gate.opened.set()
    with pytest.raises(exception.ServerValidationError):
        first.result(30)
    second.result(30)
    assert written(server) == [["0"], ["a"], ["a", "b"]]


def test_commit_waits(server: CannedServer, open_session: Any, gate: Gate) -> None:
    """commit() begins after the commits in the background have ended."""
    session = open_session(server)
    server.next_answers = [gate]
    session.create("Task", {"name": "a"})
    future = session.commit_in_background()
    assert gate.begun.wait(30)
    threading.Timer(0.05, gate.opened.set).start()
    session.commit()
    assert future.done() or future.ended.is_set()
    assert written(server) == [["a"]]


def test_close_raises_an_error_that_nobody_saw(server: CannedServer, open_session: Any) -> None:
    """close() waits, closes everything, and then raises the error of an ignored future."""
    session = open_session(server)
    session.create("Task", {"name": "a"})
    server.next_answers = [REFUSAL]
    session.commit_in_background()
    with pytest.raises(exception.ServerValidationError):
        session.close()
    assert session.closed
    session.close()


def test_close_after_a_seen_error(server: CannedServer, open_session: Any) -> None:
    """close() does not raise an error again that the program has seen."""
    session = open_session(server)
    session.create("Task", {"name": "a"})
    server.next_answers = [REFUSAL]
    with pytest.raises(exception.ServerValidationError):
        session.commit_in_background().result(30)
    session.close()


def test_error_does_not_hide_that_of_a_block(
    server: CannedServer, open_session: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception that ends the block of a session wins; the other error is logged."""
    session = open_session(server)
    server.next_answers = [REFUSAL]

    def fail() -> None:
        with session:
            session.create("Task", {"name": "a"})
            session.commit_in_background()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "A commit in the background failed" in caplog.text


def test_rollback_logs_an_unseen_error(
    server: CannedServer, open_session: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Rolling back the changes of a failed commit logs its error, and closing is silent."""
    session = open_session(server)
    session.create("Task", {"name": "a"})
    server.next_answers = [REFUSAL]
    future = session.commit_in_background()
    assert future.ended.wait(30)
    with caplog.at_level(logging.WARNING):
        session.rollback()
    assert "Rolled back after a commit in the background failed" in caplog.text
    session.close()


def test_rollback_fails_the_commits_whose_changes_it_undoes(
    server: CannedServer, open_session: Any, gate: Gate
) -> None:
    """A commit that waits raises an error if a rollback undoes its changes; closing is silent."""
    session = open_session(server)
    server.next_answers = [gate]
    session.create("Task", {"name": "a"})
    first = session.commit_in_background()
    assert gate.begun.wait(30)
    repeated = session.commit_in_background()
    session.create("Task", {"name": "b"})
    undone = session.commit_in_background()
    first.add_done_callback(lambda _: session.rollback())  # Before the next commit begins.
    gate.opened.set()
    with pytest.raises(exception.RolledBackError, match="has undone these changes"):
        undone.result(30)
    session.create("Task", {"name": "c"})
    session.commit_in_background().result(30)
    first.result(30)
    repeated.result(30)
    session.close()
    assert written(server) == [["a"], ["c"]]


def test_cancelled_before_it_begins(server: CannedServer, open_session: Any, gate: Gate) -> None:
    """A commit that is cancelled before it begins sends nothing; its changes stay pending."""
    session = open_session(server)
    server.next_answers = [gate]
    session.create("Task", {"name": "a"})
    session.commit_in_background()
    assert gate.begun.wait(30)
    session.create("Task", {"name": "b"})
    second = session.commit_in_background()
    assert second.cancel()
    gate.opened.set()
    session.close()
    assert written(server) == [["a"]]


def test_callbacks_may_commit(server: CannedServer, open_session: Any) -> None:
    """A callback of a future may commit: the thread of the commits does not wait for itself."""
    session = open_session(server)
    done = threading.Event()

    def again(future: Any) -> None:
        session.create("Task", {"name": "b"})
        session.commit()
        done.set()

    session.create("Task", {"name": "a"})
    session.commit_in_background().add_done_callback(again)
    assert done.wait(30)
    assert written(server) == [["a"], ["b"]]


def test_overridden_commit_is_called(server: CannedServer, open_session: Any) -> None:
    """A session with its own commit() commits with it, on the other thread."""
    session = open_session(server)
    threads: list[Any] = []
    original = session.commit
    session.commit = lambda: (threads.append(threading.current_thread()), original())
    session.create("Task", {"name": "a"})
    session.commit_in_background().result(30)
    assert [each is threading.current_thread() for each in threads] == [False]
    assert written(server) == [["a"]]


def test_end_of_the_program_waits(server: CannedServer) -> None:
    """A program that ends right after the call has committed."""
    program = f"""
        from ftrack_like import Session
        session = Session({server.url!r}, "key", "jane", schema_cache_path=False, plugin_paths=[])
        session.create("Task", {{"name": "a"}})
        session.commit_in_background()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert written(server) == [["a"]]
