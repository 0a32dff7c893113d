"""Hubs and sessions that a program drops without closing them leave nothing behind."""

from __future__ import annotations

import gc
import os
import socket
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub
from ftrack_like.session import Session

THREADS = ("ftrack-event-hub", "ftrack-event-hub-connect")
PATIENCE = 40

pytestmark = pytest.mark.usefixtures("small_heap")


def threads() -> int:
    """Return how many threads of hubs there are."""
    return sum(thread.name in THREADS for thread in threading.enumerate())


def sockets() -> int:
    """Return how many sockets this process has, 0 where that cannot be told."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return 0
    count = 0
    for each in folder.iterdir():
        try:
            count += os.readlink(each).startswith("socket:")
        except OSError:
            continue  # It was that of the folder, or closed just now.
    return count


class Remains:
    """What is left of hubs since this was made, or was told to begin."""

    def __init__(self, until: Callable[..., None]) -> None:
        self._until = until
        self.begin()

    def begin(self) -> None:
        """Count from what is there now."""
        gc.collect()
        self._before = threads(), sockets()

    def __call__(self, *references: Any) -> None:
        """Wait until the objects are gone, with all threads and sockets that came since."""

        def gone() -> bool:
            gc.collect()
            alive = [reference for reference in references if reference() is not None]
            return not alive and threads() <= self._before[0] and sockets() <= self._before[1]

        try:
            self._until(gone, timeout=PATIENCE)
        except AssertionError:
            alive = [reference() for reference in references if reference() is not None]
            names = sorted(thread.name for thread in threading.enumerate())
            pytest.fail(
                f"alive: {alive}; threads and sockets: {threads(), sockets()}, before: "
                f"{self._before}; all threads: {names}"
            )


@pytest.fixture
def nothing_left(until: Any) -> Remains:
    """Return a function that waits until the objects given are gone, and nothing is left."""
    return Remains(until)


@pytest.fixture
def dead() -> Iterator[str]:
    """Return an address where nothing answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def use_session(sandbox: Any, **options: Any) -> Any:
    """Return references to a session with a connected hub and its hub, both dropped."""
    session = Session(sandbox.server_url, sandbox.api_key, sandbox.api_user, **options)
    session.plugin_of_the_studio = session
    for topic in ("ftrack.update", "here"):
        session.event_hub.subscribe(f"topic={topic}", lambda event: session.types and None)
    if not options.get("auto_connect_event_hub"):
        session.event_hub.connect()
    assert session.event_hub.wait_connected(PATIENCE)
    session.event_hub.publish(Event("here"), on_reply=lambda event: session.reset())
    session.event_hub.wait(0.01)
    assert session.query("User").first()["username"]
    return weakref.ref(session), weakref.ref(session.event_hub)


@pytest.mark.parametrize("options", [{}, {"auto_connect_event_hub": True}])
def test_dropped_sessions_are_collected(
    options: dict[str, Any], sandbox: Any, nothing_left: Any
) -> None:
    """Sessions with connected hubs, to which subscribers refer, leave no thread or socket."""
    references = [each for _ in range(5) for each in use_session(sandbox, **options)]
    nothing_left(*references)


def test_session_used_by_workers_is_collected(sandbox: Any, nothing_left: Any) -> None:
    """A session whose events were handled by worker threads is collected too."""

    def use() -> Any:
        session = Session(sandbox.server_url, sandbox.api_key, sandbox.api_user)
        seen: list[Event] = []
        session.event_hub.connect()
        session.event_hub.subscribe("topic=a", seen.append)
        assert session.event_hub.wait_connected(PATIENCE)
        session.event_hub.publish(Event("a"))
        for _ in range(PATIENCE * 10):
            if not seen:
                session.event_hub.wait(0.1, workers=3)
        assert seen
        return weakref.ref(session)

    nothing_left(use())


