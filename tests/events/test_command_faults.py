"""What the commands say and return when something is in the way, as processes."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftrack_like.cli import main
from ftrack_like.event.base import Event
from ftrack_like.event.hub import EventHub

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and pipes of POSIX")

PLUGIN = "def register(session):\n    pass\n"
ENTRIES = ("ftrack_like", "ftrack_like.cli")
LONG = [["listen"], ["listen", "--workers", "2"], ["events", "tail"]]


@pytest.fixture
def dead() -> Iterator[str]:
    """Return an address where nothing answers, and nothing will while the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def environment(sandbox: Any, tmp_path: pathlib.Path) -> dict[str, str]:
    """Return the environment of a command that is to reach the sandbox."""
    return {
        **os.environ,
        "FTRACK_SERVER": sandbox.server_url,
        "FTRACK_API_USER": sandbox.api_user,
        "FTRACK_API_KEY": sandbox.api_key,
    }


def start(
    environment: dict[str, str], *arguments: str, module: str = ENTRIES[0], **options: Any
) -> Any:
    """Return a running command whose streams are pipes, unless *options* say otherwise."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, env=environment, text=True, **{**streams, **options})


def result(environment: dict[str, str], *arguments: str, **options: Any) -> tuple[int, str, str]:
    """Return the status of a command that ends by itself, and what it printed."""
    with start(environment, *arguments, **options) as process:
        output, errors = rest_of(process)
    return process.returncode, output, errors


@pytest.fixture
def result_here(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Return a function like :func:`result` that runs the command in this process."""

    def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
        for name, value in {**environment, **variables}.items():
            monkeypatch.setenv(name, value)
        try:
            status = main(arguments)
        except SystemExit as error:
            status = int(str(error.code))
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


def rest_of(process: Any) -> tuple[str, str]:
    """Return the rest of what *process* prints; end a process that does not end by itself."""
    try:
        output, errors = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return output, errors


def wait_listening(process: Any) -> list[str]:
    """Wait until *process* says that it listens; return the lines before that."""
    lines = []
    while not (line := process.stderr.readline()).startswith("Listening to http"):
        assert line, lines
        lines.append(line)
    return lines


