"""Collections: lists and dictionaries of entities that record what is done to them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ftrack_like import collection, exception
from ftrack_like.operation import CreateEntityOperation, DeleteEntityOperation


@pytest.fixture
def task(tiny: Any, make_record: Any) -> Any:
    """Return a task with two children and two entries of metadata."""
    return tiny.load(
        "Task",
        id="a",
        children=[make_record("Task", id="b"), make_record("Task", id="c")],
        metadata=[
            make_record("Metadata", parent_id="a", key="k", value="1", parent_type="Task"),
            make_record("Metadata", parent_id="a", key="l", value="2", parent_type="Task"),
        ],
    )


def ids(entities: Any) -> list[str]:
    """Return the ids of *entities*."""
    return [entity["id"] for entity in entities]


# Lists


def test_reading_a_collection_changes_nothing(tiny: Any, task: Any) -> None:
    """A collection that was read is the same object again, and nothing to commit."""
    children = task["children"]
    assert ids(children) == ["b", "c"]
    assert task["children"] is children
    assert not list(tiny.recorded_operations)
    assert not len(tiny._identity_map.dirty)
    assert not task.attributes.get("children").is_modified(task)


def test_every_change_records_the_whole_list(tiny: Any, task: Any) -> None:
    """An update carries the members before and after, each as they were then."""
    children = task["children"]
    children.append(tiny.load("Task", id="d"))
    del children[0]
    first, second = tiny.recorded_operations
    assert (ids(first.old_value), ids(first.new_value)) == (["b", "c"], ["b", "c", "d"])
    assert (ids(second.old_value), ids(second.new_value)) == (["b", "c", "d"], ["c", "d"])
    assert first.attribute_name == "children"
    assert task in tiny._identity_map.dirty


def test_members_come_once(tiny: Any, task: Any) -> None:
    """What is a member already is refused, by insertion, assignment and on construction."""
    children = task["children"]
    with pytest.raises(exception.DuplicateItemInCollectionError):
        children.append(children[0])
    with pytest.raises(exception.DuplicateItemInCollectionError):
        children[1] = children[0]
    with pytest.raises(exception.DuplicateItemInCollectionError):
        task["children"] = [children[0], children[0]]
    with pytest.raises(exception.DuplicateItemInCollectionError):
        children.extend([children[1]])
    assert ids(children) == ["b", "c"]
    assert not list(tiny.recorded_operations)


def test_a_member_may_be_set_in_its_own_place(task: Any) -> None:
    """That is no duplicate."""
    children = task["children"]
    children[0] = children[0]
    assert ids(children) == ["b", "c"]


def test_slices_can_be_read_set_and_deleted(tiny: Any, task: Any) -> None:
    """A slice gives a list; changes of one are one update."""
    children = task["children"]
    assert ids(children[1:]) == ["c"]
    children[0:1] = [tiny.load("Task", id="x"), tiny.load("Task", id="y")]
    assert ids(children) == ["x", "y", "c"]
    del children[:2]
    assert ids(children) == ["c"]
    assert len(list(tiny.recorded_operations)) == 2


def test_bulk_changes_are_one_update(tiny: Any, task: Any) -> None:
    """extend, reverse and clear record once; those that change nothing do not."""
    children = task["children"]
    children.extend([tiny.load("Task", id=str(index)) for index in range(5)])
    children.reverse()
    assert ids(children) == ["4", "3", "2", "1", "0", "c", "b"]
    children.clear()
    children.clear()
    children.extend([])
    assert len(list(tiny.recorded_operations)) == 3


def test_membership_is_by_identity(tiny: Any, make_tiny: Any, task: Any) -> None:
    """An entity of another session is a member if it is the same on the server."""
    assert make_tiny().load("Task", id="b") in task["children"]
    assert tiny.load("Task", id="z") not in task["children"]
    children = task["children"]
    children.remove(make_tiny().load("Task", id="b"))
    assert ids(children) == ["c"]


def test_removing_what_is_no_member_is_a_value_error(tiny: Any, task: Any) -> None:
    """Neither another entity nor anything else can be removed; nothing is recorded then."""
    children = task["children"]
    for value in (tiny.load("Task", id="z"), "b", None):
        with pytest.raises(ValueError):
            children.remove(value)
    assert ids(children) == ["b", "c"]
    assert not list(tiny.recorded_operations)


def test_removed_members_can_come_back(tiny: Any, task: Any) -> None:
    """What is known of the members follows each way to change them."""
    children = task["children"]
    gone = children[0]
    children.remove(gone)
    assert gone not in children
    children.extend([gone, tiny.load("Task", id="d")])
    del children[1:]
    children.append(gone)
    assert ids(children) == ["c", "b"]
    with pytest.raises(exception.DuplicateItemInCollectionError):
        children.extend([tiny.load("Task", id="e"), gone])
    assert ids(children) == ["c", "b"]


def test_what_is_no_entity_cannot_be_a_member(task: Any) -> None:
    """Its lack of a type shows at once."""
    with pytest.raises(AttributeError):
        task["children"].append("text")


def test_remote_collections_cannot_be_changed(task: Any) -> None:
    """They show what the server sent."""
    remote = task.attributes.get("children").get_remote_value(task)
    assert not remote.mutable
    for change in (remote.clear, remote.reverse, lambda: remote.append(task)):
        with pytest.raises(exception.ImmutableCollectionError):
            change()


def test_collections_are_equal_by_their_members(task: Any) -> None:
    """Order does not count, and a list is no collection."""
    children = task["children"]
    turned = copy.copy(children)
    turned.reverse()
    assert children == turned
    assert children != list(children)
    with pytest.raises(TypeError):
        hash(children)


def test_a_copy_has_a_list_of_its_own(tiny: Any, task: Any) -> None:
    """Changing the copy leaves the original alone."""
    copied = copy.copy(task["children"])
    copied.append(tiny.load("Task", id="z"))
    assert ids(task["children"]) == ["b", "c"]
    assert copied.entity is task
    assert copied.attribute.name == "children"


def test_none_means_empty(tiny: Any) -> None:
    """The server may send null for no members, and None may be set."""
    task = tiny.load("Task", id="a", children=None)
    assert list(task["children"]) == []
    task["children"] = [tiny.load("Task", id="b")]
    task["children"] = None
    assert list(task["children"]) == []


def test_an_unchanged_collection_follows_the_server(tiny: Any, task: Any, make_record: Any) -> None:
    """The next remote value shows, in the object handed out before as well."""
    children = task["children"]
    metadata = task["metadata"]
    tiny.load("Task", id="a", children=[make_record("Task", id="z")], metadata=[])
    assert ids(children) == ids(task["children"]) == ["z"]
    assert dict(metadata) == {}


def test_a_changed_collection_keeps_its_changes(tiny: Any, task: Any, make_record: Any) -> None:
    """What the server sends meanwhile shows when the changes are taken back."""
    children = task["children"]
    children.append(tiny.load("Task", id="d"))
    tiny.load("Task", id="a", children=[make_record("Task", id="z")])
    assert ids(children) == ["b", "c", "d"]
    tiny._identity_map.forget_local_values()
    assert ids(task["children"]) == ["z"]


def test_a_collection_stays_in_use_after_a_commit(tiny: Any, task: Any) -> None:
    """The object that was handed out shows the server's value, and its changes count again."""
    children = task["children"]
    children.append(tiny.load("Task", id="d"))
    tiny.load("Task", id="a", children=[{"__entity_type__": "Task", "id": "d"}])
    tiny.commit()
    assert ids(children) == ["d"]
    assert task["children"] is children
    children.append(tiny.load("Task", id="e"))
    assert [ids(new) for _, _, new in tiny.changes] == [["d", "e"]]
    assert task.attributes.get("children").is_modified(task)


