"""The sandbox as a server of its own: started, stopped, found again, and reset."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.utilities import LocalProtocolError

from ftrack_like import cli
from ftrack_like.event.hub import EventHub
from ftrack_like.sandbox import command_line
from ftrack_like.sandbox.server import SandboxServer

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

ASK = [{"action": "query_server_information"}]
COMMANDS = (
    [sys.executable, "-m", "ftrack_like.sandbox"],
    [sys.executable, "-m", "ftrack_like.cli", "sandbox"],
)


def ask(server_url: str, api_user: str, api_key: str, body: Any = ASK) -> requests.Response:
    """Return the answer of a sandbox to *body*."""
    headers = {"ftrack-user": api_user, "ftrack-api-key": api_key, "ftrack-strict-api": "true"}
    return requests.post(f"{server_url}/api", json=body, headers=headers, timeout=30)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Return a list for processes, which do not outlive the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def start(processes: list[subprocess.Popen[str]], *command: str) -> subprocess.Popen[str]:
    """Return a started process whose output can be read."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    processes.append(process)
    return process


@pytest.mark.parametrize("command", COMMANDS, ids=["module", "command line"])
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["Ctrl-C", "SIGTERM"]
)
def test_json_line_is_printed_when_it_answers(
    processes: list[Any], command: list[str], number: int, status: int
) -> None:
    """With --json one line says where the sandbox answers; a signal ends it in an orderly way."""
    process = start(processes, *command, "--json", "--memory", "--port", "0", "--key", "secret")
    known = json.loads(process.stdout.readline())
    assert sorted(known) == ["api_key", "api_user", "server_url"]
    assert ask(**known).status_code == 200
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (status, "", "")


