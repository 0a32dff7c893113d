"""Attributes read and write the values of entities, by themselves too."""

from __future__ import annotations

from typing import Any

import pytest

from ftrack_like import attribute, collection, exception
from ftrack_like.symbol import NOT_SET


def test_an_attribute_knows_its_facts() -> None:
    """Name, default, mutability and computation are those given."""
    made = attribute.ScalarAttribute("name", "string", default_value="x", mutable=False)
    assert (made.name, made.data_type, made.default_value) == ("name", "string", "x")
    assert (made.mutable, made.computed) == (False, False)
    reference = attribute.ReferenceAttribute("status", "Status", computed=True)
    assert (reference.entity_type, reference.computed, reference.mutable) == ("Status", True, True)
    assert reference.default_value is NOT_SET
    assert "ReferenceAttribute(status)" in repr(reference)


def test_local_and_remote_values_are_kept_apart(tiny: Any) -> None:
    """The local value shows before the remote one."""
    task = tiny.load("Task", id="a", name="remote")
    name = task.attributes.get("name")
    assert (name.get_local_value(task), name.get_remote_value(task)) == (NOT_SET, "remote")
    assert not name.is_modified(task)
    name.set_local_value(task, "local")
    assert (name.get_local_value(task), name.get_remote_value(task)) == ("local", "remote")
    assert name.get_value(task) == task["name"] == "local"
    assert name.is_modified(task)
    assert name.is_set(task)


def test_a_remote_value_can_be_set_and_forgotten(tiny: Any) -> None:
    """As if the server had sent it; NOT_SET means not loaded."""
    task = tiny.load("Task", id="a")
    name = task.attributes.get("name")
    assert not name.is_set(task)
    name.set_remote_value(task, "x")
    assert task["name"] == "x"
    name.set_remote_value(task, NOT_SET)
    assert not name.is_set(task)
    assert not list(tiny.recorded_operations)


def test_a_reference_is_modified_when_it_refers_to_another(tiny: Any, make_tiny: Any) -> None:
    """Another object for the same entity is no change."""
    task = tiny.load("Task", id="a", status={"__entity_type__": "Status", "id": "s"})
    status = task.attributes.get("status")
    task.local_values = {"status": make_tiny().load("Status", id="s")}
    assert not status.is_modified(task)
    for other in (None, tiny.load("Status", id="t")):
        task["status"] = other
        assert status.is_modified(task)


def test_a_collection_is_modified_when_its_members_differ(tiny: Any) -> None:
    """Not by being read, and not when a change is undone by hand."""
    task = tiny.load("Task", id="a", children=[{"__entity_type__": "Task", "id": "b"}])
    children = task.attributes.get("children")
    member = task["children"][0]
    assert not children.is_modified(task)
    del task["children"][0]
    assert children.is_modified(task)
    task["children"].append(member)
    assert not children.is_modified(task)


def test_storage_is_a_live_view_of_both_values(tiny: Any) -> None:
    """It shows, and sets without a record, what an entity holds."""
    task = tiny.load("Task", id="a", name="x")
    storage = task.attributes.get("name").get_entity_storage(task)
    assert dict(storage["name"]) == {"local": NOT_SET, "remote": "x"}
    storage["name"]["local"] = "y"
    assert task["name"] == "y"
    assert task in tiny._identity_map.dirty
    storage["name"]["local"] = NOT_SET
    storage["name"]["remote"] = "z"
    assert task["name"] == "z"
    assert not list(tiny.recorded_operations)
    assert set(storage) == set(task)
    assert len(storage) == len(task)
    with pytest.raises(KeyError):
        storage["nope"]
    with pytest.raises(KeyError):
        storage["name"]["elsewhere"]


def test_a_remote_collection_takes_lists_collections_and_none(tiny: Any) -> None:
    """A collection that is in use shows them; anything else is an error."""
    task = tiny.load("Task", id="a", children=[])
    attribute_ = task.attributes.get("children")
    shown = task["children"]
    other = tiny.load("Task", id="b")
    attribute_.set_remote_value(task, [other])
    assert list(shown) == [other]
    attribute_.set_remote_value(task, collection.Collection(task, attribute_, data=[]))
    assert list(shown) == []
    attribute_.set_remote_value(task, None)
    assert list(shown) == []
    with pytest.raises(NotImplementedError):
        attribute_.set_remote_value(task, 5)


def test_an_immutable_collection_cannot_be_set(tiny: Any, make_schema: Any, make_tiny: Any) -> None:
    """Neither as a whole nor by its members."""
    schema = make_schema(
        "Box",
        {"items": {"type": "array", "items": {"$ref": "Box"}}},
        immutable=["id", "items"],
    )
    session = make_tiny([schema])
    box = session.load("Box", id="a", items=[])
    with pytest.raises(exception.ImmutableAttributeError):
        box["items"] = []
    with pytest.raises(exception.ImmutableCollectionError):
        box["items"].append(box)


def test_a_table_holds_attributes_by_name() -> None:
    """In the order given, each name once."""
    first, second = (attribute.ScalarAttribute(name, "string") for name in "ab")
    table = attribute.Attributes([first])
    table.add(second)
    assert table.keys() == ["a", "b"]
    assert table.get("b") is second
    assert table.get("c") is None
    assert first in table
    assert attribute.Attribute("a") in table
    assert attribute.ScalarAttribute("c", "string") not in table
    assert "a" not in table
    assert list(table) == [first, second]
    assert len(table) == 2
    with pytest.raises(exception.NotUniqueError):
        table.add(first)
    table.remove(first)
    assert table.keys() == ["b"]
    with pytest.raises(KeyError):
        table.remove(first)


def test_changing_a_shared_table_leaves_the_others_alone() -> None:
    """A plugin that adds an attribute does so for its own class."""
    table = attribute.Attributes([attribute.ScalarAttribute("a", "string")])
    shared = table.shared()
    shared.add(attribute.ScalarAttribute("b", "string"))
    assert table.keys() == ["a"]
    assert shared.keys() == ["a", "b"]


def test_merge_references_gives_attached_entities(tiny: Any) -> None:
    """A reader decorated so answers the session's own object."""
    attached = tiny.load("Status", id="s")
    detached = tiny.decode('{"__entity_type__": "Status", "id": "s"}')
    read = attribute.merge_references(lambda own, entity: detached)
    assert detached is not attached
    assert read(None, tiny.load("Task", id="a")) is attached
    assert attribute.merge_references(lambda own, entity: 5)(None, None) == 5


def test_populating_can_be_asked_for(tiny: Any, make_record: Any) -> None:
    """The remote value is loaded, whatever is set locally."""
    tiny.answer = lambda _: [make_record("Task", id="a", name="theirs")]
    task = tiny.load("Task", id="a")
    task.attributes.get("name").populate_remote_value(task)
    assert task["name"] == "theirs"


def test_table_of_attributes_shows_its_names() -> None:
    """In a console, the attributes of a type show their names."""
    made = [attribute.ScalarAttribute(name, "string") for name in ("name", "bid")]
    assert repr(attribute.Attributes(made)) == "<Attributes name, bid>"
