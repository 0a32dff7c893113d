"""Load groups change how often the server is asked, and nothing else."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ftrack_like import inspection
from ftrack_like._session.loader import FIRST_LOAD
from ftrack_like.collection import Collection, MappedCollectionProxy

TYPES = ["Task", "Shot", "Project", "User", "Status", "Type", "AssetVersion", "Note", "Job"]


@pytest.fixture
def filled(sandbox: Any) -> Any:
    """Return the sandbox, with a project that has tasks, versions, notes and metadata."""
    with sandbox.session() as session:
        schema = session.query("ProjectSchema order by name").first()
        project = session.create("Project", {"name": "in groups", "project_schema": schema})
        user = session.query("User").first()
        for number in range(4):
            shot = session.create("Shot", {"name": f"shot {number}", "parent": project})
            shot["metadata"]["reel"] = f"A00{number}"
            task = session.create("Task", {"name": "layout", "parent": shot, "bid": number})
            asset = session.create("Asset", {"name": f"asset {number}", "parent": shot})
            session.create("AssetVersion", {"asset": asset, "task": task})
            session.create("Note", {"content": f"note {number}", "author": user}).update(
                {"parent_id": task["id"], "parent_type": "task"}
            )
        session.commit()
    return sandbox


def plain(value: Any) -> Any:
    """Return the *value* of an attribute in a form that can be compared between sessions."""
    if hasattr(value, "entity_type"):
        return inspection.identity(value)
    if isinstance(value, MappedCollectionProxy):
        return dict(value)
    if isinstance(value, Collection):
        return sorted(map(str, value))
    return value


@pytest.mark.parametrize("entity_type", TYPES)
def test_values_are_those_of_single_loads(filled: Any, entity_type: str) -> None:
    """Every attribute of every entity reads the same with load groups and without."""
    expression = f"select id from {entity_type} order by id limit 12"
    found, requests = [], []
    for load_groups in (True, False):
        with filled.session(load_groups=load_groups) as session:
            entities = session.query(expression).all()
            before = session.statistics.requests
            values = []
            for name in session.types[entity_type].attributes.keys():
                for entity in entities:
                    values.append((str(entity), name, plain(entity[name])))
            found.append(values)
            requests.append(session.statistics.requests - before)
    assert found[0] == found[1]
    if values and len(entities) > 1:
        assert requests[0] < requests[1]


def test_groups_grow_while_a_loop_reads_on(sandbox: Any) -> None:
    """The first read loads few members, the next one all, and later groups load all at once."""
    with sandbox.session() as session:
        schema = session.query("ProjectSchema order by name").first()
        project = session.create("Project", {"name": "growing", "project_schema": schema})
        for number in range(120):
            session.create("Task", {"name": f"task {number:03}", "parent": project})
        session.commit()
    with sandbox.session(read_ahead=False) as session:
        tasks = session.query("select name from Task order by name", page_size=60).all()

        def loaded(name: str) -> int:
            return sum(name in task.remote_values for task in tasks)

        before = session.statistics.requests
        tasks[0]["description"]
        assert loaded("description") == FIRST_LOAD
        assert all("description" in task.remote_values for task in tasks[:FIRST_LOAD])
        for task in tasks[: FIRST_LOAD + 1]:
            task["description"], task["priority_id"]
        assert (loaded("description"), loaded("priority_id")) == (60, 60)
        assert session.statistics.requests - before == 4
        for task in tasks:
            task["description"], task["priority_id"]
        assert session.statistics.requests - before == 6


def test_a_loop_over_500_entities_takes_two_requests_for_each_attribute(sandbox: Any) -> None:
    """In any order of the entities: the first load is small, and the second one loads the rest."""
    with sandbox.session() as session:
        schema = session.query("ProjectSchema order by name").first()
        project = session.create("Project", {"name": "growing", "project_schema": schema})
        for number in range(500):
            session.create("Task", {"name": f"task {number:03}", "parent": project})
        session.commit()
    for order in ("forwards", "backwards", "shuffled"):
        with sandbox.session() as session:
            tasks = session.query("select name from Task limit 500").all()
            if order == "backwards":
                tasks.reverse()
            elif order == "shuffled":
                random.Random(1).shuffle(tasks)
            before = session.statistics.requests
            for task in tasks:
                task["description"], task["bid"]
            assert session.statistics.requests - before == 4, order
