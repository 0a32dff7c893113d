"""The sandbox says where a mistake in an expression stands."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("expression", "place", "words"),
    [
        ("Task where name is", 18, "Expected a value, found the end."),
        ("Task where name is offset 0 limit 500", 18, "Expected a value, found the end."),
        ("Task where offset 0 limit 500", 10, "Expected an attribute, found the end."),
        ("Task order by limit 2", 13, "Expected an attribute, found the end."),
        ("Task where name is offset x limit 1", 26, "Expected 'and', 'or' or the end"),
        ("Task where nme is x offset 0 limit 5", 11, "No attribute 'nme' exists for Task."),
        ("Task limit 5 limit 6", 13, "'limit' is given twice."),
    ],
)
def test_a_mistake_has_a_position(api: Any, expression: str, place: int, words: str) -> None:
    """The answer has the position of the mistake, also where bounds follow a query without end."""
    response = api.http.post(
        f"{api.url}/api", json=[{"action": "query", "expression": expression}], timeout=30
    )
    answer = response.json()
    assert answer["exception"] == "ParseError"
    assert answer["content"].startswith(words)
    assert answer["position"] == place


def test_other_errors_have_no_position(api: Any) -> None:
    """An error that is not about an expression has no position."""
    response = api.http.post(f"{api.url}/api", json=[{"action": "nope"}], timeout=30)
    assert "position" not in response.json()
