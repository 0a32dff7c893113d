"""A batch is one transaction."""

from __future__ import annotations

import uuid

import pytest
from tests.conformance.facts import fact, writes
from tests.conformance.site import Site

pytestmark = writes


@fact("protocol 1", "protocol")
@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
def test_nothing_of_a_failed_batch_stays(site: Site, place: int) -> None:
    """If one operation of a batch fails, none is applied."""
    names = [site.name("shot") for _ in range(2)]
    operations = [site.creation("Shot", name=name, parent_id=site.project["id"]) for name in names]
    operations.insert(place, site.update_of("Shot", str(uuid.uuid4()), description="x"))
    site.problem(*operations)
    listed = ", ".join(f'"{name}"' for name in names)
    assert site.rows(f"select id from Shot where name in ({listed})") == []


@fact("protocol 1", "protocol")
def test_results_come_in_the_order_of_the_operations(site: Site) -> None:
    """A batch has one result for each operation, in their order."""
    shot = site.creation("Shot", name=site.name("shot"), parent_id=site.project["id"])
    key = shot["entity_key"][0]
    results = site.call(
        shot,
        {"action": "query", "expression": f'select name from Shot where id is "{key}"'},
        site.update_of("Shot", key, description="x"),
        site.deletion("Shot", key),
    )
    assert [each["action"] for each in results] == ["create", "query", "update", "delete"]


@fact("protocol 1", "protocol")
def test_a_query_sees_what_came_before_it(site: Site) -> None:
    """A query in a batch sees the operations before it."""
    shot = site.creation("Shot", name=site.name("shot"), parent_id=site.project["id"])
    key = shot["entity_key"][0]
    query = {"action": "query", "expression": f'select description from Shot where id is "{key}"'}
    results = site.call(query, shot, query, site.update_of("Shot", key, description="x"), query)
    found = [[each["description"] for each in results[place]["data"]] for place in (0, 2, 4)]
    assert (found[0], len(found[1]), found[2]) == ([], 1, ["x"])


@fact("protocol 1", "protocol")
def test_a_child_may_come_with_its_parent(site: Site) -> None:
    """A batch may create a parent and its child."""
    parent = site.creation("Sequence", name=site.name("sq"), parent_id=site.project["id"])
    child = site.creation("Shot", name=site.name("shot"), parent_id=parent["entity_key"][0])
    site.call(parent, child)
    found = site.get("Shot", child["entity_key"][0], "parent_id")
    assert found["parent_id"] == parent["entity_key"][0]


@fact("protocol 1", "protocol")
def test_a_child_may_come_before_its_parent(site: Site) -> None:
    """What an entity needs may come later in the batch."""
    parent = site.creation("Sequence", name=site.name("sq"), parent_id=site.project["id"])
    child = site.creation("Shot", name=site.name("shot"), parent_id=parent["entity_key"][0])
    site.call(child, parent)
    assert site.get("Shot", child["entity_key"][0], "id")


@fact("protocol 1", "protocol")
def test_a_required_value_may_come_later(site: Site) -> None:
    """A create may get its name from a later operation of the batch."""
    shot = site.creation("Shot", parent_id=site.project["id"])
    name = site.name("late")
    site.call(shot, site.update_of("Shot", shot["entity_key"][0], name=name))
    assert site.get("Shot", shot["entity_key"][0], "name")["name"] == name


@fact("protocol 1", "protocol")
def test_two_contexts_may_exchange_their_names(site: Site) -> None:
    """Uniqueness counts at the end of the batch."""
    one, two = site.context("Shot", name=site.name("a")), site.context("Shot", name=site.name("b"))
    names = [site.get("Shot", each, "name")["name"] for each in (one, two)]
    site.call(
        site.update_of("Shot", one, name=names[1]), site.update_of("Shot", two, name=names[0])
    )
    assert [site.get("Shot", each, "name")["name"] for each in (one, two)] == names[::-1]


@fact("protocol 1", "protocol")
def test_what_a_batch_deletes_may_be_created_again(site: Site) -> None:
    """A name is free again in the batch that deletes its entity."""
    name = site.name("again")
    old = site.context("Shot", name=name)
    new = site.creation("Shot", name=name, parent_id=site.project["id"])
    site.call(site.deletion("Shot", old), new)
    assert site.get("Shot", new["entity_key"][0], "name")["name"] == name


@fact("protocol 1", "protocol")
def test_an_empty_batch_has_no_results(site: Site) -> None:
    """A batch without operations is answered with an empty list."""
    assert site.call() == []


@fact("protocol 1", "protocol")
def test_two_hundred_operations_in_one_batch(site: Site) -> None:
    """A batch may be long."""
    parent = site.context("Sequence")
    operations = [
        site.creation("Shot", name=f"sh{number:04}", parent_id=parent) for number in range(200)
    ]
    assert len(site.call(*operations)) == 200
    rows = site.rows(f'select count(id) from Shot where parent_id is "{parent}" group by parent_id')
    assert rows[0]["count_id"] == 200
