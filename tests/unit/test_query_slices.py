"""Indexes and slices of query results: those of a list, in few requests."""

from __future__ import annotations

import random
import re
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrack_like import exception


class Server:
    """A server with the tasks *names* that keeps to limits, offsets and keys, and counts.

    *calls* are the requests, each a list of expressions.
    """

    def __init__(self, session: Any, count: int, counts: bool = True) -> None:
        self.names = [f"t{number}" for number in range(count)]
        self.counts = counts
        self.calls: list[list[str]] = []
        self._session = session
        self._call = session.call
        session.answer = self.answer
        session.call = self.call

    def call(self, batch: Any) -> Any:
        """Note the batch and answer it."""
        self.calls.append([each["expression"] for each in batch])
        return self._call(batch)

    def answer(self, expression: str) -> Any:
        """Return what the server finds."""
        if expression.startswith("select count("):
            if not self.counts:
                raise exception.ServerError("what is count?")
            return {"data": [{"count_id": len(self.names)}], "metadata": {}}
        names = self.names
        if " where id in " in expression:
            wanted = set(re.findall(r'"(\w+)"', expression))
            names = sorted(name for name in names if name in wanted)
        offset = re.search(r"offset (\d+)", expression)
        start = int(offset.group(1)) if offset else 0
        limit = re.search(r"limit (\d+)", expression)
        stop = start + int(limit.group(1)) if limit else len(names)
        return {
            "data": [{"__entity_type__": "Task", "id": name} for name in names[start:stop]],
            "metadata": {"next": {"offset": stop if stop < len(names) else None}},
        }

    def write(self, *deleted: str, created: tuple[str, ...] = ()) -> None:
        """Let the session delete and create tasks; created ones come first."""
        self._session._fetcher.note_write([(name,) for name in created])
        self.names = [*created, *(name for name in self.names if name not in deleted)]
        self._session._fetcher.note_write()


@pytest.fixture
def make_server(make_tiny: Any) -> Any:
    """Return a function that makes a session with the server that it asks."""

    def make(count: int, **options: Any) -> tuple[Any, Server]:
        session = make_tiny()
        return session, Server(session, count, **options)

    return make


def ids(entities: Any) -> list[str]:
    """Return the ids of *entities*."""
    return [entity["id"] for entity in entities]


#: Pieces of 1,114 tasks on pages of 100, and how many requests they take.
PIECES = [
    (slice(1000, 1005), 1),
    (slice(0, 5), 1),
    (slice(98, 102), 1),
    (slice(None, 100), 1),
    (slice(250, 450), 2),
    (slice(1100, 2000), 1),
    (slice(1114, 2000), 1),
    (slice(5, 5), 0),
    (slice(9, 5), 0),
    (slice(1000, None), 2),
    (slice(1110, 10**30), 1),
    (slice(-5, None), 2),
    (slice(None, -1110), 1),
    (slice(-10, -5), 2),
    (slice(-5, -10), 1),
    (slice(1005, 1000, -1), 1),
    (slice(2000, 1100, -1), 1),
    (slice(2000, 1100, -3), 1),
    (slice(3, None, -1), 1),
    (slice(None, 1110, -1), 2),
    (slice(-1, -6, -1), 2),
    (slice(None, None, -1), 12),
    (slice(1000, 1010, 2), 1),
    (slice(0, 1100, 200), 1),
    (slice(0, 5000, 1000), 1),
    (slice(None, None, 300), 2),
    (slice(None, None, -300), 2),
    (slice(10**30, None), 1),
    (slice(-(10**30), 2), 1),
    (slice(True, 3), 1),
]


@pytest.mark.parametrize(("piece", "requests"), PIECES, ids=lambda value: str(value))
def test_slices_ask_for_what_they_need(make_server: Any, piece: slice, requests: int) -> None:
    """A slice is that of a list, and the rows before it are not loaded for it."""
    session, server = make_server(1114)
    result = session.query("Task order by name", page_size=100)
    assert ids(result[piece]) == server.names[piece]
    assert len(server.calls) == requests
    assert ids(result[piece]) == server.names[piece]
    assert len(server.calls) <= requests + 1


