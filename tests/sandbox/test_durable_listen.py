"""``listen --durable``, the dead letters, and catching up from the activity of the server."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ftrack_like.event.base import Event
from ftrack_like.event.durability import Durability
from ftrack_like.event.journal import open_journal, place_of_journals
from ftrack_like.event.missed import event_of

pytest.importorskip("starlette", reason="the extra sandbox is not installed")

from ftrack_like.testing import Sandbox

_PLUGIN = """
import os

LOG = os.environ["STUDIO_LOG"]

def handle(event):
    with open(LOG, "a") as file:
        file.write(f"{event['topic']} {event['data'].get('number')}\\n")
    if event["data"].get("poison"):
        raise RuntimeError("this event is poison")
    if event["data"].get("kill"):
        os.kill(os.getpid(), 9)

def discover(event):
    return {"items": []}

def register(session):
    session.event_hub.subscribe("topic=studio.work", handle)
    session.event_hub.subscribe("topic=ftrack.action.discover", discover)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    """Return a sandbox for the tests of this module."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def until() -> Callable[..., None]:
    """Return a function that waits for a condition."""

    def wait(condition: Callable[[], Any], timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    return wait


@pytest.fixture
def command(server: Sandbox, tmp_path: pathlib.Path, monkeypatch: Any) -> Iterator[Any]:
    """Return a function that runs a command with a journal folder of the test."""
    monkeypatch.setenv("FTRACK_SERVER", server.server_url)
    monkeypatch.setenv("FTRACK_API_USER", server.api_user)
    monkeypatch.setenv("FTRACK_API_KEY", server.api_key)
    monkeypatch.setenv("FTRACK_EVENT_JOURNAL", str(tmp_path / "journals"))
    monkeypatch.setenv("STUDIO_LOG", str(tmp_path / "log"))
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "ftrack_like", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def _listen(command: Any, folder: pathlib.Path, *options: str) -> Any:
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "plugin.py").write_text(_PLUGIN)
    process = command("listen", "--durable", "studio", *options, str(plugins))
    assert process.stderr.readline().startswith("Listening to http")
    return process


def _lines(folder: pathlib.Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def test_listen_continues_after_a_crash(
    command: Any, server: Sandbox, tmp_path: pathlib.Path, until: Any
) -> None:
    """An event that was being handled during kill -9 is repeated, later ones follow."""
    process = _listen(command, tmp_path, "--tries", "2")
    session = server.session()
    session.event_hub.connect()
    session.event_hub.publish(Event("studio.work", data={"number": 1, "kill": True}))
    session.event_hub.publish(Event("studio.work", data={"number": 2}))
    assert process.wait(60) == -9
    # The first event kills the second process too. It is a dead letter after that.
    second = command("listen", "--durable", "studio", "--tries", "2", str(tmp_path / "plugins"))
    assert second.wait(60) == -9
    _listen(command, tmp_path, "--tries", "2")
    until(lambda: "studio.work 2" in _lines(tmp_path))
    assert _lines(tmp_path).count("studio.work 1") == 2
    journal = open_journal("studio")
    until(journal.dead_letters)
    assert "ended 2 times" in journal.dead_letters()[0].error
    journal.close()
    session.close()


def test_dead_letters_are_listed_repeated_and_dropped(
    command: Any, server: Sandbox, tmp_path: pathlib.Path, until: Any
) -> None:
    """The command shows dead letters, lets listeners repeat them, and drops them."""
    _listen(command, tmp_path, "--tries", "1")
    session = server.session()
    session.event_hub.connect()
    event = Event("studio.work", data={"number": 1, "poison": True})
    session.event_hub.publish(event)
    journal = open_journal("studio")
    until(journal.dead_letters)

    def dead(*arguments: str, status: int = 0) -> tuple[str, str]:
        process = command("events", "dead", *arguments)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == status, errors
        return output, errors

    columns = dead("list", "studio")[0].rstrip("\n").split("\t")
    assert columns[0] == event["id"]
    assert columns[2:4] == ["studio.work", "1"]
    assert columns[4].startswith("RuntimeError: this event is poison (in handle ")
    header = dead("list", "studio", "--csv")[0].splitlines()[0]
    assert header == "id,failed_at,topic,tries,error"
    (letter,) = json.loads(dead("list", "studio", "--json")[0])
    assert letter["event"]["data"] == {"number": 1, "poison": True}
    assert json.loads(dead("list", "studio", "--jsonl")[0]) == letter
    assert dead("repeat", "studio", event["id"][:8])[0] == "1 event will be tried again.\n"
    until(lambda: _lines(tmp_path).count("studio.work 1") == 2)
    until(journal.dead_letters)
    assert dead("drop", "studio", "--all")[0] == "1 event dropped.\n"
    assert dead("list", "studio") == ("", "")
    assert dead("list", "studio", "--json") == ("[]\n", "")
    place = place_of_journals()
    missing = f"There is no journal 'other' in {place}. The names are: studio."
    assert missing in dead("list", "other", status=1)[1]
    assert "Did you mean 'studio'?" in dead("list", "stduio", status=1)[1]
    empty = dead("list", "studio", "--journal", str(tmp_path / "empty"), status=1)[1]
    assert f"There is no journal 'studio' in {tmp_path / 'empty'}. It has no journals." in empty
    assert "no dead letter with an id" in dead("drop", "studio", "abc", status=1)[1]
    assert "--all" in dead("drop", "studio", status=2)[1]
    journal.close()
    session.close()


def test_questions_are_not_kept(command: Any, server: Sandbox, tmp_path: pathlib.Path) -> None:
    """A question is answered at once, and is not in the journal."""
    _listen(command, tmp_path)
    session = server.session()
    session.event_hub.connect()
    reply = session.event_hub.publish_and_wait(
        Event("ftrack.action.discover", data={"selection": []}), timeout=60
    )
    assert reply is not None
    assert reply["data"] == {"items": []}
    journal = open_journal("studio")
    assert journal.counts() == (0, 0, 0, 0)
    journal.close()
    session.close()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--durable", "a/b"], "durable name 'a/b' is invalid"),
        (["--journal", "x"], "need --durable"),
        (["--tries", "3"], "need --durable"),
    ],
)
def test_wrong_options_are_refused(command: Any, options: list[str], problem: str) -> None:
    """Options that do not fit are mistakes, with the reason."""
    process = command("listen", *options)
    assert problem in process.communicate(timeout=60)[1]
    assert process.returncode == 2


def test_an_unusable_journal_ends_the_command(command: Any, tmp_path: pathlib.Path) -> None:
    """If the journal cannot be opened, the command ends with one line that names it."""
    (tmp_path / "journals").write_text("a file in place of the folder")
    process = command("listen", "--durable", "studio")
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "studio.journal cannot be used" in errors
    assert "Traceback" not in errors


def test_missed_changes_are_caught_up(server: Sandbox, tmp_path: pathlib.Path, until: Any) -> None:
    """If the server did not keep the events of a downtime, they come from the activity."""
    writer = server.session()
    schema = writer.query("ProjectSchema").first()
    project = writer.create("Project", {"name": "gap", "project_schema": schema})
    writer.commit()
    durable = Durability("gap", str(tmp_path))
    heard: list[Event] = []

    def listen() -> Any:
        session = server.session()
        session.event_hub.subscribe("topic=ftrack.update", heard.append, durable=durable)
        session.event_hub.connect()
        return session

    first = listen()
    position = open_journal("gap", str(tmp_path))
    until(position.position)
    # The server forgets a hub that unsubscribes: nothing will be sent again.
    first.event_hub.disconnect()
    first.close()
    shot = writer.create("Shot", {"name": "sh1", "parent": project})
    writer.commit()
    shot["description"] = "missed"
    writer.commit()
    second = listen()

    def caught_up() -> bool:
        second.event_hub.wait(0.1)
        return len(heard) >= 2

    until(caught_up)
    events = [event for event in heard if event["data"]["entities"][0]["entityId"] == shot["id"]]
    actions = [event["data"]["entities"][0]["action"] for event in events]
    assert actions == ["add", "update"]
    last = events[-1]
    assert last["data"]["caughtUp"] is True
    assert last["data"]["entities"][0]["entity_type"] == "Shot"
    assert last["data"]["entities"][0]["keys"] == ["description"]
    assert last["source"]["user"]["username"] == server.api_user
    # A third listener does not hear them again.
    second.close()
    third = listen()
    third.event_hub.wait(1.0)
    assert len(heard) == len({event["id"] for event in heard})
    third.close()
    position.close()
    writer.close()


def test_a_sparse_row_makes_a_modest_event() -> None:
    """A row of a server that stores only id, time and parent becomes an update without changes."""
    event = event_of({"id": 7, "parent_id": "abc", "parent_type": "asset_version", "data": "{"})
    assert event["id"] == "activity-7"
    (entity,) = event["data"]["entities"]
    assert (entity["entityId"], entity["entityType"]) == ("abc", "assetversion")
    assert (entity["action"], entity["keys"], entity["changes"]) == ("update", [], None)