def test_assigning_a_list_replaces_the_members(tiny: Any, task: Any) -> None:
    """One update with all members is recorded."""
    task["children"] = [tiny.load("Task", id="z")]
    assert ids(task["children"]) == ["z"]
    assert [ids(new) for _, _, new in tiny.changes] == [["z"]]


def test_assigning_the_members_that_the_server_holds_is_no_change(tiny: Any, task: Any) -> None:
    """Nothing is recorded."""
    task["children"] = list(task.attributes.get("children").get_remote_value(task))
    assert not list(tiny.recorded_operations)


def test_assigning_the_own_collection_records_nothing_more(tiny: Any, task: Any) -> None:
    """``+=`` changes the collection and assigns it: one update."""
    task["children"] += [tiny.load("Task", id="z")]
    assert len(tiny.changes) == 1
    assert ids(task["children"]) == ["b", "c", "z"]


def test_assigning_the_collection_of_another_entity_takes_its_members(tiny: Any, task: Any) -> None:
    """The two do not share it."""
    other = tiny.load("Task", id="o", children=[])
    other["children"] = task["children"]
    other["children"].append(tiny.load("Task", id="z"))
    assert ids(task["children"]) == ["b", "c"]
    assert other["children"].entity is other


def test_what_is_no_collection_cannot_be_assigned(task: Any) -> None:
    """The error says what was given and where."""
    for name in ("children", "metadata"):
        with pytest.raises(NotImplementedError, match=f"int.*'{name}'"):
            task[name] = 5


def test_a_placeholder_for_what_is_not_loaded_is_not_kept(tiny: Any, make_record: Any) -> None:
    """What reads as empty with auto-population off can still be loaded."""
    tiny.answer = lambda _: [make_record("Task", id="a", children=[make_record("Task", id="b")])]
    task = tiny.load("Task", id="a")
    with tiny.auto_populating(False):
        assert list(task["children"]) == []
    assert ids(task["children"]) == ["b"]


