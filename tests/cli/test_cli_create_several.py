"""Several entities in one ``create``, and mistakes in the form of assignments."""

from __future__ import annotations

import json
from typing import Any

import pytest


def names_of(session: Any) -> set[str]:
    """Return the names of all shots."""
    return {str(each["name"]) for each in session.query("select name from Shot")}


def test_a_repeated_name_creates_an_entity_for_each(command: Any, site: Any, session: Any) -> None:
    """Each name makes an entity with the other values, and the ids come in the same order."""
    words = ["parent=sq010", "name=sh100", "description=wide", "name=sh110", "metadata.shelf=12"]
    found = command("create", "Shot", *words)
    assert (found.status, found.errors) == (0, "")
    shots = [session.get("Shot", key) for key in found.lines]
    assert [each["name"] for each in shots] == ["sh100", "sh110"]
    assert {each["description"] for each in shots} == {"wide"}
    assert {each["metadata"]["shelf"] for each in shots} == {"12"}


def test_all_entities_are_created_or_none(command: Any, site: Any, session: Any) -> None:
    """A taken name refuses the others too, and --dry-run foresees it."""
    for option in ([], ["--dry-run"]):
        found = command("create", "Shot", "parent=sq010", "name=new", "name=sh010", *option)
        assert found.status == 1
        assert "'sh010' is taken" in found.errors
    assert "new" not in names_of(session)


def test_the_plan_lists_each_entity(command: Any, site: Any) -> None:
    """--dry-run shows a line for each entity and changes nothing."""
    found = command("create", "Shot", "parent=sq010", "name=sh100", "name=sh110", "-n")
    assert "create Shot 'sh100'" in found.lines[0]
    assert "create Shot 'sh110'" in found.lines[1]
    assert found.lines[-1] == "Plan: 2 to create."


def test_json_lists_several_entities(command: Any, site: Any) -> None:
    """--json prints a list with the type and the id of each entity."""
    found = command("create", "Shot", "parent=sq010", "name=sh100", "name=sh110", "--json")
    assert [sorted(each) for each in json.loads(found.output)] == [["id", "type"]] * 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["name=a", "name=A"], "'name=a' is there twice"),
        (["name=a", "name=b", "parent=sq010", "parent=x"], "'parent' is set twice"),
        (["name=a", "description=x", "description=y"], "'description' is set twice"),
        (["name=a,b"], "write: name=a name=b."),
        (["sh100", "parent=sq010"], "such as name=sh100"),
        (["name=sh100", "status=Not", "started"], "in quotes: 'status=Not started'"),
        (["name=sh100", "show/sq010"], "parent=show/sq010"),
    ],
)
def test_mistakes_in_assignments_are_named(
    words: list[str], message: str, command: Any, site: Any, session: Any
) -> None:
    """A mistake in the assignments creates nothing, and the error shows the right form."""
    before = names_of(session)
    found = command("create", "Shot", *words)
    assert found.status in (1, 2)
    assert message in found.errors
    assert names_of(session) == before


def test_a_name_with_a_comma_can_be_json(command: Any, site: Any, session: Any) -> None:
    """The form that the error shows creates one entity with that name."""
    found = command("create", "Shot", 'name:="a,b"', "parent=sq010")
    assert found.status == 0
    assert "a,b" in names_of(session)


def test_set_says_that_the_id_comes_first(command: Any, site: Any) -> None:
    """An assignment in the place of the id is named with the right order."""
    found = command("set", "Task", "status=Completed", "sh010/lighting")
    assert found.status == 2
    assert "ftrack-like set Task sh010/lighting status=Completed" in found.errors
