"""Durable subscriptions: events are handled at least once, whatever happens to the processes."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.event.base import Event
from ftrack_like.event.durability import Durability
from ftrack_like.event.hub import EventHub
from ftrack_like.event.journal import open_journal

pytest.importorskip("starlette", reason="the extra sandbox is not installed")

#: A listener. It appends "begin ID" and "end ID" to a file, and stops in the event "slow".
_LISTENER = """
import json, os, sys, threading, time
from ftrack_like.event.durability import Durability
from ftrack_like.event.hub import EventHub

url, key, journal, name, log = sys.argv[1:]

def note(word, event):
    with open(log, "a") as file:
        file.write(f"{word} {event['data']['number']}\\n")

def handle(event):
    note("begin", event)
    if event["data"].get("stop") and not os.path.exists(log + ".go"):
        time.sleep(3600)
    note("end", event)


hub = EventHub(url, "user", key)
hub.subscribe("topic=studio.work", handle, durable=Durability(name, journal))
hub.connect()
print("ready", flush=True)
hub.wait()
"""


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def place(request: Any, tmp_path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Return a durable name and the place of its journal."""
    name = f"test-{uuid.uuid4().hex}"
    if request.param == "sqlite":
        yield name, str(tmp_path / "journals")
        return
    redis = pytest.importorskip("redis", reason="the package redis is not installed")
    url = os.environ.get("FTRACK_LIKE_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
    client = redis.Redis.from_url(url)
    try:
        client.ping()
    except redis.exceptions.RedisError as error:
        pytest.skip(f"no Redis server: {error}")
    yield name, url
    keys = client.keys(f"ftrack-like:journal:{{{name}}}:*")
    if keys:
        client.delete(*keys)
    client.close()


class Listener:
    """A process with a durable subscription."""

    def __init__(self, url: str, key: str, place: tuple[str, str], log: pathlib.Path) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LISTENER, url, key, place[1], place[0], str(log)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def lines(self) -> list[str]:
        """Return what the callbacks have noted."""
        return self.log.read_text().split("\n")[:-1] if self.log.exists() else []

    def handled(self) -> list[int]:
        """Return the numbers of the events that were handled, sorted, with repeats."""
        return sorted(int(line.split()[1]) for line in self.lines() if line.startswith("end"))

    def kill(self) -> None:
        """End the process as a crash would."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def listen(event_server: Any, place: tuple[str, str], tmp_path: pathlib.Path) -> Iterator[Any]:
    """Return a function that starts a listener; all note in one file."""
    started: list[Listener] = []

    def start(url: str = event_server.url) -> Listener:
        started.append(Listener(url, KEY, place, tmp_path / "log"))
        return started[-1]

    yield start
    for listener in started:
        listener.kill()


KEY = "a-key-that-must-not-show"


def _work(number: int, **data: Any) -> Event:
    return Event("studio.work", data={"number": number, **data})


def test_a_killed_listener_loses_nothing(
    listen: Any, event_server: Any, make_hub: Any, until: Any, tmp_path: pathlib.Path
) -> None:
    """After kill -9 in the second of five events and a restart, all five are handled, in order."""
    listener = listen()
    publisher = make_hub(event_server.url)
    for number in range(1, 6):
        publisher.publish(_work(number, stop=number == 2))
    until(lambda: "begin 2" in listener.lines(), 30)
    listener.kill()
    assert listener.handled() == [1]
    (tmp_path / "log.go").touch()
    again = listen()
    until(lambda: again.handled() == [1, 2, 3, 4, 5], 30)
    begun = [line for line in again.lines() if line.startswith("begin")]
    assert begun == ["begin 1", "begin 2", "begin 2", "begin 3", "begin 4", "begin 5"]


def test_events_of_a_downtime_are_sent_again(
    listen: Any, event_server: Any, make_hub: Any, until: Any
) -> None:
    """A server that keeps events sends a later process the events that a killed one missed."""
    listener = listen()
    listener.kill()
    publisher = make_hub(event_server.url)
    until(lambda: event_server.broker.statistics()["away"] > 0)
    for number in range(3):
        publisher.publish(_work(number))
    again = listen()
    until(lambda: again.handled() == [0, 1, 2], 30)


def test_two_workers_share_200_events(
    listen: Any, event_server: Any, make_hub: Any, until: Any
) -> None:
    """If one of two workers is killed amid 200 events, each event is handled, none is lost."""
    one, two = listen(), listen()
    publisher = make_hub(event_server.url)
    for number in range(200):
        publisher.publish(_work(number))
    until(lambda: len(one.handled()) >= 40, 60)
    one.kill()
    until(lambda: set(two.handled()) == set(range(200)), 60)
    # Only the event that the killed worker had in hand may be handled twice.
    assert len(two.handled()) <= 201


def _durable(place: tuple[str, str], **settings: Any) -> Durability:
    return Durability(place[0], place[1], **{"pause": 0.02, **settings})


def test_a_failing_callback_is_tried_again(
    place: tuple[str, str], event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """A callback that fails three times handles the event in its fourth try; others do not wait."""
    hub, calls, others = make_hub(event_server.url), [], []

    def handle(event: Event) -> None:
        calls.append(event["id"])
        if len(calls) < 4:
            raise RuntimeError(f"failure {len(calls)}")

    hub.subscribe("topic=studio.work", handle, durable=_durable(place))
    hub.subscribe("topic=studio.work", lambda event: others.append(event["id"]))
    in_background(hub)
    hub.publish(_work(1))
    until(lambda: len(calls) == 4)
    assert len(set(calls)) == 1
    assert others == calls[:1]
    journal = open_journal(*place)
    until(lambda: journal.counts() == (0, 0, 0, 1))
    journal.close()


def test_only_the_failed_callback_is_repeated(
    place: tuple[str, str], event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """If one of two callbacks under a name fails, the other is not called a second time."""
    hub, good, bad = make_hub(event_server.url), [], []

    def fail(event: Event) -> None:
        bad.append(event["id"])
        if len(bad) == 1:
            raise RuntimeError("once")

    hub.subscribe("topic=studio.work", fail, priority=1, durable=_durable(place))
    hub.subscribe("topic=studio.*", lambda event: good.append(event["id"]), durable=_durable(place))
    in_background(hub)
    hub.publish(_work(1))
    until(lambda: len(bad) == 2)
    assert len(good) == 1


def test_a_poison_event_becomes_a_dead_letter(
    place: tuple[str, str],
    event_server: Any,
    make_hub: Any,
    in_background: Any,
    until: Any,
    caplog: Any,
) -> None:
    """An event that fails in every try is set aside; the events behind it are handled before."""
    hub, handled = make_hub(event_server.url), []

    def handle(event: Event) -> None:
        if event["data"]["number"] == 1:
            raise RuntimeError("poison api_key=topsecret")
        handled.append(event["data"]["number"])

    hub.subscribe("topic=studio.work", handle, durable=_durable(place, tries=3))
    in_background(hub)
    journal = open_journal(*place)
    with caplog.at_level(logging.CRITICAL):
        for number in range(1, 5):
            hub.publish(_work(number))
        until(lambda: journal.counts() == (0, 0, 1, 3))
    assert handled == [2, 3, 4]
    (letter,) = journal.dead_letters()
    assert letter.tries == 3
    assert letter.error.startswith("RuntimeError: poison api_key=****")
    journal.repeat([letter.identifier])
    until(lambda: journal.dead_letters() and journal.dead_letters()[0].moment > letter.moment)
    journal.close()


class _Silent(Exception):
    """An error of a program whose text cannot be computed."""

    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("failure", "kept"),
    [
        (OSError("no file /shots/\udcff.mov"), "OSError: no file /shots/\\udcff.mov"),
        (_Silent(), "_Silent: (the error has no text)"),
    ],
)
def test_an_error_with_any_text_makes_a_dead_letter(
    place: tuple[str, str],
    event_server: Any,
    make_hub: Any,
    in_background: Any,
    until: Any,
    failure: Exception,
    kept: str,
    request: pytest.FixtureRequest,
) -> None:
    """An error whose text no database takes, or without a text, does not end the listener."""
    # pytest-xdist cannot send a report with such a text in the captured log.
    logging.disable()
    request.addfinalizer(lambda: logging.disable(logging.NOTSET))
    hub, handled = make_hub(event_server.url), []

    def handle(event: Event) -> None:
        if event["data"]["number"] == 1:
            raise failure
        handled.append(event["data"]["number"])

    hub.subscribe("topic=studio.work", handle, durable=_durable(place, tries=2))
    in_background(hub)
    journal = open_journal(*place)
    for number in (1, 2):
        hub.publish(_work(number))
    until(lambda: journal.counts() == (0, 0, 1, 1))
    assert handled == [2]
    assert journal.dead_letters()[0].error.startswith(kept)
    journal.close()


def test_an_event_that_kills_the_process_becomes_a_dead_letter(
    place: tuple[str, str], event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """Tries that ended with their process count too."""
    journal = open_journal(*place)
    journal.belong_to(event_server.url)
    event = _work(1)
    journal.add(event["id"], json.dumps({**event}))
    for _ in range(3):
        claim = journal.claim()
        assert claim is not None
        assert journal.begin(claim)
        journal.close()  # gives the claim up as the end of the process does
        journal = open_journal(*place)
    hub, calls = make_hub(event_server.url), []
    hub.subscribe("topic=studio.work", calls.append, durable=_durable(place, tries=3))
    in_background(hub)
    until(journal.dead_letters)
    assert "The process ended 3 times" in journal.dead_letters()[0].error
    assert calls == []
    journal.close()


def test_an_outage_of_the_server_loses_nothing(
    place: tuple[str, str],
    event_server: Any,
    make_hub: Any,
    make_proxy: Any,
    until: Any,
    in_background: Any,
) -> None:
    """A durable listener hears the events of an outage when the server is back."""
    proxy = make_proxy(event_server.port)
    hub, heard = make_hub(proxy.url), []
    hub.subscribe(
        "topic=studio.work",
        lambda event: heard.append(event["data"]["number"]),
        durable=_durable(place),
    )
    in_background(hub)
    publisher = make_hub(event_server.url)
    publisher.publish(_work(1))
    until(lambda: heard == [1])
    proxy.down = True
    proxy.cut()
    until(lambda: not hub.connected)
    publisher.publish(_work(2))
    proxy.down = False
    until(lambda: heard == [1, 2], 30)


def test_an_event_is_acknowledged_after_the_journal_has_it(
    place: tuple[str, str],
    event_server: Any,
    make_hub: Any,
    in_background: Any,
    until: Any,
    monkeypatch: Any,
) -> None:
    """While the journal refuses an event, the server keeps it, and sends it again later."""
    hub, heard = make_hub(event_server.url), []
    hub.subscribe(
        "topic=studio.work", lambda event: heard.append(event["id"]), durable=_durable(place)
    )
    (group,) = hub._durable.groups()
    refused = []
    add = group.journal.add

    def refuse(identifier: str, event: str) -> bool:
        if len(refused) < 3:
            refused.append(identifier)
            raise exception.EventJournalBusyError("full")
        return add(identifier, event)

    monkeypatch.setattr(group.journal, "add", refuse)
    in_background(hub)
    publisher = make_hub(event_server.url)
    event = _work(1)
    publisher.publish(event)
    until(lambda: heard == [event["id"]], 30)
    assert refused == [event["id"]] * 3


def test_results_are_replies(
    place: tuple[str, str], event_server: Any, make_hub: Any, in_background: Any
) -> None:
    """The result of a durable callback reaches the publisher."""
    hub = make_hub(event_server.url)
    hub.subscribe("topic=studio.ask", lambda event: {"answer": 42}, durable=_durable(place))
    in_background(hub)
    asking = make_hub(event_server.url)
    reply = asking.publish_and_wait(Event("studio.ask"), timeout=20)
    assert reply is not None
    assert reply["data"] == {"answer": 42}


def test_workers_keep_the_order_of_an_entity(
    place: tuple[str, str], event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """With four threads, events about one entity are handled in order."""
    hub, heard = make_hub(event_server.url), []

    def handle(event: Event) -> None:
        heard.append((event["data"]["entities"][0]["entityId"], event["data"]["number"]))

    hub.subscribe("topic=studio.work", handle, durable=_durable(place))
    in_background(hub, workers=4)
    for number in range(40):
        hub.publish(_work(number, entities=[{"entityId": f"e{number % 3}"}]))
    until(lambda: len(heard) == 40, 30)
    for entity in ("e0", "e1", "e2"):
        numbers = [number for each, number in heard if each == entity]
        assert numbers == sorted(numbers)


def test_local_events_need_no_journal(
    place: tuple[str, str], event_server: Any, make_hub: Any
) -> None:
    """A synchronous event reaches a durable subscriber directly, and its result is returned."""
    hub = make_hub(event_server.url, connect=False)
    hub.subscribe("topic=studio.work", lambda event: "done", durable=_durable(place))
    assert hub.publish(_work(1), synchronous=True) == ["done"]
    journal = open_journal(*place)
    assert journal.counts() == (0, 0, 0, 0)
    journal.close()


def test_a_closed_hub_continues_when_it_connects_again(
    place: tuple[str, str], event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """Closing gives the journal up; connecting opens it, and the events of the pause arrive."""
    hub, heard = make_hub(event_server.url), []
    hub.subscribe(
        "topic=studio.work",
        lambda event: heard.append(event["data"]["number"]),
        durable=_durable(place),
    )
    until(lambda: hub.wait_connected(1))
    hub.close()
    publisher = make_hub(event_server.url)
    until(lambda: event_server.broker.statistics()["away"] > 0)
    publisher.publish(_work(1))
    hub.connect()
    in_background(hub)
    until(lambda: heard == [1], 30)


def test_an_event_that_nobody_wants_is_not_dropped(
    place: tuple[str, str], event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """After a change of the subscriptions, an event in the journal becomes a dead letter."""
    journal = open_journal(*place)
    journal.belong_to(event_server.url)
    event = Event("studio.older", data={})
    journal.add(event["id"], json.dumps({**event}))
    hub = make_hub(event_server.url)
    hub.subscribe("topic=studio.work", print, durable=_durable(place, tries=2))
    in_background(hub)
    until(journal.dead_letters)
    assert journal.dead_letters()[0].error == "No subscriber of the program wants the event."
    journal.close()


def test_a_callback_may_close_the_hub(
    place: tuple[str, str], event_server: Any, make_hub: Any
) -> None:
    """The event whose callback ends the wait is done; the events behind it stay."""
    hub, heard = make_hub(event_server.url), []

    def handle(event: Event) -> None:
        heard.append(event["data"]["number"])
        if len(heard) == 1:
            hub.close()

    hub.subscribe("topic=studio.work", handle, durable=_durable(place))
    publisher = make_hub(event_server.url)
    for number in range(3):
        publisher.publish(_work(number))
    hub.wait(30)
    assert heard == [0]
    again = make_hub(event_server.url, connect=False)
    # The server gives the events that it still holds to a subscriber with the same name.
    again.subscribe("topic=studio.work", handle, durable=_durable(place))
    again.connect()
    deadline = time.monotonic() + 30
    while len(heard) < 3 and time.monotonic() < deadline:
        again.wait(0.1)
    assert heard == [0, 1, 2]
    assert hub._durable.groups() == []


def test_secrets_are_not_stored(
    tmp_path: pathlib.Path, event_server: Any, make_hub: Any, until: Any
) -> None:
    """Neither the key of the hub nor keys and passwords in events are in the journal."""
    hub = make_hub(event_server.url)
    durable = Durability("secrets", str(tmp_path))
    hub.subscribe("topic=studio.work", lambda event: None, durable=durable)
    data = {
        "url": f"https://host/component/get?id=1&apiKey={'k' * 20}",
        "values": {"password": "sesame-open", "name": "kept"},
        "text": f"the key is {KEY}",
        "proxy": "http://me:pass-of-proxy@host",
    }
    hub.publish(_work(1, **data))
    journal = open_journal("secrets", str(tmp_path))
    until(lambda: journal.counts().waiting == 1)
    journal.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"kept" in stored
    for secret in (b"kkkk", b"sesame", KEY.encode(), b"pass-of-proxy"):
        assert secret not in stored


def test_a_name_has_one_kind_of_settings(
    tmp_path: pathlib.Path, event_server: Any, make_hub: Any
) -> None:
    """Two subscriptions of a hub cannot give one durable name different settings."""
    hub = make_hub(event_server.url, connect=False)
    hub.subscribe("topic=a", print, durable=Durability("n", str(tmp_path)))
    with pytest.raises(exception.EventJournalError, match="n is in use by this event hub"):
        hub.subscribe("topic=b", print, durable=Durability("n", str(tmp_path), tries=9))
    with pytest.raises(exception.ParseError):
        hub.subscribe("topic=[", print, durable=Durability("n", str(tmp_path)))
    assert len(hub._durable.groups()[0].consumers) == 1


@pytest.mark.parametrize(
    "settings",
    [
        *({"tries": one} for one in (0, 2.5, True, "5")),
        *({"pause": one} for one in (-1, float("nan"), float("inf"), "2")),
        *({"longest_pause": one} for one in (-1, float("nan"), None)),
        {"name": "a b"},
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, Any]) -> None:
    """Settings that make no sense are errors."""
    with pytest.raises(ValueError, match="durable"):
        Durability(**{"name": "n", **settings})


def test_pauses_grow(tmp_path: pathlib.Path) -> None:
    """Each pause is four times the one before, up to the longest."""
    durability = Durability("n", pause=2, longest_pause=100)
    assert [durability.pause_after(tries) for tries in range(1, 6)] == [2, 8, 32, 100, 100]
    patient = Durability("n", tries=10**6)
    assert patient.pause_after(999_999) == patient.longest_pause


def _small_disk(path: pathlib.Path) -> None:
    """Mount a disk with little space at *path*, or skip the test."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(path)]
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this system does not allow a small disk")


def test_a_full_disk_ends_the_wait(
    tmp_path: pathlib.Path, event_server: Any, make_hub: Any, until: Any
) -> None:
    """If the disk of the journal is full, `wait` raises an error that names the file."""
    disk = tmp_path / "disk"
    _small_disk(disk)
    try:
        hub = make_hub(event_server.url)
        hub.subscribe("topic=studio.work", lambda event: None, durable=Durability("n", str(disk)))
        errors: list[Exception] = []

        def wait() -> None:
            try:
                hub.wait()
            except Exception as error:
                errors.append(error)

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        publisher = make_hub(event_server.url)
        for number in range(40):
            if errors:
                break
            publisher.publish(_work(number, text="x" * 10_000))
            with contextlib.suppress(OSError), open(disk / "filler", "ab", buffering=0) as file:
                file.write(b"x" * 8192)
        until(lambda: errors, 30)
        (error,) = errors
        assert isinstance(error, exception.EventJournalError)
        assert "n.journal cannot be used: the disk is full or failing" in str(error)
        hub.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_a_child_process_leaves_the_journal_alone(
    tmp_path: pathlib.Path, event_server: Any, make_hub: Any
) -> None:
    """A forked child handles no events of its parent's durable subscriptions."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    hub = make_hub(event_server.url, connect=False)
    hub.subscribe("topic=studio.work", print, durable=Durability("n", str(tmp_path)))
    child = os.fork()
    if not child:
        os._exit(0 if not hub._durable and hub._durable.next_event() is None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert hub._durable


@pytest.fixture
def redis_server(tmp_path: pathlib.Path, until: Any) -> Iterator[Any]:
    """Return a function that starts a Redis server of the test; `url` is its address."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    redis = pytest.importorskip("redis", reason="the package redis is not installed")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    running: list[subprocess.Popen[bytes]] = []
    client = redis.Redis(port=port)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.exceptions.RedisError:
            return False

    def start() -> subprocess.Popen[bytes]:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
        command = [program, *options, "--appendonly", "yes", "--appendfsync", "always"]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        until(answers, 30)
        return running[-1]

    start.url = f"redis://127.0.0.1:{port}/0"  # type: ignore[attr-defined]
    yield start
    client.close()
    for process in running:
        process.kill()
        process.wait()


def test_an_outage_of_redis_loses_nothing(
    redis_server: Any,
    event_server: Any,
    make_hub: Any,
    in_background: Any,
    until: Any,
    caplog: Any,
) -> None:
    """After kill -9 of the Redis server, the listener goes on when the server is back."""
    process = redis_server()
    hub, heard = make_hub(event_server.url), []
    hub.subscribe(
        "topic=studio.work",
        lambda event: heard.append(event["data"]["number"]),
        durable=Durability("outage", redis_server.url),
    )
    in_background(hub)
    publisher = make_hub(event_server.url)
    for number in range(5):
        publisher.publish(_work(number))
    until(lambda: heard == [0, 1, 2, 3, 4])
    with caplog.at_level(logging.CRITICAL):
        process.kill()
        process.wait()
        for number in range(5, 10):
            publisher.publish(_work(number))
        redis_server()
        until(lambda: set(heard) == set(range(10)), 60)
    journal = open_journal("outage", redis_server.url)
    until(lambda: journal.counts() == (0, 0, 0, 10), 60)
    journal.close()


def test_the_server_says_whether_a_subscriber_resumed(event_server: Any, make_hub: Any) -> None:
    """Only a subscriber whose events the server kept gets the answer `resumed`."""
    answers: list[Any] = []

    class Hub(EventHub):
        """A hub that notes the answers about its subscribers."""

        def _on_subscribed(self, subscriber: Any, response: Any) -> None:
            answers.append((subscriber.metadata["id"], response))
            super()._on_subscribed(subscriber, response)

    hub = Hub(event_server.url, "user", KEY)
    hub.subscribe("topic=a", print, {"id": "lasting"})
    hub.connect()
    assert answers[-1] == ("lasting", {"success": True})
    hub.disconnect(unsubscribe=False, reconnect=True)
    hub.connect()
    assert answers[-1] == ("lasting", {"success": True, "resumed": True})
    hub.close()
