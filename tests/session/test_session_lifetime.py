"""How sessions end: closed for certain, and never shared with another process."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.event.hub import EventHub
from ftrack_like.session import Session

KEY = "secret-key-1"


def test_close(server: Any, open_session: Any) -> None:
    """A closed session says so, holds nothing and refuses calls; closing again does nothing."""
    session = open_session(server)
    session.create("Task", {})
    session.close()
    assert session.closed
    assert session._managed_request is None
    assert session.cache.keys() == []
    assert not session.recorded_operations
    assert "closed" in repr(session)
    for use in (lambda: session._request, lambda: session.call([]), session.query("Task").all):
        with pytest.raises(exception.ConnectionClosedError):
            use()
    session.close()


def test_context_manager(server: Any) -> None:
    """A session is closed when its block is left, also by an error."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        with Session(server.url, KEY, "jane", schema_cache_path=False) as session:
            assert not session.closed
            raise ZeroDivisionError
    assert session.closed


AT_EXIT = """
import gc, sys
from ftrack_like.session import Session

class Told(Session):
    def close(self):
        super().close()
        print("closed", self.closed)

session = Told(sys.argv[1], "secret-key-1", "jane", schema_cache_path=False)
forgotten = Told(sys.argv[1], "secret-key-1", "jane", schema_cache_path=False)
del forgotten
gc.collect()
done = Told(sys.argv[1], "secret-key-1", "jane", schema_cache_path=False)
done.close()
print("leaving")
"""


def test_sessions_are_closed_at_exit(server: Any) -> None:
    """A session that is still open when the process ends is closed, each one once."""
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT, server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split("\n") == ["closed True", "leaving", "closed True", ""]
    assert done.stderr == ""


