"""Entities of another session that come in become the session's own."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from ftrack_like import cache, exception, inspection


class Two(NamedTuple):
    """Two sessions, *there* with a project and *tasks* in it, *here* with nothing."""

    here: Any
    there: Any
    project: Any
    tasks: list[Any]


@pytest.fixture
def two(sandbox: Any) -> Iterator[Two]:
    """Yield two sessions, one of which has made a project with three tasks."""
    with sandbox.session() as here, sandbox.session() as there:
        schema = there.query("ProjectSchema order by name").first()
        project = there.create("Project", {"name": "there", "project_schema": schema})
        tasks = [there.create("Task", {"name": f"t{n}", "parent": project}) for n in range(3)]
        there.commit()
        yield Two(here, there, project, tasks)


def foreign(session: Any) -> list[Any]:
    """Return what *session* holds, or refers to, of other sessions."""
    found = []
    with session.auto_populating(False):
        for entity in session._local_cache.values():
            values = [entity, *[entity[name] for name in entity]]
            for value in values:
                members = getattr(value, "collection", value)
                inner = list(members) if hasattr(members, "mutable") else [value]
                found += [one for one in inner if getattr(one, "session", session) is not session]
    return found


@pytest.fixture(autouse=True)
def apart(two: Two) -> Iterator[None]:
    """Check after each test that neither session holds entities of the other."""
    yield
    assert foreign(two.here) == []
    assert foreign(two.there) == []


def test_changes_to_what_was_merged_are_committed(two: Two) -> None:
    """The result of a merge is the session's own entity, whose changes are sent."""
    task = two.tasks[0]
    merged = two.here.merge(task)
    assert merged is not task
    assert merged.session is two.here
    assert merged is two.here.get("Task", task["id"])
    merged["description"] = "written here"
    two.here.commit()
    two.there.populate(task, "description")
    assert task["description"] == "written here"


def test_what_it_refers_to_is_merged(two: Two) -> None:
    """References, members, metadata and custom attributes come along without a request."""
    task = two.tasks[0]
    task["metadata"]["key"] = "value"
    two.there.commit()
    task["status"]["name"], len(two.project["children"]), task["link"]
    expected = dict(task["custom_attributes"])
    before = two.here.statistics.requests
    merged = two.here.merge(task)
    assert merged["status"]["name"] == task["status"]["name"]
    assert {each["name"] for each in merged["parent"]["children"]} == {"t0", "t1", "t2"}
    assert dict(merged["metadata"]) == {"key": "value"}
    assert dict(merged["custom_attributes"]) == expected
    assert merged["link"] is not task["link"]
    assert two.here.statistics.requests == before


def test_containers_give_own_entities(two: Two) -> None:
    """Lists, mappings, tuples, sets, results and collections are gone through."""
    one = two.tasks[0]
    pair = collections.namedtuple("pair", "first second")
    ordered = collections.OrderedDict(a=[one])
    values: list[Any] = [[one], (one,), {one}, frozenset({one}), {"a": {"b": one}}, ordered]
    values += [pair(one, 1), two.there.query("Task"), two.project["children"]]
    for value in values:
        merged = two.here.merge(value)
        own = two.here.merge(one)
        assert repr(own) in repr(merged) or own in merged, value
        assert type(merged).__name__ in (type(value).__name__, "list")
    assert two.here.merge({one: 1}) == {own: 1}
    assert next(iter(two.here.merge({one: 1}))) is own
    assert two.project["children"][0].session is two.there


def test_circles_and_long_chains_end(two: Two) -> None:
    """Containers that contain themselves and long chains of references can be merged."""
    circle: list[Any] = [two.tasks[0]]
    circle.append({"again": circle})
    merged = two.here.merge(circle)
    assert merged[1]["again"] is merged
    assert merged[0].session is two.here
    last = None
    for number in range(1500):
        data = {"id": f"folder {number}", "parent": last}
        last = two.there.create("Folder", data, reconstructing=True)
    assert two.here.merge(last).session is two.here


def test_too_deep_a_value_is_refused(two: Two) -> None:
    """Python cannot go through any depth; the error is the library's."""
    deep: list[Any] = [two.tasks[0]]
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(exception.InvalidValueError, match="nested too deeply"):
        two.here.merge(deep)
    while isinstance(deep, list) and deep:
        deep = deep[0]  # Or Python takes it apart in one go.


def test_what_is_pending_there_shows_and_stays_there(two: Two) -> None:
    """A pending change of the other session is not committed by this one."""
    two.tasks[0]["description"] = "pending"
    merged = two.here.merge(two.tasks[0])
    assert merged["description"] == "pending"
    assert len(two.here.recorded_operations) == 0
    two.here.commit()
    assert [each["description"] for each in two.here.query('Task where name is "t0"')]
    two.there.rollback()


