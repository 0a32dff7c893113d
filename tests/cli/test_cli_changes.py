"""The commands that change entities: create, set, delete, status, note and log."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest


def again(session: Any, entity: Any, columns: str) -> Any:
    """Return *entity* as the server has it now, with *columns*."""
    session.reset()
    key = entity["id"]
    return session.query(f"select {columns} from {entity.entity_type} where id is {key}").one()


def test_create_prints_the_id(command: Any, site: Any, session: Any) -> None:
    """A new entity has typed values, and its id is the output."""
    found = command(
        "create",
        "Task",
        "name=roto",
        "parent=show/sq010/sh010",
        "bid=3600",
        "start_date=2026-03-09",
        "status.name=Completed",
        "metadata.shelf=12",
    )
    assert (found.status, found.errors) == (0, "")
    (key,) = found.lines
    columns = "name, parent.name, bid, start_date, status.name, metadata"
    task = session.query(f"select {columns} from Task where id is {key}").one()
    assert (task["name"], task["parent"]["name"], task["bid"]) == ("roto", "sh010", 3600)
    assert task["start_date"].isoformat() == "2026-03-09T00:00:00+00:00"
    assert task["status"]["name"] == "Completed"
    assert dict(task["metadata"]) == {"shelf": "12"}


def test_create_with_json(command: Any, site: Any) -> None:
    """With --json the output is an object with the type and the key."""
    found = command("create", "Shot", "name=sh030", f"parent={site['sq010']['id']}", "--json")
    created = json.loads(found.output)
    assert created["type"] == "Shot"
    assert command("get", "Shot", created["id"], "-c", "name").output == "name\tsh030\n"


def test_users_and_groups_are_resources(command: Any, site: Any, session: Any) -> None:
    """A reference to a resource, which has no name itself, takes a user or a group by name."""
    session.create("Group", {"name": "lighters"})
    session.commit()
    for name in ("admin", "lighters"):
        found = command(
            "create", "Appointment", "context=lighting", f"resource={name}", "type=assignment"
        )
        assert (found.status, found.errors) == (0, "")
    query = "select assignments.resource.id from Task where name is lighting"
    assert len(json.loads(command("query", query, "--json").output)[0].popitem()[1]) == 2
    found = command("create", "Appointment", "context=lighting", "resource=lighter")
    assert "Did you mean 'lighters'?" in found.errors


@pytest.mark.parametrize("name", ["custom.fstart", "custom_attributes.fstart"])
def test_custom_attributes_have_their_types(
    name: str, command: Any, site: Any, session: Any
) -> None:
    """Custom attributes of numbers, choices and dates are set by either name."""
    assert command("set", "Shot", "sh010", f"{name}=1001", "custom.colorspace=sRGB").status == 0
    shot = again(session, site["sh010"], "custom_attributes")
    assert shot["custom_attributes"]["fstart"] == 1001
    assert shot["custom_attributes"]["colorspace"] == ["srgb"]


def test_set_changes_and_prints_nothing(command: Any, site: Any, session: Any) -> None:
    """In a pipe a change is silent."""
    found = command("set", "Task", "lighting", "bid=7200", "status=in progress", "description=a=b")
    assert (found.status, found.output, found.errors) == (0, "", "")
    task = again(session, site["lighting"], "bid, status.name, description")
    assert (task["bid"], task["status"]["name"]) == (7200, "In progress")
    assert task["description"] == "a=b"


def test_values_from_files_and_json(
    command: Any, site: Any, session: Any, tmp_path: pathlib.Path
) -> None:
    """A value is read from a file after '@', and as JSON after ':='."""
    path = tmp_path / "note.txt"
    path.write_text("two\nlines\n", encoding="utf-8")
    key = site["lighting"]["id"]
    assert command("set", "Task", key, f"description=@{path}", "bid:=1800").status == 0
    task = again(session, site["lighting"], "description, bid, end_date")
    assert (task["description"], task["bid"]) == ("two\nlines", 1800)
    assert command("set", "Task", key, "description=@-", stdin="from a pipe\n").status == 0
    assert again(session, site["lighting"], "description")["description"] == "from a pipe"
    assert command("set", "Task", key, 'description:="@x"').status == 0
    assert again(session, site["lighting"], "description")["description"] == "@x"
    assert command("set", "Task", key, "description:=null", "end_date=").status == 0


@pytest.mark.parametrize(
    ("assignment", "words", "status"),
    [
        ("bid=much", "'much' is not a number of seconds. bid is in seconds: write seconds, ", 1),
        ("bid=1.5d", "or a duration, such as 8h, 1h30m, 45m or 1:30.", 1),
        ("custom.resolution.width=1", "has no custom attribute 'resolution.width'", 1),
        ("start_date=soon", "'soon' is not a date", 1),
        ("nme=x", "Task has no attribute 'nme'. Did you mean 'name'?", 1),
        ("status=Dne", "There is no Status 'Dne'.", 1),
        ("status.name=Dne", "There is no Status 'Dne'. The names are: ", 1),
        ("status.sort=100000", "There is no Status whose sort", 1),
        ("assignments=admin", "the type Appointment has no names. To assign a task, write: ", 1),
        ("custom.nope=1", "Task has no custom attribute 'nope'", 1),
        ("name.first=x", "name is not a reference", 1),
        ("metadata=x", "metadata has keys", 1),
        ("id=x", "is the key of a Task", 1),
        ("custom.colorspace=pink", "'pink' is not one of the choices", 1),
        ("bid:=x", "no valid JSON", 2),
        ("description=@/no/such/file", "cannot be read", 2),
        ("name", "is not an assignment", 2),
        ("=x", "is not an assignment", 2),
        ("status..name=x", "empty name", 2),
    ],
)
def test_wrong_values_change_nothing(
    assignment: str, words: str, status: int, command: Any, site: Any, session: Any
) -> None:
    """A value that does not fit is refused in one line, and nothing is changed."""
    found = command("set", "Task", "lighting", "description=changed", assignment)
    assert (found.status, found.output) == (status, "")
    assert words in found.errors
    assert found.errors.count("\n") == 1
    assert again(session, site["lighting"], "description")["description"] != "changed"


def test_an_ambiguous_value_lists_the_entities(command: Any, site: Any, session: Any) -> None:
    """A name of several entities is refused with a line for each, and nothing is changed."""
    found = command("set", "Task", "lighting", "description=changed", "parent=comp")
    assert (found.status, found.output) == (1, "")
    assert found.errors.splitlines() == [
        "ftrack-like: 'parent=comp': There are 2 Context entities 'comp':",
        f"  show/sq010/sh010/comp  {site['comp']['id']}",
        f"  show/sq010/sh020/comp  {site['comp2']['id']}",
        "Use the id, or a longer path.",
    ]
    assert again(session, site["lighting"], "description")["description"] != "changed"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28800), ("1h30m", 5400), ("1:30", 5400), ("90s", 90), ("28800", 28800), ("0", 0)],
)
def test_seconds_are_set_as_durations(
    text: str, seconds: int, command: Any, site: Any, session: Any
) -> None:
    """An attribute in seconds takes what 'log time' takes, and plain seconds."""
    assert command("set", "Task", "lighting", f"bid={text}").status == 0
    assert again(session, site["lighting"], "bid")["bid"] == seconds
    if seconds:
        timelog = ["Timelog", "user=admin", "context=lighting", f"duration={text}"]
        assert command("create", *timelog).status == 0
        assert command("query", "select duration from Timelog").output == f"{seconds}\n"


def test_a_plan_shows_seconds_in_one_form(command: Any, site: Any) -> None:
    """Old and new seconds are whole numbers with hours in brackets; an equal value is no change."""
    assert command("set", "Task", "lighting", "bid=40h").status == 0
    plan = command("set", "Task", "lighting", "bid=28800", "--dry-run")
    assert plan.lines[0].endswith(": bid: 144000 s (40h) → 28800 s (8h)")
    same = command("set", "Task", "lighting", "bid=144000", "--dry-run")
    assert same.lines == ["Nothing to commit."]


def test_an_attribute_cannot_be_set_twice(command: Any, site: Any) -> None:
    """Two values for one attribute are a mistake, also by two names of a reference."""
    assert command("set", "Task", "lighting", "bid=1", "bid=2").status == 2
    found = command("set", "Task", "lighting", "status=Completed", "status.name=Completed")
    assert found.status == 1
    assert "set twice" in found.errors


def test_dry_run_prints_the_plan(command: Any, site: Any, session: Any) -> None:
    """--dry-run prints old and new values and changes nothing."""
    found = command("set", "Task", "lighting", "status=Completed", "name=light", "--dry-run")
    old = site["lighting"]["status"]["name"]
    assert found.lines == [
        f"update Task show/sq010/sh010/lighting ({site['lighting']['id']}): "
        f"status: Status {old!r} → Status 'Completed', name: 'lighting' → 'light'",
        "Plan: 1 to update.",
    ]
    assert again(session, site["lighting"], "name")["name"] == "lighting"
    found = command("create", "Shot", "name=x", "parent=sq010", "-n", "--json")
    (change,) = json.loads(found.output)
    assert (change["action"], change["values"]["name"]) == ("create", "x")
    assert command("query", "Shot where name is x", "--count").output == "0\n"


def test_delete_needs_yes_in_a_pipe(command: Any, site: Any) -> None:
    """Without a terminal, a deletion needs --yes; a dry run does not."""
    key = site["lighting"]["id"]
    found = command("delete", "Task", key)
    assert found.status == 2
    assert "--yes" in found.errors
    found = command("delete", "Task", key, "--dry-run")
    assert found.lines == [f"delete Task show/sq010/sh010/lighting ({key})", "Plan: 1 to delete."]
    assert command("query", "Task", "--count").output == "3\n"
    assert command("delete", "Task", key, "--yes").status == 0
    assert command("query", "Task", "--count").output == "2\n"


def test_delete_is_all_or_nothing(command: Any, site: Any) -> None:
    """If one entity does not exist, none is deleted."""
    found = command("delete", "Task", site["lighting"]["id"], "nope", "--yes")
    assert found.status == 1
    assert command("query", "Task", "--count").output == "3\n"


def test_delete_reads_ids_from_a_pipe(command: Any, site: Any) -> None:
    """'-' stands for the ids in standard input, such as the output of a query."""
    ids = command("query", "select id from Task where name is comp").output
    assert command("delete", "Task", "-", "--yes", stdin=ids).status == 0
    assert command("query", "Task", "--count").output == "1\n"
    found = command("delete", "Task", "-", "--yes")
    assert (found.status, "no ids" in found.errors) == (2, True)


def test_a_status_after_the_expression_is_told_the_order(command: Any) -> None:
    """The message says that the status comes first, before anything is sent."""
    found = command("status", "Task where name is comp", "Completed", "--yes")
    assert found.status == 2
    assert "The status comes first" in found.errors


def test_status_is_set_on_a_query(command: Any, site: Any, session: Any) -> None:
    """All entities that a query finds get the status, in one transaction."""
    found = command("status", "Completed", "Task where name is comp", "--yes")
    assert (found.status, found.output, found.errors) == (0, "", "")
    names = command("query", "select name, status.name from Task order by name").lines
    assert names[:2] == ["comp\tCompleted"] * 2
    assert "Completed" not in names[2]
    assert command("status", "Completed", "--where", "name is lighting").status == 0
    assert command("query", "Task where status.name is Completed", "--count").output == "3\n"


def test_status_and_delete_print_what_they_changed(command: Any, site: Any, session: Any) -> None:
    """With --json a program gets the type and the key of each entity, and whether it changed."""
    where = ("-w", "parent.name is sh010", "--yes", "--json")
    first = json.loads(command("status", "Completed", *where).output)
    ids = {task["id"] for task in session.query("Task where parent.name is sh010")}
    assert {each["id"] for each in first} == ids
    assert {each["type"] for each in first} == {"Task"}
    again = json.loads(command("status", "Completed", *where).output)
    assert [each["changed"] for each in again] == [False] * len(ids)
    done = command("delete", "Shot", site["sh010"]["id"], "--yes", "--json")
    assert json.loads(done.output) == [{"type": "Shot", "id": site["sh010"]["id"]}]


def test_status_of_several_needs_yes_in_a_pipe(command: Any, site: Any) -> None:
    """Without a terminal, more than one change needs --yes; a dry run does not."""
    found = command("status", "Completed", "Task")
    assert (found.status, "--yes" in found.errors) == (2, True)
    found = command("status", "Completed", "select bid from Task", "--dry-run")
    assert found.lines[-1] == "Plan: 3 to update."
    assert command("query", "Task where status.name is Completed", "--count").output == "0\n"


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (["Completed"], "either", 2),
        (["Completed", "Task", "--where", "x"], "either", 2),
        (["Completed", "Task", "--type", "Shot"], "--type", 2),
        (["Completd", "Task"], "Did you mean 'Completed'?", 1),
        (["Completed", "User"], "has no status", 1),
        (["Completed", "Task where name is x"], "finds nothing", 1),
        (["Completed", "Taks"], "There is no type 'Taks' on http", 1),
        (["Taks", "Completed"], "Did you mean 'Task'? The status comes first: ", 1),
        (["Task", "In progress"], "Write: ftrack-like status 'In progress' Task", 2),
        (["task", "Nope"], "The status comes first, then the expression.", 2),
    ],
)
def test_status_says_what_is_wrong(
    arguments: list[str], words: str, status: int, command: Any, site: Any
) -> None:
    """A wrong status, type or query is named."""
    found = command("status", *arguments)
    assert found.status == status
    assert words in found.errors


def test_note_with_recipient_and_file(
    command: Any, site: Any, session: Any, tmp_path: pathlib.Path
) -> None:
    """A note has its author, its recipients and its files."""
    mira = session.create("User", {"username": "mira", "first_name": "Mira"})
    session.commit()
    path = tmp_path / "sketch.txt"
    path.write_text("wind", encoding="utf-8")
    found = command("note", "Task", "lighting", "More wind.", "--to", "mira", "--attach", str(path))
    assert (found.status, found.errors) == (0, "")
    note = session.query(
        "select content, author.username, recipients.resource_id, note_components.component.name "
        f"from Note where id is {found.output.strip()}"
    ).one()
    assert (note["content"], note["author"]["username"]) == ("More wind.", session.api_user)
    assert mira["id"] in [each["resource_id"] for each in note["recipients"]]
    assert [each["component"]["name"] for each in note["note_components"]] == ["sketch"]
    reply = command("note", "Task", "lighting", "--reply-to", note["id"], stdin="Yes.\n")
    assert reply.status == 0
    assert [each["content"] for each in note["replies"]] == ["Yes."]


def test_note_that_cannot_be_written_leaves_nothing(
    command: Any, site: Any, session: Any, tmp_path: pathlib.Path
) -> None:
    """After a mistake there is neither a note nor a component."""
    path = tmp_path / "sketch.txt"
    path.write_text("wind", encoding="utf-8")
    before = command("query", "Component", "--count").output
    found = command("note", "Task", "lighting", "x", "--attach", str(path), "--to", "nobody-there")
    assert (found.status, "nobody-there" in found.errors) == (1, True)
    assert command("note", "Task", "lighting", "x", "--attach", "/no/file").status == 2
    assert command("note", "Task", "lighting", stdin=" \n").status == 2
    assert command("query", "Component", "--count").output == before
    assert command("query", "Note", "--count").output == "0\n"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("45m", 2700), ("1.5h", 5400), ("1:30", 5400), ("90s", 90), ("2H", 7200)],
)
def test_time_is_logged(text: str, seconds: int, command: Any, site: Any) -> None:
    """Durations are written as people write them."""
    found = command("log", "time", "show/sq010/sh010/lighting", text, "--comment", "rim light")
    assert (found.status, found.errors) == (0, "")
    query = "select duration, comment, context.name, user.username from Timelog"
    assert command("query", query).output == f"{seconds}\trim light\tlighting\tadmin\n"


@pytest.mark.parametrize("text", ["90", "0m", "-1h", "soon", "1h30", ""])
def test_wrong_durations_are_refused(text: str, command: Any, site: Any) -> None:
    """A duration without units, or of no time, is a mistake in the arguments."""
    found = command("log", "time", "lighting", "--comment", "x", "--", text)
    assert found.status == 2
    assert command("query", "Timelog", "--count").output == "0\n"


def test_time_starts_at_a_date(command: Any, site: Any) -> None:
    """--start sets the start, and --dry-run logs nothing."""
    arguments = ["log", "time", "lighting", "1h", "--start", "2026-03-09T14:00"]
    assert "Plan: 1 to create." in command(*arguments, "--dry-run").output
    assert command("query", "Timelog", "--count").output == "0\n"
    assert command(*arguments).status == 0
    assert command("query", "select start from Timelog").output == "2026-03-09T14:00:00+00:00\n"
    assert command("log", "time", "lighting", "1h", "--start", "soon").status == 2


def test_server_errors_are_one_line(command: Any, site: Any) -> None:
    """A change that the server refuses is one line and status 1."""
    found = command("create", "Task", "name=without-parent")
    assert (found.status, found.output) == (1, "")
    assert found.errors.count("\n") == 1
    assert "Traceback" not in found.errors


def test_debug_prints_requests_and_the_traceback(settings: dict[str, str], site: Any) -> None:
    """With --debug the requests and the traceback come before the line, without the key."""
    done = subprocess.run(
        [sys.executable, "-m", "ftrack_like", "create", "Task", "name=no-parent", "--debug"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" in done.stderr
    assert " DEBUG ftrack_like" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ftrack-like: ")
    assert settings["FTRACK_API_KEY"] not in done.stderr
