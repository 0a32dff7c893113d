"""Custom attributes by their short names: in conditions, and where people forget ``custom.``."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def framed(session: Any, site: Any) -> Any:
    """Return the site, whose shots have the first frames 900 and 1001."""
    site["sh010"]["custom_attributes"]["fstart"] = 900
    site["sh020"]["custom_attributes"]["fstart"] = 1001
    session.commit()
    return site


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("Shot where custom.fstart > 950", ["sh020"]),
        ("Shot where custom_attributes.fstart<=900", ["sh010"]),
        ("Shot where custom.fstart in (900, 1001) and name is sh010", ["sh010"]),
        ("Shot where name is sh020 or custom.fstart = 900", ["sh010", "sh020"]),
        ("Task where parent[Shot].custom.fstart > 950", ["comp"]),
        ("Shot where name is 'custom.fstart is 900'", []),
    ],
)
def test_conditions_take_the_short_names(
    condition: str, names: list[str], command: Any, framed: Any
) -> None:
    """A query compares a custom attribute by the name that columns and assignments have."""
    found = command("query", condition, "--columns", "name")
    assert (found.status, sorted(found.lines)) == (0, names)


def test_other_commands_take_the_short_names(command: Any, framed: Any) -> None:
    """Conditions on custom attributes choose the entities of a change too."""
    found = command("status", "Completed", "--where", "parent.custom.fstart > 950", "--yes")
    assert found.status == 0, found.errors
    done = command("query", "Task where status.name is Completed", "--count")
    assert done.lines == ["1"]


@pytest.mark.parametrize("rest", ["is_not 900", "!= 900", "not_in (900, 901)", "is none"])
def test_ambiguous_conditions_name_the_form_to_write(rest: str, command: Any, framed: Any) -> None:
    """A negative condition is refused with the condition to write."""
    found = command("query", f"Shot where custom.fstart {rest}")
    form = f'custom_attributes any (key is "fstart" and value {rest})'
    assert (found.status, found.output) == (2, "")
    assert found.errors.rstrip().endswith(form)
    assert command("query", f"Shot where {form}").status == 0


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        ("Shot order by custom.fstart", "custom.fstart"),
        ("Shot where custom.fstart > 5 order by name, custom_attributes.fstart desc limit 2", ""),
        ("Task where (name like 'l%') order by parent.custom.fstart", "parent.custom.fstart"),
    ],
)
def test_order_by_a_custom_attribute_names_another_way(
    expression: str, path: str, command: Any, framed: Any
) -> None:
    """Servers have no such order, and the error says how to sort the output."""
    found = command("query", expression)
    assert (found.status, found.output) == (2, "")
    assert f"--columns {path or 'custom.fstart'},name | sort -n" in found.errors


@pytest.mark.parametrize(
    "expression",
    [
        "Shot where name is 'order by custom.fstart'",
        "select name, custom_attributes.fstart from Shot order by name",
    ],
)
def test_other_mentions_are_no_order(expression: str, command: Any, framed: Any) -> None:
    """A text, or a column before an order, is not taken for an order by a custom attribute."""
    assert command("query", expression).status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", "Shot where fstart > 5"],
        ["query", "Shot", "--columns", "name,fstart"],
        ["query", "Task", "--columns", "name,parent[Shot].fstart"],
        ["create", "Shot", "name=x", "parent=show", "fstart=5"],
        ["set", "Shot", "sh010", "FSTART=5"],
    ],
    ids=" ".join,
)
def test_forgotten_prefixes_are_suggested(arguments: list[str], command: Any, framed: Any) -> None:
    """The key of a custom attribute without its prefix is answered with its whole name."""
    found = command(*arguments)
    assert (found.status, found.output) == (1, "")
    assert "Did you mean 'custom.fstart'?" in found.errors


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("bid > 8h", ["lighting"]),
        ("bid >= 10h and name is lighting", ["lighting"]),
        ('bid is "8h" and bid > 28799 and name is_not x', ["comp"]),
        ("bid=10:00", ["lighting"]),
        ("bid > 1e4 and bid < 30000", ["comp"]),
        ('name is "bid > 8h"', []),
    ],
)
def test_conditions_take_durations(
    condition: str, names: list[str], command: Any, site: Any, session: Any
) -> None:
    """A condition on a bid takes the durations that assignments take."""
    site["lighting"]["bid"], site["comp"]["bid"] = 36000, 28800
    session.commit()
    found = command("query", f"Task where {condition}", "--columns", "name")
    assert (found.status, sorted(found.lines)) == (0, names), found.errors


@pytest.mark.parametrize(
    "words", [["query", "Task where bid > 2d"], ["set", "Task", "x", "bid=2d"]]
)
def test_days_are_refused(words: list[str], command: Any, site: Any) -> None:
    """A duration in days is refused with the unit to write."""
    found = command(*words)
    assert (found.status > 0, "hours" in found.errors) == (True, True)


def test_download_names_unknown_values_and_takes_a_type(command: Any, site: Any) -> None:
    """A query that finds nothing is explained, and a type before ids is not taken for an id."""
    found = command("download", "--query", "AssetVersion where task.name is lightin")
    assert "There is no Task 'lightin'. Did you mean 'lighting'?" in found.errors
    found = command("download", "AssetVersion", "show/sq010/sh010/layout/v001")
    assert "'AssetVersion'" not in found.errors
