"""The frame of the command line: help, mistakes, connection options and start-up."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

import pytest

from ftrack_like.cli._commands import _OTHER_NAMES, GROUPS, command_names, parser_for, summaries_of

#: Modules that no help and no completion may load.
HEAVY = {"requests", "arrow", "rich", "websocket", "sqlalchemy", "inspect", "traceback", "hashlib"}


def leaves() -> list[Any]:
    """Return the parsers of all commands that do something."""
    return parser_for(command_names()).leaves()


def test_help_lists_every_command_with_its_summary(command: Any) -> None:
    """The help names every command once, with the summary of its module."""
    found = command("--help")
    assert (found.status, found.errors) == (0, "")
    assert command().output == found.output
    for name, summary in summaries_of(command_names()).items():
        assert [line.split() for line in found.lines].count([name, *summary.split()]) == 1


def test_help_is_a_word_too(command: Any) -> None:
    """`help COMMAND` is the same as `COMMAND --help`."""
    assert command("help").output == command("--help").output
    assert command("help", "query").output == command("query", "--help").output
    assert command("help", "query").output.startswith("usage: ftrack-like query EXPRESSION")


def test_other_names_lead_to_commands() -> None:
    """The names of other programs are no commands, and what they lead to exists."""
    names = command_names()
    assert not set(_OTHER_NAMES) & set(names)
    assert {each.split()[0] for each in _OTHER_NAMES.values()} <= set(names)


def test_summaries_are_read_without_an_import() -> None:
    """The summaries in the help are those of the modules."""
    parser = parser_for(command_names())
    assert summaries_of(command_names()) == parser.summaries


def test_groups_name_each_command_once() -> None:
    """No command is in two groups of the help."""
    names = [name for group in GROUPS.values() for name in group]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("parser", leaves(), ids=lambda parser: parser.prog)
def test_each_command_has_a_complete_help(parser: Any) -> None:
    """Each command describes itself and each of its arguments, and has the common options."""
    assert parser.description
    text = parser.format_help()
    assert text.startswith(f"usage: {parser.prog}")
    own = [each for each in parser.arguments if not isinstance(each.choices, dict)]
    assert [each.dest for each in own if each.help is None] == []
    assert "--debug" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["qeury"], "'qeury' is not a command. Did you mean 'query'?"),
        (["update"], "'update' is not a command. Did you mean 'set'?"),
        (["ls"], "Did you mean 'query'?"),
        (["events", "tial"], "'tial' is not a command. Did you mean 'tail'?"),
        (["query", "Task", "--limt", "3"], "unknown argument '--limt'. Did you mean '--limit'?"),
        (["query", "Task", "--sort", "name"], "unknown argument '--sort'. It is a part of"),
        (["query", "Task", "--order=name"], "unknown argument '--order=name'. It is a part of"),
        (["query", "Task", "-f", "json"], "unknown argument '-f'. See"),
        (["query", "Task", "--format", "json"], "Did you mean '--output'?"),
        (["query", "Task", "--fields=name"], "Did you mean '--columns'?"),
        (["auth"], "Did you mean 'login'?"),
        (["sandbox", "worker", "--databse", "x"], "'--databse'. Did you mean '--database'?"),
        (["publish", "a.ma", "--contxt", "x"], "'--contxt'. Did you mean '--context'?"),
        (["publish", "a.ma", "--contxt=x"], "Did you mean '--context'?"),
        (["review", "create", "X", "--projet", "p"], "Did you mean '--project'?"),
        (["encode", "a.mov", "--verison", "x"], "Did you mean '--version'?"),
        (["upload", "a.mov", "--version", "x"], "'--version'. Did you mean '--to'?"),
        (["encode", "a.mov", "--to", "x"], "'--to'. Did you mean '--version'?"),
        (["publish", "a.ma", "--zork", "x"], "unknown argument '--zork'. See"),
        (["publish", "a.ma", "-z", "x"], "unknown argument '-z'. See"),
        (["query", "--limt", "3"], "unknown argument '--limt'. Did you mean '--limit'?"),
        (["query", "-cname"], "missing: EXPRESSION"),
        (["publish", "--", "--contxt"], "missing: --context"),
        (["query", "Task", "--limt=3"], "Did you mean '--limit'?"),
        (["query", "Task", "-o", "jsn"], "Did you mean 'json'?"),
        (["query", "Task", "more"], "unknown argument 'more'. Put the expression in single quotes"),
        (["note", "Task", "x", "Looks", "good"], "'good'. Put an argument with spaces in quotes"),
        (["schema", "show", "x", "more"], "unknown argument 'more'. See: ftrack-like schema show"),
        (["query", "Task", "-n", "3"], "unknown argument '-n'. Did you mean '--limit'?"),
        (["query", "Task", "-n3"], "unknown argument '-n3'. Did you mean '--limit'?"),
        (["query", "Task", "-l", "3"], "Did you mean '--limit'?"),
        (["query", "Task where name is ", "x"], "texts of several words in it in double quotes"),
        (["action", "run", "greet", "show/sh010"], "such as: --on Task show/sh010."),
        (["--json", "query", "Task"], "come after it: ftrack-like COMMAND … --json."),
        (["--profil", "x", "query", "Task"], "'--profil'. Did you mean '--profile'?"),
        (["--profile", "x"], "name a command: ftrack-like COMMAND … --profile."),
        (["-V"], "unknown argument '-V'. Did you mean '--version'?"),
        (["query"], "EXPRESSION"),
        (["query", "Task", "--lim", "3"], "unknown argument '--lim'"),
        (["query", "Task", "--json", "--csv"], "not allowed with"),
        (["get", "Task"], "ID"),
        (["query", "Task", "--columns", "name,,id"], "empty path"),
    ],
)
def test_mistakes_in_arguments(arguments: list[str], words: str, command: Any) -> None:
    """A mistake is one line that names the command and its help, with status 2."""
    found = command(*arguments)
    assert (found.status, found.output) == (2, "")
    assert words in found.errors
    assert found.errors.count("\n") == 1
    assert found.errors.startswith("ftrack-like")


@pytest.mark.parametrize(
    "before",
    [["--server-url", "{}"], ["--server={}"], ["--server-url", "{}", "--user", "admin"]],
    ids=" ".join,
)
@pytest.mark.parametrize("command_line", [["query", "User", "--count"], ["review", "list"]])
def test_connection_options_may_come_first(
    before: list[str],
    command_line: list[str],
    command: Any,
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection options mean the same before the command and after it."""
    monkeypatch.setenv("FTRACK_SERVER", "http://127.0.0.1:1")
    options = [each.format(settings["FTRACK_SERVER"]) for each in before]
    found = command(*options, *command_line)
    assert found.status == 0
    assert found.output == ("1\n" if "query" in command_line else "")


