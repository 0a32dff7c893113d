"""Commands on many entities: few requests, and work in proportion to the number of entities."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from ftrack_like.cli._finding import find_entities, whole_ids
from ftrack_like.testing import Sandbox

#: More ids than one query has, which are 500.
MANY = 600
#: The request that opens a session with stored schemas.
START = 1


@pytest.fixture
def tasks(session: Any) -> list[str]:
    """Return the ids of many tasks of a shot, with the names t0, t1 and so on."""
    schema = session.query("ProjectSchema").first()
    show = session.create("Project", {"name": "show", "project_schema": schema})
    shot = session.create("Shot", {"name": "sh010", "parent": show})
    made = [session.create("Task", {"name": f"t{n}", "parent": shot}) for n in range(MANY)]
    session.commit()
    return [str(each["id"]) for each in made]


@pytest.mark.parametrize(
    ("arguments", "requests"),
    [
        (["get", "Task", "-", "--columns", "name,parent.name"], 2),
        (["set", "Task", "-", "bid=8h", "--dry-run"], 2),
        (["set", "Task", "-", "bid=8h", "--json"], 2 + 1),
        # One more query finds the status.
        (["set", "Task", "-", "status=Completed", "metadata.x=1", "--json"], 1 + 2 + 1),
        # The configurations, and the type and choices of the one that is set.
        (["set", "Task", "-", "custom.colorspace=sRGB", "--json"], 2 + 2 + 1),
        (["delete", "Task", "-", "--yes"], 2 + 1),
        # The plan counts what belongs to the tasks.
        (["delete", "Task", "-", "--dry-run"], 2 + 2),
    ],
)
def test_many_ids_cost_few_requests(
    arguments: list[str], requests: int, command: Any, sandbox_here: Sandbox, tasks: list[str]
) -> None:
    """Ids are loaded 500 in a query, and nothing else grows with their number."""
    with sandbox_here.assert_requests(exactly=START + requests):
        found = command(*arguments, stdin="\n".join(tasks))
    assert (found.status, found.errors) == (0, "")


def test_names_and_paths_cost_few_requests(
    command: Any, sandbox_here: Sandbox, tasks: list[str]
) -> None:
    """Names, ids and paths in one command are found by one query of each kind."""
    words = ["t1", "sh010/t2", "show/sh010/t3", tasks[4], "t5"]
    with sandbox_here.assert_requests(exactly=START + 2):
        found = command("get", "Task", *words, "-c", "name")
    assert found.lines == ["t1", "t2", "t3", "t4", "t5"]


def test_a_plan_asks_once_for_each_type(
    command: Any, sandbox_here: Sandbox, site: Any, session: Any
) -> None:
    """The names of the parents and types in a plan come from one query for each type."""
    usual = site["lighting"]["type_id"]
    kind = next(each["id"] for each in session.query("Type") if each["id"] != usual)
    for count in (1, 3):
        names = [site[name]["id"] for name in ("lighting", "comp", "comp2")][:count]
        with sandbox_here.requests() as seen:
            plan = command("set", "Task", *names, f"type_id={kind}", "--dry-run")
        assert plan.lines[-1] == f"Plan: {count} to update."
        assert all("type: " in line for line in plan.lines[:-1])
        assert len(seen) == START + 2


def test_set_reports_each_entity(command: Any, tasks: list[str], session: Any) -> None:
    """The JSON says for each entity whether it has changed, also by a custom attribute."""
    assert command("set", "Task", tasks[0], "bid=1h", "custom.colorspace=sRGB").status == 0
    for assignment in ("bid=1h", "custom.colorspace=sRGB", "metadata.shelf=3"):
        found = command("set", "Task", *tasks[:2], assignment, "--json")
        changed = [each["changed"] for each in json.loads(found.output)]
        assert changed == ([True, True] if "metadata" in assignment else [False, True])


def test_the_same_entity_twice_is_one(command: Any, tasks: list[str]) -> None:
    """An id and a name of the same entity are one change."""
    plan = command("set", "Task", tasks[1], "t1", "bid=1h", "--dry-run")
    assert plan.lines[-1] == "Plan: 1 to update."
    gone = command("delete", "Task", tasks[1], "t1", "--yes", "--json")
    assert len(json.loads(gone.output)) == 1


def test_the_first_unknown_id_is_named(command: Any, tasks: list[str]) -> None:
    """If an id of many does not exist, the error names it and nothing is changed."""
    wrong = "11111111-2222-3333-4444-555555555555"
    found = command("set", "Task", "-", "bid=1h", stdin="\n".join([*tasks[:300], wrong]))
    assert (found.status, found.output) == (1, "")
    assert f"There is no Task with the id {wrong!r}." in found.errors
    assert command("query", "Task where bid > 0", "--count").output == "0\n"


def test_lists_of_references_cost_one_request(
    command: Any, sandbox_here: Sandbox, site: Any, session: Any
) -> None:
    """Recipients and labels of a note, and versions of a review, are found together."""
    for name in ("mira", "kim", "ines"):
        session.create("User", {"username": name})
    session.commit()
    to = ["--to", "mira", "--to", "kim", "--to", "ines"]
    counts = []
    for chosen in (to[:2], to):
        with sandbox_here.requests() as seen:
            assert command("note", "Task", "lighting", "look", *chosen, "-n").status == 0
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_downloads_of_many_ids_cost_few_requests(
    command: Any, sandbox_here: Sandbox, site: Any, session: Any, tmp_path: pathlib.Path
) -> None:
    """A download asks once for the components and versions of all its ids."""
    kind = session.query("AssetType").first()
    asset = session.create("Asset", {"name": "plate", "parent": site["sh010"], "type": kind})
    versions = [session.create("AssetVersion", {"asset": asset}) for _ in range(3)]
    for number, version in enumerate(versions):
        session.create("FileComponent", {"name": f"main{number}", "version": version})
    session.commit()
    ids = [str(each["id"]) for each in versions]
    counts = []
    for chosen in (ids[:1], ids):
        with sandbox_here.requests() as seen:
            found = command("download", *chosen, "--to", str(tmp_path), "--dry-run")
        assert "cannot be reached from this machine" in found.errors  # They have no data.
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_keys_of_several_parts_together(command: Any, site: Any, session: Any) -> None:
    """Entities whose keys have several parts are found by one query too."""
    for name in ("shelf", "box"):
        site["sh010"]["metadata"][name] = name.upper()
    session.commit()
    keys = [f"{site['sh010']['id']},{name}" for name in ("shelf", "box")]
    assert command("get", "Metadata", *keys, "-c", "value").lines == ["SHELF", "BOX"]
    found = command("get", "Metadata", keys[0], f"{site['sh010']['id']},nope")
    assert "There is no Metadata with the id" in found.errors


def test_the_beginning_of_an_id_is_enough(command: Any, session: Any, site: Any) -> None:
    """8 or more characters of an id, with or without the ellipsis of a table, stand for it."""
    key = site["lighting"]["id"]
    for text in (key[:8], f"{key[:8]}…", f"{key[:13]}...", key[:20].upper()):
        assert find_entities(session, "Task", [text])[0] is site["lighting"]
        assert command("get", "Task", text, "-c", "name").output == "name\tlighting\n"
        assert whole_ids(session, ["AssetVersion", "Task"], [text, "x"]) == [key, "x"]
    assert command("get", "Task", key[:7]).status == 1
