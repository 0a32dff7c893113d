"""Populating asks the server each time, while another session changes what is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ftrack_like import cache, exception
from ftrack_like.symbol import NOT_SET


@pytest.fixture
def pair(sandbox: Any) -> Iterator[tuple[Any, Any]]:
    """Yield a new shot with two tasks as two sessions hold it."""
    with sandbox.session() as session, sandbox.session() as other:
        schema = session.query("ProjectSchema order by name").first()
        project = session.create("Project", {"name": "again", "project_schema": schema})
        shot = session.create("Shot", {"name": "sh010", "parent": project})
        for name in ("one", "two"):
            session.create("Task", {"name": name, "parent": shot})
        session.commit()
        yield shot, other.get("Shot", shot["id"])


def change(entity: Any, **values: Any) -> None:
    """Set *values* on *entity* in its session, and commit."""
    entity.update(values)
    entity.session.commit()


def test_a_loop_that_polls_ends(sandbox: Any) -> None:
    """The status of a job that another session sets is seen by populating."""
    with sandbox.session() as session, sandbox.session() as other:
        user = session.query("User").first()
        job = session.create("Job", {"type": "api_job", "status": "running", "user": user})
        session.commit()
        change(other.get("Job", job["id"]), status="done")
        assert job["status"] == "running"
        session.populate(job, "status")
        assert job["status"] == "done"


def test_each_call_asks(pair: tuple[Any, Any]) -> None:
    """Each call makes a request, and reading makes none."""
    mine, _ = pair
    mine["description"]
    before = mine.session.statistics.requests
    for _ in range(3):
        mine.session.populate(mine, "name, description")
    assert mine["description"] is None
    assert mine.session.statistics.requests == before + 3


def test_references_members_and_nested_values_are_replaced(pair: tuple[Any, Any]) -> None:
    """All kinds of loaded values become the server's."""
    mine, theirs = pair
    assert len(mine["children"]) == 2
    mine["status"]["name"], mine["parent"]["full_name"], mine["link"]
    other = theirs.session
    other.create("Task", {"name": "three", "parent": theirs})
    theirs["parent"]["full_name"] = "renamed"
    status = other.query(f'Status where id is_not "{mine["status"]["id"]}"').first()
    change(theirs, status=status, name="sh020")
    held = mine["children"]
    mine.session.populate(mine, "status, children.name, parent.full_name, link")
    assert mine["status"]["id"] == status["id"]
    assert sorted(task["name"] for task in mine["children"]) == ["one", "three", "two"]
    assert len(held) == 3
    assert mine["parent"]["full_name"] == "renamed"
    assert mine["link"][-1]["name"] == "sh020"


@pytest.mark.parametrize("shot_first", [True, False])
def test_each_type_is_refreshed(pair: tuple[Any, Any], shot_first: bool) -> None:
    """Entities of several types in one call all become the server's."""
    mine, theirs = pair
    project = mine["parent"]
    project["name"], mine["name"]
    theirs["parent"]["name"] = "renamed"
    change(theirs, name="sh020")
    mine.session.populate([mine, project] if shot_first else [project, mine], "name")
    assert [mine["name"], project["name"]] == ["sh020", "renamed"]


@pytest.mark.parametrize("projections", ["sort", "parent.name, sort", "name, sort", "parent"])
def test_what_a_later_type_lacks_is_left_out(pair: tuple[Any, Any], projections: str) -> None:
    """An attribute that the first type has is asked of those types alone that have it."""
    mine, theirs = pair
    project, value = mine["parent"], theirs["sort"]
    change(theirs, sort=value + 10.0)
    mine.session.populate([mine, *mine["children"], project], projections)
    with mine.session.auto_populating(False):
        assert mine["sort"] == (value + 10.0 if "sort" in projections else NOT_SET)


def test_what_the_first_type_lacks_is_an_error(pair: tuple[Any, Any]) -> None:
    """An attribute that the type of the first entity lacks is refused, as a mistyped one is."""
    mine, _ = pair
    for entities, name in (([mine["parent"], mine], "sort"), ([mine, mine["parent"]], "nmae")):
        with pytest.raises(exception.ServerParseError, match=name):
            mine.session.populate(entities, name)


def test_metadata_is_replaced(pair: tuple[Any, Any]) -> None:
    """Keys that were added, changed and removed are those of the server."""
    mine, theirs = pair
    theirs["metadata"].update({"a": "1", "b": "1"})
    theirs.session.commit()
    assert dict(mine["metadata"]) == {"a": "1", "b": "1"}
    del theirs["metadata"]["b"]
    theirs["metadata"].update({"a": "2", "c": "3"})
    theirs.session.commit()
    mine.session.populate(mine, "metadata")
    assert dict(mine["metadata"]) == {"a": "2", "c": "3"}


def test_local_changes_stay(pair: tuple[Any, Any]) -> None:
    """What is set and not committed stays until it is taken back."""
    mine, theirs = pair
    mine["description"] = "mine"
    mine["metadata"]["key"] = "mine"
    theirs["metadata"]["key"] = "theirs"
    change(theirs, description="theirs")
    mine.session.populate(mine, "description, metadata")
    assert (mine["description"], mine["metadata"]["key"]) == ("mine", "mine")
    del mine["description"]
    assert mine["description"] == "theirs"


@pytest.mark.parametrize("clear", ["del", "NOT_SET"])
def test_cleared_values_are_asked_for(pair: tuple[Any, Any], clear: str) -> None:
    """An attribute that was cleared shows the last known value, and then the present one."""
    mine, theirs = pair
    assert mine["description"] is None
    mine["description"] = "mine"
    if clear == "del":
        del mine["description"]
    else:
        mine["description"] = NOT_SET
    assert mine["description"] is None
    change(theirs, description="theirs")
    mine.session.populate(mine, "description")
    assert mine["description"] == "theirs"


def test_a_cache_below_is_not_asked_instead(sandbox: Any, pair: tuple[Any, Any]) -> None:
    """What a lower cache layer holds is replaced as well."""
    mine, theirs = pair
    below = cache.MemoryCache()

    def serialised(session: Any) -> Any:
        return cache.SerialisedCache(below, encode=session.encode, decode=session.decode)

    with sandbox.session(cache=serialised) as first, sandbox.session(cache=serialised) as second:
        one = first.get("Shot", mine["id"])
        assert one["description"] is None
        change(theirs, description="theirs")
        first.populate(one, "description")
        assert one["description"] == "theirs"
        before = second.statistics.requests
        assert second.get("Shot", mine["id"])["description"] == "theirs"
        assert second.statistics.requests == before


def test_load_groups_go_on(sandbox: Any, pair: tuple[Any, Any]) -> None:
    """Reading a missing value loads it for all, also after one of them was populated."""
    with sandbox.session() as session:
        found = session.query(f'select id from Task where parent_id is "{pair[0]["id"]}"').all()
        session.populate(found[0], "description")
        before = session.statistics.requests
        assert {task["bid"] for task in found} == {0}
        assert session.statistics.requests == before + 1
