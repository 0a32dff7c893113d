"""Queries that programs build from expressions, answered by a server."""

from __future__ import annotations

import datetime
import operator
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftrack_like import Session, attr, exception

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

#: Texts that would change a query that they were pasted into without care.
TEXTS = [
    "plain",
    'say "x"',
    "it's",
    "back\\slash\\",
    '" or name like "%',
    "') or ('a' is 'a",
    '\\" or id is_not "',
    "50%_\\%",
    "none",
    ":name",
    "dé 日本 \n line",
    " limit 1",
]
NUMBERS = [0.0, 1.0, 2.5, -3.0, 1e6]
STATUSES = ["Not started", "In progress", "Completed"]


class World:
    """Tasks in three shots; *rows* are the values of the tasks, and *by_id* maps ids to them."""

    def __init__(self, session: Any) -> None:
        schema = session.query("ProjectSchema order by name").first()
        project = session.create("Project", {"name": "world", "project_schema": schema})
        users = [
            session.create("User", {"username": name, "first_name": text})
            for name, text in (("ann", TEXTS[1]), ("bob", TEXTS[4]))
        ]
        status_of = {
            name: session.query("Status where name is :name", values={"name": name}).one()
            for name in STATUSES
        }
        self.rows: list[dict[str, Any]] = []
        self.tasks: list[Any] = []
        shots = [
            session.create("Shot", {"name": f"sh0{number}0", "parent": project})
            for number in range(3)
        ]
        for number, text in enumerate(TEXTS):
            row = {
                "name": text,
                "description": None if number % 3 == 0 else TEXTS[-number],
                "bid": NUMBERS[number % len(NUMBERS)],
                "status.name": STATUSES[number % 3],
                "parent.name": shots[number % 3]["name"],
                "people": [("ann", "bob")[index] for index in range(number % 3)],
            }
            task = session.create(
                "Task",
                {
                    "name": row["name"],
                    "description": row["description"],
                    "bid": row["bid"],
                    "status": status_of[row["status.name"]],
                    "parent": shots[number % 3],
                },
            )
            for user in users[: number % 3]:
                session.create(
                    "Appointment", {"context": task, "resource": user, "type": "assignment"}
                )
            self.rows.append(row)
            self.tasks.append(task)
        session.commit()
        shots[1]["custom_attributes"]["fstart"] = 1101
        shots[2]["metadata"]['a "key"'] = 'a "value"'
        session.commit()
        self.project, self.shots, self.users = project, shots, users

    def names(self, test: Callable[[dict[str, Any]], bool]) -> list[str]:
        """Return the names of the tasks whose row passes *test*, sorted."""
        return sorted(row["name"] for row in self.rows if test(row))


@pytest.fixture
def world(session: Any) -> World:
    """Return the tasks of the tests, committed."""
    return World(session)


def names(selection: Any) -> list[str]:
    """Return the names of the entities that *selection* finds, sorted."""
    return sorted(each["name"] for each in selection.all())


# What conditions mean: each is a pair of the condition and a test of a row in Python.

TEXT_PATHS = {
    "name": attr.name,
    "description": attr.description,
    "status.name": attr.status.name,
    "parent.name": attr.parent.name,
}


def fold(text: str) -> str:
    """Return *text* as comparisons see it, which ignore case."""
    return text.lower()


def _same(path: str, text: str) -> Any:
    return TEXT_PATHS[
        path
    ] == text, lambda row: row[path] is not None and fold(row[path]) == fold(text)


def _other(path: str, text: str) -> Any:
    return TEXT_PATHS[
        path
    ] != text, lambda row: row[path] is not None and fold(row[path]) != fold(text)


def _affix(path: str, text: str, method: str) -> Any:
    def test(row: dict[str, Any]) -> bool:
        value = row[path]
        if value is None:
            return False
        if method == "contains":
            return fold(text) in fold(value)
        return bool(getattr(fold(value), method)(fold(text)))

    return getattr(TEXT_PATHS[path], method)(text), test


def _like(path: str, pieces: list[str], negated: bool) -> Any:
    pattern = "".join(pieces)
    expression = "".join(
        {"%": ".*", "_": "."}.get(piece, re.escape(fold(piece))) for piece in pieces
    )
    compiled = re.compile(expression, re.DOTALL)

    def test(row: dict[str, Any]) -> bool:
        if row[path] is None:
            return False
        return (compiled.fullmatch(fold(row[path])) is not None) is not negated

    return getattr(TEXT_PATHS[path], "not_like" if negated else "like")(pattern), test