def test_address_that_nobody_reads_is_no_fault(processes: list[Any]) -> None:
    """A sandbox whose output is closed goes on without a complaint."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = start(processes, *COMMANDS[0], "--memory", "--port", str(port), "--key", "secret")
    process.stdout.close()
    process.stdout = None
    while True:
        try:
            assert ask(f"http://127.0.0.1:{port}", "admin", "secret").status_code == 200
            break
        except requests.exceptions.ConnectionError:
            assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert process.stderr.read() == ""


def test_people_get_a_snippet_to_paste(processes: list[Any], tmp_path: pathlib.Path) -> None:
    """Without --json it prints address, user and key as a program that can be pasted."""
    process = start(processes, *COMMANDS[0], "--data", str(tmp_path / "a" / "b"), "--port", "0")
    lines = []
    while "query" not in (lines or [""])[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], "the process ended"
    text = "".join(lines)
    assert "import ftrack_like" in text
    assert str(tmp_path) in text
    assert (tmp_path / "a" / "b" / "sandbox.sqlite").exists()


def test_taken_port_is_told_in_one_line(processes: list[Any]) -> None:
    """A port that is taken ends the command with a sentence and status 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(processes, *COMMANDS[0], "--memory", "--port", str(port))
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    assert f"cannot listen on 127.0.0.1:{port}" in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "99999"], "a port is a number from 0 to 65535, not '99999'"),
        (["--port", "http"], "a port is a number from 0 to 65535, not 'http'"),
        (["--database", "mysql://me:secret@host/name"], "postgresql://user:password@host/name"),
        (["--port", "0", "--data", __file__], f"File exists: {__file__}"),
        (["--port", "0", "--data", "/dev/null/x"], "/dev/null"),
    ],
)
def test_what_cannot_be_is_told_in_words(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option that makes no sense ends the command with a sentence, without a password."""
    try:
        status = command_line.main(options)
    except SystemExit as error:
        status = error.code
    told = capsys.readouterr().err
    assert status in (1, 2)
    assert words in told.splitlines()[-1]
    assert "secret" not in told


@pytest.mark.parametrize("place", ["127.0.0.1:1", "[::1"])
def test_database_that_cannot_be_used_is_told_in_one_line(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A database that does not answer ends the command with a sentence and status 1."""
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    options = ["--port", "0", "--database", f"postgresql://me:secret@{place}/name"]
    assert command_line.main(options) == 1
    told = capsys.readouterr().err
    assert told.startswith("ftrack-like: The database cannot be used: ")
    assert len(told.splitlines()) == 1
    assert "secret" not in told


@pytest.mark.parametrize(
    "words",
    [
        ("start", "--port", "0"),
        ("start", "--port", "0", "--workers", "2"),
        ("reset", "--yes"),
        ("fill",),
        ("worker",),
        ("jobs",),
    ],
    ids=" ".join,
)
def test_debug_prints_the_traceback_of_an_error(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --debug the traceback comes before the sentence, without the password."""
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    monkeypatch.setenv("FTRACK_LOG", "")  # the command sets it, and the test restores it
    place = ("--database", "postgresql://me:secret@127.0.0.1:1/name")
    assert cli.main(["sandbox", *words, *place, "--debug"]) == 1
    told = capsys.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert "OperationalError" in told
    assert not told.splitlines()[-1].startswith(" ")
    assert "secret" not in told


def test_demo_project_is_there_on_request(processes: list[Any]) -> None:
    """With --demo-project fresh data hold a project."""
    process = start(processes, *COMMANDS[0], "--json", "--memory", "--port", "0", "--demo-project")
    known = json.loads(process.stdout.readline())
    query = [{"action": "query", "expression": "select name from Project"}]
    assert len(ask(**known, body=query).json()[0]["data"]) == 1


def test_demo_project_that_an_existing_site_lacks_is_told(
    processes: list[Any], tmp_path: pathlib.Path
) -> None:
    """The command names the site that it leaves as it is, and says how to get the project."""
    with SandboxServer(tmp_path, key="secret"):
        pass
    options = ("--json", "--port", "0", "--data", str(tmp_path), "--demo-project")
    process = start(processes, *COMMANDS[0], "start", *options)
    known = json.loads(process.stdout.readline())
    query = [{"action": "query", "expression": "select name from Project"}]
    assert ask(**known, body=query).json()[0]["data"] == []
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=60)[1]
    assert f"the site in {tmp_path} existed, and was left as it is" in told
    assert "new folder" in told
    assert "reset --demo-project" in told


def test_site_with_the_demo_project_lacks_nothing(tmp_path: pathlib.Path) -> None:
    """Only a site that existed without the demo project lacks it."""
    with SandboxServer(tmp_path / "with", demo=True) as server:
        assert not server.lacks_demo
    with SandboxServer(tmp_path / "with", demo=True) as server:
        assert not server.lacks_demo
    with SandboxServer(tmp_path / "without") as server:
        assert not server.lacks_demo
    with SandboxServer(tmp_path / "without", demo=True) as server:
        assert server.lacks_demo
    with SandboxServer(demo=True) as server:
        assert not server.lacks_demo


@pytest.mark.postgres
@pytest.mark.skipif(POSTGRESQL is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL names no server")
@pytest.mark.parametrize("workers", [(), ("--workers", "1")], ids=["one process", "workers"])
def test_demo_project_is_there_on_postgresql(
    processes: list[Any], namespace: Any, tmp_path: pathlib.Path, workers: tuple[str, ...]
) -> None:
    """An empty database gets a site with the demo project; one without it stays as it is."""
    query = [{"action": "query", "expression": "select name from Project"}]
    media = ("--media", str(tmp_path))
    for first, count in ((("--demo-project",), 1), ((), 0)):
        with namespace(POSTGRESQL) as url:
            for options in (first, ("--demo-project",)):
                place = ("--port", "0", "--database", url, *media, *workers)
                process = start(processes, *COMMANDS[0], "start", "--json", *place, *options)
                line = process.stdout.readline()
                assert line, process.stderr.read()
                assert len(ask(**json.loads(line), body=query).json()[0]["data"]) == count
                process.send_signal(signal.SIGTERM)
                told = process.communicate(timeout=60)[1]
            assert ("was left as it is" in told) == (count == 0), told
        (tmp_path / "site-mark").unlink()


# In a program


def test_data_outlive_the_server(tmp_path: pathlib.Path) -> None:
    """A second start on the same folder finds what was there, and the same key."""
    with SandboxServer(tmp_path) as first:
        key = first.api_key
        operation = {
            "action": "create",
            "entity_type": "Scope",
            "entity_key": ["mine"],
            "entity_data": {"id": "mine", "name": "mine"},
        }
        assert ask(first.server_url, "admin", key, [operation]).status_code == 200
    with SandboxServer(tmp_path) as second:
        assert second.api_key == key
        query = [{"action": "query", "expression": "Scope where id is mine"}]
        assert len(ask(second.server_url, "admin", key, query).json()[0]["data"]) == 1


def test_given_user_and_key_are_let_in(tmp_path: pathlib.Path) -> None:
    """A start with another user or key makes the user, or replaces the key."""
    with SandboxServer(tmp_path, key="one") as server:
        assert ask(server.server_url, "admin", "one").status_code == 200
    with SandboxServer(tmp_path, user="boss", key="two") as server:
        assert ask(server.server_url, "boss", "two").status_code == 200
        assert ask(server.server_url, "admin", "one").status_code == 200
    with SandboxServer(tmp_path, key="three") as server:
        assert ask(server.server_url, "admin", "three").status_code == 200
        assert ask(server.server_url, "admin", "one").status_code == 401


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_key_is_kept_for_the_owner_alone(tmp_path: pathlib.Path) -> None:
    """The file that remembers the key can be read by nobody else; the database has no key."""
    with SandboxServer(tmp_path / "data") as server:
        key = server.api_key
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    holding = [path for path in kept if key.encode() in path.read_bytes()]
    assert [path.name for path in holding] == ["credentials.json"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_data_of_another_layout_are_left_alone(tmp_path: pathlib.Path) -> None:
    """Data that another version of the sandbox made are refused, not touched."""
    with SandboxServer(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "sandbox.sqlite") as database:
        database.execute("UPDATE server_value SET value = '99' WHERE name = 'layout'")
    database.close()
    with pytest.raises(RuntimeError, match="another version"), SandboxServer(tmp_path):
        pass


def test_stopped_server_lets_go_of_everything(tmp_path: pathlib.Path) -> None:
    """After a stop nothing listens, and the port can be had again."""
    server = SandboxServer()
    with server:
        url, port = server.server_url, int(server.server_url.rsplit(":", 1)[1])
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
    with SandboxServer(port=port) as again:
        assert again.server_url == url


def test_websocket_that_is_closed_already_does_not_stop_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A websocket that closes by itself in that moment is let go, and the server stops."""
    told = []

    def refuse(protocol: Any) -> None:
        told.append(protocol)
        raise LocalProtocolError("cannot be sent in state ConnectionState.CLOSED")

    monkeypatch.setattr(WSProtocol, "shutdown", refuse)
    failures: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    with SandboxServer() as server:
        hub = EventHub(server.server_url, server.api_user, server.api_key)
        hub.connect()
    assert len(told) == 1
    assert failures == []
    hub.close()


def test_threads_of_the_command_take_short_turns() -> None:
    """The command changes the interpreter for its process; a server in a program does not."""
    code = (
        "import sys; from ftrack_like.sandbox import command_line, server;"
        "server.SandboxServer.start = lambda self: sys.exit(str(sys.getswitchinterval()));"
        "command_line.main(['--memory', '--port', '0'])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert float(ended.stderr) < 0.005, "the default of Python"
    before = sys.getswitchinterval()
    with SandboxServer():
        assert sys.getswitchinterval() == before


def test_start_twice_is_refused() -> None:
    """A running sandbox cannot be started again, and stopping twice is stopping."""
    server = SandboxServer()
    with server:
        with pytest.raises(RuntimeError, match="running already"):
            server.start()
    server.stop()


def test_repr_shows_no_key() -> None:
    """The representation says where and who, never the key."""
    with SandboxServer(key="very secret") as server:
        assert server.server_url in repr(server)
        assert "very secret" not in repr(server)


def test_reset_brings_the_fresh_site_back(api: Any, sandbox: Any) -> None:
    """After a reset the data are those of a fresh site, and the same key works."""
    api.create("Scope", name="mine")
    api.delete("User", api.create("User", username="x"))
    before = api.query("select name from Status order by name")
    sandbox.reset()
    assert api.query("Scope where name is mine") == []
    assert api.query("select name from Status order by name") == before


def test_private_data_are_gone_after_the_end() -> None:
    """A sandbox without a folder leaves no file behind."""
    server = SandboxServer()
    with server:
        path = server._api.database.path
        assert path.exists()
    assert not path.parent.exists()


NEVER_STOPPED = """
import os, sys
from ftrack_like.sandbox.server import SandboxServer
server = SandboxServer()
server.start()
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        sys.exit()
    os.waitpid(child, 0)
path = server._api.database.path
print(path.parent, path.exists(), flush=True)
raise SystemExit("forgotten")
"""


def test_private_data_are_gone_when_nobody_stops_the_sandbox() -> None:
    """A program that ends without stopping its sandbox leaves no file; its forks delete none."""
    done = subprocess.run(
        [sys.executable, "-c", NEVER_STOPPED],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    folder, _, was_there = done.stdout.strip().rpartition(" ")
    assert was_there == "True", done.stderr
    assert not pathlib.Path(folder).exists()


def test_a_sandbox_on_sqlite_does_not_load_postgresql(tmp_path: pathlib.Path) -> None:
    """The start imports nothing for PostgreSQL, which would take two mebibytes."""
    script = (
        "import sys\n"
        "from ftrack_like.sandbox.server import SandboxServer\n"
        "with SandboxServer(sys.argv[1]):\n"
        "    print([n for n in sys.modules if 'postgresql' in n and n[:12] != 'ftrack_like.'])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stderr
