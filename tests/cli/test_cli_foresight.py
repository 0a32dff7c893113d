"""What the command line says before it acts: plans, counts, foreseen refusals, checked files."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def write_note(session: Any, entity: Any) -> None:
    """Write a note of the administrator on *entity*."""
    entity.create_note("look", session.query("User").first())
    session.commit()


def test_delete_counts_what_goes_too(command: Any, site: Any, session: Any) -> None:
    """The plan and the refusal without a terminal count what belongs to the entities, by type."""
    write_note(session, site["lighting"])
    kind = session.query("AssetType").first()
    asset = session.create("Asset", {"name": "plate", "parent": site["sh010"], "type": kind})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    write_note(session, version)
    session.create("FileComponent", {"name": "main", "version": version})
    session.commit()
    words = "2 Notes, 2 Tasks, 1 Asset, 1 AssetVersion, 1 FileComponent"
    key = site["sh010"]["id"]
    plan = command("delete", "Shot", key, "--dry-run")
    assert plan.lines[0] == f"delete Shot show/sq010/sh010 ({key}) and with it {words}"
    (change,) = json.loads(command("delete", "Shot", key, "-n", "--json").output)
    assert change["also_deletes"] == {
        "Asset": 1,
        "AssetVersion": 1,
        "FileComponent": 1,
        "Note": 2,
        "Task": 2,
    }
    found = command("delete", "Shot", "sh010", "sh020")
    assert found.status == 2
    assert "Delete 2 Shots (show/sq010/sh010, show/sq010/sh020) and with them" in found.errors
    assert "3 Tasks" in found.errors
    assert "Pass --yes" in found.errors


def test_the_counts_are_those_of_the_server(command: Any, site: Any, session: Any) -> None:
    """The number of contexts and notes falls by what the plan counted."""
    for name in ("lighting", "comp", "sh020"):
        write_note(session, site[name])
    (change,) = json.loads(command("delete", "Project", "show", "-n", "--json").output)
    before = {name: len(session.query(name)) for name in change["also_deletes"]}
    assert command("delete", "Project", "show", "--yes").status == 0
    after = {name: len(session.query(name)) for name in before}
    assert {name: before[name] - after[name] for name in before} == change["also_deletes"]


def test_delete_asks_with_the_counts(terminal: Any, site: Any, session: Any) -> None:
    """On a terminal the question names the entity and what goes with it."""
    write_note(session, site["lighting"])
    started = terminal("delete", "Task", "sh010/lighting", columns=200)
    shown = started.read_until("[y/N]")
    assert "Delete Task show/sq010/sh010/lighting (" in shown
    assert "and with it 1 Note?" in shown
    started.type("n\n")
    assert started.finish().status == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Task"], "A Task needs name and parent. Write: name=… parent=…"),
        (["Task", "name=x"], "A Task needs parent."),
        (["Project", "name=x"], "A Project needs project_schema."),
        (["Note", "content=x"], "A Note needs parent_id. Write: parent_id=…, or use: ftrack-like"),
        (["AssetVersion", "comment=x"], "publish FILE"),
        (["Membership", "user=admin"], "A Membership needs group."),
    ],
)
@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_create_names_missing_attributes(
    arguments: list[str], words: str, option: list[str], command: Any, site: Any
) -> None:
    """A creation without a required attribute is refused before anything is sent."""
    found = command("create", *arguments, *option)
    assert (found.status, found.output) == (1, "")
    assert words in found.errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Task", "name=Lighting", "parent=sh010"], "is taken: Task show/sq010/sh010/lighting ("),
        (["Folder", "name=lighting", "parent=sh010"], "is taken: Task"),
        (["Project", "name=show", "project_schema=VFX"], "is taken: Project show"),
        (["User", "username=admin"], "The username 'admin' is taken"),
        (["Task", "name=x", "parent=sh010", "status=Complted"], "Did you mean 'Completed'?"),
    ],
)
def test_create_dry_run_foresees_refusals(
    arguments: list[str], words: str, command: Any, site: Any
) -> None:
    """A dry run finds a name that is taken and a reference that does not exist."""
    found = command("create", *arguments, "--dry-run")
    assert (found.status, found.output) == (1, "")
    assert words in found.errors


def test_assets_may_share_a_name(command: Any, site: Any, session: Any) -> None:
    """The server accepts two assets of one name, so a dry run does not refuse the second."""
    kind = session.query("select name from AssetType").first()
    session.create("Asset", {"name": "plate", "parent": site["sh010"], "type": kind})
    session.commit()
    again = ["Asset", "name=plate", "parent=sh010", f"type={kind['name']}"]
    assert command("create", *again, "--dry-run").status == 0
    assert command("create", *again).status == 0


def test_a_plan_shows_names(command: Any, site: Any) -> None:
    """A plan names object types, priorities and parents, and has no id that will not exist."""
    found = command("create", "Task", "name=roto", "parent=sh020", "-n", "status=Completed")
    assert found.status == 0
    assert found.lines[0].startswith("create Task 'roto': object_type = ObjectType 'Task'")
    assert "parent = Shot 'sh020'" in found.lines[0]
    assert "status = Status 'Completed'" in found.lines[0]
    assert "_id" not in found.lines[0]


def test_arguments_may_follow_options(command: Any, site: Any, session: Any) -> None:
    """Assignments and ids count before and after options."""
    found = command("set", "Task", "sh010/comp", "bid=1", "--json", "description=x")
    assert found.status == 0
    found = command("query", "Task where parent.name is sh010 and name is comp", "-c", "bid")
    assert found.output == "1\n"
    found = command("get", "Shot", "sh010", "--columns", "name", "sh020")
    assert found.lines == ["sh010", "sh020"]


def test_several_entities_at_once(command: Any, site: Any) -> None:
    """get and set take several ids, also from standard input."""
    ids = command("query", "select id from Task where name is comp").output
    assert command("set", "Task", "-", "bid=7200", stdin=ids).status == 0
    rows = json.loads(command("get", "Task", "-", "-c", "name,bid", "--json", stdin=ids).output)
    assert rows == [{"name": "comp", "bid": 7200}] * 2
    found = command("set", "Task", "sh010/comp", "sh020/comp", "bid=3", "--dry-run")
    assert found.lines[-1] == "Plan: 2 to update."
    table = command("get", "Shot", "sh010", "sh020", "-c", "name", "--output", "table")
    assert table.output == "name  sh010\n\nname  sh020\n"
    assert command("get", "Shot", "sh010", "nope").status == 1


def test_get_shows_units_to_people_only(command: Any, site: Any, session: Any) -> None:
    """A table shows durations in seconds and hours, and metadata; TSV has plain numbers."""
    assert command("set", "Task", "lighting", "bid=5400", "metadata.shelf=12").status == 0
    table = command("get", "Task", "lighting", "--output", "table").output
    assert "5400 s (1h30m)\n" in table
    assert "metadata.shelf " in table
    assert command("get", "Task", "lighting", "-c", "bid").output == "bid\t5400\n"


def test_a_complete_path_wins(command: Any, site: Any, session: Any) -> None:
    """The name of a project means the project, also if a context below has the same name."""
    session.create("Folder", {"name": "show", "parent": site["show"]})
    session.commit()
    found = command("get", "Context", "show", "-c", "context_type")
    assert found.output == "context_type\tshow\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["log"], "name what to do: time."),
        (["review"], "name what to do: create, add, invite, guests, report, list."),
        (["log", "sh010/comp", "2h"], "Did you mean 'ftrack-like log time …'?"),
        (["log", "tme", "sh010/comp", "2h"], "Did you mean 'time'?"),
        (["schema", "Shot"], "Did you mean 'ftrack-like schema show …'?"),
        (["events", "topic=x", "--json"], "'ftrack-like events tail …'?"),
        (["events", "dead", "studio"], "Choose from: list, repeat, drop."),
        (["review", "First look"], "Did you mean 'ftrack-like review report …'?"),
        (["review", "Client"], "Did you mean 'ftrack-like review report …'?"),
        (["review", "send", "Client"], "Choose from: create, add, invite,"),
        (["action", "greet"], "Choose from: list, run."),
        (["migrate", "src/"], "Did you mean 'ftrack-like migrate check …'?"),
        (["events"], "name what to do: tail, dead."),
        (["schema"], "name what to do: show, diff."),
        (["set", "Task", "x", "--status=Done"], "Write an attribute without dashes: status=Done"),
        (["set", "Task", "x", "a=b", "--bid=3"], "without dashes: bid=3"),
        (["set", "Task", "x", "y"], "'y' is not an assignment"),
        (["get", "Task"], "missing: ID. Usage: ftrack-like get TYPE ID"),
        (["get", "show/sq010"], "'show/sq010' is not a type of entities. Write the type first"),
        (["set", "show/sq010", "a=b"], "such as Task: ftrack-like set TYPE ID ATTRIBUTE=VALUE"),
        (["delete", "7d1ae0a4-1f0c-4f0e-9a53-0c8a3c6e3e4b"], "Write the type first"),
        (["create", "name=sh010"], "'name=sh010' is not a type of entities. Write the type"),
        (["note", "show/sq010", "Hi there"], "such as Task: ftrack-like note TYPE ID [TEXT]"),
        (["note", "sq010", "Hi there"], "The type comes first: ftrack-like note TYPE ID TEXT"),
        (["note", "Task", "x", ""], "The text of the note is empty."),
        (["status", "Task where bid > 0"], "Write: ftrack-like status STATUS EXPRESSION"),
    ],
)
def test_usage_errors_say_what_to_write(arguments: list[str], words: str, command: Any) -> None:
    """A mistake in the arguments lists the actions, or shows the right form."""
    found = command(*arguments)
    assert (found.status, found.output) == (2, "")
    assert words in found.errors


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("--thumbnail", b"// a scene", "is not a picture: it is a text"),
        ("--thumbnail", b"", "it is empty"),
        ("--reviewable", b"plain words", "neither a movie nor a picture: it is a text"),
        ("--reviewable", b"\0" * 100, "being copied"),
    ],
)
def test_publish_checks_pictures_first(
    option: str,
    content: bytes,
    words: str,
    command: Any,
    site: Any,
    session: Any,
    tmp_path: pathlib.Path,
) -> None:
    """A file that cannot be shown is refused before anything is created or uploaded."""
    (tmp_path / "scene.ma").write_text("scene")
    (tmp_path / "picture").write_bytes(content)
    publish = ["publish", str(tmp_path / "scene.ma"), "--context", "sh010"]
    found = command(*publish, option, str(tmp_path / "picture"))
    assert (found.status, found.output) == (2, "")
    assert words in found.errors
    assert (len(session.query("Asset")), len(session.query("Component"))) == (0, 0)
    (tmp_path / "picture").write_bytes(PNG)
    assert command(*publish, option, str(tmp_path / "picture"), "--dry-run").status == 0


def test_a_note_is_checked_before_its_files(
    command: Any, site: Any, session: Any, tmp_path: pathlib.Path
) -> None:
    """An unknown label is found before a file is uploaded."""
    (tmp_path / "sketch.png").write_bytes(PNG)
    attach = ["--attach", str(tmp_path / "sketch.png")]
    before = len(session.query("Component"))
    found = command("note", "Task", "lighting", "look", *attach, "--label", "Nope")
    assert found.status == 1
    assert "There is no NoteLabel 'Nope'." in found.errors
    assert len(session.query("Component")) == before


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("Timelog", "id,user.username,context.name,start,duration,comment"),
        ("User", "id,username,first_name,last_name,email,is_active"),
        ("FileComponent", "id,name,file_type,size,version.asset.name,version.version"),
        ("ReviewSession", "id,name,project.name,start_date,end_date,is_open"),
        ("Note", "id,content,author.username,date,category.name,parent_type"),
    ],
)
def test_usual_columns_fit_the_type(name: str, columns: str, command: Any, session: Any) -> None:
    """A query that names no columns prints those that describe its type."""
    assert command("query", name, "--csv").lines[0] == columns


def test_doctor_fits_a_narrow_terminal(terminal: Any) -> None:
    """On 60 columns, long findings continue below the text, not at the border."""
    shown = terminal("doctor", columns=60, NO_COLOR="1").finish().output
    lines = shown.splitlines()
    assert any(line.startswith(" " * 20) for line in lines)
    assert all(len(line) <= 60 for line in lines if len(line.split()) > 6)
    assert "agrees with" in shown


def test_set_foresees_a_taken_name(command: Any, site: Any) -> None:
    """--dry-run of set refuses the name of a sibling, and allows the own name in other letters."""
    found = command("set", "Shot", "sh010", "name=SH020", "--dry-run")
    assert found.status == 1
    assert "The name 'SH020' is taken: Shot show/sq010/sh020" in found.errors
    assert command("set", "Shot", "sh010", "name=sh020").status == 1
    for name in ("SH010", "sh030"):
        assert command("set", "Shot", "sh010", f"name={name}", "-n").status == 0


@pytest.mark.parametrize(
    "words",
    [
        ["set", "Task", "sh010/lighting", "assignee=admin"],
        ["create", "Task", "name=x", "parent=sh010", "assigned_to=admin"],
        ["query", "Task", "-c", "name,assignee"],
        ["query", "Task where assignee is admin"],
    ],
)
def test_the_people_of_a_task_are_explained(words: list[str], command: Any, site: Any) -> None:
    """The attribute that people expect for the people of a task leads to the right ones."""
    found = command(*words)
    assert found.status == 1
    assert "'assignments.resource.username' has the people of a task" in found.errors
    assert "create Appointment context=TASK resource=USER type=assignment" in found.errors