@pytest.mark.parametrize("module", ENTRIES)
def test_bare_command_says_what_there_is(module: str) -> None:
    """Without a command, all commands are listed with what they do."""
    status, output, errors = result(dict(os.environ), module=module)
    assert (status, errors) == (0, "")
    for name in ("events", "listen", "migrate", "sandbox", "--version", "--help"):
        assert name in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["listen", "{nowhere}"], "there is no folder"),
        (["listen", "{folder}", "{nowhere}"], "there is no folder"),
        (["listen", ""], "there is no folder"),
        (["listen", "{file}"], "is not a folder"),
        (["listen", "--workers", "0"], "'0' is not a whole number"),
        (["listen", "--workers", "-2"], "'-2' is not a whole number"),
        (["listen", "--workers", "many"], "'many' is not a whole number"),
        (["listen", "--workers", "2", "--key", "shot"], "'shot' is neither 'entity' nor a field"),
        (["listen", "--key", "topic"], "--workers"),
        (["listen", "--nope"], "--nope"),
        (["events"], "name what to do: tail, dead"),
        (["events", "head"], "head"),
        (["events", "tail", "--count", "0"], "'0' is not a whole number"),
        (["events", "tail", "--count", "x"], "'x' is not a whole number"),
        (["migrate", "check", "{nowhere}"], "no '"),
        (["migrate", "check"], "PATH"),
        (["sandbox", "--port", "high"], "a port is a number"),
        (["nope"], "nope"),
    ],
)
def test_wrong_arguments_end_with_2(
    arguments: list[str],
    words: str,
    result_here: Callable[..., tuple[int, str, str]],
    tmp_path: pathlib.Path,
) -> None:
    """A command that is called in a wrong way starts nothing, says why and ends with status 2."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    places = {
        "nowhere": tmp_path / "nowhere",
        "folder": tmp_path,
        "file": tmp_path / "plugin.py",
    }
    status, output, errors = result_here(*(each.format(**places) for each in arguments))
    assert (status, output) == (2, "")
    assert words in errors.splitlines()[-1]
    assert "Traceback" not in errors


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may read everything")
def test_folder_that_cannot_be_read(environment: dict[str, str], tmp_path: pathlib.Path) -> None:
    """A folder that this user may not read ends the command with status 2."""
    tmp_path.chmod(0)
    try:
        status, _, errors = result(environment, "listen", str(tmp_path))
    finally:
        tmp_path.chmod(0o700)
    assert status == 2
    assert "cannot be read" in errors


@pytest.mark.parametrize("arguments", LONG)
def test_dead_server_is_named(arguments: list[str], environment: dict[str, str], dead: str) -> None:
    """A server that does not answer ends a command with status 1, its address and advice."""
    status, output, errors = result({**environment, "FTRACK_SERVER": dead}, *arguments)
    assert (status, output) == (1, "")
    assert dead in errors
    assert "Is the server running" in errors
    for word in ("Traceback", "Max retries", environment["FTRACK_API_KEY"]):
        assert word not in errors


@pytest.mark.parametrize("arguments", LONG)
@pytest.mark.parametrize(
    "change",
    [
        {"FTRACK_API_KEY": "not-the-key"},
        {"FTRACK_API_USER": "nobody-we-know"},
        {"FTRACK_API_KEY": ""},
        {"FTRACK_SERVER": ""},
        {"FTRACK_SERVER": "nonsense"},
    ],
)
def test_wrong_settings_are_told_in_words(
    arguments: list[str],
    change: dict[str, str],
    result_here: Callable[..., tuple[int, str, str]],
) -> None:
    """Credentials and addresses that cannot work end a command with status 1 and a reason."""
    status, output, errors = result_here(*arguments, **change)
    assert (status, output) == (1, "")
    assert errors.startswith("ftrack-like: ")
    assert "Traceback" not in errors
    assert "not-the-key" not in errors


def test_verbose_names_loaded_plugins(environment: dict[str, str], tmp_path: pathlib.Path) -> None:
    """With -v each plugin that was loaded is named; one that fails is named in any case."""
    for name, text in (("good.py", PLUGIN), ("bad.py", "1 / 0"), ("deep/too.py", PLUGIN)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for flags in (["-v"], []):
        with start(environment, "listen", *flags, str(tmp_path)) as process:
            lines = "".join(wait_listening(process))
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
        for name in ("good.py", "deep/too.py"):
            assert (f'Loaded plugin "{tmp_path / name}"' in lines) is bool(flags)
        assert f'Failed to load plugin from "{tmp_path / "bad.py"}"' in lines


def test_missing_folder_of_the_environment_is_warned_of(
    environment: dict[str, str], tmp_path: pathlib.Path
) -> None:
    """A folder that only FTRACK_EVENT_PLUGIN_PATH names may be missing: a warning says so."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    places = os.pathsep.join([str(tmp_path / "nowhere"), str(tmp_path)])
    with start({**environment, "FTRACK_EVENT_PLUGIN_PATH": places}, "listen") as process:
        lines = "".join(wait_listening(process))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert lines.count("which is not a folder") == 1
    assert str(tmp_path / "nowhere") in lines


@pytest.mark.parametrize("arguments", LONG)
def test_interrupt_ends_with_130(arguments: list[str], environment: dict[str, str]) -> None:
    """Ctrl-C ends a command that runs with status 130 and without a word."""
    with start(environment, *arguments) as process:
        wait_listening(process)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 130


