"""Results that are read while the session, or another one, changes what they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

COUNT = 17


@pytest.fixture
def project(session: Any) -> Any:
    """Return a project with tasks called t00 to t16."""
    schema = session.query("ProjectSchema").first()
    made = session.create(
        "Project", {"name": "moves", "full_name": "moves", "project_schema": schema}
    )
    for number in range(COUNT):
        session.create("Task", {"name": f"t{number:02}", "parent": made, "bid": number})
    session.commit()
    return made


NAMES = [f"t{number:02}" for number in range(COUNT)]
QUERY = 'select name, bid from Task where project.name is "moves" order by name'

READERS: dict[str, Callable[[Any], Iterator[Any]]] = {
    "for": lambda session: iter(session.query(QUERY, page_size=5)),
    "iterate": lambda session: session.query(QUERY).iterate(page_size=5),
    "iterate prefetch": lambda session: session.query(QUERY).iterate(5, prefetch=True),
    "iterate keep": lambda session: session.query(QUERY).iterate(5, keep=True),
    "iterate stable": lambda session: session.query(QUERY).iterate(5, stable=True),
    "iterate stable prefetch": lambda session: session.query(QUERY).iterate(
        5, prefetch=True, stable=True
    ),
    "query_many": lambda session: iter(session.query_many([QUERY, "User"], page_size=5)[0]),
    "slices": lambda session: _slices(session.query(QUERY, page_size=5), 4),
    "long slices": lambda session: _slices(session.query(QUERY, page_size=5), 7),
    "indexes": lambda session: _indexes(session.query(QUERY, page_size=5)),
    "with a limit": lambda session: iter(session.query(f"{QUERY} limit 100", page_size=5)),
}


def _slices(result: Any, size: int) -> Iterator[Any]:
    start = 0
    while result[start : start + size]:
        yield from result[start : start + size]
        start += size


def _indexes(result: Any) -> Iterator[Any]:
    for index in range(100):
        try:
            found = result[index]
        except IndexError:
            return
        yield found


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("every", [1, 7])
def test_deleting_on_the_way(session: Any, project: Any, reader: str, every: int) -> None:
    """Entities that the session deletes while it reads them leave none of the others out."""
    seen = []
    for number, task in enumerate(READERS[reader](session), 1):
        seen.append(task["name"])
        session.delete(task)
        if number % every == 0:
            session.commit()
    session.commit()
    assert seen == NAMES
    assert session.query(QUERY).all() == []


@pytest.mark.parametrize("reader", ["for", "iterate", "slices"])
def test_deleting_by_an_operation_of_ones_own(session: Any, project: Any, reader: str) -> None:
    """A deletion by session.call counts as one of the session."""
    seen = []
    for task in READERS[reader](session):
        seen.append(task["name"])
        session.call([{"action": "delete", "entity_type": "Task", "entity_key": [task["id"]]}])
    assert seen == NAMES


@pytest.mark.parametrize("reader", READERS)
def test_changing_what_is_asked_for(session: Any, project: Any, reader: str) -> None:
    """Entities that no longer match, or change places, after a change come once all the same."""
    seen = []
    for number, task in enumerate(READERS[reader](session)):
        seen.append(task["name"])
        if number % 3 == 0:
            task["name"] = f"z{number}"
        else:
            task["name"] = f"a{number}"
        session.commit()
    assert seen == NAMES


@pytest.mark.parametrize("reader", READERS)
def test_creating_on_the_way(session: Any, project: Any, reader: str) -> None:
    """Entities that the session creates on the way do not come, and nothing comes twice."""
    seen = []
    for number, task in enumerate(READERS[reader](session)):
        seen.append(task["name"])
        for letter in "az":
            session.create("Task", {"name": f"{letter}{number}", "parent": project})
        session.commit()
    assert seen == NAMES


def test_creating_while_keys_are_queried(
    session: Any, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entity that another thread creates while the session queries keys does not come."""
    fetcher = session._fetcher
    fetch_raw = fetcher.fetch_raw

    def create_first(*arguments: Any) -> Any:
        monkeypatch.setattr(fetcher, "fetch_raw", fetch_raw)
        session.create("Task", {"name": "z", "parent": project})
        session.commit()
        return fetch_raw(*arguments)

    seen = []
    for number, task in enumerate(session.query(QUERY).iterate(page_size=5)):
        seen.append(task["name"])
        if number == 0:
            session.create("Task", {"name": "a", "parent": project})
            session.commit()
            monkeypatch.setattr(fetcher, "fetch_raw", create_first)
    assert fetcher.fetch_raw == fetch_raw
    assert seen == NAMES


def test_entities_that_no_longer_match_a_condition(session: Any, project: Any) -> None:
    """A loop that changes what its condition is about visits every entity."""
    text = 'Task where project.name is "moves" and bid < 100 order by bid'
    for read in (
        lambda: iter(session.query(text, page_size=5)),
        lambda: session.query(text).iterate(page_size=4),
    ):
        seen = 0
        for task in read():
            task["bid"] = task["bid"] + 100
            session.commit()
            seen += 1
        assert seen == COUNT
        for task in session.query('Task where project.name is "moves"'):
            task["bid"] = task["bid"] - 100
        session.commit()


