"""Guesses of people who come from other programs: the error has what to write."""

from __future__ import annotations

import pathlib
from typing import Any, Optional

import pytest

from ftrack_like.cli._review_page import local_links_note


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["query", "Task", "--filter", "x"], "'Task where name is comp'"),
        (["query", "Task", "--where", "x"], "'Task where name is comp'"),
        (["query", "Task", "--sort", "name"], "'Task order by name'"),
        (["query", "Task", "--ids-only"], "Did you mean '--columns'?"),
        (["log", "time", "x", "1h", "--date", "x"], "Did you mean '--start'?"),
        (["review", "invite", "x", "--email", "a@b.example"], "Write EMAIL without an option."),
        (["review", "links", "x"], "Did you mean 'guests'?"),
        (["review", "show", "x"], "Did you mean 'report'?"),
        (["events", "watch"], "Did you mean 'tail'?"),
        (["set", "Task", "x", "--status", "X"], "without dashes: status=VALUE"),
        (["create", "Project", "--project-schema", "X"], "without dashes: project_schema=VALUE"),
        (["jobs"], "Did you mean 'query Job'?"),
        (["query", "Task", "--colums", "name"], "Did you mean '--columns'?"),
    ],
    ids=" ".join,
)
def test_guessed_words_are_answered(arguments: list[str], words: str, command: Any) -> None:
    """A word of other programs is answered with the word here, not with one that looks like it."""
    found = command(*arguments)
    assert (found.status, found.output) == (2, "")
    assert words in found.errors


@pytest.mark.parametrize("option", ["--qwertz", "--mailing"])
def test_remotely_similar_options_are_no_suggestion(option: str, command: Any) -> None:
    """An option that resembles none gets no suggestion."""
    found = command("query", "Task", option)
    assert found.status == 2
    assert "Did you mean" not in found.errors


@pytest.mark.parametrize(
    ("status", "expression"),
    [("show/sq010/sh010/comp", "Completed"), ("Completed", "show/sq010/sh010/comp")],
)
def test_status_of_a_path_names_set(status: str, expression: str, command: Any, site: Any) -> None:
    """A path in place of a query is answered with the command that takes one."""
    found = command("status", status, expression)
    assert found.status == 2
    assert "ftrack-like set Task show/sq010/sh010/comp status=Completed" in found.errors
    assert command("set", "Task", "show/sq010/sh010/comp", "status=Completed").status == 0


def test_names_of_statuses_may_have_a_slash(command: Any, site: Any, session: Any) -> None:
    """A status whose name has a slash is not taken for a path."""
    state = session.query("State").first()
    session.create("Status", {"name": "Fix/Retake", "state": state})
    session.commit()
    found = command("status", "Fix/Retake", "Task where name is lighting", "--dry-run")
    assert "is a path" not in found.errors


@pytest.mark.parametrize("text", ["Task where name is comp", "show/*"])
@pytest.mark.parametrize("words", [["set", "Task", "{}", "bid=1"], ["get", "Task", "{}"]])
def test_queries_in_place_of_ids_name_the_pipe(
    text: str, words: list[str], command: Any, site: Any
) -> None:
    """A query or a wildcard in place of an id is answered with the pipe to write."""
    found = command(*[each.format(text) for each in words])
    assert found.status == 2
    assert "--columns id | ftrack-like" in found.errors


def test_missing_references_list_their_names(command: Any, session: Any) -> None:
    """A missing reference that can be one of few entities lists them."""
    names = sorted(each["name"] for each in session.query("select name from ProjectSchema"))
    found = command("create", "Project", "name=x")
    assert found.status == 1
    assert f"The names for project_schema are: {', '.join(names)}" in found.errors


def test_assignments_by_name_show_how_to_assign(command: Any, site: Any, session: Any) -> None:
    """The name of a user as an appointment is answered with the command that assigns a task."""
    task = "show/sq010/sh010/comp"
    found = command("set", "Task", task, "assignments=admin")
    recipe = "create Appointment context=TASK resource=USER type=assignment"
    assert (found.status, recipe in found.errors) == (1, True)
    words = recipe.replace("TASK", task).replace("USER", session.api_user).split()
    assert command(*words).status == 0


def test_movies_as_thumbnails_are_not_called_damaged(
    command: Any, site: Any, tmp_path: pathlib.Path
) -> None:
    """The error about a movie as thumbnail says that it is a movie, and no more."""
    movie = tmp_path / "shot.mov"
    movie.write_bytes(b"\0\0\0\x14ftypqt  " + b"\0" * 100)
    found = command("publish", str(movie), "--task", "comp", "--thumbnail", str(movie))
    assert found.status == 2
    assert "is not a picture: it begins like an MP4 or QuickTime movie. Pass" in found.errors


