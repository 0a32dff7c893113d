"""Expressions: what they match, how they print, and what is wrong with the wrong ones."""

from __future__ import annotations

import operator
import re
from typing import Any as AnyValue

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ftrack_like import exception
from ftrack_like.wire.expression import (
    SYMBOLS,
    All,
    Any,
    Condition,
    Expression,
    Not,
    Parser,
    compile_expression,
    topics_of,
)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("topic=a", "<Condition topic=a>"),
        ("a = b", "<Condition a=b>"),
        ('a="b c"', "<Condition a=b c>"),
        ("a='x'", "<Condition a=x>"),
        (r'a="x\"y"', '<Condition a=x"y>'),
        ('a=""', "<Condition a=>"),
        ("a.b.c>=1.5", "<Condition a.b.c>=1.5>"),
        ("a=@x+y/z,w*", "<Condition a=@x+y/z,w*>"),
        ("not a=b", "<Not <Condition a=b>>"),
        ("not(a=b)and c=d", "<All [<Not <Condition a=b>> <Condition c=d>]>"),
        ("A=b AND c=d", "<All [<Condition A=b> <Condition c=d>]>"),
        ("a=b or c=d or e=f", "<Any [<Condition a=b> <Condition c=d> <Condition e=f>]>"),
        (
            "a=b or c=d and e=f",
            "<Any [<Condition a=b> <All [<Condition c=d> <Condition e=f>]>]>",
        ),
        (
            "(a=b or c=d) and e=f",
            "<All [<Any [<Condition a=b> <Condition c=d>]> <Condition e=f>]>",
        ),
        ("order=1 and notx=2", "<All [<Condition order=1> <Condition notx=2>]>"),
        ("a=not", "<Condition a=not>"),
        ("and=or", "<Condition and=or>"),
        ("not not =a", "<Not <Condition not=a>>"),
        (
            "a=b and or=c or and='d'",
            "<Any [<All [<Condition a=b> <Condition or=c>]> <Condition and=d>]>",
        ),
    ],
)
def test_parse_prints_as_published(text: str, printed: str) -> None:
    """An expression prints the way studio logs show it."""
    assert str(Parser().parse(text)) == printed


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("   ", 3),
        ("a", 1),
        ("a=", 2),
        ("and", 0),
        ("and =", 5),
        ("a=b and=c", 4),
        ("= and a=b", 0),
        ("a*=b", 0),
        ("a..b=c", 0),
        ("a b", 2),
        ("a 'b'", 2),
        ("a= ( b=c )", 3),
        ("a==b", 2),
        ("a~b", 1),
        ("target=id=x", 9),
        ("a=b c=d", 4),
        ("(a=b", 4),
        ("a=b)", 3),
        ("a=b and", 7),
        ("a=[1]", 2),
        ('a="x', 2),
        ("a={x}", 2),
        ("(" * 500, 100),
    ],
)
def test_parse_error_says_where(text: str, position: int) -> None:
    """Text that breaks the rules is refused with the position of the fault."""
    with pytest.raises(exception.ParseError) as caught:
        Parser().parse(text)
    assert caught.value.details["position"] == position
    assert f"at character {position}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "candidate", "matches"),
    [
        ("a=b", {"a": "b"}, True),
        ("a=b", {"a": "bc"}, False),
        ("a.b=1", {"a": {"b": "1"}}, True),
        ("a.b=1", {"a": {"b": 1}}, True),
        ("a.b=1", {"a": {"b": 1.0}}, True),
        ("a.b!=1", {"a": {"b": 2}}, True),
        ("a.b>9", {"a": {"b": 10}}, True),
        ("a.b>9", {"a": {"b": "10"}}, True),
        ("a.b<9.5", {"a": {"b": 9}}, True),
        ("a.b>=3.9", {"a": {"b": "3.10.1"}}, True),
        ("a.b<3.9", {"a": {"b": "v3.10"}}, False),
        ("a.b<2.0", {"a": {"b": "2.0rc1"}}, True),
        ("a.b=true", {"a": {"b": True}}, True),
        ("a.b=False", {"a": {"b": True}}, False),
        ("a>2024-01-01", {"a": "2024-02-03T10:00:00"}, True),
        ("a=1", {}, False),
        ("a!=1", {}, False),
        ("a<1", {}, False),
        ("not a=1", {}, True),
        ("a.b=1", {"a": None}, False),
        ("a.b!=1", {"a": "text"}, False),
        ("a>1", {"a": None}, False),
        ("a<x", {"a": 3}, False),
        ("a>1", {"a": [5]}, False),
        ("a>0", {"a": {"b": 5}}, False),
        ("a!=1", {"a": None}, True),
        ("a=b*", {"a": "bcd"}, True),
        ("a=b*", {"a": "abc"}, False),
        ("a=*", {"a": ""}, True),
        ("a=*", {}, False),
        ("a=10*", {"a": 1024}, True),
        ("a!=b*", {"a": "bcd"}, False),
        ("a!=b*", {"a": "x"}, True),
        ("a=b*", {"a": None}, False),
    ],
)
def test_match(text: str, candidate: dict[str, AnyValue], matches: bool) -> None:
    """A condition compares as a person would, and is false where nothing can be compared."""
    expression = Parser().parse(text)
    assert expression.match(candidate) is matches
    assert compile_expression(expression)(candidate) is matches


