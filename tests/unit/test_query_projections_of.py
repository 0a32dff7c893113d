"""The projections of a query expression, and the position of its type."""

from __future__ import annotations

import pytest

from ftrack_like.query import projections_of


@pytest.mark.parametrize(
    ("expression", "names", "rest"),
    [
        ("Task", [], "Task"),
        ("select name from Task", ["name"], "Task"),
        (
            "SELECT name, status.name FROM Task where name is 'a, from b' limit 3",
            ["name", "status.name"],
            "Task where name is 'a, from b' limit 3",
        ),
        ("select parent[Shot].name, id from Task", ["parent[Shot].name", "id"], "Task"),
        ("select count(id), sum(bid) from Task", ["count(id)", "sum(bid)"], "Task"),
        ("select from, to from Link", ["from", "to"], "Link"),
        ("select name", [], "select name"),
        ("", [], ""),
    ],
)
def test_projections(expression: str, names: list[str], rest: str) -> None:
    """Commas in brackets and quotes part nothing, and an attribute may be called ``from``."""
    found, position = projections_of(expression)
    assert (found, expression[position:]) == (names, rest)


def test_position_counts_blanks() -> None:
    """The position is that in the expression as it was written."""
    text = "  select  name\n from   Task"
    assert text[projections_of(text)[1] :] == "Task"