def test_publish_takes_the_context_from_the_task(
    command: Any, site: Any, session: Any, tmp_path: pathlib.Path
) -> None:
    """A task is enough to publish, and the reviewable is the file if there is no other."""
    scene, picture = tmp_path / "scene.ma", tmp_path / "still.png"
    scene.write_text("scene")
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    task = str(site["lighting"]["id"])
    found = command("publish", str(scene), "--task", task)
    assert found.status == 0, found.errors
    version = session.get("AssetVersion", found.lines[0])
    assert (version["task"], version["asset"]["parent"]) == (site["lighting"], site["sh010"])
    plan = command("publish", "--task", task, "--reviewable", str(picture), "--dry-run")
    assert (plan.status, "upload" in plan.output, "encode" in plan.output) == (0, True, True)


@pytest.mark.parametrize(
    ("source", "file"), [("shot.mov", "shot.mov"), ("main=shot.mov", "shot.mov"), ("x.ma", None)]
)
def test_publish_says_that_reviews_show_nothing(
    source: str, file: Optional[str], terminal: Any, site: Any, tmp_path: pathlib.Path
) -> None:
    """A movie that is published without a reviewable leads to the command that encodes it."""
    for name in ("shot.mov", "x.ma"):
        (tmp_path / name).write_bytes(b"data")
    words = source.replace("shot.mov", str(tmp_path / "shot.mov"))
    words = words.replace("x.ma", str(tmp_path / "x.ma"))
    done = terminal("publish", words, "--context", "sh010", columns=300).finish()
    assert done.status == 0, done.output
    advice = f"ftrack-like encode {tmp_path / str(file)} --version "
    assert (advice in done.output) == (file is not None), done.output


def test_publish_names_what_is_missing(command: Any, tmp_path: pathlib.Path) -> None:
    """Without a context, without a file, and with a sequence as reviewable, publish says so."""
    pattern = str(tmp_path / "plate.####.png")
    for arguments, words in (
        (["x.ma"], "missing: --context ID, or --task ID"),
        (["--context", "x"], "missing: FILE, or --reviewable FILE"),
        (["--context", "x", "--reviewable", pattern], "is a sequence. Pass one movie"),
    ):
        found = command("publish", *arguments)
        assert (found.status, words in found.errors) == (2, True), found.errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["review", "create", "Dailies", "show"], "Did you mean: --project show?"),
        (["encode", "{file}", "sh010/comp/v001"], "Did you mean: --version sh010/comp/v001?"),
        (["encode", "sh010/comp/v001", "{file}"], "Did you mean: --version sh010/comp/v001?"),
        (["publish", "{file}", "sh010/comp"], "Did you mean: --context sh010/comp?"),
        (["login", "https://site.example"], "Did you mean: --server-url https://site.example?"),
        (["log", "time", "2h", "sh010/comp"], "Usage: ftrack-like log time TASK DURATION"),
    ],
)
def test_a_word_without_its_option_names_the_option(
    arguments: list[str], words: str, command: Any, tmp_path: pathlib.Path
) -> None:
    """A value without its option, or in the place of another one, leads to the right form."""
    file = tmp_path / "shot.mov"
    file.write_bytes(b"movie")
    found = command(*(each.format(file=file) for each in arguments))
    assert (found.status, words in found.errors) == (2, True), found.errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["review", "create", "Dailies"],
        ["encode", "missing.mov"],
        ["encode", "plate.%04d.exr"],
        ["publish", "main=x.ma"],
        ["review", "create"],
    ],
)
def test_no_option_is_suggested_without_such_a_word(arguments: list[str], command: Any) -> None:
    """The name of a file, also of one that does not exist, is not taken for another value."""
    found = command(*arguments)
    assert (found.status, "Did you mean" in found.errors) == (2, False), found.errors


def test_second_reviews_of_a_name_need_force(command: Any, site: Any) -> None:
    """A second review of the same name in a project is refused, and made with --force."""
    create = ("review", "create", "dailies", "--project", "show")
    first = command(*create).lines[0]
    found = command(*create)
    assert (found.status, found.output) == (1, "")
    assert first in found.errors
    assert "0 versions" in found.errors
    second = command(*create, "--force").lines[0]
    found = command("review", "guests", "dailies")
    assert found.status == 1
    for each in (first, second):
        line = next(line for line in found.errors.splitlines() if each in line)
        assert "show, made 20" in line
        assert line.endswith(", 0 versions")


def test_login_asks_again_for_a_wrong_address(terminal: Any, settings: dict[str, str]) -> None:
    """A wrong address that was typed is explained and asked for again; a port is allowed."""
    started = terminal("login", "--no-check")
    started.read_until("Server address")
    started.type("http://a://b\n")
    shown = started.read_until("It comes from your input")
    assert "option" not in shown
    started.type(settings["FTRACK_SERVER"].partition("://")[2] + "\n")
    assert "User name" in started.read_until("User name")


@pytest.mark.parametrize(
    ("link", "is_local"),
    [
        ("http://127.0.0.1:8000/review?invitee=a", True),
        ("http://localhost/review", True),
        ("https://ftrack.studio.example/review", False),
        (None, False),
    ],
)
def test_links_of_this_machine_are_named(link: Optional[str], is_local: bool) -> None:
    """Links that only this machine can open come with the options that make others."""
    note = local_links_note([link])
    assert ("--public-url" in note) is is_local