def test_what_is_pending_here_stays(two: Two) -> None:
    """A pending change of this session is what shows and what is committed."""
    task = two.tasks[0]
    own = two.here.get("Task", task["id"])
    own["description"], task["description"] = "here", "there"
    assert two.here.merge(task) is own
    assert own["description"] == "here"
    two.here.commit()
    two.there.rollback()
    two.there.populate(task, "description")
    assert task["description"] == "here"


def test_references_and_creation_data(two: Two) -> None:
    """What is assigned or given to a new entity becomes the session's own at once."""
    task = two.here.get("Task", two.tasks[0]["id"])
    statuses = two.there.query("Status order by name").all()
    task["status"] = statuses[0]
    task["status"] = statuses[1]
    assert task["status"].session is two.here
    made = two.here.create("Task", {"name": "made", "parent": two.project, "type": task["type"]})
    assert made["parent"].session is two.here
    two.here.commit()
    made["parent"]["full_name"] = "changed here"
    two.here.commit()
    two.there.populate(two.project, "full_name")
    assert two.project["full_name"] == "changed here"


def test_a_reference_can_be_set_back(two: Two) -> None:
    """Setting the reference that the server holds takes a pending change back."""
    task = two.tasks[0]
    before = task["status"]
    task["status"] = two.there.query(f'Status where id is_not "{before["id"]}"').first()
    task["status"] = before
    assert task["status"] is before
    two.there.commit()
    two.there.populate(task, "status")
    assert task["status"] is before


def test_collections(two: Two) -> None:
    """Every way to put members into a collection takes the session's own entities."""
    first, second, third = two.tasks
    category = two.there.query("ListCategory").first()
    data = {"name": "list", "project": two.project, "category": category, "items": [first]}
    items = two.here.create("TypedContextList", data)["items"]
    items.append(second)
    items.insert(0, third)
    items[0] = third
    items[1:] = [second]
    items += [first]
    items.remove(second)
    items.extend([second])
    assert first in items
    assert {item.session for item in items} == {two.here}
    two.here.commit()
    theirs = two.there.query('TypedContextList where name is "list"').one()
    assert sorted(item["name"] for item in theirs["items"]) == ["t0", "t1", "t2"]
    own = two.here.create("TypedContextList", {**data, "name": "copy", "items": theirs["items"]})
    assert {item.session for item in own["items"]} == {two.here}
    own["items"] = theirs["items"]
    two.here.commit()


def test_metadata_of_another_entity_is_copied(two: Two) -> None:
    """Assigning the metadata of another entity sets the same keys and values."""
    two.tasks[0]["metadata"]["key"] = "value"
    two.there.commit()
    own = two.here.get("Task", two.tasks[1]["id"])
    own["metadata"] = two.tasks[0]["metadata"]
    two.here.commit()
    two.there.populate(two.tasks, "metadata")
    assert [dict(task["metadata"]) for task in two.tasks[:2]] == [{"key": "value"}] * 2


def test_caches_give_own_entities(sandbox: Any, two: Two) -> None:
    """An entity of another session in a cache comes out as the session's own."""
    task = two.tasks[0]
    key = two.here.cache_key_maker.key(inspection.identity(task))
    for number, put in enumerate((two.here.cache.set, two.here._local_cache.set)):
        two.here.reset()
        put(key, task)
        found = two.here.get("Task", task["id"])
        assert found.session is two.here, number
    shared = cache.MemoryCache()
    with sandbox.session(cache=shared) as first, sandbox.session(cache=shared) as second:
        one, other = first.get("Task", task["id"]), second.get("Task", task["id"])
        assert (one.session, other.session) == (first, second)
        assert one["parent"].session is first
        assert other["parent"].session is second
        other["description"] = "written by the second"
        second.commit()
    two.there.populate(task, "description")
    assert task["description"] == "written by the second"


def test_queries_ensure_and_deletion(two: Two) -> None:
    """Where an identity is all that is needed, another session's entity serves."""
    found = two.here.query("Task where parent is :it order by name", values={"it": two.project})
    assert [task["name"] for task in found] == ["t0", "t1", "t2"]
    status = two.there.query("Status order by name").all()[1]
    data = {"id": two.tasks[0]["id"], "status": status}
    assert two.here.ensure("Task", data, ["id"])["status"].session is two.here
    two.here.delete(two.tasks[2])
    two.here.commit()
    assert two.here.get("Task", two.tasks[2]["id"]) is None


def test_remote_values_are_own(two: Two) -> None:
    """Values that are set as if the server had sent them are the session's own too."""
    task = two.tasks[0]
    data = {"id": task["id"], "status": task["status"], "children": [two.tasks[1]]}
    made = two.here.create("Task", data, reconstructing=True)
    assert made["status"].session is made["children"][0].session is two.here
    made.attributes.get("status").set_remote_value(made, task["status"])
    assert made["status"].session is two.here


def test_a_type_that_this_server_lacks_is_named(two: Two) -> None:
    """An entity of a type that the server does not have cannot become the session's own."""
    del two.here.types["Task"]
    with pytest.raises(exception.UnrecognisedEntityTypeError, match="Task"):
        two.here.merge(two.tasks[0])