@pytest.mark.parametrize(
    ("index", "requests"), [(0, 1), (99, 1), (100, 1), (1000, 1), (1113, 1), (-1, 2), (-1114, 2)]
)
def test_an_index_loads_its_page_alone(make_server: Any, index: int, requests: int) -> None:
    """The entity at an index costs one request, and one more where the server has to count."""
    session, server = make_server(1114)
    result = session.query("Task", page_size=100)
    assert result[index]["id"] == server.names[index]
    before = len(server.calls)
    assert before <= requests
    assert result[index]["id"] == server.names[index]
    assert len(server.calls) == before


@pytest.mark.parametrize("index", [1114, -1115, 10**30, -(10**30)])
def test_indexes_out_of_range(make_server: Any, index: int) -> None:
    """An index without an entity is an IndexError, as for a list, after two requests at most."""
    session, server = make_server(1114)
    with pytest.raises(IndexError):
        session.query("Task", page_size=100)[index]
    assert len(server.calls) <= 2


@pytest.mark.parametrize("index", ["1", 1.5, None, slice("a", None), slice(None, None, 0.5)])
def test_what_is_no_index_asks_nothing(make_server: Any, index: Any) -> None:
    """An index of a wrong type is a TypeError, before anything is asked."""
    session, server = make_server(5)
    with pytest.raises(TypeError):
        session.query("Task")[index]
    with pytest.raises(ValueError, match="step"):
        session.query("Task")[::0]
    assert server.calls == []


def test_small_results_come_with_one_request(make_server: Any) -> None:
    """What fits one page takes one request, whatever is asked of it."""
    for read in (
        lambda result: result[-1],
        lambda result: result[-3:],
        lambda result: result[::-1],
        lambda result: result[::-500],
        len,
        list,
        lambda result: (list(result), result.first(), len(result), result[-1], result[2:4]),
        lambda result: (len(result), result[-1], result.first(), bool(result), result.all()),
    ):
        session, server = make_server(20)
        read(session.query("Task"))
        assert len(server.calls) == 1


def test_one_and_first_after_reading(make_server: Any) -> None:
    """What is loaded is not asked for again by first, one and truth."""
    session, server = make_server(30)
    result = session.query("Task", page_size=10)
    next(iter(result))
    assert result.first()["id"] == "t0"
    assert result
    with pytest.raises(exception.MultipleResultsFoundError):
        result.one()
    assert len(server.calls) == 1
    assert len(list(result)) == 30
    assert result.first()["id"] == "t0"
    assert len(server.calls) == 3


@pytest.mark.skipif(sys.version_info < (3, 10), reason="lists ask for the length first")
def test_the_length_is_counted_once_for_all(make_server: Any) -> None:
    """After the length, an index from the end takes one request, and the next on its page none."""
    session, server = make_server(1000)
    result = session.query("Task", page_size=100)
    assert len(result) == 1000
    before = len(server.calls)
    assert result[-1]["id"] == "t999"
    assert result[-2]["id"] == "t998"
    assert ids(result[-10:]) == server.names[-10:]
    assert len(server.calls) == before + 1


def test_going_backwards_by_index_loads_each_page_once(make_server: Any) -> None:
    """A loop over falling indexes costs a request for each page."""
    session, server = make_server(1000)
    result = session.query("Task", page_size=100)
    assert [result[index]["id"] for index in range(999, -1, -1)] == server.names[::-1]
    assert len(server.calls) <= 11


def test_a_server_that_caps_pages_is_followed(make_server: Any) -> None:
    """A server that sends fewer rows than asked for is asked for the rest."""
    session, server = make_server(300)
    answer = server.answer
    session.answer = lambda text: answer(re.sub(r"limit \d\d+", "limit 7", text))
    assert ids(session.query("Task", page_size=30)[200:230]) == server.names[200:230]
    assert len(server.calls) == 4


def test_a_server_whose_offsets_are_no_positions_is_read_in_turn(make_server: Any) -> None:
    """Where pages have gaps, all rows before a slice are loaded to find it."""
    session, server = make_server(100)

    def filtering(text: str) -> Any:
        found = type(server).answer(server, text)
        found["data"] = [each for each in found["data"] if int(each["id"][1:]) % 2]
        return found

    session.answer = filtering
    result = session.query("Task", page_size=10)
    assert ids(result[30:33]) == ["t61", "t63", "t65"]


