"""Commands in this process, and in processes on pseudo-terminals."""

from __future__ import annotations

import dataclasses
import io
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

from ftrack_like.cli import main


@dataclasses.dataclass
class Result:
    """The exit status of a command, and the text that it printed."""

    status: int
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        """The lines of the output."""
        return self.output.splitlines()


@pytest.fixture
def settings(sandbox: Any) -> dict[str, str]:
    """Return the environment variables that name the sandbox."""
    return {
        "FTRACK_SERVER": sandbox.server_url,
        "FTRACK_API_USER": sandbox.api_user,
        "FTRACK_API_KEY": sandbox.api_key,
    }


@pytest.fixture
def command(
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Result]:
    """Return a function that runs a command in this process, as in a pipe."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as error:
            status = int(error.code or 0)
        found = capsys.readouterr()
        return Result(status, found.out, found.err)

    return run


@pytest.fixture
def site(session: Any) -> dict[str, Any]:
    """Return a project with a sequence, two shots and three tasks, by name."""
    schema = session.query("ProjectSchema").first()
    made = {
        "show": session.create("Project", {"name": "show", "project_schema": schema}),
    }
    made["sq010"] = session.create("Sequence", {"name": "sq010", "parent": made["show"]})
    for name in ("sh010", "sh020"):
        made[name] = session.create("Shot", {"name": name, "parent": made["sq010"]})
    for name, shot in (("lighting", "sh010"), ("comp", "sh010"), ("comp2", "sh020")):
        data = {"name": "comp" if name == "comp2" else name, "parent": made[shot]}
        made[name] = session.create("Task", data)
    session.commit()
    return made


class Terminal:
    """A command on a pseudo-terminal of *columns*; *errors* is the other end of standard error."""

    def __init__(
        self, arguments: tuple[str, ...], environment: dict[str, str], columns: int = 80
    ) -> None:
        import fcntl  # lazy: not on Windows
        import pty  # lazy: likewise
        import struct  # lazy: likewise
        import termios  # lazy: likewise

        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ftrack_like", *arguments],
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            close_fds=True,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def read_until(self, text: Optional[str] = None) -> str:
        """Return all that was shown when *text* appears, or at the end."""
        while text is None or text not in self.shown:
            try:
                part = os.read(self._mine, 65536)
            except OSError:  # The command has closed the terminal.
                break
            if not part:
                break
            self.shown += part.decode(errors="replace").replace("\r\n", "\n")
        return self.shown

    def type(self, text: str) -> None:
        """Type *text*."""
        os.write(self._mine, text.encode())

    def finish(self) -> Result:
        """Wait for the end of the command."""
        shown = self.read_until()
        return Result(self.process.wait(60), shown, "")

    def close(self) -> None:
        """End the command if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._mine)


@pytest.fixture
def terminal(settings: dict[str, str], tmp_path: pathlib.Path) -> Iterator[Callable[..., Terminal]]:
    """Return a function that starts a command on a pseudo-terminal."""
    pytest.importorskip("pty", reason="pseudo-terminals of POSIX")
    started: list[Terminal] = []

    def start(*arguments: str, columns: int = 80, **variables: str) -> Terminal:
        environment = {
            **os.environ,
            **settings,
            "TERM": "xterm",
            "PYTHONUTF8": "1",
            **variables,
        }
        for name in ("COLUMNS", "LINES", *([] if "NO_COLOR" in variables else ["NO_COLOR"])):
            environment.pop(name, None)
        started.append(Terminal(arguments, environment, columns))
        return started[-1]

    yield start
    for each in started:
        each.close()
