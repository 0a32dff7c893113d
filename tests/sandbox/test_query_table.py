"""The expressions of tests/data/query_table.txt answer the entities beside them."""

from __future__ import annotations

import pathlib

import pytest

TABLE = pathlib.Path(__file__).parents[1] / "data" / "query_table.txt"


def rows():
    """Return the rows of the table, one parameter set for each."""
    found, group = [], ""
    for line in TABLE.read_text("utf-8").splitlines():
        if line.startswith("["):
            group = line.strip("[]")
        elif line and not line.startswith("#"):
            expression, _, expected = line.rpartition(" = ")
            expression = expression.strip(" ").replace("⏎", "\n").replace("⇥", "\t")
            keys = [] if expected == "-" else expected.split()
            found.append(pytest.param(expression, keys, id=f"{group}: {line}"))
    return found


@pytest.mark.parametrize(("expression", "expected"), rows())
def test_expression_answers_exactly_these(world, expression, expected):
    """Each expression of the table answers the keys beside it, in order where it asks for one."""
    found = world.keys(expression)
    if "order by" in expression.lower():
        assert found == expected
    else:
        assert sorted(found) == sorted(expected)


@pytest.mark.postgres
def test_expressions_answer_the_same_on_postgresql(world_on_postgresql):
    """The whole table holds on PostgreSQL, too."""
    wrong = {}
    for row in rows():
        expression, expected = row.values
        found = world_on_postgresql.keys(expression)
        ordered = "order by" in expression.lower()
        if (found if ordered else sorted(found)) != (expected if ordered else sorted(expected)):
            wrong[expression] = found

    assert wrong == {}


def test_table_is_whole():
    """No line of the table got lost by a mistake in how it is read."""
    assert len(rows()) >= 460