def _number(name: str, number: float) -> Any:
    compare = getattr(operator, name)
    return compare(attr.bid, number), lambda row: compare(row["bid"], number)


def _between(low: float, high: float) -> Any:
    return attr.bid.between(low, high), lambda row: low <= row["bid"] <= high


def _within(path: str, values: list[Any], negated: bool) -> Any:
    folded = {None if each is None else fold(each) for each in values}

    def test(row: dict[str, Any]) -> bool:
        value = row[path]
        if value is None:
            return not negated and None in folded
        return (fold(value) in folded) is not negated

    return getattr(TEXT_PATHS[path], "not_in" if negated else "in_")(values), test


def _none(path: str, negated: bool) -> Any:
    condition = TEXT_PATHS[path].is_not_none() if negated else TEXT_PATHS[path].is_none()
    return condition, lambda row: (row[path] is None) is not negated


def _person(name: str, is_joined: bool) -> Any:
    path = attr.assignments.resource.username
    condition = path == name if is_joined else attr.assignments.any(attr.resource.username == name)
    return condition, lambda row: name in row["people"]


def _parent(inner: Any) -> Any:
    text, _ = inner
    return (
        attr.parent.has(attr.name == text, attr.name.is_not_none()),
        lambda row: fold(row["parent.name"]) == fold(text),
    )


_texts = st.sampled_from([*TEXTS, "PLAIN", "completed", "sh010", "", "x"])
_numbers = st.sampled_from([*NUMBERS, 3.0])
_paths = st.sampled_from(sorted(TEXT_PATHS))
_leaves = st.one_of(
    st.builds(_same, _paths, _texts),
    st.builds(_other, _paths, _texts),
    st.builds(_affix, _paths, _texts, st.sampled_from(["startswith", "endswith", "contains"])),
    st.builds(
        _like, _paths, st.lists(st.sampled_from(["%", "_", "a", '"', "'", " "])), st.booleans()
    ),
    st.builds(_number, st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"]), _numbers),
    st.builds(_between, _numbers, _numbers),
    st.builds(_within, _paths, st.lists(st.one_of(_texts, st.none()), max_size=4), st.booleans()),
    st.builds(_none, _paths, st.booleans()),
    st.builds(_person, st.sampled_from(["ann", "bob", "eve"]), st.booleans()),
    st.builds(_parent, st.tuples(_texts, st.none())),
)


def _both(pairs: list[Any]) -> Any:
    (one, first), (other, second) = pairs
    return one & other, lambda row: first(row) and second(row)


def _either(pairs: list[Any]) -> Any:
    (one, first), (other, second) = pairs
    return one | other, lambda row: first(row) or second(row)


def _opposite(pair: Any) -> Any:
    condition, test = pair
    return ~condition, lambda row: not test(row)


_conditions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=2).map(_both),
        st.lists(inner, min_size=2, max_size=2).map(_either),
        inner.map(_opposite),
    ),
    max_leaves=8,
)


def test_conditions_mean_what_python_means(session: Any, world: World) -> None:
    """Any combination of conditions finds exactly the tasks that pass the same test in Python."""
    tasks = session.select("Task").columns("name")

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(st.lists(_conditions, min_size=1, max_size=3))
    def check(pairs: list[Any]) -> None:
        selection = tasks.where(*[condition for condition, _ in pairs])
        expected = world.names(lambda row: all(test(row) for _, test in pairs))
        assert names(selection) == expected, str(selection)

    check()


def test_no_text_breaks_out(session: Any, world: World) -> None:
    """Whatever is in a text, the query stays the same query with another value in it."""
    from ftrack_like.sandbox import language

    def shape(text: str) -> str:
        made = session.select("Task").where(
            (attr.name == text) | attr.name.in_([text, "x"]),
            attr.custom_attributes[text] != text,
            attr.description.contains(text),
        )
        tree = repr(language.parse(str(made)))
        literals = re.sub(r"Literal\(text=(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", "", tree)
        return re.sub(r"position=\d+", "", literals)

    known = shape("x")

    @settings(max_examples=300)
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
    def check(text: str) -> None:
        assert shape(text) == known

    for text in TEXTS:
        assert shape(text) == known
    check()


