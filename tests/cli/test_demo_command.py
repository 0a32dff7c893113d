"""`ftrack-like demo`: what it prints can be pasted, opened and used."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

pytest.importorskip("uvicorn", reason="the extra 'sandbox' is not installed")

DEMO = [sys.executable, "-m", "ftrack_like", "demo"]


class Demo:
    """A running demo: its *process*, and the *text* that it printed until it was ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "task[" not in lines[-1]:
            line = process.stdout.readline()
            assert line, "the demo has ended"
            lines.append(line)
        self.text = "".join(lines)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """End the demo; return its status and its errors."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


@pytest.fixture
def demo() -> Iterator[Demo]:
    """Return a running demo."""
    process = subprocess.Popen(DEMO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running = Demo(process)
    yield running
    if process.poll() is None:
        process.kill()
        process.communicate()


def test_everything_that_it_prints_works(demo: Demo) -> None:
    """The lines for a shell and for Python run as they are, and the page opens with the log-in."""
    environment = {name: value for name, value in os.environ.items() if "FTRACK_" not in name}
    exports = re.findall(r"^    (export .*)$", demo.text, re.MULTILINE)
    (command,) = re.findall(r"^    ftrack-like (.*)$", demo.text, re.MULTILINE)
    script = "\n".join([*exports, f'"{sys.executable}" -m ftrack_like {command}'])
    shell = subprocess.run(
        ["sh", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert shell.returncode == 0, shell.stderr
    assert len(shell.stdout.splitlines()) == 10

    code = demo.text[demo.text.index("    import ftrack_like") :]
    snippet = "\n".join(line[4:] for line in code.splitlines())
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 10

    (page,) = re.findall(r"open (http://\S+)", demo.text)
    user, key = re.findall(r"^    (?:user|API key) +(\S+)$", demo.text, re.MULTILINE)
    with requests.Session() as browser:
        form = browser.get(page, timeout=20)
        assert "Log in" in form.text
        data = {"username": user, "key": key, "next": "/browse"}
        origin = page[: -len("/browse")]
        opened = browser.post(f"{origin}/log-in", data=data, headers={"Origin": origin}, timeout=20)
        assert opened.status_code == 200
        assert "lighthouse" in opened.text.lower()


def test_ctrl_c_ends_it(demo: Demo) -> None:
    """Ctrl-C ends with status 130 and without a word, and the address is dead."""
    (url,) = re.findall(r"answers at (http://\S+)", demo.text)
    assert demo.end() == (130, "")
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(url, timeout=5)


def test_service_manager_ends_it(demo: Demo) -> None:
    """SIGTERM is an orderly end."""
    assert demo.end(signal.SIGTERM) == (0, "")


def test_json_and_port() -> None:
    """With --json, one line has everything; a port in use is an error in one line."""
    process = subprocess.Popen([*DEMO, "--json"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        known: dict[str, Any] = json.loads(process.stdout.readline())
        assert set(known) == {"server_url", "api_user", "api_key", "page"}
        port = known["server_url"].rsplit(":", 1)[1]
        second = subprocess.run(
            [*DEMO, "--port", port], capture_output=True, text=True, check=False, timeout=60
        )
        assert second.returncode == 1
        assert len(second.stderr.splitlines()) == 1
        assert f"127.0.0.1:{port}" in second.stderr
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_mistakes() -> None:
    """A port that does not exist is an error before the start."""
    done = subprocess.run([*DEMO, "--port", "99999"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "a port is a number from 0 to 65535" in done.stderr


def test_without_the_extra() -> None:
    """Without the extra, one line names it."""
    code = (
        "import sys; sys.modules['uvicorn'] = None; from ftrack_like.cli import main; "
        "sys.exit(main(['demo']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "ftrack-like: The demo needs the package 'uvicorn'. Install the extra 'sandbox' of "
        "ftrack-like: python -m pip install '.[sandbox]' "
    )
    assert done.stderr.count("\n") == 1


def on_terminal(environment: dict[str, str]) -> str:
    """Return what the demo prints on a terminal."""
    main, other = pty.openpty()
    process = subprocess.Popen(DEMO, stdout=other, stderr=other, env=environment)
    os.close(other)
    shown = ""
    deadline = time.monotonic() + 60
    while "task[" not in shown and time.monotonic() < deadline:
        if select.select([main], [], [], 1)[0]:
            shown += os.read(main, 65536).decode()
    process.terminate()
    process.wait(60)
    os.close(main)
    return shown


def test_colours_only_where_they_are_wanted() -> None:
    """A terminal gets headings in bold, unless NO_COLOR is set."""
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    assert "\x1b[1m" in on_terminal(environment)
    assert "\x1b" not in on_terminal({**environment, "NO_COLOR": "1"})


def test_closed_output_does_not_end_it() -> None:
    """If the reader of the output has gone, the demo goes on and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [*DEMO, "--port", str(port)], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    with requests.Session() as http:
        http.mount("http://", HTTPAdapter(max_retries=Retry(20, backoff_factor=0.2)))
        # The second request comes after the demo has tried to print.
        for _ in range(2):
            assert http.get(f"http://127.0.0.1:{port}/", timeout=20).status_code == 200
    assert process.poll() is None
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
