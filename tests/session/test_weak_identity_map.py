"""A session with a weak identity map holds only the entities that are used or changed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like import Session, exception


@pytest.fixture
def weak(sandbox: Any) -> Iterator[Session]:
    """Return a session with a weak identity map."""
    with sandbox.session(weak_identity_map=True) as session:
        yield session


@pytest.fixture
def project(session: Session) -> Any:
    """Return a new project with ten folders, from another session."""
    name = f"weak_{uuid.uuid4().hex}"
    schema = session.query("ProjectSchema").first()
    found = session.create("Project", {"name": name, "project_schema": schema})
    for number in range(10):
        session.create("Folder", {"name": f"f{number}", "parent": found})
    session.commit()
    return found


def held(session: Session, entity_type: str = "Folder") -> int:
    """Return how many entities of *entity_type* the session holds."""
    gc.collect()
    return sum(each.entity_type == entity_type for each in session.cache.caches[0].values())


def folders(project: Any, names: str = "name") -> str:
    """Return a query for the folders of *project*."""
    return f'select {names} from Folder where project_id is "{project["id"]}" order by name'


def test_unused_entities_leave(weak: Session, project: Any) -> None:
    """After a loop nothing is held, and a new query finds the entities again."""
    assert sum(1 for _ in weak.query(folders(project))) == 10
    assert held(weak) == 0
    assert [each["name"] for each in weak.query(folders(project))][:2] == ["f0", "f1"]


def test_used_entities_keep_their_identity(weak: Session, project: Any) -> None:
    """As long as the program refers to an entity, the session returns the same object."""
    one = weak.query(folders(project)).first()
    assert held(weak) == 1
    assert weak.query(folders(project)).all()[0] is one
    assert weak.get("Folder", one["id"]) is one
    found = weak.query(f'select children from Project where id is "{project["id"]}"').one()
    assert any(each is one for each in found["children"])
    number = id(one)
    found = None
    assert [id(each) for each in weak.query(folders(project)) if each is one] == [number]


def test_entities_hold_those_that_they_refer_to(weak: Session, project: Any) -> None:
    """References and members stay with the entity that has them."""
    found = weak.query(
        f'select name, children.name from Project where id is "{project["id"]}"'
    ).one()
    weak.query(folders(project, "name, project.name")).all()
    assert held(weak) == 10
    children = found["children"]
    del found
    assert held(weak) == 10
    assert children.entity["name"] == project["name"]
    del children
    assert held(weak) == 0


def test_changed_entities_stay_until_the_commit(weak: Session, project: Any) -> None:
    """Updates, creations, deletions and changed mappings of entities that nobody refers to."""
    weak.query(folders(project)).all()[0]["description"] = "changed"
    weak.create("Folder", {"name": "new", "parent": weak.get("Project", project["id"])})
    weak.query(folders(project)).all()[1]["metadata"]["key"] = "value"
    weak.delete(weak.query(folders(project)).all()[2])
    gc.collect()
    assert [each["name"] for each in weak.created if each.entity_type == "Folder"] == ["new"]
    assert [each["description"] for each in weak.modified if each["name"] == "f0"] == ["changed"]
    assert [each["name"] for each in weak.deleted] == ["f2"]
    assert weak.query(folders(project)).all()[0]["description"] == "changed"
    weak.commit()
    assert held(weak) == 0
    found = {each["name"]: each for each in weak.query(folders(project, "name, description"))}
    assert found["f0"]["description"] == "changed"
    assert dict(found["f1"]["metadata"]) == {"key": "value"}
    assert "f2" not in found
    assert "new" in found


def test_rollback_lets_entities_go(weak: Session, project: Any) -> None:
    """After a rollback nothing is held for the changes."""
    weak.query(folders(project)).first()["description"] = "changed"
    weak.delete(weak.query(folders(project)).all()[2])
    weak.create("Folder", {"name": "new", "parent": weak.get("Project", project["id"])})
    weak.rollback()
    assert held(weak) == 0
    assert not weak.deleted


def test_batch_in_doubt_holds_its_entities(weak: Session, project: Any) -> None:
    """A commit whose answer is lost settles with entities that nobody refers to."""
    weak.query(folders(project)).first()["description"] = "doubt"
    call = weak.call

    def lose(batch: Any) -> Any:
        call(batch)
        raise KeyboardInterrupt

    with mock.patch.object(weak, "call", lose), pytest.raises(KeyboardInterrupt):
        weak.commit()
    gc.collect()
    assert weak.in_doubt
    weak.commit()
    assert held(weak) == 0
    assert weak.query(folders(project, "description")).first()["description"] == "doubt"


def test_locations_and_other_values_stay(weak: Session) -> None:
    """Locations keep the accessors that programs set, and the cache any other value."""
    weak.cache.set("own", 5)
    weak.query("Location where name is 'ftrack.unmanaged'").one().priority = 7
    gc.collect()
    assert weak.query("Location where name is 'ftrack.unmanaged'").one().priority == 7
    assert weak.cache.get("own") == 5
    weak.cache.remove("own")
    with pytest.raises(KeyError):
        weak.cache.get("own")
    weak.cache.clear()
    assert weak.cache.keys() == []


def test_threads_get_the_same_object(weak: Session, project: Any) -> None:
    """Threads that load the same entities at once get the same objects."""
    found: list[list[Any]] = []

    def load() -> None:
        for _ in range(5):
            found.append(weak.query(folders(project)).all())

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert {tuple(map(id, each)) for each in found} == {tuple(map(id, found[0]))}


def test_streams_and_shared_caches_work(sandbox: Any, project: Any) -> None:
    """A stream releases its pages, and a lower layer serves what the memory has let go."""
    address = f"memory://{uuid.uuid4().hex}"
    with sandbox.session(weak_identity_map=True, cache=address) as session:
        names = [each["name"] for each in session.query(folders(project)).iterate(page_size=3)]
        assert len(names) == 10
        assert held(session) == 0
        session.statistics.reset()
        assert session.get("Project", project["id"])["name"] == project["name"]
        first = session.query(folders(project)).first()["id"]
        requests = session.statistics.requests
        gc.collect()
        assert session.get("Folder", first)["name"] == "f0"
        assert session.statistics.requests == requests


MANY = """
import gc, resource, sys, tracemalloc
sys.path.insert(0, sys.argv[1])
from ftrack_like import Session
url, key, user = sys.argv[2:]
with Session(url, key, user, weak_identity_map=True, plugin_paths=[]) as session:
    def call(batch):
        expression = batch[0]["expression"]
        page = int(expression.rpartition("page ")[2].split('"')[0])
        rows = [
            {"__entity_type__": "Task", "id": f"{page:06}-{number:04}", "name": f"n{number}",
             "description": "x" * 200,
             "parent": {"__entity_type__": "Shot", "id": f"{page:06}-s{number // 10}"},
             "project": {"__entity_type__": "Project", "id": "p"}}
            for number in range(500)
        ]
        return [{"action": "query", "data": rows, "metadata": {"next": {"offset": None}}}]
    session.call = call
    peaks = []
    for page in range(100):
        found = session.query(f'select name, parent, project from Task where name is "page {page}"')
        assert len(found.all()) == 500
        if page == 40:
            gc.collect()
            tracemalloc.start()
            early = tracemalloc.get_traced_memory()[0]
    del found
    gc.collect()
    late, peak = tracemalloc.get_traced_memory()
    print(len(session.cache.caches[0].keys()), late - early, peak - early)
"""


def test_memory_stays_flat(sandbox: Any) -> None:
    """50,000 entities pass through one session in the memory of a few pages."""
    with sandbox.session() as plain:
        values = [plain.server_url, plain.api_key, plain.api_user]
    done = subprocess.run(
        [sys.executable, "-c", MANY, os.path.dirname(__file__), *values],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    kept, growth, peak = map(int, done.stdout.split())
    assert kept < 20
    # Five bytes for each entity that has passed since the first measurement are too many.
    assert growth < 220_000
    assert peak < 20_000_000


def test_default_keeps_everything(session: Session, project: Any) -> None:
    """Without the argument the session holds the entities that it has loaded."""
    del project
    assert held(session, "Project") >= 1
    with pytest.raises(exception.InvalidEntityError):
        session.delete(None)  # type: ignore[arg-type]