# Values


def test_entities_and_sub_queries_are_values(session: Any, world: World) -> None:
    """References compare with entities; a selection gives the values of in_."""
    tasks = session.select("Task")
    assert names(tasks.where(attr.parent == world.shots[0])) == world.names(
        lambda row: row["parent.name"] == "sh000"
    )
    assert names(tasks.where(attr.parent.in_(world.shots[1:]))) == world.names(
        lambda row: row["parent.name"] != "sh000"
    )
    assert names(tasks.where(attr.parent_id == world.shots[0])) == names(
        tasks.where(attr.parent != world.shots[1], attr.parent != world.shots[2])
    )
    inner = session.select("Shot").where(attr.name == "sh010")
    assert names(tasks.where(attr.parent_id.in_(inner))) == world.names(
        lambda row: row["parent.name"] == "sh010"
    )
    assert names(tasks.where(attr.parent.in_(inner))) == names(
        tasks.where(attr.parent_id.in_(inner.columns("id")))
    )
    busy = session.select("Task").where(attr.status.name == "Completed").columns("parent_id")
    assert names(session.select("Shot").where(attr.id.not_in(busy))) == ["sh000", "sh010"]


def test_custom_attributes_and_metadata_are_values(session: Any, world: World) -> None:
    """The key goes into square brackets; the comparison is about the value of one entry."""
    shots = session.select("Shot")
    fstart = attr.custom_attributes["fstart"]
    assert names(shots.where(fstart > 1101)) == []
    assert names(shots.where(fstart.between(1100, 1102))) == ["sh010"]
    assert names(shots.where(~fstart.between(1100, 1102))) == ["sh000", "sh020"]
    assert names(shots.where(fstart.in_([1101, 5]))) == ["sh010"]
    assert names(shots.where(attr.metadata['a "key"'] == 'a "value"')) == ["sh020"]
    assert names(shots.where(attr.metadata.any())) == ["sh020"]
    tasks = session.select("Task").where(
        attr.parent.as_("Shot").custom_attributes["fstart"] == 1101
    )
    assert names(tasks) == world.names(lambda row: row["parent.name"] == "sh010")


def test_dates_are_values(session: Any, world: World) -> None:
    """Dates, times with a zone and Arrow objects compare in UTC."""
    import arrow

    task = world.tasks[0]
    zone = datetime.timezone(datetime.timedelta(hours=2))
    task["start_date"] = datetime.datetime(2026, 1, 2, 1, 30, tzinfo=zone)
    session.commit()
    tasks = session.select("Task")
    for moment in (
        datetime.datetime(2026, 1, 2, 1, 30, tzinfo=zone),
        datetime.datetime(2026, 1, 1, 23, 30),
        arrow.get("2026-01-01T23:30:00"),
        "2026-01-01T23:30:00",
    ):
        assert tasks.where(attr.start_date == moment).all() == [task], moment
    day = datetime.date(2026, 1, 1)
    assert tasks.where(attr.start_date.between(day, datetime.date(2026, 1, 2))).all() == [task]
    assert tasks.where(attr.start_date < day).all() == []


def test_between_is_about_one_member(session: Any, world: World) -> None:
    """Two members of a collection, one below and one above the bounds, are not between them."""
    for hours in (1, 9):
        session.create("Timelog", {"context": world.tasks[0], "duration": hours * 3600.0})
    session.commit()
    within = attr.timelogs.duration.between(2 * 3600, 8 * 3600)
    assert session.select("Task").where(within).all() == []
    assert session.select("Task").where(attr.timelogs.duration.between(0, 3600)).count() == 1


# Results


def test_order_limit_and_columns(session: Any, world: World) -> None:
    """Selections sort, cut and load exactly the columns in one request."""
    session.reset()
    before = session.statistics.requests
    tasks = session.select("Task").columns("name", attr.status.name, attr["parent.name"])
    ordered = tasks.order_by(-attr.bid, "name").offset(1).limit(3)
    found = [(each["bid"], each["name"], each["status"]["name"]) for each in ordered.columns("bid")]
    assert session.statistics.requests - before == 1
    wanted = sorted(world.rows, key=lambda row: (-row["bid"], fold(row["name"])))[1:4]
    assert found == [(row["bid"], row["name"], row["status.name"]) for row in wanted]


