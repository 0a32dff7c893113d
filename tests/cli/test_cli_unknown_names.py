"""Unknown types, attributes and states: one form in all commands."""

from __future__ import annotations

import re
from typing import Any

import pytest

TYPE = (
    r"There is no type '{}' on http://\S+\. "
    r"(Did you mean 'Task'\?|'ftrack-like schema show' lists the types\.)"
)
ATTRIBUTE = (
    r"Task has no attribute '{}'\. "
    r"(Did you mean 'name'\?|'ftrack-like schema show Task' lists the attributes\.)"
)
STATE = r"There is no Status '{}'\. (Did you mean 'Completed'\?|The names are: .*\.)"

#: Each command that takes a type, with the place of the type.
WITH_TYPE = [
    ["get", "{}", "x"],
    ["set", "{}", "x", "bid=1"],
    ["create", "{}", "name=x"],
    ["delete", "{}", "x", "--yes"],
    ["note", "{}", "x", "text"],
    ["status", "Completed", "{}"],
    ["status", "Completed", "select name from {} where name is x"],
    ["status", "Completed", "--where", "name is x", "--type", "{}"],
    ["status", "{}", "Completed"],
    ["action", "list", "--on", "{}", "x"],
    ["action", "run", "greet", "--on", "{}", "x"],
    ["schema", "show", "{}"],
    ["query", "{}"],
    ["query", "select name from {}"],
    ["query", "Task", "--columns", "parent[{}].name"],
    ["query", "select parent[{}].name from Task"],
    ["download", "--query", "{}"],
    ["review", "add", "dailies", "--query", "{}"],
]


@pytest.mark.parametrize("arguments", WITH_TYPE, ids=" ".join)
@pytest.mark.parametrize("name", ["Taks", "Qwzzy"])
def test_unknown_types_have_one_form(
    arguments: list[str], name: str, command: Any, site: Any, session: Any
) -> None:
    """Every command that takes a type names the server, and suggests a type or where to look."""
    session.create("ReviewSession", {"name": "dailies", "project": site["show"]})
    session.commit()
    if arguments == ["status", "{}", "Completed"]:
        name = "Taks"  # Another word is no type.
    found = command(*[each.format(name) for each in arguments])
    assert (found.status, found.output) == (1, "")
    assert re.search(TYPE.format(name), found.errors.splitlines()[0])
    assert ("Did you mean 'Task'?" in found.errors) is (name == "Taks")


@pytest.mark.parametrize(
    "arguments",
    [
        ["set", "Task", "lighting", "{}=1"],
        ["create", "Task", "name=x", "{}=1"],
        ["get", "Task", "lighting", "--columns", "{}"],
        ["query", "Task", "--columns", "{}"],
        ["query", "select {} from Task"],
        ["query", "Task where {} is x"],
        ["status", "Completed", "Task where {} is x"],
        ["status", "Completed", "--where", "{} is x"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["nme", "qwzzy"])
def test_unknown_attributes_have_one_form(
    arguments: list[str], name: str, command: Any, site: Any
) -> None:
    """An unknown attribute comes with its type, and a suggestion or where to look."""
    found = command(*[each.format(name) for each in arguments])
    assert (found.status, found.output) == (1, "")
    assert re.search(ATTRIBUTE.format(name), found.errors.splitlines()[0])
    assert ("Did you mean 'name'?" in found.errors) is (name == "nme")


@pytest.mark.parametrize(
    "arguments",
    [
        ["set", "Task", "lighting", "status={}"],
        ["set", "Task", "lighting", "status.name={}"],
        ["create", "Task", "name=x", "status={}"],
        ["status", "{}", "Task"],
        ["publish", __file__, "--context", "sh010", "--status", "{}"],
        ["query", "Task where status.name is {}"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["Completd", "qwzzy"])
def test_unknown_states_have_one_form(
    arguments: list[str], name: str, command: Any, site: Any
) -> None:
    """An unknown status comes with a suggestion, or with the names that exist."""
    found = command(*[each.format(name) for each in arguments])
    assert found.output == ""
    assert re.search(STATE.format(name), found.errors)
    assert ("Did you mean 'Completed'?" in found.errors) is (name == "Completd")


def test_types_of_queries_may_be_lower_case(command: Any, site: Any) -> None:
    """The type in --query may be in another case, as in other commands."""
    found = command("download", "--query", "component where name is nothing")
    assert "'component where name is nothing' finds no component." in found.errors


@pytest.mark.parametrize("count", [2, 12])
def test_an_ambiguous_name_lists_at_most_ten(
    count: int, command: Any, site: Any, session: Any
) -> None:
    """Each candidate has a line with its path and id; more than ten are counted."""
    for number in range(count):
        shot = session.create("Shot", {"name": f"x{number:02}", "parent": site["sq010"]})
        session.create("Task", {"name": "roto", "parent": shot})
    session.commit()
    for arguments in (
        ["get", "Task", "roto"],
        ["note", "Task", "roto", "x"],
        ["log", "time", "roto", "1h"],
    ):
        found = command(*arguments)
        first, *listed, last = found.errors.splitlines()
        assert (found.status, found.output) == (1, "")
        assert first.endswith("entities 'roto':")
        rows = [line.split() for line in listed]
        if count > 10:
            assert rows.pop() == ["and", "2", "more"]
            kind = "Context" if arguments[0] == "log" else "Task"
            assert last.endswith(
                f"Print all with: ftrack-like query '{kind} where name is \"roto\"'"
            )
        assert len(rows) == min(count, 10)
        assert [row[0] for row in rows] == [f"show/sq010/x{n:02}/roto" for n in range(len(rows))]
        assert all(re.fullmatch(r"[0-9a-f-]{36}", row[1]) for row in rows)
        assert last.startswith("Use the id, or a longer path.")


def test_users_and_groups_without_a_match(command: Any, site: Any) -> None:
    """A type that stands for several names them all, and what exists."""
    found = command("note", "Task", "lighting", "x", "--to", "qwzzy")
    assert "There is no User or Group 'qwzzy'. The names are: " in found.errors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shw/sq010/sh010", "Did you mean 'show/sq010/sh010'?"),
        ("show/sq01/sh010", "Did you mean 'show/sq010/sh010'?"),
        ("show/sq010/sh01", "Did you mean 'sh010'?"),
    ],
)
def test_a_mistake_in_the_middle_of_a_path(text: str, words: str, command: Any, site: Any) -> None:
    """If the last name of a path exists, the suggestion is a whole path to it."""
    found = command("get", "Shot", text)
    assert (found.status, found.output) == (1, "")
    assert found.errors.strip().endswith(words)
