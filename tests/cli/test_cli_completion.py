"""Completion of commands, options, types and attributes, in the answers and in real shells."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest

SCHEMAS = [
    {
        "id": "Task",
        "immutable": ["id", "created_at"],
        "properties": {
            "ancestors": {"type": "array", "items": {"$ref": "Task"}},
            "created_at": {"type": "string"},
            "id": {"type": "string"},
            "metadata": {"type": "mapped_array", "items": {"$ref": "Metadata"}},
            "name": {"type": "string"},
            "status": {"$ref": "Status"},
            "status_id": {"type": "string"},
        },
    },
    {"id": "Status", "properties": {"name": {}, "sort": {}}},
    {"id": "Timelog", "properties": {"comment": {}}},
]


@pytest.fixture
def cached(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Return the folder with stored schemas."""
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(tmp_path))
    (tmp_path / "schemas-x-0123456789.json").write_text(json.dumps(SCHEMAS))
    return tmp_path


@pytest.fixture
def answer(cached: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that returns the candidates for the words of a line."""
    from ftrack_like.cli import main

    def run(*words: str, shell: str = "zsh") -> list[str]:
        assert main(["completion", "--answer", shell, *words]) == 0
        return [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]

    return run


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("que", ["query"]),
        ("events ", ["tail", "dead"]),
        ("events t", ["tail"]),
        ("--ver", ["--version"]),
        ("query Task --lim", ["--limit"]),
        ("query Task --output j", ["json", "jsonl"]),
        ("query Task --output=j", ["--output=json", "--output=jsonl"]),
        ("query T", ["Task", "Timelog"]),
        ("get T", ["Task", "Timelog"]),
        ("get --json T", ["Task", "Timelog"]),
        ("get --server-url http://x T", ["Task", "Timelog"]),
        ("get Task ", []),
        ("set Task x st", [":nospace", "status=", "status_id="]),
        ("set Task x name=y me", [":nospace", "metadata."]),
        ("set Task x cr", []),
        ("set Task x name=@", [":files"]),
        ("create Task na", [":nospace", "name="]),
        ("create Task anc", []),
        ("query Task --columns sta", [":nospace", "status", "status_id"]),
        ("query Task --columns name,status.", [":nospace", "name,status.name", "name,status.sort"]),
        ("query Task -c status.n", [":nospace", "status.name"]),
        ("note Task x y --attach ", [":files"]),
        ("action list --on T", ["Task", "Timelog"]),
        ("schema show Ta", ["Task"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("nothing-like-this ", []),
    ],
)
def test_candidates(line: str, expected: list[str], answer: Any) -> None:
    """The candidates fit the place in the line."""
    assert answer(*line.split(" ")) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("command", ["query", "events tail", "set Task x", "completion"])
def test_two_dashes_offer_all_options(command: str, shell: str, answer: Any) -> None:
    """After "--" alone, the candidates are all long options of the command, and only these."""
    found = answer(*command.split(), "--", shell=shell)
    assert "--debug" in found
    assert all(each.startswith("--") for each in found)


@pytest.mark.parametrize("word", ["--", "-h", "--help", "--answer", "--debug", "--version"])
def test_any_word_may_come_before(word: str, answer: Any) -> None:
    """Words that mean something to the command line itself are part of the line to complete."""
    assert answer("query", word, "T") == ["Task", "Timelog"]


def test_profiles_complete(
    tmp_path: pathlib.Path, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a profile is expected, its name completes; an unreadable file offers none."""
    path = tmp_path / "config.toml"
    path.write_text("".join(f"[profiles.{name}]\n" for name in ("farm", "film", "home")))
    monkeypatch.setenv("FTRACK_CONFIG_FILE", str(path))
    assert answer("query", "--profile", "f") == ["farm", "film"]
    assert answer("doctor", "--profile=h") == ["--profile=home"]
    assert answer("config", "use", "") == ["farm", "film", "home"]
    assert answer("logout", "--profile", "h") == ["home"]
    path.write_text("[profiles")
    assert answer("query", "--profile", "") == []


def test_bash_replaces_only_the_end_of_a_word(answer: Any) -> None:
    """bash splits words at '=', so the answer has only the part after it."""
    assert answer("query", "Task", "--output", "=", "j", shell="bash") == ["json", "jsonl"]
    assert answer("query", "Task", "--output", "=", shell="bash")[0] == "table"


def test_descriptions_follow_a_tab(
    cached: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands and options come with their help."""
    from ftrack_like.cli import main

    main(["completion", "--answer", "fish", "que"])
    assert capsys.readouterr().out == "query\tprint the entities that a query finds\n"


def test_no_schemas_are_no_error(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    """Without stored schemas, or with a broken file, there are no types to offer."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # without schemas in the other folder
    for folder, content in (("missing", None), ("broken", "{"), ("other", "[1]")):
        path = tmp_path / folder
        if content is not None:
            path.mkdir()
            (path / "schemas-x-0123456789.json").write_text(content)
        monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(path))
        assert answer("get", "T") == []


def test_a_session_stores_what_completion_reads(
    command: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any command with a connection, types of that server complete without a request."""
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(tmp_path))
    assert command("query", "User", "--count").output == "1\n"
    found = command("completion", "--answer", "zsh", "get", "AssetV")
    assert "AssetVersion\t" in found.lines


@pytest.fixture
def shell_environment(cached: pathlib.Path, tmp_path: pathlib.Path) -> dict[str, str]:
    """Return the environment of a shell that finds the command."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "ftrack-like"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ftrack_like "$@"\n')
    script.chmod(0o755)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "HOME": str(tmp_path)}


def run_shell(environment: dict[str, str], *arguments: str) -> str:
    """Return the output of a shell; skip the test if it is not installed."""
    if shutil.which(arguments[0]) is None:
        pytest.skip(f"{arguments[0]} is not installed")
    done = subprocess.run(
        arguments, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["que"], "query"),
        (["get", "Ta"], "Task"),
        (["set", "Task", "x", "nam"], "name="),
        (["query", "Task", "--output", "=", "jsonl"], "jsonl"),
    ],
)
def test_bash_completes(words: list[str], expected: str, shell_environment: dict[str, str]) -> None:
    """The script of bash fills its list of candidates."""
    listed = " ".join(f"'{word}'" for word in ["ftrack-like", *words])
    code = (
        'eval "$(ftrack-like completion bash)"\n'
        f"COMP_WORDS=({listed}); COMP_CWORD={len(words)}\n"
        '_ftrack_like; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert run_shell(shell_environment, "bash", "--norc", "-c", code).split() == [expected]


def test_bash_completes_files(shell_environment: dict[str, str], tmp_path: pathlib.Path) -> None:
    """The script of bash completes the names of files where the command takes a file."""
    (tmp_path / "sketch one.png").touch()
    code = (
        'eval "$(ftrack-like completion bash)"\n'
        f"COMP_WORDS=(ftrack-like note Task x y --attach '{tmp_path}/sk'); COMP_CWORD=6\n"
        '_ftrack_like; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    found = run_shell(shell_environment, "bash", "--norc", "-c", code)
    assert found.splitlines() == [f"{tmp_path}/sketch one.png"]


def test_fish_completes(shell_environment: dict[str, str], tmp_path: pathlib.Path) -> None:
    """The script of fish offers candidates with their descriptions."""
    code = "ftrack-like completion fish | source; complete -C 'ftrack-like que'"
    found = run_shell(shell_environment, "fish", "--no-config", "-c", code)
    assert found.splitlines() == ["query\tprint the entities that a query finds"]


def test_zsh_completes(shell_environment: dict[str, str]) -> None:
    """The script of zsh passes candidates and descriptions to its completion."""
    code = (
        "autoload -U compinit; compinit -u -D\n"
        'eval "$(ftrack-like completion zsh)"\n'
        "_describe() { print -rl -- $values; print -rl -- nospace=$no_space[1] }\n"
        "words=(ftrack-like set Task x nam); CURRENT=5; _ftrack_like"
    )
    found = run_shell(shell_environment, "zsh", "-f", "-c", code)
    assert found.splitlines() == ["name=:", "nospace=-S"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_valid(shell: str, command: Any, shell_environment: dict[str, str]) -> None:
    """Each shell accepts the syntax of its script."""
    script = command("completion", shell).output
    assert script
    assert run_shell(shell_environment, shell, "-n", "-c", script) == ""


def test_shell_must_be_named(command: Any) -> None:
    """Without a shell, the command says which there are."""
    found = command("completion")
    assert (found.status, found.output) == (2, "")
    assert "bash, zsh or fish" in found.errors
    assert command("completion", "tcsh").status == 2


@pytest.fixture
def names_of_site(
    command: Any, site: Any, cached: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Return a function that completes a line with a server, whose schemas are stored."""
    from ftrack_like.cli import _server_names

    # Beside other work an import may take longer than people wait.
    monkeypatch.setattr(_server_names, "_LIMIT", 60.0)
    (cached / "schemas-x-0123456789.json").unlink()
    assert command("query", "User", "--count").status == 0

    def run(*words: str, shell: str = "zsh") -> list[str]:
        found = command("completion", "--answer", shell, *words)
        assert (found.status, found.errors) == (0, "")
        return [line.split("\t")[0] for line in found.lines]

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["status", "compl"], [":names", "Completed"]),
        (["status", "In\\ pr"], [":names", "In progress"]),
        (["status", '"In pr'], [":names", "In progress"]),
        (["set", "Task", "x", "status=Compl"], [":names", "status=Completed"]),
        (["create", "Task", "project=s"], [":names", "project=show"]),
        (["get", "Project", ""], [":names", "show"]),
        (["review", "create", "x", "--project", ""], [":names", "show"]),
        (["publish", "x", "--status=Compl"], [":names", "--status=Completed"]),
        (["set", "Shot", "x", "custom.fst"], [":nospace", "custom.fstart="]),
        (
            ["query", "Task", "-c", "name,parent.custom.fst"],
            [":nospace", "name,parent.custom.fstart"],
        ),
        (["get", "Task", ""], []),
        (["set", "Task", "x", "parent="], []),
        (["status", "--server-url", "http://127.0.0.1:1", ""], []),
    ],
)
def test_names_of_the_server_complete(
    words: list[str], expected: list[str], names_of_site: Any
) -> None:
    """Names of small types and keys of custom attributes come from the server of the settings."""
    assert names_of_site(*words) == expected


def test_names_are_kept_on_disk(
    names_of_site: Any, cached: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second answer asks no server, and the file belongs to the user alone."""
    from ftrack_like.cli import _server_names

    assert names_of_site("get", "Project", "") == [":names", "show"]
    (path,) = cached.glob("names-*.json")
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(_server_names, "_fetched", lambda *_: pytest.fail("asked the server"))
    assert names_of_site("get", "Project", "") == [":names", "show"]


def test_without_a_server_names_are_silent(
    cached: pathlib.Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is not there gives no names and no error, and is left alone for a while."""
    from ftrack_like.cli import _server_names

    monkeypatch.setenv("FTRACK_SERVER", "http://127.0.0.1:1")
    for _ in range(2):
        found = command("completion", "--answer", "zsh", "status", "")
        assert (found.status, found.output, found.errors) == (0, "", "")
        monkeypatch.setattr(_server_names, "_fetched", lambda *_: pytest.fail("asked again"))


def test_a_server_that_hangs_costs_little_time(
    cached: pathlib.Path, monkeypatch: pytest.MonkeyPatch, command: Any
) -> None:
    """The wait for names ends at its limit, even if the server never answers."""
    import socket

    from ftrack_like.cli import _server_names

    monkeypatch.setattr(_server_names, "_LIMIT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("FTRACK_SERVER", f"http://127.0.0.1:{listener.getsockname()[1]}")
        found = command("completion", "--answer", "zsh", "status", "")
        assert (found.status, found.output, found.errors) == (0, "", "")


def test_bash_quotes_names_with_blanks(
    names_of_site: Any, settings: dict[str, str], shell_environment: dict[str, str]
) -> None:
    """A name with a blank is one word on the line of bash."""
    assert ":names" in names_of_site("status", "")  # so that the names are on disk
    code = (
        'eval "$(ftrack-like completion bash)"\n'
        "compopt() { echo $*; }\n"
        "COMP_WORDS=(ftrack-like status 'In\\ pr'); COMP_CWORD=2\n"
        '_ftrack_like; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    found = run_shell({**shell_environment, **settings}, "bash", "--norc", "-c", code)
    assert found.splitlines() == ["-o filenames", "In progress"]