def test_selections_never_change(session: Any, world: World) -> None:
    """Each method returns a new selection, and the old one finds what it found before."""
    base = session.select("Task").where(attr.status.name == "Completed")
    text = str(base)
    others = [
        base.where(attr.bid > 1),
        base.columns("name"),
        base.order_by("name"),
        base.limit(1),
        base.offset(1),
        base.columns(attr.id.count()).group_by("type.name"),
    ]
    assert str(base) == text
    assert len({str(each) for each in [base, *others]}) == len(others) + 1
    assert names(base) == world.names(lambda row: row["status.name"] == "Completed")


def test_results_are_those_of_a_query(session: Any, world: World) -> None:
    """A selection gives entities of the session, one by one, as a list, and counted."""
    tasks = session.select("Task", page_size=5).order_by("name")
    assert set(tasks) == set(world.tasks)
    assert tasks.first() == tasks[0]
    assert tasks[1:3] == tasks.all()[1:3]
    assert len(tasks) == tasks.count() == len(world.tasks)
    assert tasks.result() is tasks.result()
    assert set(tasks.iterate()) == set(world.tasks)
    assert tasks.limit(4).count() == 4
    assert tasks.limit(4).first() == tasks.first()
    assert tasks.limit(0).first() is None
    one = tasks.where(attr.name == TEXTS[1])
    assert one.one() is one.first()
    assert bool(one)
    nothing = tasks.where(attr.name == "nothing")
    assert not nothing
    assert nothing.first() is None
    assert nothing.count() == 0
    with pytest.raises(exception.NoResultFoundError, match='name is "nothing"'):
        nothing.one()
    with pytest.raises(exception.MultipleResultsFoundError):
        tasks.one()


def test_reading_twice_asks_once(session: Any, world: World) -> None:
    """A selection keeps its result, and count() loads no row."""
    tasks = session.select("Task")
    before = session.statistics.requests
    assert tasks.count() == len(world.tasks)
    assert session.statistics.requests - before == 1
    assert list(tasks) == list(tasks)
    assert session.statistics.requests - before == 2


def test_aggregates_are_rows(session: Any, world: World) -> None:
    """Groups have one row each, with the aggregates under their names."""
    rows = (
        session.select("Task")
        .columns("status.name", attr.id.count(), attr.bid.sum(), attr.bid.min(), attr.bid.max())
        .group_by("status.name")
        .order_by("status.name")
    )
    expected = []
    for status in sorted(STATUSES):
        bids = [row["bid"] for row in world.rows if row["status.name"] == status]
        expected.append(
            {
                "status.name": status,
                "count_id": len(bids),
                "sum_bid": sum(bids),
                "min_bid": min(bids),
                "max_bid": max(bids),
            }
        )
    assert rows.all() == expected
    assert rows.count() == len(expected)
    total = session.select("Task").columns(attr.id.count())
    assert total.one() == {"count_id": len(world.tasks)}


@pytest.mark.parametrize("overrides", [False, True])
def test_dates_in_groups_are_dates(sandbox: Any, world: World, overrides: bool) -> None:
    """A date in a row of a group is the same object as in an entity, on both ways of reading."""

    class Overriding(Session):
        def _decode(self, item: dict[str, Any]) -> Any:
            return super()._decode(item)

    kind = Overriding if overrides else Session
    with kind(sandbox.server_url, sandbox.api_key, sandbox.api_user) as session:
        expected = max(task["created_at"] for task in session.query("select created_at from Task"))
        last = session.select("Task").columns(attr.created_at.max())
        assert last.one() == {"max_created_at": expected}
        assert type(last.one()["max_created_at"]) is type(expected)
        assert session.query("select max(created_at) from Task").all() == last.all()
        groups = session.select("Task").columns("created_at", attr.id.count())
        days = [row["created_at"] for row in groups.group_by("created_at")]
        assert expected in days


def test_server_errors_quote_the_expression(session: Any, world: World) -> None:
    """What only the server can check is reported with the built expression."""
    selection = session.select("Task").order_by(attr.metadata)
    with pytest.raises(exception.ServerParseError, match=r"Task order by metadata"):
        selection.all()
