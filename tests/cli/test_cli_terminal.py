"""Commands on a terminal: tables, colours, questions, progress and Ctrl-C."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
from typing import Any

import pytest

from ftrack_like.cli._output import fit
from ftrack_like.cli._text import in_columns, printable, width_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals and signals of POSIX")

#: A value of ``PYTHONPATH`` entry with a module ``rich`` that cannot be imported.
WITHOUT_RICH = "raise ImportError('not installed')\n"

#: A program in which another thread takes SIGINT: the system call that the main thread waits in
#: goes on, as for a signal that comes right before the call.
LATE_INTERRUPT = """
import os, signal, threading, time
from ftrack_like._base.questions import answer_to

def interrupt():
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
try:
    answer_to("Sure? ")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.fixture(params=["rich", "plain"])
def variables(request: Any, tmp_path: pathlib.Path) -> dict[str, str]:
    """Return environment variables of a process with and without ``rich``."""
    if request.param == "rich":
        pytest.importorskip("rich", reason="the extra 'cli' is not installed")
        return {}
    (tmp_path / "rich.py").write_text(WITHOUT_RICH)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path}


def plain(text: str) -> str:
    """Return *text* without escape sequences and without drawings that were removed again."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return "\n".join(line.rpartition("\r")[2] for line in text.split("\n"))


def rows(text: str) -> list[list[str]]:
    """Return the cells of the lines of a table."""
    lines = [line for line in plain(text).splitlines() if line.strip()]
    return [re.split(r"\s{2,}", line.strip()) for line in lines if "Loading" not in line]


def test_table_has_a_header_and_aligned_columns(
    terminal: Any, site: Any, variables: dict[str, str]
) -> None:
    """On a terminal a query prints a table with the columns as they were written."""
    query = "select name, parent.name from Task order by name, parent.name"
    result = terminal("query", query, NO_COLOR="1", **variables).finish()
    assert result.status == 0
    found = rows(result.output)
    assert found[-4:] == [
        ["name", "parent.name"],
        ["comp", "sh010"],
        ["comp", "sh020"],
        ["lighting", "sh010"],
    ]


def test_table_fits_the_terminal(
    terminal: Any, site: Any, session: Any, variables: dict[str, str]
) -> None:
    """No line is wider than the terminal, also with long and with wide characters."""
    site["sh010"]["description"] = "灯台 " * 60
    site["sh020"]["description"] = "x" * 200
    session.commit()
    query = "select name, description, parent.name from Shot order by name"
    result = terminal("query", query, columns=50, NO_COLOR="1", **variables).finish()
    lines = [line for line in plain(result.output).splitlines() if "sh0" in line]
    assert len(lines) == 2
    for line in lines:
        assert width_of(line) <= 50
        assert "…" in line
        assert "sq010" in line


def test_ids_are_whole(terminal: Any, site: Any, session: Any, variables: dict[str, str]) -> None:
    """Other columns are cut, and on a narrow terminal lines wrap: only a whole id can be copied."""
    site["sh010"]["description"] = "x" * 200
    session.commit()
    query = "select id, name, description from Shot where name is sh010"
    for columns, fits in ((60, True), (30, False)):
        shown = terminal("query", query, columns=columns, NO_COLOR="1", **variables).finish()
        assert site["sh010"]["id"] in shown.output
        widest = max(width_of(line) for line in plain(shown.output).splitlines())
        assert (widest <= columns) is fits


def test_usual_ids_give_way_to_names(
    terminal: Any, command: Any, site: Any, session: Any, variables: dict[str, str]
) -> None:
    """A query that names no columns cuts ids before names; the beginning stands for the id."""
    site["lighting"]["name"] = "lighting_and_rendering"
    session.commit()
    key = site["lighting"]["id"]
    for columns, shown_key in ((140, key), (80, f"{key[:8]}…"), (60, f"{key[:8]}…")):
        shown = terminal("query", "Task", columns=columns, NO_COLOR="1", **variables).finish()
        lines = plain(shown.output).splitlines()
        assert max(width_of(line) for line in lines) <= columns
        (line,) = [each for each in lines if "lighting_" in each]
        assert line.startswith(f"{shown_key}  lighting_")
        assert "sh010" in line
        assert site["lighting"]["status"]["name"] in line
    assert command("get", "Task", f"{key[:8]}…", "-c", "id").output == f"id\t{key}\n"


def test_usual_ids_stay_whole_beside_short_values(
    terminal: Any, site: Any, variables: dict[str, str]
) -> None:
    """An id is not cut if the other columns have room."""
    shown = terminal("query", "Status", columns=60, NO_COLOR="1", **variables).finish().output
    assert "…" not in shown


@pytest.mark.parametrize(
    ("widths", "available", "expected"),
    [
        ([10, 20], 40, [10, 20]),
        ([10, 50], 40, [10, 28]),
        ([30, 50], 40, [19, 19]),
        ([6, 6], 5, [6, 6]),
        ([], 5, []),
    ],
)
def test_widest_columns_are_cut_first(
    widths: list[int], available: int, expected: list[int]
) -> None:
    """Columns shrink from the widest, and not below their least width."""
    assert fit(widths, available, [6] * len(widths)) == expected


def test_control_characters_are_harmless(
    terminal: Any, site: Any, session: Any, variables: dict[str, str]
) -> None:
    """Escape sequences in data never reach the terminal, whatever the format."""
    site["sh010"]["description"] = "a\x1b[2Jb\x9b31mc\u202ed"
    session.commit()
    query = "select description from Shot where name is sh010"
    for form in ("table", "tsv", "csv", "json", "jsonl"):
        shown = terminal("query", query, "-o", form, NO_COLOR="1", **variables).finish().output
        for harmful in ("\x1b[2J", "\x9b", "\u202e"):
            assert harmful not in shown
        assert "b" in shown
    assert "\x1b[2J" not in terminal("get", "Shot", "sh010", **variables).finish().output


def test_colours_only_where_they_are_wanted(
    terminal: Any, site: Any, variables: dict[str, str]
) -> None:
    """A terminal gets colours, but not with NO_COLOR set."""
    arguments = ("get", "Shot", "sh010", "-c", "name")
    assert "\x1b[1m" in terminal(*arguments, **variables).finish().output
    assert "\x1b[1m" not in terminal(*arguments, NO_COLOR="1", **variables).finish().output
    query = ("query", "select name from Shot")
    coloured = terminal(*query, **variables).finish().output
    assert "\x1b[1m" in coloured
    without = terminal(*query, NO_COLOR="1", **variables).finish().output
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", without)


def test_nothing_found_is_said_on_a_terminal(terminal: Any, site: Any) -> None:
    """An empty table says that there is nothing."""
    result = terminal("query", "Task where name is nothing").finish()
    assert result.status == 0
    assert "Nothing found." in plain(result.output)


@pytest.mark.parametrize(
    ("answer", "left", "status"), [("y\n", 2, 0), ("\n", 3, 1), ("no\n", 3, 1)]
)
def test_deletion_asks_first(
    answer: str, left: int, status: int, terminal: Any, site: Any, session: Any
) -> None:
    """The question comes after the plan; only yes deletes."""
    started = terminal("delete", "Task", "lighting")
    shown = started.read_until("[y/N] ")
    assert f"delete Task show/sq010/sh010/lighting ({site['lighting']['id']})" in shown
    started.type(answer)
    result = started.finish()
    assert result.status == status
    assert ("Nothing was changed." in result.output) is bool(status)
    session.reset()
    assert len(session.query("Task")) == left


def test_end_of_input_is_no(terminal: Any, site: Any, session: Any) -> None:
    """Ctrl-D at the question deletes nothing."""
    started = terminal("delete", "Task", "lighting")
    started.read_until("[y/N] ")
    started.type("\x04")
    assert started.finish().status == 1
    assert len(session.query("Task")) == 3


def test_yes_asks_nothing(terminal: Any, site: Any) -> None:
    """--yes answers the question."""
    result = terminal("delete", "Task", "lighting", "--yes").finish()
    assert result.status == 0
    assert "[y/N]" not in result.output
    assert "Deleted 1 Task." in result.output


@pytest.mark.parametrize(
    ("type_name", "more", "shown"),
    [("Task", [], True), ("Task", ["type=Animation"], False), ("Shot", [], False)],
)
def test_create_names_the_type_that_the_server_chose(
    type_name: str, more: list[str], shown: bool, terminal: Any, site: Any, session: Any
) -> None:
    """A task without a type gets one from the server, and the terminal says which."""
    arguments = ["create", type_name, "name=new", "parent=show/sq010", *more]
    result = terminal(*arguments, NO_COLOR="1").finish()
    assert (result.status, "which the server chose" in result.output) == (0, shown), result.output
    if shown:
        chosen = session.query("Task where name is new").one()["type"]["name"]
        assert f"its type is {chosen}, " in result.output


def test_interrupt_at_the_question_ends_with_130(terminal: Any, site: Any, session: Any) -> None:
    """Ctrl-C at the question ends the command without a traceback, and changes nothing."""
    started = terminal("status", "Completed", "Task")
    started.read_until("[y/N] ")
    started.process.send_signal(signal.SIGINT)
    result = started.finish()
    assert result.status == 130
    assert "Traceback" not in result.output
    assert len(session.query("Task where status.name is Completed")) == 0


def test_interrupt_that_does_not_end_the_wait_is_not_lost(tmp_path: pathlib.Path) -> None:
    """Ctrl-C in the moment between a question and the wait for its answer ends the question."""
    script = tmp_path / "ask.py"
    script.write_text(LATE_INTERRUPT)
    controller, terminal = os.openpty()
    try:
        ended = subprocess.run(
            [sys.executable, str(script)], stdin=terminal, capture_output=True, timeout=120
        )
    finally:
        os.close(controller)
        os.close(terminal)
    assert (ended.stdout, ended.stderr) == (b"interrupted\n", b"Sure? ")


def test_interrupt_during_a_request_ends_with_130(settings: dict[str, str]) -> None:
    """Ctrl-C while the server does not answer ends the command silently with status 130."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "ftrack_like", "query", "Task"],
            env={**os.environ, **settings, "FTRACK_SERVER": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        connection, _ = server.accept()
        with connection:
            connection.recv(100)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 130


@pytest.mark.parametrize("arguments", [["query", "Task"], ["schema", "show", "--raw"]])
def test_reader_that_goes_away_is_no_fault(
    arguments: list[str], settings: dict[str, str], site: Any
) -> None:
    """A pipe that is closed early ends the command without an error."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ftrack_like", *arguments],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 0


def test_progress_is_silent_in_a_pipe(command: Any, site: Any, tmp_path: pathlib.Path) -> None:
    """Long work prints nothing to standard error of a pipe."""
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * 3_000_000)
    found = command("note", "Task", "lighting", "x", "--attach", str(path))
    assert (found.status, found.errors) == (0, "")
    assert command("query", "Task", "-o", "table").errors == ""


def test_progress_is_shown_on_a_terminal_and_removed(
    terminal: Any, site: Any, tmp_path: pathlib.Path, variables: dict[str, str]
) -> None:
    """An upload shows its name; afterwards only the output is left."""
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * 3_000_000)
    result = terminal("note", "Task", "lighting", "x", "--attach", str(path), **variables).finish()
    assert result.status == 0
    assert "Uploading large.bin" in result.output
    key, told = plain(result.output).splitlines()[-2:]
    assert re.fullmatch(r"[0-9a-f-]{36}", key.split()[-1])
    assert told.startswith("Wrote a note on Task show/sq010/sh010/lighting (")


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 4, "abc…"),
        ("灯台", 5, "灯台 "),
        ("灯台灯", 4, "灯… "),
        ("e\u0301a", 2, "e\u0301a"),
    ],
)
def test_text_fits_its_columns(text: str, width: int, expected: str) -> None:
    """Text is padded or cut to an exact width, wide and combining characters included."""
    assert in_columns(text, width) == expected
    assert width_of(expected) == width


def test_printable_replaces_control_characters() -> None:
    """Characters that control a terminal are replaced; others stay."""
    assert printable("a\x1b[2Jé灯\n") == "a\ufffd[2Jé灯\ufffd"