def test_exit_hook_holds_sessions_weakly(server: Any) -> None:
    """A session that nobody holds any more is collected."""
    session = Session(server.url, KEY, "jane", schema_cache_path=False)
    held = weakref.ref(session)
    del session
    gc.collect()
    assert held() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_process_has_connections_of_its_own(server: Any, open_session: Any) -> None:
    """A process that is forked off asks over a new connection, and leaves its parent's alone."""
    session = open_session(server, headers={"x-studio": "1"}, cookies={"gate": "open"})
    parent = session._request
    child = os.fork()
    if child == 0:
        try:
            fresh = session._request
            right = (
                fresh is not parent
                and session.query("Task").all() == []
                and fresh.headers["x-studio"] == "1"
                and fresh.cookies["gate"] == "open"
            )
            os._exit(0 if right else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.WEXITSTATUS(status) == 0
    assert server.requests[-1][2]["ftrack-api-key"] == KEY
    assert server.requests[-1][2]["Cookie"] == "gate=open"
    assert session._request is parent
    assert session.query("Task").all() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_process_does_not_wait_for_locks_of_its_parent(
    server: Any, open_session: Any, replies: Any
) -> None:
    """A fork while another thread commits leaves the child able to commit."""
    session = open_session(server)
    session.create("Task", {"id": "t"})
    waiting, release = threading.Event(), threading.Event()

    def answer(batch: Any) -> Any:
        if not waiting.is_set():
            waiting.set()
            release.wait(10)
        return replies.plain_answer(batch)

    server.answer = answer
    thread = threading.Thread(target=session.commit)
    thread.start()
    assert waiting.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        try:
            session.rollback()
            session.create("Task", {"id": "u"})
            session.commit()
            os._exit(0 if not session.recorded_operations else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    release.set()
    thread.join()
    assert status == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_process_reads_whatever_its_parent_was_at(server: Any, open_session: Any) -> None:
    """A fork in the middle of counting, for statistics or repetitions, leaves the child able."""
    session = open_session(server)
    with session._statistics._lock, session._calls.budget._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            try:
                os._exit(0 if session.query("Task").all() == [] else 1)
            finally:
                os._exit(2)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert session.query("Task").all() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_process_makes_types_whatever_its_parent_was_at(
    server: Any, open_session: Any
) -> None:
    """A fork while another thread makes the class of a type leaves the child able to."""
    session = open_session(server)
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with session.types._lock:
            holding.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        try:
            os._exit(0 if session.types["Task"].entity_type == "Task" else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    release.set()
    thread.join()
    assert status == 0


FORKED_EXIT = """
import os, sys
from ftrack_like.session import Session

class Told(Session):
    def close(self):
        super().close()
        print("closed", flush=True)

session = Told(sys.argv[1], "secret-key-1", "jane", schema_cache_path=False)
if os.fork() == 0:
    sys.exit(0)
os.wait()
print("parent", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_process_does_not_close_what_it_inherited(server: Any) -> None:
    """A child that ends leaves the session of its parent open."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED_EXIT, server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["parent", "closed"]


def test_reset_forgets_and_configures_anew(
    server: Any, open_session: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A reset empties the memory, warns of what is lost, and tells plugins."""
    session = open_session(server)
    told = []
    session.event_hub.subscribe("topic=ftrack.api.session.reset", told.append)
    task = session.create("Task", {"id": "t"})
    session.reset()
    assert session.get("Task", "t") is None
    assert not session.recorded_operations
    assert "1 operations that were not committed" in caplog.text
    assert [event["data"]["session"] for event in told] == [session]
    session.commit()
    assert [actions for actions in server.actions if "create" in actions] == []
    again = session.create("Task", {"id": "t"}, reconstructing=True)
    assert again is not task
    caplog.clear()
    session.reset()
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_reset_keeps_the_lower_cache(server: Any, open_session: Any) -> None:
    """A cache below the memory cache is the user's, and keeps what it has."""
    from ftrack_like import cache

    own = cache.MemoryCache()
    session = open_session(server, cache=own)
    session.create("Task", {"id": "t", "name": "a"}, reconstructing=True)
    session.reset()
    assert str(("Task", ["t"])) in own.keys()


def test_ready_is_told_last(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subscribers hear that the session is ready when everything of it works."""
    told = []

    class Ready(Session):
        """A session that subscribes while it starts."""

        def _discover_plugins(self, plugin_arguments: Any = None) -> None:
            self.event_hub.subscribe(
                "topic=ftrack.api.session.ready",
                lambda event: told.append(event["data"]["session"].query("Task").all()),
            )

    with Ready(server.url, KEY, "jane", schema_cache_path=False):
        assert told == [[]]


# Settings of threads


def test_flags_are_those_of_a_thread(server: Any, open_session: Any) -> None:
    """What one thread sets is not seen by another, not even one with the same number later."""
    session = open_session(server)
    seen = []

    def set_both() -> None:
        session.auto_populate = False
        session.record_operations = False
        seen.append((session.auto_populate, session.record_operations))

    def look() -> None:
        seen.append((session.auto_populate, session.record_operations))

    for work in [set_both, *[look] * 20]:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [(False, False)] + [(True, True)] * 20
    assert session.auto_populate


def test_default_of_auto_populate_counts_in_all_threads(server: Any, open_session: Any) -> None:
    """What the constructor was told holds in every thread."""
    session = open_session(server, auto_populate=False)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(session.auto_populate))
    thread.start()
    thread.join()
    assert (session.auto_populate, seen) == (False, [False])


def test_contexts_restore_what_was_set(server: Any, open_session: Any) -> None:
    """A block's setting ends with the block, also by an error, and blocks nest."""
    session = open_session(server)
    with session.auto_populating(False):
        with session.auto_populating(True):
            assert session.auto_populate
        assert not session.auto_populate
    assert session.auto_populate
    with pytest.raises(ZeroDivisionError), session.operation_recording(False):  # noqa: PT012
        assert not session.record_operations
        raise ZeroDivisionError
    assert session.record_operations
    context = session.auto_populating(False)
    with context, context:
        assert not session.auto_populate
    assert session.auto_populate


# The event hub's connection


class SlowHub(EventHub):
    """A hub whose connecting takes until it is told otherwise."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.connecting = threading.Event()
        self.released = threading.Event()

    def connect(self) -> None:
        """Wait to be released."""
        self.connecting.set()
        self.released.wait(10)

    def disconnect(self, unsubscribe: bool = True) -> None:
        """Release whoever is connecting."""
        self.released.set()


def test_connecting_happens_in_the_background(server: Any, open_session: Any) -> None:
    """The start does not wait for the event server, and closing ends the attempt."""
    session = open_session(server, auto_connect_event_hub=True, event_hub_class=SlowHub)
    thread = session._auto_connect_event_hub_thread
    assert session.event_hub.connecting.wait(10)
    assert session.event_hub._connection_initialised
    assert thread.daemon
    begun = time.monotonic()
    session.close()
    assert time.monotonic() - begun < 2
    assert not thread.is_alive()


def test_failing_to_connect_is_logged(
    server: Any, open_session: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An event server that cannot be reached is a warning, not the end of the session."""

    class Failing(EventHub):
        """A hub that cannot connect."""

        def connect(self) -> None:
            raise exception.EventHubConnectionError("no such place")

    session = open_session(server, auto_connect_event_hub=True, event_hub_class=Failing)
    session._auto_connect_event_hub_thread.join(10)
    assert "no such place" in caplog.text
    assert session.query("Task").all() == []


def test_no_thread_without_being_asked(server: Any, open_session: Any) -> None:
    """By default nothing connects to the event server."""
    assert open_session(server)._auto_connect_event_hub_thread is None