@pytest.mark.parametrize("stable", [False, True])
def test_deletions_that_take_others_along(session: Any, project: Any, stable: bool) -> None:
    """What is deleted with its parent is not left to be read, and leaves no other out."""
    for number in range(12):
        shot = session.create("Shot", {"name": f"s{number:02}", "parent": project})
        for each in range(2):
            session.create("Task", {"name": f"s{number:02}_{each}", "parent": shot})
    session.commit()
    text = 'select name from TypedContext where project.name is "moves" order by name'
    seen = set()
    for context in session.query(text).iterate(page_size=5, stable=stable):
        seen.add(context["name"])
        if context.entity_type == "Shot":
            session.delete(context)
            session.commit()
    assert seen >= {f"s{number:02}" for number in range(12)} | set(NAMES)


def test_two_iterators_at_once(session: Any, project: Any) -> None:
    """Several loops over one result and over others go on undisturbed."""
    result = session.query(QUERY, page_size=5)
    first, second = iter(result), iter(result)
    third, fourth = iter(session.query(QUERY, page_size=4)), session.query(QUERY).iterate(6)
    seen: list[list[str]] = [[], [], [], []]
    for _ in range(COUNT):
        for names, iterator in zip(seen, (first, second, third, fourth)):
            names.append(next(iterator)["name"])
        session.delete(session.query(f'Task where name is "{seen[0][-1]}"').one())
        session.commit()
    assert seen == [NAMES] * 4


def test_windows_of_a_result_stay_where_they_are(session: Any, project: Any) -> None:
    """A slice after deletions is the slice of what the query found at first."""
    result = session.query(QUERY, page_size=3)
    assert [task["name"] for task in result[10:13]] == NAMES[10:13]
    for task in result[10:13]:
        session.delete(task)
    session.commit()
    assert [task["name"] for task in result[13:16]] == NAMES[13:16]
    assert [task["name"] for task in result[8:12]] == NAMES[8:12]
    assert result[-1]["name"] == NAMES[-1]
    assert len(result) == COUNT
    assert [task["name"] for task in result] == NAMES


@pytest.mark.parametrize("prefetch", [False, True])
def test_stable_iteration_while_others_delete(
    session: Any, sandbox: Any, project: Any, prefetch: bool
) -> None:
    """With stable=True, deletions by another session leave no other entity out."""
    with sandbox.session() as other:
        seen = []
        gone = 0
        for task in session.query(QUERY).iterate(page_size=4, stable=True, prefetch=prefetch):
            seen.append(task["name"])
            mine = other.get("Task", task["id"])
            other.delete(mine)
            other.commit()
            gone += 1
        assert seen == NAMES
        assert gone == COUNT


def test_stable_iteration_leaves_out_what_is_gone(session: Any, sandbox: Any, project: Any) -> None:
    """An entity that is deleted before its page is begun does not come; the others do."""
    stream = session.query(f"{QUERY} limit 14 offset 1").iterate(page_size=4, stable=True)
    seen = [next(stream)["name"]]
    with sandbox.session() as other:
        for name in (NAMES[0], *NAMES[6:12]):
            other.delete(other.query(f'Task where name is "{name}"').one())
        other.commit()
    seen += [task["name"] for task in stream]
    assert seen == [*NAMES[1:6], *NAMES[12:15]]


def test_what_it_costs(session: Any, project: Any) -> None:
    """Reading costs one request more than without changes, however often the session commits."""
    before = session.statistics.requests
    names = [task["name"] for task in session.query(QUERY, page_size=5)]
    undisturbed = session.statistics.requests - before
    before = session.statistics.requests
    commits = 0
    for task in session.query(QUERY, page_size=5):
        session.delete(task)
        session.commit()
        commits += 1
    assert commits == len(names) == COUNT
    assert session.statistics.requests - before - commits <= undisturbed + 1


def test_keys_of_several_parts(session: Any, project: Any) -> None:
    """Types whose key has several parts are read on by their keys, too."""
    for number in range(12):
        project["metadata"][f"k{number:02}"] = 'a "quoted" value'
    session.commit()
    text = f'select key, value from Metadata where parent_id is "{project["id"]}" order by key'
    seen = []
    for entry in session.query(text, page_size=5):
        seen.append(entry["key"])
        session.delete(entry)
        session.commit()
    assert seen == [f"k{number:02}" for number in range(12)]


def test_one_request_for_a_slice(session: Any, project: Any) -> None:
    """A slice in the middle of a result is one request to the server."""
    text = f"{QUERY} offset 1 limit 15"
    for result, names in (
        (session.query(QUERY, page_size=5), NAMES),
        (session.query(text, page_size=5), NAMES[1:16]),
    ):
        before = session.statistics.requests
        assert [task["name"] for task in result[11:14]] == names[11:14]
        assert session.statistics.requests == before + 1
        assert [task["name"] for task in result[-3:]] == names[-3:]
        assert session.statistics.requests <= before + 3