@pytest.mark.parametrize("arguments", [*LONG, ["migrate", "check", "{folder}"]])
def test_interrupt_while_busy_ends_with_130(
    arguments: list[str], environment: dict[str, str], tmp_path: pathlib.Path
) -> None:
    """Ctrl-C ends a command that waits for a server, or reads a file that never ends."""
    os.mkfifo(tmp_path / "endless.py")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        filled = [each.format(folder=tmp_path) for each in arguments]
        with start({**environment, "FTRACK_SERVER": address}, *filled) as process:
            if arguments[0] == "migrate":
                writing = os.open(tmp_path / "endless.py", os.O_WRONLY)  # waits for its reader
            else:
                silent.accept()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=20)
            if arguments[0] == "migrate":
                os.close(writing)
    assert (process.returncode, output, errors) == (130, "", "")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["migrate", "check", "{folder}"]])
@pytest.mark.parametrize("closed", ["reader", "stdout", "stderr"])
def test_closed_pipe_is_no_fault(arguments: list[str], closed: str, tmp_path: pathlib.Path) -> None:
    """A command whose output goes nowhere ends quietly."""
    for number in range(50):
        (tmp_path / f"studio{number}.py").write_text("import ftrack_api\nftrack_api.cache\n" * 50)
    filled = [each.format(folder=tmp_path) for each in arguments]
    if closed == "reader":
        reading, writing = os.pipe()
        os.close(reading)
        status, _, errors = result(dict(os.environ), *filled, stdout=writing)
        os.close(writing)
    else:
        number = {"stdout": 1, "stderr": 2}[closed]
        status, _, errors = result(dict(os.environ), *filled, preexec_fn=lambda: os.close(number))
    assert status in (0, 1)
    assert errors == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_full_disk_is_told(tmp_path: pathlib.Path) -> None:
    """Output that cannot be written ends a command with status 1 and the reason."""
    (tmp_path / "studio.py").write_text("import ftrack_api\n")
    with open("/dev/full", "w") as full:
        status, _, errors = result(dict(os.environ), "migrate", "check", str(tmp_path), stdout=full)
    assert status == 1
    assert "The output cannot be written" in errors
    assert "Traceback" not in errors


def test_tail_goes_on_after_an_event_about_a_disconnection(
    environment: dict[str, str], event_server: Any
) -> None:
    """An event that ends ``wait`` does not end ``events tail``; a server may pass one on."""
    environment["FTRACK_SERVER"] = event_server.url
    environment["FTRACK_API_KEY"] = "a-key-that-must-not-show"
    with start(environment, "events", "tail", "--count", "1", "topic=*") as process:
        wait_listening(process)
        event_server.broker.publish({"topic": "ftrack.meta.disconnected"})
        event_server.broker.publish({"topic": "shown"})
        output, _ = rest_of(process)
    assert process.returncode == 0
    assert "shown" in output


def test_key_keeps_the_order_of_a_field(
    environment: dict[str, str], sandbox: Any, tmp_path: pathlib.Path
) -> None:
    """With --key the plugins get events with the same value of that field in order."""
    (tmp_path / "plugin.py").write_text(
        "import threading, time\n"
        "other = threading.Event()\n"
        "seen = []\n"
        "def register(session):\n"
        "    session.event_hub.subscribe('topic=numbered', note)\n"
        "def note(event):\n"
        "    if event['data']['n'] == 0:\n"
        "        assert other.wait(20)\n"
        "    if event['data']['show'] == 'b':\n"
        "        other.set()\n"
        "    seen.append((event['data']['show'], event['data']['n']))\n"
        "    return {'seen': seen} if event['data']['n'] == 3 else None\n"
    )
    hub = EventHub(sandbox.server_url, sandbox.api_user, sandbox.api_key)
    hub.connect()
    options = ["--workers", "3", "--key", "data.show"]
    with start(environment, "listen", *options, str(tmp_path)) as process:
        wait_listening(process)
        for number in range(3):
            hub.publish(Event("numbered", data={"show": "a", "n": number}))
        hub.publish(Event("numbered", data={"show": "b", "n": 9}))
        reply = hub.publish_and_wait(Event("numbered", data={"show": "a", "n": 3}), timeout=30)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    hub.close()
    assert isinstance(reply, Event)
    assert reply["data"]["seen"][0] == ["b", 9]
    assert [number for show, number in reply["data"]["seen"] if show == "a"] == [0, 1, 2, 3]
