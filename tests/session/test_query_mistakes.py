"""Mistakes in queries are pointed out in the text that the caller wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ftrack_like import exception


def mistake(call: Callable[[], Any]) -> exception.ServerParseError:
    """Return the error of *call*, after a look at what no error of a query may say."""
    with pytest.raises(exception.ServerParseError) as caught:
        call()
    text = str(caught.value)
    for added in ("limit 500", "limit 2", "limit 1", "offset 0", "context_type", "…"):
        assert added not in text
    return caught.value


def pointed(error: exception.ServerParseError) -> tuple[str, str]:
    """Return the line that *error* shows, and what of it is behind the caret."""
    _, line, caret = str(error).split("\n")
    assert caret.strip() == "^"
    place = caret.index("^")
    assert [c == "\t" for c in caret[:place]] == [c == "\t" for c in line[:place].ljust(place)]
    return line[2:], line[place:]


#: Queries, what the caret stands under, and what the error says.
MISTAKES = [
    ("Task where name is", "", "Expected a value, found the end"),
    ("Task where name is ", "", "Expected a value, found the end"),
    ("select name from Task where", "", "Expected an attribute, found the end"),
    ("Task order by", "", "Expected an attribute, found the end"),
    ("Task where name", "", "Expected an operator after name, found the end"),
    ("Task where name is x and", "", "Expected an attribute, found the end"),
    ("Task where (name is x", "", "Expected ')'"),
    ("Task where name in (1, 2", "", "Expected ')'"),
    ("Task where name in", "", "Expected '(' after 'in', found the end"),
    ("select name from", "", "Expected"),
    ("select count(id", "", "Expected"),
    ("select", "", "Expected"),
    ("Task where name iss x", "iss x", "Did you mean 'is'?"),
    ("Task where nme is x", "nme is x", "Did you mean 'name'?"),
    ("  Task where status.nme is x", "nme is x", "No attribute 'nme' exists for Status"),
    ("select stauts from Task", "stauts from Task", "Did you mean 'status'?"),
    ("select count(id from Task", "from Task", "Expected ')'"),
    ("select sum(name) from Task", "name) from Task", "sum(name) needs numbers"),
    ("select bid, count(id) from Task", "bid, count(id) from Task", "group by"),
    ("select cnt(id) from Task group by type_id", "cnt(id) from Task group by type_id", "cnt"),
    (
        "Task where id in (select id from Shot where nme is x)",
        "nme is x)",
        "No attribute 'nme' exists",
    ),
    ("Task where id in (select id from Shot where)", ")", "Expected an attribute"),
    ('Task where name is "x', '"x', "no closing quote"),
    ("Task where name is x)", ")", "no matching"),
    ("Task limit x", "x", "whole number"),
    ("Task limit 5 and", "and", "found 'and'"),
    ("Task limit 5 where nme is x", "nme is x", "No attribute 'nme' exists"),
    (
        "Task where nme is x limit 5 offset 2 ",
        "nme is x limit 5 offset 2 ",
        "No attribute 'nme' exists",
    ),
    ("Task limit 5 offset 1 order by naem", "naem", "Did you mean 'name'?"),
    ("\tTask where\tnme is x", "nme is x", "No attribute 'nme' exists"),
    ("Task where name is \U0001f3ac and nme is x", "nme is x", "No attribute 'nme' exists"),
]

WAYS: dict[str, Callable[[Any, str], Any]] = {
    "all": lambda session, text: session.query(text).all(),
    "for": lambda session, text: list(session.query(text)),
    "slice": lambda session, text: session.query(text)[5:6],
    "from the end": lambda session, text: session.query(text)[-1],
    "sparse": lambda session, text: session.query(text, page_size=2)[1:9:4],
    "length": lambda session, text: len(session.query(text)),
    "truth": lambda session, text: bool(session.query(text)),
    "iterate": lambda session, text: list(session.query(text).iterate()),
    "prefetch": lambda session, text: list(session.query(text).iterate(prefetch=True)),
    "values": lambda session, text: session.query(text, values={}).all(),
    "many": lambda session, text: session.query_many(["User", text, "Status"]),
}


@pytest.mark.parametrize(("query", "place", "words"), MISTAKES)
def test_the_caret_stands_in_the_query(session: Any, query: str, place: str, words: str) -> None:
    """The error shows the query as it was written, with a caret under the mistake."""
    error = mistake(lambda: session.query(query).all())
    line, behind = pointed(error)
    assert words in str(error).split("\n")[0]
    assert line == query.rstrip()
    assert behind == place.rstrip()
    assert error.expression == query
    assert error.position is not None
    assert query[error.position :].rstrip() == place.rstrip()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("query", ["Task where name is", "Task where nme is x limit 7"])
def test_the_caret_stands_whatever_is_read(session: Any, way: str, query: str) -> None:
    """The mistake is pointed out in the same way for everything that a result can do."""
    error = mistake(lambda: WAYS[way](session, query))
    line, behind = pointed(error)
    assert (line, behind) == (query, "" if query.endswith("is") else "nme is x limit 7")


def test_one_and_first(session: Any) -> None:
    """The limit that one and first set is not quoted."""
    for name in ("one", "first"):
        error = mistake(getattr(session.query("Task where nme is x"), name))
        assert pointed(error) == ("Task where nme is x", "nme is x")


def test_stable_iteration(session: Any) -> None:
    """A query for ids alone points to the mistake in the query that was written."""
    for query in ("Task where nme is x", "select name from Task where nme is x order by name"):
        error = mistake(lambda query=query: list(session.query(query).iterate(stable=True)))
        line, behind = pointed(error)
        assert line == query
        assert behind.startswith("nme is x")


def test_the_line_of_the_mistake_is_shown(session: Any) -> None:
    """Of a query of several lines the one with the mistake is shown."""
    query = "select name\nfrom Task\n\twhere nme is x\n\tand bid > 5\nlimit 3\n"
    error = mistake(lambda: session.query(query).all())
    assert pointed(error) == ("\twhere nme is x", "nme is x")
    query = "select name\nfrom Task\nwhere name is\n"
    assert pointed(mistake(lambda: session.query(query).all())) == ("where name is", "")


def test_long_lines_are_cut(session: Any) -> None:
    """Of a long line what surrounds the mistake is shown."""
    names = ", ".join(["abc"] * 1000)
    query = f"Task where name in ({names}) and nme is x and name in ({names})"
    with pytest.raises(exception.ServerParseError) as caught:
        session.query(query).all()
    _, line, caret = str(caught.value).split("\n")
    assert len(line) < 200
    assert line[caret.index("^") :].startswith("nme is x")


def test_bound_values(session: Any) -> None:
    """A mistake in a bound value stands under its name, whatever stands before it."""
    query = "Task where name is :name and bid is :bid and nme in :names"
    values = {"name": "a long text", "bid": "much", "names": [1, 2]}
    error = mistake(lambda: session.query(query, values=values).all())
    line, behind = pointed(error)
    assert line == query
    assert behind.startswith((":bid", "nme"))
    error = mistake(lambda: session.query(query, values={**values, "bid": 5}).all())
    assert pointed(error) == (query, "nme in :names")
    query = "Task where bid is :bid"
    error = mistake(lambda: session.query(query, values={"bid": "much"}).all())
    assert pointed(error) == (query, ":bid")
    assert "'much'" in str(error)
    query = "Task where bid is :bid and"
    assert pointed(mistake(lambda: session.query(query, values={"bid": 5}).all()))[1] == ""
    query = "Task where (bid is :bid"
    assert pointed(mistake(lambda: session.query(query, values={"bid": 5}).all())) == (query, "")


@pytest.mark.parametrize(
    ("projections", "line", "place"),
    [
        ("nme", "nme", "nme"),
        ("first_name,  nme , last_name", "first_name,  nme , last_name", "nme , last_name"),
        (["first_name", "nme"], "first_name, nme", "nme"),
        ("memberships.nme, id", "memberships.nme, id", "nme, id"),
    ],
)
def test_populate(session: Any, projections: Any, line: str, place: str) -> None:
    """populate quotes the projections that it was given."""
    user = session.query("User").first()
    error = mistake(lambda: session.populate(user, projections))
    assert pointed(error) == (line, place)
    assert "where id" not in str(error)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"nme": "x"}, "nme"),
        ({"name": "x", "nme": "y"}, "nme"),
        ({"name": "x", "bid": "much"}, "'much'"),
        ({"bid": "much", "name": "x"}, "'much'"),
    ],
)
def test_ensure(session: Any, data: Any, place: str) -> None:
    """Ensure quotes the values that it was given."""
    error = mistake(lambda: session.ensure("Task", data))
    line, behind = pointed(error)
    assert line == repr(data)
    assert behind.startswith(place)
    assert not session.recorded_operations


def test_ensure_by_some_keys(session: Any) -> None:
    """Ensure quotes the identifying values alone."""
    data = {"description": "d", "bid": "much"}
    error = mistake(lambda: session.ensure("Task", data, identifying_keys=["bid"]))
    assert pointed(error) == ("{'bid': 'much'}", "'much'}")


def test_search(session: Any) -> None:
    """A mistake in the expression of a search is pointed out in that."""
    for text, place in (("Task where nme is x", "nme is x"), ("Task where name is", "")):
        with pytest.raises(exception.ServerParseError) as caught:
            session.call(
                [{"action": "search", "expression": text, "entity_type": "Task", "terms": ["sh"]}]
            )
        assert pointed(caught.value) == (text, place)
        assert caught.value.position == len(text) - len(place)


def test_results_quote_what_was_written(session: Any) -> None:
    """The errors of one and first, and of indexes, quote the query as it was written."""
    query = 'Task where name is "nothing"'
    with pytest.raises(exception.NoResultFoundError) as caught:
        session.query(query).one()
    assert str(caught.value).endswith(f"The query: {query}")
    with pytest.raises(exception.NoResultFoundError, match=r'is "nothing"$'):
        session.query("Task where name is :name", values={"name": "nothing"}).one()
    with pytest.raises(IndexError, match="'Task where name"):
        session.query(query)[0]
    with pytest.raises(ValueError, match="'Task limit 3'"):
        session.query("Task limit 3").one()


def test_a_server_that_names_no_place(server: Any, open_session: Any) -> None:
    """Without a place the error quotes the whole query as it was written."""
    session = open_session(server)
    server.answer = lambda batch: {
        "exception": "ParseError",
        "content": f"No attribute 'nme' exists in {batch[0]['expression']}",
        "error_code": None,
    }
    error = mistake(lambda: session.query("Task\nwhere nme is x").all())
    assert str(error) == (
        "Server reported error: ParseError(No attribute 'nme' exists in Task)\n"
        "  Task\n  where nme is x"
    )
    assert (error.expression, error.position) == ("Task\nwhere nme is x", None)


def test_the_key_does_not_show(session: Any) -> None:
    """A query with the API key in it is quoted without the key."""
    for call in (
        lambda: session.query(f'User where nme is "{session.api_key}"').all(),
        lambda: session.ensure("User", {"nme": session.api_key}),
    ):
        assert session.api_key not in str(mistake(call))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("Task where status is 'Not started'", "status.name is 'Not started'"),
        ('Task where status = "Not started" and name is x', 'status.name is "Not started"'),
        ("Task where parent.project is show", 'parent.project.name is "show"'),
        ("Timelog where user is mira", 'user.username is "mira"'),
    ],
)
def test_references_compared_with_names(session: Any, query: str, words: str) -> None:
    """A query that finds nothing shows the condition on the name, without a request for it."""
    before = session.statistics.requests
    with pytest.warns(exception.UnknownAttributeWarning) as caught:
        assert session.query(query).all() == []
    assert words in str(caught[0].message)
    assert session.statistics.requests - before == 1


@pytest.mark.parametrize(
    "query",
    [
        "Task where project is none",
        "Task where project is 5671dcb0-66de-11e1-8e6e-f23c91df25eb",
        'Task where name is "status is done"',
        "Task where status is_not none and status.name is done",
        "Task where assignments any (resource is mira)",
    ],
)
def test_references_compared_with_ids(
    session: Any, query: str, recwarn: pytest.WarningsRecorder
) -> None:
    """Ids, none, texts and other conditions give no warning."""
    assert session.query(query).all() == []
    assert [str(each.message) for each in recwarn] == []


@pytest.mark.parametrize(
    ("of", "name", "words"),
    [
        ("result", "where", "select('Task').where("),
        ("result", "filter_by", "select('Task').where("),
        ("result", "columns", "columns('name'"),
        ("result", "to_df", "to_pandas()"),
        ("session", "refresh", "populate("),
        ("session", "add", "create("),
        ("session", "transaction", "commit()"),
    ],
)
def test_methods_of_other_libraries(session: Any, of: str, name: str, words: str) -> None:
    """They are an AttributeError that names ours, and consoles do not offer them."""
    owner = session.query("Task") if of == "result" else session
    assert not hasattr(owner, name)
    assert name not in dir(owner)
    with pytest.raises(AttributeError) as caught:
        getattr(owner, name)
    assert words in str(caught.value)
    with pytest.raises(AttributeError, match=r"has no attribute 'nothing'$"):
        owner.nothing


def test_count_of_a_result(session: Any) -> None:
    """``count()`` is the number of rows; with a value it is that of equal rows, as in a list."""
    users = session.query("User")
    assert users.count() == len(users) > 0
    assert users.count(users[0]) == 1
    assert users.count("x") == 0
    with pytest.raises(TypeError):
        users.count(1, 2)