def test_debug_may_come_first(settings: dict[str, str]) -> None:
    """``--debug`` before the command logs the requests, and leaves the output as it is."""
    result = subprocess.run(
        [sys.executable, "-m", "ftrack_like", "--debug", "query", "User", "--count"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "1\n")
    assert "ftrack_like.requests: POST" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["query", "--help"],
        ["set", "--help"],
        ["action", "run", "--help"],
        ["sandbox", "--help"],
        ["completion", "bash"],
        ["completion", "--answer", "bash", "set", "Task", "x", "na"],
    ],
)
def test_help_and_completion_load_little(arguments: list[str], tmp_path: pathlib.Path) -> None:
    """Help and completion load neither the client nor other slow modules, and no file of them."""
    (tmp_path / "schemas-x-0123456789.json").write_text('[{"id": "Task", "properties": {}}]')
    code = (
        "import atexit, sys, json\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"from ftrack_like.cli import main\nsys.exit(main({arguments!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "FTRACK_API_SCHEMA_CACHE_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stderr))
    heavy = HEAVY - {"hashlib", "inspect", "traceback"} if arguments[0] == "sandbox" else HEAVY
    assert not loaded & heavy
    assert "ftrack_like.session" not in loaded


def test_connection_options_replace_the_environment(
    command: Any, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Server, user and key come from options; the key from a file or standard input."""
    for name in settings:
        monkeypatch.delenv(name)
    path = tmp_path / "key"
    path.write_text(settings["FTRACK_API_KEY"] + "\n", encoding="utf-8")
    options = ["--server-url", settings["FTRACK_SERVER"], "--user", settings["FTRACK_API_USER"]]
    query = ["query", "User", "--count", *options, "--api-key-file"]
    assert command(*query, str(path)).output == "1\n"
    assert command(*query, "-", stdin=settings["FTRACK_API_KEY"] + "\n").output == "1\n"


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), ("\n", "is empty")])
def test_key_file_without_a_key(
    content: Any, words: str, command: Any, tmp_path: pathlib.Path
) -> None:
    """A key file that is missing or empty is named."""
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    found = command("query", "Task", "--api-key-file", str(path))
    assert found.status == 2
    assert str(path) in found.errors
    assert words in found.errors


def test_wrong_key_is_never_shown(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused key is one line with status 1, without the key."""
    monkeypatch.setenv("FTRACK_API_KEY", "my-secret-key")
    found = command("query", "Task")
    assert (found.status, found.output) == (1, "")
    assert found.errors.count("\n") == 1
    assert "my-secret-key" not in found.errors


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Nothing answers\nIs the server running?", "Nothing answers. Is the server running?"),
        ("It is refused.\nCheck the key.", "It is refused. Check the key."),
        ("run: login\nIt does not come from x", "run: login. It does not come from x"),
        ("It names\nhttps://studio", "It names https://studio"),
        ("Server reported error: E(x y.)\nTry again.", "ftrack-like: X y. Try again."),
        (
            "Server reported error: DuplicateEntryError(DuplicateEntry: the name 'x' is taken. "
            "(operation 0: create Task))\nThe failing operation: create Task 'x' (1f). Query it.",
            "ftrack-like: The name 'x' is taken (create Task).",
        ),
        ("No attribute\nselect x\n       ^", "No attribute\n  select x\n         ^"),
        ("No attribute\n  select x", "No attribute\n  select x"),
    ],
)
def test_lines_of_an_error_are_joined_as_sentences(
    text: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error is one line of sentences, without words for programs; a query keeps its caret."""
    from ftrack_like import exception
    from ftrack_like.cli._errors import report

    assert report(exception.Error(text)) == 1
    assert capsys.readouterr().err.endswith(f"{line}\n")


def test_unexpected_errors_ask_for_a_report(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the command is one line that says how to find the traceback."""
    from ftrack_like.cli import query

    def fail(arguments: Any) -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(query, "run", fail)
    found = command("query", "Task")
    assert found.status == 1
    assert found.errors.count("\n") == 1
    assert "--debug" in found.errors
    monkeypatch.setenv("FTRACK_LOG", "debug")
    assert "Traceback" in command("query", "Task").errors


def test_a_command_that_sigterm_ends_early_has_its_status(
    command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that SIGTERM ends before its work is done has the status of shells for that."""
    from ftrack_like.cli import query
    from ftrack_like.cli._interrupt import interruptible

    def wait(arguments: Any) -> Any:
        with interruptible():
            os.kill(os.getpid(), signal.SIGTERM)
            return 0

    monkeypatch.setattr(query, "run", wait)
    found = command("query", "Task")
    assert (found.status, found.errors) == (143, "")


@pytest.mark.parametrize(
    ("option", "meant"),
    [("--feilds", "--columns"), ("--fields", "--columns"), ("--max-item", "--limit")],
)
def test_options_of_other_programs_are_suggested(option: str, meant: str, command: Any) -> None:
    """An option of another program, also with a typing mistake, gets the name that it has here."""
    found = command("query", "Task", option, "x")
    assert found.status == 2
    assert f"Did you mean '{meant}'?" in found.errors


@pytest.mark.parametrize(
    ("options", "unset", "words"),
    [
        (["--server-url", ""], ["FTRACK_SERVER"], ["--server-url URL, set FTRACK_SERVER", " demo"]),
        ([], ["FTRACK_API_KEY"], ["--api-key-file FILE, set FTRACK_API_KEY", "ftrack-like login"]),
        (["--server-url", "localhost:9999"], [], ["'http://localhost:9999'", "--server-url"]),
        (["--server-url", "a@host"], [], ["the user and the key as settings", "--server-url"]),
        (["--user", "nobody"], [], ["The user 'nobody' comes from the option --user"]),
    ],
)
@pytest.mark.parametrize("start", [["query", "Task"], ["encode", "x.mov", "--version", "x"]])
def test_settings_are_named_as_on_the_command_line(
    start: list[str],
    options: list[str],
    unset: list[str],
    words: list[str],
    command: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
) -> None:
    """An error about the connection is one line with options, not with arguments of Python."""
    monkeypatch.setenv("FTRACK_CONFIG_FILE", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in unset:
        monkeypatch.delenv(name)
    found = command(*start, *options)
    assert (found.status, found.output, found.errors.count("\n")) == (1, "", 1)
    for each in words:
        assert each in found.errors
    for each in ("argument", "server_url", "api_key", "Server reported"):
        assert each not in found.errors
