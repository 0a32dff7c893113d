"""The commands `ftrack-like listen` and `ftrack-like events tail`, as processes."""

from __future__ import annotations

import io
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from ftrack_like.cli.events import Printer, printable
from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub

_PLUGIN = """
def register(session):
    session.event_hub.subscribe(
        "topic=ftrack.update and source.user.username=admin", lambda event: cascade(session, event)
    )
    session.event_hub.subscribe("topic=greet", lambda event: {"hello": event["data"]["name"]})


def cascade(session, event):
    for entity in event["data"]["entities"]:
        changes = entity["changes"] or {}
        updated = (entity.get("entity_type"), entity["action"]) == ("Task", "update")
        if updated and "statusid" in changes:
            task = session.get("Task", entity["entityId"])
            task["parent"]["description"] = "status " + session.get(
                "Status", changes["statusid"]["new"]
            )["name"]
            session.commit()
"""

#: Files that are no valid plugins: their import fails, there is no function, or it fails.
_FAULTY = {
    "syntax": "def register(session)",
    "nothing": "x = 1",
    "query": "def register(session):\n    session.event_hub.subscribe('topic=', print)\n",
}


@pytest.fixture
def environment(sandbox: Any) -> dict[str, str]:
    """Return the environment of a command that is to reach the sandbox."""
    return {
        **os.environ,
        "FTRACK_SERVER": sandbox.server_url,
        "FTRACK_API_USER": sandbox.api_user,
        "FTRACK_API_KEY": sandbox.api_key,
    }


class Command:
    """A running command; *errors* are read as far as the line that says it listens."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ftrack_like.cli", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_listening(self) -> None:
        """Wait until the command says that it listens."""
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith("Listening to http"), line

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """End the command by a signal; return its status and what it printed."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=20)
        return self.process.returncode, output, errors


@pytest.fixture
def run(environment: dict[str, str]) -> Iterator[Any]:
    """Return a function that runs a command."""
    commands: list[Command] = []

    def start(*arguments: str, **changes: str) -> Command:
        commands.append(Command({**environment, **changes}, *arguments))
        return commands[-1]

    yield start
    for command in commands:
        if command.process.poll() is None:
            command.process.kill()
            command.process.communicate()


@pytest.fixture
def hub(sandbox: Any) -> Iterator[EventHub]:
    """Return a connected hub."""
    connected = EventHub(sandbox.server_url, sandbox.api_user, sandbox.api_key)
    connected.connect()
    yield connected
    connected.close()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_listen_hosts_plugins_and_ends_cleanly(
    number: int, status: int, run: Any, hub: EventHub, tmp_path: pathlib.Path
) -> None:
    """Plugins answer while the command runs; an interrupt ends it without a complaint."""
    (tmp_path / "plugin.py").write_text(_PLUGIN)
    command = run("listen", str(tmp_path))
    command.wait_listening()
    reply = hub.publish_and_wait(Event("greet", data={"name": "you"}))
    assert isinstance(reply, Event)
    assert reply["data"] == {"hello": "you"}
    assert command.end(number) == (status, "", "")


@pytest.mark.parametrize(
    ("arguments", "variable", "words"),
    [
        ([], None, "no folder was given, and FTRACK_EVENT_PLUGIN_PATH names none"),
        (["{folder}"], None, "No plugin was found in '{folder}' or below"),
        (["{folder}", "{other}"], None, "in '{folder}' and '{other}' or below"),
        ([], "{folder}", "in '{folder}' or below"),
        (["{broken}"], None, "No plugin in '{broken}' or below could be loaded"),
    ],
)
def test_listen_without_plugins_says_so(
    arguments: list[str], variable: Optional[str], words: str, run: Any, tmp_path: pathlib.Path
) -> None:
    """A command with folders that hosts nothing ends with 1; without folders it says what to do."""
    names = {each: str(tmp_path / each) for each in ("folder", "other", "broken")}
    for path in names.values():
        os.mkdir(path)
    (tmp_path / "folder" / "plugin.txt").write_text("not a plugin")
    for name, text in _FAULTY.items():
        (tmp_path / "broken" / f"{name}.py").write_text(text)
    more = {} if variable is None else {"FTRACK_EVENT_PLUGIN_PATH": variable.format(**names)}
    command = run("listen", *[each.format(**names) for each in arguments], **more)
    if arguments or variable:
        errors = command.process.communicate(timeout=60)[1]
        assert command.process.returncode == 1
        assert errors.splitlines()[-1].startswith("ftrack-like: No plugin ")
        assert words.format(**names) in errors.splitlines()[-1]
        return
    line = command.process.stderr.readline()
    assert line.startswith("ftrack-like: No plugin was found")
    assert words.format(**names) in line
    assert line.endswith("name the folder of your plugins: ftrack-like listen PLUGIN_PATH\n")
    command.wait_listening()
    assert command.end() == (130, "", "")


def test_listen_goes_on_without_the_plugins_that_fail(run: Any, tmp_path: pathlib.Path) -> None:
    """A command whose plugins fail in part says how many, and runs the others."""
    (tmp_path / "plugin.py").write_text(_PLUGIN)
    (tmp_path / "query.py").write_text(_FAULTY["query"])
    command = run("listen", str(tmp_path))
    assert "Failed to load plugin" in command.process.stderr.readline()
    line = command.process.stderr.readline()
    assert line == "ftrack-like: 1 of 2 plugins could not be loaded. The others run.\n"
    command.wait_listening()
    assert command.end() == (130, "", "")