def test_reprs_ask_nothing(tiny: Any, task: Any) -> None:
    """They name members, and cut long lists."""
    assert repr(task["children"]) == "<Collection(children) [<Task id=b>, <Task id=c>]>"
    many = tiny.load(
        "Task", id="m", children=[{"__entity_type__": "Task", "id": str(i)} for i in range(9)]
    )
    assert "… 4 more" in repr(many["children"])
    assert (
        repr(task["metadata"]) == "<KeyValueMappedCollectionProxy(metadata) {'k': '1', 'l': '2'}>"
    )
    assert tiny.asked == []


# Dictionaries


def test_metadata_reads_like_a_dictionary(task: Any) -> None:
    """Keys, values, length, membership and defaults."""
    metadata = task["metadata"]
    assert dict(metadata) == {"k": "1", "l": "2"}
    assert metadata.keys() == ["k", "l"]
    assert len(metadata) == 2
    assert "k" in metadata
    assert metadata.get("zz") is None
    assert metadata == {"k": "1", "l": "2"}
    assert isinstance(metadata, collection.KeyValueMappedCollectionProxy)
    with pytest.raises(KeyError):
        metadata["zz"]


def test_setting_a_known_key_updates_its_item(tiny: Any, task: Any) -> None:
    """The update is one of the item, not of the owner."""
    task["metadata"]["k"] = "9"
    assert tiny.changes == [("Metadata", "value", "9")]
    assert task["metadata"]["k"] == "9"


def test_setting_a_new_key_creates_an_item(tiny: Any, task: Any) -> None:
    """It is created for the owner and becomes a member."""
    task["metadata"]["new"] = "3"
    create, update = tiny.recorded_operations
    assert isinstance(create, CreateEntityOperation)
    assert create.entity_data == {
        "key": "new",
        "value": "3",
        "parent_id": "a",
        "parent_type": "Task",
    }
    assert update.attribute_name == "metadata"
    assert len(update.new_value) == 3


def test_deleting_a_key_deletes_its_item(tiny: Any, task: Any) -> None:
    """It is no member any more, and its deletion is recorded; unknown keys are errors."""
    del task["metadata"]["k"]
    update, delete = tiny.recorded_operations
    assert isinstance(delete, DeleteEntityOperation)
    assert dict(delete.entity_key) == {"parent_id": "a", "key": "k"}
    assert len(update.new_value) == 1
    with pytest.raises(KeyError):
        del task["metadata"]["zz"]


def test_assigning_a_mapping_makes_the_items_match(tiny: Any, task: Any) -> None:
    """Keys are updated, created and deleted."""
    task["metadata"] = {"l": "5", "m": "6"}
    assert dict(task["metadata"]) == {"l": "5", "m": "6"}
    deleted = [
        dict(each.entity_key)
        for each in tiny.recorded_operations
        if isinstance(each, DeleteEntityOperation)
    ]
    assert deleted == [{"parent_id": "a", "key": "k"}]


def test_assigning_an_equal_mapping_changes_nothing(tiny: Any, task: Any) -> None:
    """What the server holds is no change."""
    task["metadata"] = {"k": "1", "l": "2"}
    assert not list(tiny.recorded_operations)


def test_a_new_entity_takes_metadata_from_its_data(tiny: Any) -> None:
    """The items are created after it."""
    task = tiny.create("Task", {"metadata": {"k": "v"}})
    assert dict(task["metadata"]) == {"k": "v"}
    kinds = [(type(each).__name__, each.entity_type) for each in tiny.recorded_operations]
    assert kinds == [
        ("CreateEntityOperation", "Task"),
        ("CreateEntityOperation", "Metadata"),
        ("UpdateEntityOperation", "Task"),
    ]


def test_remote_dictionaries_cannot_be_changed(task: Any) -> None:
    """Neither by known nor by new keys."""
    remote = task.attributes.get("metadata").get_remote_value(task)
    assert dict(remote) == {"k": "1", "l": "2"}
    for key in ("k", "new"):
        with pytest.raises(exception.ImmutableCollectionError):
            remote[key] = "x"
    with pytest.raises(exception.ImmutableCollectionError):
        del remote["k"]


def test_a_proxy_hands_on_what_it_stands_for(task: Any) -> None:
    """Mutability and attribute are the collection's; a copy has a collection of its own."""
    proxy = task["metadata"]
    assert proxy.attribute.name == "metadata"
    copied = copy.copy(proxy)
    copied.mutable = False
    assert proxy.mutable
    assert copied.collection is not proxy.collection
    copied.attribute = task.attributes.get("children")
    assert copied.collection.attribute.name == "children"


# Keys for each session


def test_results_are_remembered_for_each_session(make_tiny: Any) -> None:
    """Two sessions do not share them, and one is asked once."""
    calls: list[Any] = []

    @collection.memoise_session
    def answer(session: Any, name: str) -> Any:
        calls.append((session, name))
        return [name]

    one, two = make_tiny(), make_tiny()
    assert answer(one, "a") is answer(one, "a")
    assert answer(two, "a") is not answer(one, "a")
    assert calls == [(one, "a"), (two, "a")]