def test_counts_and_sums_are_not_counted(make_tiny: Any) -> None:
    """The length of a query with groups is the number of its rows."""
    session = make_tiny()

    def answer(expression: str) -> Any:
        assert "count(id)" not in expression
        start = int(re.search(r"offset (\d+)", expression).group(1))  # type: ignore[union-attr]
        rows = [
            {"type_id": str(each), "count_name": each} for each in range(start, min(start + 2, 5))
        ]
        return {"data": rows, "metadata": {"next": {"offset": start + 2 if start < 3 else None}}}

    session.answer = answer
    text = "select type_id, count(name) from Task group by type_id"
    assert len(session.query(text, page_size=2)) == 5
    assert session.query(text, page_size=2)[-1]["type_id"] == "4"
    with pytest.raises(ValueError, match="no ids"):
        session.query(text).iterate(stable=True)


BOUND = st.none() | st.integers(-14, 14)
INDEX = st.integers(-14, 14)
PIECE = st.builds(slice, BOUND, BOUND, st.none() | st.integers(-6, 6).filter(bool))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("at"), INDEX),
        st.tuples(st.just("slice"), PIECE),
        st.tuples(st.sampled_from(["len", "all", "bool", "next", "reversed"]), st.none()),
    ),
    max_size=6,
)


def do(values: Any, step: tuple[str, Any], iterator: Any) -> Any:
    """Return what *step* gives for *values*, a list or a result."""
    kind, argument = step
    if kind == "at":
        try:
            return values[argument]["id"]
        except IndexError:
            return IndexError
    if kind == "slice":
        return ids(values[argument])
    if kind == "next":
        return [each["id"] for each in [next(iterator, None)] if each]
    if kind == "reversed":
        return ids(reversed(values))
    return {"len": len, "bool": bool, "all": ids}[kind](values)


@settings(max_examples=400)
@given(
    st.integers(0, 13),
    st.integers(1, 7),
    st.none() | st.integers(0, 15),
    st.none() | st.integers(0, 15),
    st.booleans(),
    STEPS,
    st.data(),
)
def test_results_are_read_like_lists(
    make_tiny: Any,
    count: int,
    page_size: int,
    limit: Any,
    offset: Any,
    counts: bool,
    steps: Any,
    data: Any,
) -> None:
    """Whatever is read in whatever order, it is what a list of the entities gives.

    That holds while the session deletes and creates entities on the way.
    """
    session = make_tiny()
    server = Server(session, count, counts)
    bounds = "".join(
        f" {name} {value}"
        for name, value in (("limit", limit), ("offset", offset))
        if value is not None
    )
    result = session.query("Task" + bounds, page_size=page_size)
    stop = None if limit is None else (offset or 0) + limit
    expected = [{"id": name} for name in server.names[offset or 0 : stop]]
    assert ids(session.query("Task" + bounds, page_size=page_size)) == ids(expected)
    iterators = iter(result), iter(expected)
    for step in steps:
        before = len(server.calls)
        assert do(result, step, iterators[0]) == do(expected, step, iterators[1]), step
        assert len(server.calls) - before <= 2 + -(-count // page_size)


@settings(max_examples=400)
@given(st.integers(0, 30), st.integers(1, 7), st.none() | st.integers(0, 40), st.randoms(), STEPS)
def test_results_stay_while_the_session_writes(
    make_tiny: Any,
    count: int,
    page_size: int,
    limit: Any,
    choice: random.Random,
    steps: Any,
) -> None:
    """Entities that the session deletes once they are read, or creates, do not move the others."""
    session = make_tiny()
    server = Server(session, count)
    text = "Task" if limit is None else f"Task limit {limit}"
    result = session.query(text, page_size=page_size)
    expected = [{"id": name} for name in server.names[:limit]]
    read: set[str] = set()
    iterators = iter(result), iter(expected)
    bool(result)
    read.update(ids(expected[:page_size]))
    for number, step in enumerate(steps):
        found = do(result, step, iterators[0])
        assert found == do(expected, step, iterators[1]), step
        if isinstance(found, list):
            read.update(found)
        gone = [name for name in read if choice.random() < 0.5]
        server.write(*gone, created=(f"new{number}",) if choice.random() < 0.3 else ())
    assert ids(result) == ids(expected)
