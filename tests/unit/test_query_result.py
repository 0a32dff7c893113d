"""Results of queries: lazy, by pages, and readable like a list."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from ftrack_like import exception, query


class Pages:
    """A server with *count* tasks that keeps to limits and offsets."""

    def __init__(self, make_record: Any, count: int) -> None:
        self._records = [make_record("Task", id=str(index)) for index in range(count)]

    def __call__(self, expression: str) -> Any:
        offset = re.search(r"offset (\d+)", expression)
        start = int(offset.group(1)) if offset else 0
        limit = re.search(r"limit (\d+)", expression)
        stop = start + int(limit.group(1)) if limit else None
        following = stop if stop is not None and stop < len(self._records) else None
        return {"data": self._records[start:stop], "metadata": {"next": {"offset": following}}}


@pytest.fixture
def five(tiny: Any, make_record: Any) -> Any:
    """Return a session whose server has five tasks."""
    tiny.answer = Pages(make_record, 5)
    return tiny


def ids(entities: Any) -> list[str]:
    """Return the ids of *entities*."""
    return [entity["id"] for entity in entities]


def test_nothing_is_asked_before_it_is_needed(five: Any) -> None:
    """Making a result asks nothing, nor does printing it."""
    result = five.query("Task", page_size=2)
    assert repr(result) == ("<QueryResult 'select id, name from Task': 0 loaded, more to come>")
    assert five.asked == []


def test_default_projections_are_added_where_there_are_none(five: Any) -> None:
    """A bare type is projected by its defaults; a select is left as it is."""
    five.query('Task where name is "x"').all()
    five.query("select name\nfrom Task").all()
    assert five.asked == [
        'select id, name from Task where name is "x" offset 0 limit 500',
        "select name\nfrom Task offset 0 limit 500",
    ]


def test_all_pages_are_loaded_one_after_another(five: Any) -> None:
    """Each page is asked for once, where the server said it begins."""
    result = five.query("Task", page_size=2)
    assert ids(result.all()) == ["0", "1", "2", "3", "4"]
    assert len(result) == 5
    assert [text[-16:] for text in five.asked] == [
        "offset 0 limit 2",
        "offset 2 limit 2",
        "offset 4 limit 2",
    ]


counts = pytest.mark.skipif(sys.version_info < (3, 10), reason="lists ask for the length first")


class Counting(Pages):
    """Pages of a server that also counts, unless it is *refusing* to."""

    def __init__(self, make_record: Any, count: int, refusing: bool = False) -> None:
        super().__init__(make_record, count)
        self.refusing = refusing

    def __call__(self, expression: str) -> Any:
        if not expression.startswith("select count("):
            return super().__call__(expression)
        if self.refusing:
            raise exception.ServerError("what is count?")
        return {"data": [{"count_id": len(self._records)}], "metadata": {}}


@counts
def test_the_length_of_much_is_counted_by_the_server(tiny: Any, make_record: Any) -> None:
    """Beside the first page there is one request for the length, once, whatever the size."""
    tiny.answer = Counting(make_record, 40)
    result = tiny.query("Task order by name", page_size=2)
    assert len(result) == len(result) == 40
    assert tiny.asked == [
        "select id, name from Task order by name offset 0 limit 2",
        "select count(id) from Task",
    ]
    assert result[3]["id"] == "3"
    assert len(tiny.asked) == 3
    assert len(result.all()) == len(result) == 40


def test_the_length_of_what_fits_a_page_comes_with_it(five: Any) -> None:
    """One request is all that it takes to know the length of little, and to read it."""
    result = five.query("Task")
    assert len(result) == 5
    assert ids(result) == ["0", "1", "2", "3", "4"]
    assert len(five.asked) == 1


def sorted_by_id(result: Any) -> list[Any]:
    """Return the entities of *result* in the order of their ids."""
    return sorted(result, key=lambda entity: str(entity["id"]))


def test_lists_are_made_without_counting(tiny: Any, make_record: Any) -> None:
    """Whoever reads everything does not ask for the length by itself."""
    tiny.answer = Counting(make_record, 5)
    for read in (list, tuple, sorted_by_id, lambda result: [*result]):
        assert len(read(tiny.query("Task", page_size=2))) == 5
    assert len(tiny.asked) == 4 * 3
    assert not any("count" in text for text in tiny.asked)


@counts
def test_a_server_that_cannot_count_is_asked_to_once(tiny: Any, make_record: Any) -> None:
    """Then the length is that of what is loaded."""
    tiny.answer = Counting(make_record, 5, refusing=True)
    assert [len(tiny.query("Task", page_size=2)) for _ in range(2)] == [5, 5]
    assert sum("count" in text for text in tiny.asked) == 1
    assert len(tiny.asked) == 1 + 2 * 3


@pytest.mark.parametrize(
    ("bounds", "length"),
    [("limit 4", 4), ("offset 2", 8), ("limit 9 offset 2", 8), ("limit 4 offset 3", 4)],
)
def test_bounds_count_in_the_length(tiny: Any, make_record: Any, bounds: str, length: int) -> None:
    """The server counts all; what the bounds leave is worked out here."""
    tiny.answer = Counting(make_record, 10)
    result = tiny.query(f"Task {bounds}", page_size=2)
    assert len(result) == length == len(result.all())
    assert ids(reversed(result)) == ids(result)[::-1]


@pytest.mark.parametrize(
    ("expression", "counting"),
    [
        ("select name from Task", "select count(id) from Task"),
        (
            'select name, from from Task where name is "order by" order by name descending',
            'select count(id) from Task where name is "order by"',
        ),
        (
            "select id from Task where id in (select x from Y order by x) Order\n BY name, id",
            "select count(id) from Task where id in (select x from Y order by x)",
        ),
        ("select order, by from Task", "select count(id) from Task"),
    ],
)
def test_counting_leaves_out_what_does_not_matter(expression: str, counting: str) -> None:
    """Projections and order go, conditions stay as they are."""
    assert query.count_expression(expression, "id") == counting


def test_looking_at_an_entity_loads_its_page(five: Any) -> None:
    """No page beyond it is asked for."""
    result = five.query("Task", page_size=2)
    assert result[0]["id"] == "0"
    assert len(five.asked) == 1
    assert result[2]["id"] == "2"
    assert len(five.asked) == 2
    with pytest.raises(IndexError):
        result[9]


def test_iterating_loads_pages_on_the_way(five: Any) -> None:
    """The first entity is there after the first page."""
    iterator = iter(five.query("Task", page_size=2))
    assert next(iterator)["id"] == "0"
    assert len(five.asked) == 1
    assert ids(iterator) == ["1", "2", "3", "4"]


def test_negative_indexes_count_from_the_end(five: Any) -> None:
    """Where the server does not count, they need everything."""
    result = five.query("Task", page_size=2)
    assert result[-1]["id"] == "4"
    with pytest.raises(IndexError):
        result[-6]


@pytest.mark.parametrize("size", ["2", " 2 ", 2])
def test_page_sizes_may_be_texts(five: Any, size: Any) -> None:
    """A page size is a number or the text of one, as for the published client."""
    assert len(five.query("Task", size).all()) == 5
    assert len(five.asked) == 3
    assert len(list(five.query("Task").iterate(page_size=size))) == 5


@pytest.mark.parametrize(("size", "kind"), [("x", ValueError), (2.5, TypeError), (None, TypeError)])
def test_other_page_sizes_are_refused(five: Any, size: Any, kind: Any) -> None:
    """A page size that is not a whole number is an error that names it."""
    with pytest.raises(kind, match=f"page_size.*{size}"):
        five.query("Task", size)


def test_truth_needs_one_page(five: Any, make_tiny: Any) -> None:
    """A result is true if anything is found."""
    assert five.query("Task", page_size=2)
    assert len(five.asked) == 1
    assert not make_tiny().query("Task")


def test_one_and_first_ask_for_few(five: Any, make_tiny: Any, make_record: Any) -> None:
    """At most two, or one; no page."""
    assert five.query("Task").first()["id"] == "0"
    with pytest.raises(exception.MultipleResultsFoundError, match=r"(?s)multiple.*from Task$"):
        five.query("Task").one()
    assert [text.rpartition("Task")[2] for text in five.asked] == [" limit 1", " limit 2"]
    empty = make_tiny()
    assert empty.query("Task").first() is None
    with pytest.raises(exception.NoResultFoundError, match=r"(?s)no result.*name is {x}$"):
        empty.query("Task where name is {x}").one()
    single = make_tiny(answer=Pages(make_record, 1))
    assert single.query("Task").one()["id"] == "0"


@pytest.mark.parametrize("size", [0, -1])
def test_pages_without_entities_are_refused(five: Any, size: int) -> None:
    """A page size that would find nothing, whatever is there, is an error at once."""
    with pytest.raises(ValueError, match="page_size"):
        five.query("Task", page_size=size)
    with pytest.raises(ValueError, match="page_size"):
        five.query("Task").iterate(page_size=size)


def test_limits_where_they_make_no_sense_are_refused(five: Any) -> None:
    """one and first set their own; one takes no offset either."""
    for name in ("one", "first"):
        with pytest.raises(ValueError, match="limit"):
            getattr(five.query("Task limit 3"), name)()
    with pytest.raises(ValueError, match="offset"):
        five.query("Task offset 3").one()
    assert five.query("Task offset 3").first()["id"] == "3"
    assert five.asked == ["select id, name from Task offset 3 limit 1"]


def test_one_and_first_use_what_is_loaded(five: Any) -> None:
    """After a page they ask no more."""
    result = five.query("Task", page_size=2)
    result[0]
    assert result.first()["id"] == "0"
    with pytest.raises(exception.MultipleResultsFoundError):
        result.one()
    assert len(five.asked) == 1


@pytest.mark.parametrize(
    ("expression", "expected", "requests"),
    [
        ("Task limit 3", ["0", "1", "2"], ["offset 0 limit 2", "offset 2 limit 1"]),
        ("Task limit 3 offset 1", ["1", "2", "3"], ["offset 1 limit 2", "offset 3 limit 1"]),
        ("Task offset 4 limit 9", ["4"], ["offset 4 limit 2"]),
        ("Task LIMIT 1", ["0"], ["offset 0 limit 1"]),
        ("Task limit 0", [], []),
    ],
)
def test_limits_and_offsets_are_kept_over_pages(
    five: Any, expression: str, expected: list[str], requests: list[str]
) -> None:
    """They are cut out of the text and told page by page."""
    assert ids(five.query(expression, page_size=2).all()) == expected
    assert [text.partition("Task ")[2] for text in five.asked] == requests


@pytest.mark.parametrize(
    ("expression", "text", "limit", "offset"),
    [
        ('Task where name is "limit 3"', 'Task where name is "limit 3"', None, None),
        ("Task where name is 'offset 3'", "Task where name is 'offset 3'", None, None),
        ('Task where name is "a\\"limit 3"', 'Task where name is "a\\"limit 3"', None, None),
        ('Task where name is "x"limit 3', 'Task where name is "x"', 3, None),
        ("Task\nlimit\t3\n", "Task", 3, None),
        ("Task limit 3 order by name", "Task order by name", 3, None),
        ("Task where id in (select id from X limit 3)", None, None, None),
        ("Task where (id is 1)limit 3", "Task where (id is 1)", 3, None),
        ("Task where limit is 3", "Task where limit is 3", None, None),
        ("Task where a.limit > 3", "Task where a.limit > 3", None, None),
    ],
)
def test_keywords_in_quotes_are_text(expression: str, text: str, limit: Any, offset: Any) -> None:
    """Only keywords outside quotes and brackets, with a number after them, count."""
    parts = query.outline(expression)
    assert (parts.text, parts.limit, parts.offset) == (text or expression, limit, offset)


@pytest.mark.parametrize(
    ("expression", "entity_type", "has_projections"),
    [
        ("Task", "Task", False),
        ("  \n Task\twhere x is y", "Task", False),
        ("SELECT name FROM Task", "Task", True),
        ("select\n name,\n status.name\nfrom\nTask where id in (select x from y)", "Task", True),
        ("select from, to from TypedContextLink", "TypedContextLink", True),
        ("select to, from from TypedContextLink", "TypedContextLink", True),
        ("select from from TypedContextLink", "TypedContextLink", True),
        ("select name", None, True),
        ("", None, False),
    ],
)
def test_the_type_is_found_whatever_the_layout(
    expression: str, entity_type: Any, has_projections: bool
) -> None:
    """Keywords in any case, with any white space, and attributes that look like them."""
    parts = query.outline(expression)
    assert (parts.entity_type, parts.has_projections) == (entity_type, has_projections)


def test_an_unknown_type_is_a_key_error_with_a_hint(five: Any) -> None:
    """Before anything is asked, with and without a select."""
    for expression in ("Tsak", "select name from Tsak"):
        with pytest.raises(KeyError, match="Did you mean 'Task'") as caught:
            five.query(expression)
        assert isinstance(caught.value, exception.UnrecognisedEntityTypeError)
    with pytest.raises(KeyError):
        five.query("")
    assert five.asked == []


@pytest.mark.parametrize("following", [0, 2])
def test_a_server_that_never_ends_is_noticed(tiny: Any, make_record: Any, following: int) -> None:
    """An offset that does not advance stops with an error."""
    tiny.answer = lambda _: {
        "data": [make_record("Task", id="a")],
        "metadata": {"next": {"offset": following}},
    }
    with pytest.raises(exception.ServerAnswerError, match="never end"):
        tiny.query("Task", page_size=2).all()
    assert len(tiny.asked) <= 2


def test_an_answer_without_pages_is_the_last(tiny: Any, make_record: Any) -> None:
    """Servers may leave the metadata out."""
    tiny.answer = lambda _: {"data": [make_record("Task", id="a")]}
    assert ids(tiny.query("Task").all()) == ["a"]


def test_the_patterns_are_public() -> None:
    """Older code looks limits and offsets up by them."""
    assert query.QueryResult.LIMIT_EXPRESSION.search("x limit 12").group("value") == "12"
    assert query.QueryResult.OFFSET_EXPRESSION.search("x offset 7").group("value") == "7"