def test_base_expression_matches_everything() -> None:
    """An expression without conditions matches everything, and Any of nothing matches nothing."""
    assert Expression().match({})
    assert All().match({})
    assert not Any().match({})
    assert str(Expression()) == "<Expression>"


def test_condition_takes_functions_and_refuses_unknown_symbols() -> None:
    """A condition may be built by hand, from a function or a symbol that exists."""
    assert Condition("a", operator.eq, "b").match({"a": "b"})
    assert str(Condition("a", operator.ge, "b")) == "<Condition a>=b>"
    with pytest.raises(ValueError, match="'in' is not known"):
        Condition("a", "in", "b")


def test_compiled_expression_asks_a_subclass() -> None:
    """An expression class of a studio's own takes part with its own match."""

    class Even(Expression):
        def match(self, candidate: AnyValue) -> bool:
            return bool(candidate["n"] % 2 == 0)

    matcher = compile_expression(All([Even(), Not(Condition("n", "=", "4"))]))
    assert [n for n in range(7) if matcher({"n": n})] == [0, 2, 6]


@pytest.mark.parametrize(
    ("text", "exact", "prefixes"),
    [
        ("topic=a", {"a"}, set()),
        ("topic=a.*", set(), {"a."}),
        ("data.x=1 and topic=a", {"a"}, set()),
        ("topic=a or topic=b*", {"a"}, {"b"}),
        ("topic=b* and topic=a", {"a"}, set()),
    ],
)
def test_topics_of_bounds(text: str, exact: set[str], prefixes: set[str]) -> None:
    """The topics that an expression can match are found where there is a bound."""
    assert topics_of(Parser().parse(text)) == (exact, prefixes)


@pytest.mark.parametrize("text", ["data.x=1", "not topic=a", "topic=a or data.x=1", "topic!=a"])
def test_topics_of_unbounded(text: str) -> None:
    """An expression that may match any topic has no bound."""
    assert topics_of(Parser().parse(text)) is None


_words = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_]{0,6}", fullmatch=True)
_texts = st.text(st.characters(codec="utf-8", exclude_characters="*"), max_size=8)
_conditions = st.builds(
    lambda key, symbol, value: Condition(key, symbol, value),
    st.lists(_words, min_size=1, max_size=3).map(".".join),
    st.sampled_from(["=", "!=", ">=", "<=", ">", "<"]),
    _texts,
)
_expressions = st.recursive(
    _conditions,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(All),
        st.lists(inner, min_size=2, max_size=3).map(Any),
        inner.map(Not),
    ),
    max_leaves=6,
)


def _write(expression: AnyValue) -> str:
    if isinstance(expression, Condition):
        symbol = SYMBOLS[expression._operator]
        value = expression._value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{expression._key} {symbol} "{value}"'
    if isinstance(expression, Not):
        return f"not ({_write(expression._expression)})"
    word = " and " if isinstance(expression, All) else " or "
    return word.join(f"({_write(member)})" for member in expression._expressions)


@given(_expressions)
@example(Condition("a", ">", "="))
def test_parse_reads_what_was_written(expression: Expression) -> None:
    """Any expression that is written as text is read back as itself."""
    assert str(Parser().parse(_write(expression))) == str(expression)


@given(_expressions, st.dictionaries(_words, st.one_of(_texts, st.integers(), st.none())))
def test_compiled_equals_interpreted(
    expression: Expression, candidate: dict[str, AnyValue]
) -> None:
    """The compiled form of an expression matches exactly what the expression matches."""
    assert compile_expression(expression)(candidate) is expression.match(candidate)


@given(st.text(max_size=40))
def test_parse_raises_nothing_but_parse_errors(text: str) -> None:
    """Whatever the text, it is an expression or a parse error with a position inside it."""
    position = 0
    try:
        Parser().parse(text)
    except exception.ParseError as error:
        position = error.details["position"]
    assert 0 <= position <= len(text)


def test_topic_without_its_field_is_suggested() -> None:
    """A topic alone is no expression, and the error says how to write it."""
    for topic in ("ftrack.update", "studio.*", "ftrack.action-launch"):
        with pytest.raises(exception.ParseError, match=re.escape(f"write topic={topic}")):
            Parser().parse(topic)
    with pytest.raises(exception.ParseError) as caught:
        Parser().parse("topic=")
    assert "write topic" not in str(caught.value)
