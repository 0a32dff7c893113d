"""Each mistake in an expression is named, with its place and a near name; nothing costs much."""

from __future__ import annotations

import pathlib
import time

import pytest

from ftrack_like.sandbox.database import deadline
from ftrack_like.sandbox.language import ExpressionError, parse
from ftrack_like.sandbox.query import run as query_module
from ftrack_like.sandbox.query.search import run_search

MISTAKES = pathlib.Path(__file__).parents[1] / "data" / "query_mistakes.txt"


def mistakes():
    """Return the rows of the table: expression, place and message."""
    rows = []
    for line in MISTAKES.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        expression, place, message = line.split(" | ", 2)
        rows.append(pytest.param(expression.rstrip(), place.strip(), message.strip(), id=line))
    return rows


@pytest.mark.parametrize(("expression", "place", "message"), mistakes())
def test_mistake_is_named_with_its_place(world, expression, place, message):
    """The error says what is wrong and points at it."""
    with pytest.raises(ExpressionError) as caught:
        world.query(expression)

    assert caught.value.message.startswith(message)
    assert expression[caught.value.position :].strip().startswith(place)


def test_text_of_an_error_shows_a_caret():
    """The line with the mistake is shown with a caret under the place."""
    with pytest.raises(ExpressionError) as caught:
        parse('select name\nfrom Task\nwhere name is_nt "x"')

    assert str(caught.value) == (
        "Unknown operator 'is_nt' after name. Did you mean 'is_not'?\n"
        '  where name is_nt "x"\n'
        "             ^"
    )
    assert caught.value.line == 3


def test_text_of_an_error_in_a_long_line_is_short():
    """Of a long line only what surrounds the place is shown."""
    with pytest.raises(ExpressionError) as caught:
        parse(f'Task where id in ({", ".join(["abc"] * 10_000)}) nd name is "{"x" * 10_000}"')

    line, shown, caret = str(caught.value).split("\n")
    assert "found 'nd'" in line
    assert len(shown) < 120
    assert shown[caret.index("^") :].startswith("nd name")


def test_empty_text_is_an_error():
    """Nothing at all is not a query."""
    for text in ("", "  \n "):
        with pytest.raises(ExpressionError, match="Expected an entity type, found the end"):
            parse(text)


# Bounds

DEEP = "ancestors.ancestors.lists.name is none"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("Task where " + "(" * 5_000 + "id is 1", "nests deeper than 24 levels"),
        ("Task where " + "not " * 5_000 + "id is 1", "nests deeper than 24 levels"),
        ("Task where " + "children any (" * 5_000, "nests deeper than 24 levels"),
        ("Task where " + "id in (select id from Task where " * 5_000, "nests deeper than 24"),
        ("Task where " + "(bid is 2 or name is x and " * 24 + DEEP + ")" * 24, "than the database"),
        ("Task where " + "parent.parent has (" * 20 + "id is 1" + ")" * 20, "More than 24 rel"),
        ("Task where " + ".".join(["parent"] * 5_000) + " is none", "more than 12 parts"),
        ("select " + "name, " * 5_000 + "name from Task", "more than 1,000 items"),
        ("Task where " + "id is 1 or " * 5_000 + "id is 1", "more than 2,000 conditions"),
        ("Task where id is " + "x" * 8_000_000, "longer than 8,000,000 characters"),
        ("Task where id is 'a\0b'", "NUL"),
        ("Task where id is 'a\ud800b'", "surrogate"),
        ("Task limit " + "9" * 500, "Expected a whole number"),
    ],
    ids=lambda value: str(value)[:30].encode("ascii", "backslashreplace").decode(),
)
def test_excess_is_refused_in_little_time(world, expression, message):
    """What would cost too much is refused at once, in words that can be printed."""
    start = time.process_time()
    with pytest.raises(ExpressionError, match=message) as caught:
        world.query(expression)

    assert time.process_time() - start < 2
    str(caught.value).encode("utf-8")