def test_an_interrupt_ends_a_command_of_the_background(run: Any, tmp_path: pathlib.Path) -> None:
    """A command that a script starts in its background, where interrupts are ignored, hears one."""
    (tmp_path / "plugin.py").write_text(_PLUGIN)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = run("listen", str(tmp_path))
    finally:
        signal.signal(signal.SIGINT, before)
    command.wait_listening()
    assert command.end(signal.SIGINT) == (130, "", "")


def test_status_cascades_in_another_process(
    run: Any, session: Any, tmp_path: pathlib.Path, until: Any
) -> None:
    """A plugin in one process follows the edits of another one."""
    (tmp_path / "plugin.py").write_text(_PLUGIN)
    command = run("listen", "--workers", "2", str(tmp_path))
    command.wait_listening()
    schema = session.query("ProjectSchema").first()
    project = session.create("Project", {"name": "p", "full_name": "p", "project_schema": schema})
    shot = session.create("Shot", {"name": "s", "parent": project})
    task = session.create("Task", {"name": "t", "parent": shot})
    session.commit()
    status = next(each for each in session.query("Status") if each["id"] != task["status_id"])
    task["status"] = status
    session.commit()
    wanted = f'Shot where id is "{shot["id"]}" and description is "status {status["name"]}"'
    until(lambda: session.query(wanted).first() is not None)
    assert command.end()[0] == 130


def test_listen_says_what_is_wrong(run: Any) -> None:
    """A key that is not valid ends the command with one line that says so."""
    command = run("listen", FTRACK_API_KEY="not-the-key")
    _, errors = command.process.communicate(timeout=20)
    assert command.process.returncode == 1
    assert errors.startswith("ftrack-like: ")
    assert "Traceback" not in errors
    assert "not-the-key" not in errors


def test_tail_prints_json_lines_in_a_pipe(run: Any, hub: EventHub) -> None:
    """Programs read one event a line, as it travelled, and as many as they asked for."""
    command = run("events", "tail", "topic=shown and data.n>0", "--count", "2")
    command.wait_listening()
    for number in (0, 1, 2):
        hub.publish(Event("shown", data={"n": number}))
        hub.publish(Event("hidden", data={"n": 5}))
    output, _ = command.process.communicate(timeout=20)
    assert command.process.returncode == 0
    lines = [json.loads(line) for line in output.splitlines()]
    assert [line["data"]["n"] for line in lines] == [1, 2]
    assert {line["topic"] for line in lines} == {"shown"}
    assert "inReplyToEvent" in lines[0]


def test_tail_filters_by_topic(run: Any, hub: EventHub) -> None:
    """--topic selects events, may be repeated, and combines with an expression."""
    topics = ("--topic", "shown", "--topic", "also.*")
    command = run("events", "tail", "data.n>0", *topics, "--count", "2")
    command.wait_listening()
    for topic in ("shown", "hidden", "also.shown"):
        for number in (0, 1):
            hub.publish(Event(topic, data={"n": number}))
    output, _ = command.process.communicate(timeout=20)
    assert command.process.returncode == 0
    assert [json.loads(line)["topic"] for line in output.splitlines()] == ["shown", "also.shown"]


def test_tail_ends_when_its_reader_has_gone(run: Any, hub: EventHub, until: Any) -> None:
    """A pipe that nobody reads any more ends the command without a complaint."""
    command = run("events", "tail")
    command.wait_listening()
    command.process.stdout.close()

    def ended() -> bool:
        hub.publish(Event("shown"))
        return command.process.poll() is not None

    until(ended)
    assert command.process.returncode == 0
    assert command.process.stderr.read() == ""


def test_tail_refuses_a_broken_expression(run: Any) -> None:
    """An expression that makes no sense ends the command with the position of the fault."""
    command = run("events", "tail", "topic shown")
    _, errors = command.process.communicate(timeout=20)
    assert command.process.returncode == 1
    assert "at character 6" in errors


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def _shown(event: Event, always_json: bool = False) -> str:
    stream = Terminal()
    Printer(stream, always_json=always_json).show(event, lambda: None)
    return stream.getvalue()


def test_tail_prints_json_on_a_terminal_on_demand() -> None:
    """With --json a terminal gets lines of JSON too."""
    event = Event("shown", data={"n": 1}, sent="now", source={})
    assert json.loads(_shown(event, always_json=True))["data"] == {"n": 1}


def test_tail_colours_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """People see coloured lines with time, topic, user and data, unless they want no colour."""
    event = Event(
        "shown",
        data={"text": "x" * 1000},
        sent="2024-01-01T00:00:00.000Z",
        source={"id": "1", "user": {"username": "jane"}},
    )
    monkeypatch.delenv("NO_COLOR", raising=False)
    line = _shown(event)
    assert "\x1b[1;36mshown\x1b[0m jane" in line
    assert len(line) < 400
    monkeypatch.setenv("NO_COLOR", "1")
    assert _shown(event).startswith("2024-01-01T00:00:00.000Z shown jane {")


def test_tail_does_not_let_events_control_the_terminal() -> None:
    """Escape sequences in events are shown as what they are not: harmless."""
    event = Event("a\x1b[2Jb", data={}, sent="now", source={})
    assert "\x1b[2J" not in _shown(event)
    assert printable("a\nb\x07") == "a\ufffdb\ufffd"
