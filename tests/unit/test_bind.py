"""Values bound to places in query expressions: they stay values, whatever is in them."""

from __future__ import annotations

import datetime
import enum
import uuid
from typing import Any

import arrow
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ftrack_like import symbol
from ftrack_like.query import bind


class Colour(str, enum.Enum):
    """A text that prints as something else."""

    RED = "red"


class Number(enum.IntEnum):
    """A number that prints as something else."""

    ONE = 1


class Half(float):
    """A number of another library, which prints as a call."""

    def __repr__(self) -> str:
        return f"Half({float(self)})"


IDENTIFIER = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", '"plain"'),
        ('say "x"', '"say \\"x\\""'),
        ("it's \\", '"it\'s \\\\"'),
        ("", '""'),
        (":other", '":other"'),
        (None, "none"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (2.5, "2.5"),
        (Half(0.5), "0.5"),
        (Number.ONE, "1"),
        (Colour.RED, '"red"'),
        (IDENTIFIER, f'"{IDENTIFIER}"'),
        (datetime.date(2026, 1, 2), '"2026-01-02"'),
        (datetime.datetime(2026, 1, 2, 3, 4, 5), '"2026-01-02T03:04:05"'),
        (arrow.get("2026-01-02T03:04:05+02:00"), '"2026-01-02T01:04:05"'),
        (["a", 'b"', 3, None], '("a", "b\\"", 3, none)'),
        (("a",), '("a")'),
        ({"a"}, '("a")'),
        ({"a": 1}.keys(), '("a")'),
    ],
)
def test_value_is_written_as_the_language_has_it(value: Any, text: str) -> None:
    """Each kind of value gets the form that the query language has for it."""
    assert bind("A where b is :value", {"value": value}) == f"A where b is {text}"


@given(st.text())
@example('" or name like "%')
@example("\\")
@example('\\" or "" is "')
@example("') or ('a' is 'a")
def test_no_text_leaves_its_quotes(text: str) -> None:
    """The language reads back the very text that was bound, and nothing beside it."""
    language = pytest.importorskip("ftrack_like.sandbox.language")
    expression = bind("Task where name is :name and bid > 1", {"name": text})
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        with pytest.raises(language.ExpressionError):
            language.parse(expression)
        return
    known = repr(language.parse('Task where name is "x" and bid > 1'))
    assert repr(language.parse(expression)) == known.replace("text='x'", f"text={text!r}")


def test_places_are_found_where_values_stand() -> None:
    """A place stands behind an operator, a bracket or a comma, with or without a blank."""
    values = {"a": 1, "b": 2, "name_2": 3}
    expression = "T where (x=:a or y in (:b,:a)) and z is\n:name_2"
    assert bind(expression, values) == "T where (x=1 or y in (1,1)) and z is\n3".replace(
        "(1,1)", "(2,1)"
    )


def test_quotes_and_times_hold_no_places() -> None:
    """Inside quotes and inside bare values a colon is a colon."""
    expression = """T where a is ":x" and b is 'it\\'s :x' and c > 2026-01-02T10:30 and d is :x"""
    assert bind(expression, {"x": 1}) == expression[:-2] + "1"


def test_bound_text_is_not_searched_for_places() -> None:
    """A value that looks like a place stays as it is."""
    bound = bind("T where a is :a and b is :b", {"a": ":b", "b": ":a"})
    assert bound == 'T where a is ":b" and b is ":a"'


def test_empty_list_finds_nothing() -> None:
    """An empty list is none without members: servers read a list with one empty text or more."""
    bound = bind("T where a in :names", {"names": []})
    assert bound.startswith('T where a in ("')
    assert '("")' not in bound


def test_entity_stands_for_its_key(tiny: Any, make_record: Any) -> None:
    """An entity is its primary key, also in a list."""
    tasks = tiny._loader.load([make_record("Task", id=f"t{number}") for number in (1, 2)])
    assert bind("T where a.id is :task", {"task": tasks[0]}) == 'T where a.id is "t1"'
    assert bind("T where id in :tasks", {"tasks": tasks}) == 'T where id in ("t1", "t2")'


@pytest.mark.parametrize(
    ("expression", "values", "words"),
    [
        ("T where a is :a", {}, "no value for :a"),
        ("T where a is :a", {"a": 1, "b": 2}, "no placeholder for :b"),
        ('T where a is "x and b is :b', {"b": 1}, "position 13.*not closed"),
        ("T where a is ':a", {"a": 1}, "not closed"),
    ],
)
def test_mistakes_are_named(expression: str, values: dict[str, Any], words: str) -> None:
    """Places and values that do not fit one another, and open quotes, are refused."""
    with pytest.raises(ValueError, match=words):
        bind(expression, values)


@pytest.mark.parametrize(
    "value", [b"bytes", {"a": 1}, symbol.NOT_SET, [["a"]], [b"a"], float("nan"), [float("nan")]]
)
def test_what_is_no_value_is_refused(value: Any) -> None:
    """Bytes, mappings, lists in lists and missing values have no form in the language."""
    with pytest.raises(TypeError, match=":a"):
        bind("T where b is :a", {"a": value})
