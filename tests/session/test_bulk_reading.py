"""Reading much: several queries in one request, streams, and what a session frees."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any

import pytest

from ftrack_like import exception

COUNT = 100_000


def test_several_queries_travel_in_one_request(session: Any) -> None:
    """One request brings the first page of each result; nothing more is asked for small ones."""
    before = session.statistics.requests
    users, types, nothing = session.query_many(
        ["select username from User", "select name from Type", 'User where username is "nobody"']
    )
    names = {user["username"] for user in users}
    assert session.api_user in names
    assert len(types) > 3
    assert list(nothing) == []
    assert session.statistics.requests == before + 1


def test_results_of_one_request_go_on_by_themselves(session: Any) -> None:
    """Pages after the first are asked for as they are needed, and are what one query gives."""
    expected = session.query("select name from Type order by id").all()
    before = session.statistics.requests
    (types,) = session.query_many(["select name from Type order by id"], page_size=2)
    assert types[1] is expected[1]
    assert session.statistics.requests == before + 1
    assert list(types) == expected
    needed = session.statistics.requests - session.statistics.pages_unused
    assert needed == before + (len(expected) + 1) // 2


@pytest.mark.skipif(sys.version_info < (3, 10), reason="lists ask for the length first")
def test_the_server_counts_what_is_not_read(session: Any) -> None:
    """The length of much is the server's count, and the same as that of what comes."""
    result = session.query('select name from Type where name is_not "none" order by name', 2)
    before = session.statistics.requests
    length = len(result)
    assert session.statistics.requests == before + 2
    assert length == len(result.all()) > 4


def test_bounds_count_in_one_request_too(session: Any) -> None:
    """Limits and offsets hold, and a limit of nothing asks for nothing."""
    expected = session.query("select name from Type order by id").all()
    before = session.statistics.requests
    first, second, none = session.query_many(
        [
            "select name from Type order by id limit 2",
            "select name from Type order by id limit 1 offset 2",
            "select name from Type limit 0",
        ]
    )
    assert [*first, *second, *none] == expected[:3]
    assert session.statistics.requests == before + 1
    assert session.query_many([]) == []
    assert session.statistics.requests == before + 1


def test_a_wrong_query_among_others_is_refused(session: Any) -> None:
    """An expression that the server does not understand is its error; an unknown type is ours."""
    with pytest.raises(exception.ServerError):
        session.query_many(["User", "User where nonsense is 1"])
    with pytest.raises(KeyError):
        session.query_many(["User", "Nonsense"])


def test_sessions_with_their_own_merge_read_several_too(sandbox: Any) -> None:
    """A merge that a subclass replaced sees the entities of every result."""
    with sandbox.session() as session:
        seen: list[str] = []
        merge = session.merge

        def merging(value: Any, merged: Any = None) -> Any:
            """Note what is merged."""
            seen.append(getattr(value, "entity_type", "a value"))
            return merge(value, merged)

        session.merge = merging
        users, types = session.query_many(["User limit 1", "Type limit 1"])
        assert [len(users), len(types)] == [1, 1]
        assert {"User", "Type"} <= set(seen)
        assert len(list(session.query("Type").iterate(page_size=2))) > 3


def test_a_stream_over_the_wire_is_what_a_query_gives(sandbox: Any, session: Any) -> None:
    """A stream with the next page prefetched gives what a plain read gives."""
    expected = [each["name"] for each in session.query("select name from Type order by id")]
    with sandbox.session() as other:
        result = other.query("select name from Type order by id")
        assert [each["name"] for each in result.iterate(2, prefetch=True)] == expected


def records(count: int) -> list[dict[str, Any]]:
    """Return *count* tasks as a server sends them, in eight statuses."""
    return [
        {
            "__entity_type__": "Task",
            "id": f"task-{number}",
            "name": f"task {number}",
            "status": {"__entity_type__": "Status", "id": f"status-{number % 8}"},
        }
        for number in range(count)
    ]


@pytest.mark.parametrize("way", ["reset", "close", "remove"])
def test_load_groups_hold_nothing(sandbox: Any, way: str) -> None:
    """Reset, close and removing from the cache free entities, their groups notwithstanding."""
    session = sandbox.session()
    try:
        loaded = records(COUNT)
        tasks = [
            task
            for start in range(0, COUNT, 500)
            for task in session._loader.load(loaded[start : start + 500])
        ]
        del loaded
        assert tasks[0].load_group is not None
        alive = weakref.WeakSet(tasks[::10])
        # One is held by us, and with it its group.
        kept = tasks[0]
        del tasks
        if way == "remove":
            for number in range(COUNT):
                session.cache.remove(f"('Task', ['task-{number}'])")
        else:
            getattr(session, way)()
        gc.collect()
        assert list(alive) == [kept]
    finally:
        session.close()
