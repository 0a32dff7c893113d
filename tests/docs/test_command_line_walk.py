"""The walk at the top of the page of the command line runs as it is printed."""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'sandbox' is not installed")

TEXT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "command_line.txt"
#: Commands of the walk that start a server, or ask a person.
ELSEWHERE = ("demo", "login")


def steps() -> Iterator[tuple[str, list[str]]]:
    """Yield each command of the walk with the lines that the page prints below it."""
    walk = re.split(r"^-+$", TEXT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    command, lines = "", []
    for line in re.findall(r"^   (.+)$", walk, re.MULTILINE):
        if line.startswith("$ "):
            if command:
                yield command, lines
            command, lines = line[2:], []
        else:
            lines.append(line)
    yield command, lines


@pytest.fixture(scope="module")
def demo() -> Iterator[Any]:
    """Return a server with the demo project."""
    from ftrack_like.sandbox.server import SandboxServer

    server = SandboxServer(demo=True)
    server.start()
    yield server
    server.stop()


def test_the_walk_runs(
    demo: Any,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each command succeeds, and prints the lines that the page shows."""
    from ftrack_like.cli import main

    monkeypatch.chdir(tmp_path)
    for name, value in (
        ("FTRACK_SERVER", demo.server_url),
        ("FTRACK_API_USER", demo.api_user),
        ("FTRACK_API_KEY", demo.api_key),
    ):
        monkeypatch.setenv(name, value)
    pathlib.Path("scene.ma").write_text("// scene", encoding="utf-8")
    pathlib.Path("frame.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    ran = []
    for command, lines in steps():
        program, *words = shlex.split(command)
        assert program == "ftrack-like"
        if words[0] in ELSEWHERE:
            continue
        more = ["--output", "table"] if lines else []
        status = main([*words, *more])
        printed = capsys.readouterr()
        assert (status, printed.err) == (0, ""), command
        assert not lines or printed.out.splitlines() == lines
        ran.append(words[0])
    reviews = ["review"] * 4
    assert ran == ["query", "set", "set", "get", "publish", *reviews, "delete"]