def test_session_whose_start_fails_is_collected(
    sandbox: Any, nothing_left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that fails at any step of its start leaves nothing, also while it connects."""
    made: list[Any] = []
    for step in ("_discover_plugins", "_load_schemas", "_configure_locations"):

        class Failing(Session):
            """A session that fails in the middle."""

            def __getattribute__(self, name: str, step: str = step) -> Any:
                if name == step:
                    made.append(weakref.ref(self))
                    raise RuntimeError("no")
                return super().__getattribute__(name)

        with pytest.raises(RuntimeError, match="no"):
            Failing(
                sandbox.server_url, sandbox.api_key, sandbox.api_user, auto_connect_event_hub=True
            )
    assert len(made) == 3
    nothing_left(*made)


def test_session_of_a_copied_constructor_is_collected(sandbox: Any, nothing_left: Any) -> None:
    """A subclass that fails after it connected its hub leaves nothing."""
    made: list[Any] = []

    class Studio(Session):
        """A session that does more when it starts."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.event_hub.connect()
            made.append(weakref.ref(self))
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        Studio(sandbox.server_url, sandbox.api_key, sandbox.api_user)
    nothing_left(*made)


def test_hub_dropped_while_it_reconnects(
    event_server: Any, make_proxy: Any, nothing_left: Any, until: Any
) -> None:
    """A hub that lost its connection and is dropped before it has another one is collected."""
    proxy = make_proxy(event_server.port)
    nothing_left.begin()

    def use() -> Any:
        hub = EventHub(proxy.url, "user", "a-key-that-must-not-show")
        hub.connect()
        hub.subscribe("topic=*", lambda event: hub.publish(event))
        proxy.down = True
        proxy.cut()
        until(lambda: not hub.connected)
        hub.publish(Event("kept"))
        return weakref.ref(hub)

    nothing_left(use())


def test_hub_that_never_connected(dead: str, nothing_left: Any) -> None:
    """A hub that connects in the background to a server that is not there is collected."""

    def use() -> Any:
        hub = EventHub(dead, "user", "key")
        hub.subscribe("topic=*", lambda event: hub)
        hub.connect_in_background()
        assert not hub.wait_connected(0.05)
        return weakref.ref(hub)

    nothing_left(use(), use())


def test_auto_connecting_session_without_event_server(
    sandbox: Any, dead: str, nothing_left: Any, until: Any
) -> None:
    """A session that connects in vain, in a thread of its own, is collected."""

    class Elsewhere(EventHub):
        """A hub whose server is not there."""

        def __init__(self, url: str, *arguments: Any, **options: Any) -> None:
            super().__init__(dead, *arguments, **options)

    def use() -> Any:
        session = Session(
            sandbox.server_url,
            sandbox.api_key,
            sandbox.api_user,
            auto_connect_event_hub=True,
            event_hub_class=Elsewhere,
        )
        return weakref.ref(session), weakref.ref(session.event_hub)

    nothing_left(*use())


def test_waiting_thread_keeps_its_hub(event_server: Any, nothing_left: Any, until: Any) -> None:
    """A hub that a thread waits on goes on hearing events after its program dropped it."""
    heard: list[Event] = []

    def use() -> Any:
        hub = EventHub(event_server.url, "user", "a-key-that-must-not-show")
        hub.connect()
        hub.subscribe("topic=a", heard.append)
        hub.subscribe("topic=stop", lambda event: hub.close())
        assert hub.wait_connected(PATIENCE)
        threading.Thread(target=hub.wait, daemon=True).start()
        return weakref.ref(hub)

    reference = use()
    gc.collect()
    publisher = EventHub(event_server.url, "user", "a-key-that-must-not-show")
    publisher.connect()
    publisher.publish(Event("a"))
    until(lambda: heard, timeout=PATIENCE)
    publisher.publish(Event("stop"))
    publisher.close()
    del publisher
    nothing_left(reference)


def test_event_published_before_a_hub_is_dropped_arrives(
    event_server: Any, make_hub: Any, in_background: Any, until: Any, nothing_left: Any
) -> None:
    """What was sent before the hub was dropped reaches the others."""
    receiver = make_hub(event_server.url)
    heard: list[int] = []
    receiver.subscribe("topic=numbered", lambda event: heard.append(event["data"]["n"]))
    in_background(receiver)

    def use(number: int) -> Any:
        hub = EventHub(event_server.url, "user", "a-key-that-must-not-show")
        hub.connect()
        assert hub.publish(Event("numbered", data={"n": number})) is None
        return weakref.ref(hub)

    references = [use(number) for number in range(10)]
    gc.collect()
    until(lambda: sorted(heard) == list(range(10)), timeout=PATIENCE)
    assert all(reference() is None for reference in references)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_hub_dropped_in_a_child_stays_connected_in_its_parent(
    event_server: Any, make_hub: Any, until: Any
) -> None:
    """A forked child that collects an inherited hub leaves the parent's connection alone."""
    hub = EventHub(event_server.url, "user", "a-key-that-must-not-show")
    hub.connect()
    connection = hub._connection
    child = os.fork()
    if child == 0:
        try:
            reference = weakref.ref(hub)
            del hub
            gc.collect()
            os._exit(0 if reference() is None else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert hub.publish(Event("a")) is None
    until(lambda: hub._courier.waiting == 0)
    assert hub._connection is connection
    hub.close()