def test_many_conditions_and_many_values_work(world):
    """Two thousand conditions and a hundred thousand values are within the bounds."""
    either = " or ".join(f'name is "n{index}"' for index in range(1_998))
    values = ", ".join(f'"{index:036}"' for index in range(100_000))
    different = " and ".join(f"bid is_not {index + 1}" for index in range(1_500))

    assert world.keys(f'Task where {either} or name is "lighting"') == ["t-light20"]
    assert world.keys(f"Task where id in ({values}, t-loose)") == ["t-loose"]
    assert world.keys(f"Task where id not_in ({values}) and name is lighting") == ["t-light20"]
    assert len(world.keys(f"Task where {different}")) == 7


def test_values_are_bound_and_never_become_sql(world):
    """Values stand in no statement, whatever they look like."""
    value = "x'); DROP TABLE context; --"
    assert (
        world.keys(f'Task where name is "{value}" or name in ("{value}") or id is "{value}"') == []
    )
    assert all("DROP" not in statement for statement in world.statements)
    assert len(world.keys("Task")) == 7


def test_query_that_takes_too_long_is_ended(world, monkeypatch):
    """A query that runs past its time ends with an error; the connection stays usable."""
    monkeypatch.setattr(query_module, "MAXIMUM_SECONDS", 0.0)
    monkeypatch.setattr(deadline, "_STEPS", 1)
    with pytest.raises(ExpressionError, match="takes longer than 0 seconds"):
        world.query("Context where descendants.children.name is x")
    monkeypatch.undo()

    assert len(world.keys("Task")) == 7


def test_page_has_a_bound(world, monkeypatch):
    """A query without a limit answers a bounded page, and where the next one starts."""
    monkeypatch.setattr(query_module, "MAXIMUM_PAGE", 3)
    query_module.forget_compiled()
    result = world.query("Context")
    query_module.forget_compiled()

    assert len(result.records) == 3
    assert result.next_offset == 3


# Searching


def search(world, expression, **narrowing):
    result = run_search(world.connection, world.model, expression, world.context, **narrowing)
    return [record["id"] for record in result.records]


def test_search_finds_names_that_hold_all_terms(world):
    """Each term must stand in some name, in any case."""
    assert search(world, "Task", terms=["ANIM"]) == ["t-anim10", "t-anim20"]
    assert search(world, "User", terms=["zoë", "ång"]) == ["u-zoe"]
    assert search(world, "AssetBuild", terms=["100%"]) == ["ab-1"]
    assert search(world, "Shot", terms=["_"]) == ["sh-30"]
    assert search(world, "AssetVersion", terms=["hero"]) == ["v-hero1", "v-hero2"]
    assert search(world, "Task", terms=["anim comp"]) == []
    assert len(search(world, "Task")) == 7


def test_search_keeps_to_contexts_and_object_types(world):
    """Entities must be below one of the contexts and of one of the object types."""
    task = world.model.types["Task"].classifier["object_type_id"]

    assert search(world, "Task where bid > 0", context_ids=["sh-10"]) == ["t-anim10", "t-comp10"]
    assert search(world, "TypedContext", context_ids=["sq-a"], object_type_ids=[task]) == [
        "t-anim10",
        "t-comp10",
        "t-anim20",
        "t-comp20",
        "t-light20",
    ]
    assert search(world, "Project", context_ids=["p-beta"]) == ["p-beta"]
    assert search(world, "Asset", context_ids=["sq-a"]) == ["a-plate"]
    assert search(world, "AssetVersion", context_ids=["ab-1"]) == ["v-hero1", "v-hero2"]
    assert search(world, "List", context_ids=["p-beta"]) == []
    assert len(search(world, "User", context_ids=["p-beta"])) == 3
    assert search(world, "Task limit 1", entity_type="Shot", terms=["sh"]) == ["sh-10"]


def test_search_reports_mistakes_of_the_expression(world):
    """An expression that cannot be read is refused as in a query."""
    with pytest.raises(ExpressionError, match="Unknown entity type 'Tsk'"):
        search(world, "Tsk", terms=["x"])
