"""Entities as mappings: what is read, what is written, what is shown."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from typing import Any

import pytest

from ftrack_like import exception, inspection
from ftrack_like.attribute.hint import hints_for
from ftrack_like.entity.base import DynamicEntityTypeMetaclass, Entity
from ftrack_like.operation import CreateEntityOperation, UpdateEntityOperation
from ftrack_like.symbol import NOT_SET

DATE = {"__type__": "datetime", "value": "2023-10-10T09:50:34"}


# Reading


def test_loaded_values_are_read_without_a_request(tiny: Any) -> None:
    """What the server sent is there, references and members as entities."""
    task = tiny.load(
        "Task",
        id="a",
        name="layout",
        status={"__entity_type__": "Status", "id": "s", "name": "Open"},
        parent=None,
    )
    assert task["name"] == "layout"
    assert task["status"]["name"] == "Open"
    assert task["parent"] is None
    assert tiny.asked == []


def test_dates_are_read_as_moments_and_remembered(tiny: Any) -> None:
    """A date-time is an Arrow in UTC, the same object each time."""
    task = tiny.load("Task", id="a", start_date=dict(DATE))
    moment = task["start_date"]
    assert moment.isoformat() == "2023-10-10T09:50:34+00:00"
    assert task["start_date"] is moment


def test_dates_inside_plain_values_are_read(tiny: Any) -> None:
    """Dates nested in lists and mappings are moments too."""
    task = tiny.load("Task", id="a", link=[{"at": dict(DATE), "name": "x"}])
    assert task["link"][0]["at"].year == 2023
    assert task["link"][0]["name"] == "x"


def test_an_unloaded_scalar_is_asked_for(tiny: Any, make_record: Any) -> None:
    """Reading what is missing asks for it, once."""
    tiny.answer = lambda _: [make_record("Task", id="a", description="long")]
    task = tiny.load("Task", id="a")
    assert [task["description"], task["description"]] == ["long", "long"]
    assert tiny.asked == ['select description from Task where id is "a" offset 0 limit 500']


def test_an_unloaded_reference_comes_with_its_default_projections(
    tiny: Any, make_record: Any
) -> None:
    """A reference is asked for through the default projections of its type."""
    tiny.answer = lambda _: [
        make_record("Task", id="a", parent=make_record("Shot", id="b", name="sh010"))
    ]
    task = tiny.load("Task", id="a")
    assert task["parent"]["name"] == "sh010"
    assert [text.split(" where")[0] for text in tiny.asked] == [
        "select parent.id, parent.name from Task"
    ]


def test_nothing_is_asked_without_auto_population(tiny: Any) -> None:
    """With auto-population off what is missing is NOT_SET."""
    task = tiny.load("Task", id="a")
    with tiny.auto_populating(False):
        assert task["description"] is NOT_SET
        assert task["status"] is NOT_SET
    assert tiny.asked == []


def test_nothing_is_asked_of_an_entity_that_is_only_created(tiny: Any) -> None:
    """The server knows nothing of it yet."""
    task = tiny.create("Task", {"name": "new"})
    assert task["description"] is NOT_SET
    assert list(task["children"]) == []
    assert tiny.asked == []


def test_an_unknown_attribute_is_a_key_error_with_a_hint(tiny: Any) -> None:
    """The error is a KeyError and names what may have been meant."""
    task = tiny.load("Task", id="a")
    with pytest.raises(KeyError) as caught:
        task["stauts"]
    assert str(caught.value) == "Task has no attribute 'stauts'. Did you mean 'status'?"
    assert caught.value.__suppress_context__
    with pytest.raises(KeyError):
        task["stauts"] = 1
    with pytest.raises(KeyError):
        del task["stauts"]


def test_get_of_an_unknown_attribute_is_the_default(tiny: Any) -> None:
    """As with any mapping."""
    task = tiny.load("Task", id="a", name="x")
    assert task.get("nope", "default") == "default"
    assert task.get("name") == "x"


def test_restricted_projections_have_no_attribute(tiny: Any) -> None:
    """What cannot be projected cannot be read, also when it comes."""
    task = tiny.load("Task", id="a", hidden=[1])
    assert "hidden" not in task
    with pytest.raises(KeyError):
        task["hidden"]


def test_keys_the_schema_lacks_are_dropped(tiny: Any) -> None:
    """Values that the server adds for itself are not attributes."""
    task = tiny.load("Task", id="a", showid="p")
    with pytest.raises(KeyError):
        task["showid"]


# As a mapping


def test_an_entity_is_a_mapping_of_all_attributes(tiny: Any) -> None:
    """Names, length and membership are those of the schema, loaded or not."""
    task = tiny.load("Task", id="a")
    assert list(task)[:3] == ["id", "name", "description"]
    assert list(task.keys()) == list(task)
    assert len(task.keys()) == len(task) == len(tiny.types["Task"].attributes)
    assert "status" in task.keys()
    assert "status" in task
    assert "nope" not in task
    assert tiny.asked == []


def test_items_load_all_scalars_and_references_at_once(tiny: Any, make_record: Any) -> None:
    """Items and values are lists; what is missing of single values comes in one request."""
    tiny.answer = lambda _: [
        make_record("Task", id="a", name="x", children=[], notes=[], metadata=[])
    ]
    task = tiny.load("Task", id="a")
    items = task.items()
    assert ("name", "x") in items
    assert len(items) == len(task) == len(task.values())
    first = tiny.asked[0]
    assert first.startswith("select name, description, start_date, bid")
    assert "status.id" in first


def test_an_entity_is_true(tiny: Any) -> None:
    """An entity counts as true, whatever it holds."""
    assert tiny.load("Task", id="a")


# Identity


def test_entities_are_equal_by_type_and_key(tiny: Any, make_tiny: Any) -> None:
    """Entities of several sessions are equal when they are the same on the server."""
    task, other, elsewhere = (
        tiny.load("Task", id="a"),
        tiny.load("Task", id="b"),
        make_tiny().load("Task", id="a"),
    )
    assert task == elsewhere
    assert hash(task) == hash(elsewhere)
    assert task != other
    assert task != tiny.load("Shot", id="a")
    assert task != {"id": "a"}
    assert task != 1
    assert len({task, elsewhere, other}) == 2


def test_the_hash_is_that_of_the_identity(tiny: Any) -> None:
    """The hash follows from the identity's text, as it always did."""
    task = tiny.load("Task", id="a")
    assert hash(task) == hash(str(inspection.identity(task)))


def test_an_entity_without_key_has_no_hash(tiny: Any) -> None:
    """It cannot be told from others: a KeyError."""
    with pytest.raises(KeyError):
        hash(tiny.types["Task"](tiny, {}, reconstructing=True))


# Writing


def test_setting_a_value_records_an_update(tiny: Any) -> None:
    """The new value is read at once, and recorded with the entity's key."""
    task = tiny.load("Task", id="a", name="x")
    task["name"] = "y"
    assert task["name"] == "y"
    (update,) = tiny.recorded_operations
    assert isinstance(update, UpdateEntityOperation)
    assert (update.entity_type, dict(update.entity_key)) == ("Task", {"id": "a"})
    assert (update.attribute_name, update.new_value) == ("name", "y")


def test_setting_what_the_server_holds_is_no_change(tiny: Any) -> None:
    """Nothing is recorded, nothing becomes dirty."""
    status = tiny.load("Status", id="s")
    task = tiny.load("Task", id="a", name="x", status=status, start_date=dict(DATE))
    task["name"] = "x"
    task["status"] = status
    task["start_date"] = task["start_date"]
    assert not list(tiny.recorded_operations)
    assert not len(tiny._identity_map.dirty)


@pytest.mark.parametrize(("held", "new"), [(1, True), (1, 1.0), (0, False), ("1", 1)])
def test_equal_values_of_other_types_are_changes(tiny: Any, held: Any, new: Any) -> None:
    """What travels otherwise is another value."""
    task = tiny.load("Task", id="a", bid=held)
    task["bid"] = new
    assert tiny.changes == [("Task", "bid", new)]


def test_setting_a_local_value_again_records_again(tiny: Any) -> None:
    """Only what the server holds is known to be no change."""
    task = tiny.load("Task", id="a", name="x")
    task["name"] = "y"
    task["name"] = "y"
    task["name"] = "x"
    assert [new for _, _, new in tiny.changes] == ["y", "y", "x"]
    assert task["name"] == "x"


def test_deleting_takes_the_local_value_back(tiny: Any) -> None:
    """The remote value shows again; a NOT_SET is recorded, which commits to nothing."""
    task = tiny.load("Task", id="a", name="x")
    task["name"] = "y"
    del task["name"]
    assert task["name"] == "x"
    assert tiny.changes[-1] == ("Task", "name", NOT_SET)


def test_immutable_attributes_keep_their_first_value(tiny: Any) -> None:
    """They can be set while they have no value, and never again."""
    task = tiny.load("Task", id="a")
    task["time_logged"] = 3
    with pytest.raises(exception.ImmutableAttributeError):
        task["time_logged"] = 4
    with pytest.raises(exception.ImmutableAttributeError):
        task["id"] = "b"


def test_nothing_is_recorded_when_recording_is_off(tiny: Any) -> None:
    """The value is set all the same."""
    task = tiny.load("Task", id="a")
    tiny.record_operations = False
    task["name"] = "y"
    assert task["name"] == "y"
    assert not list(tiny.recorded_operations)


def test_clear_takes_back_all_changes(tiny: Any) -> None:
    """Local values are gone, remote ones show."""
    task = tiny.load("Task", id="a", name="x", bid=1.0)
    task["name"], task["bid"] = "y", 2.0
    task.clear()
    assert (task["name"], task["bid"]) == ("x", 1.0)


def test_changes_make_dirty_in_proportion(tiny: Any) -> None:
    """However much is loaded, only what was changed is looked at afterwards."""
    tasks = [tiny.load("Task", id=str(index), name="x") for index in range(50)]
    tasks[3]["name"] = "y"
    tasks[4]["bid"] = 1.0
    assert list(tiny._identity_map.dirty) == [tasks[3], tasks[4]]
    tiny._identity_map.forget_local_values()
    assert len(tiny._identity_map.dirty) == 0
    assert tasks[3]["name"] == "x"


# Creating


def test_creating_records_one_creation_with_defaults(tiny: Any) -> None:
    """Scalars go into the creation, with an id and the schema's defaults."""
    task = tiny.create("Task", {"bid": 2.0})
    (create,) = tiny.recorded_operations
    assert isinstance(create, CreateEntityOperation)
    assert create.entity_data == {
        "id": task["id"],
        "name": "",
        "bid": 2.0,
        "object_type_id": "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c",
    }
    assert dict(create.entity_key) == {"id": task["id"]}
    assert len(task["id"]) == 36


def test_references_and_members_of_a_new_entity_are_updates(tiny: Any) -> None:
    """They follow the creation, so that the server knows the entity by then."""
    status = tiny.load("Status", id="s")
    task = tiny.create("Task", {"status": status, "children": [], "name": "x"})
    kinds = [type(each).__name__ for each in tiny.recorded_operations]
    assert kinds == ["CreateEntityOperation", "UpdateEntityOperation", "UpdateEntityOperation"]
    assert task["status"] is status


def test_unknown_names_in_the_data_are_left_out_with_a_warning(tiny: Any) -> None:
    """A slip in a name is said, with what may have been meant; nothing else suffers."""
    with pytest.warns(exception.UnknownAttributeWarning) as caught:
        task = tiny.create("Task", {"nmae": "x", "__entity_type__": "Task"})
    assert task["name"] == ""
    assert [str(each.message) for each in caught] == [
        "Task has no attribute 'nmae'; its value is ignored. Did you mean 'name'?"
    ]
    assert issubclass(exception.UnknownAttributeWarning, UserWarning)


def test_unknown_name_as_an_error_records_nothing(tiny: Any) -> None:
    """A program that turns the warning into an error gets it before anything is recorded."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", exception.UnknownAttributeWarning)
        with pytest.raises(exception.UnknownAttributeWarning):
            tiny.create("Task", {"name": "x", "nmae": "x"})
    assert not list(tiny.recorded_operations)


def test_reconstructing_records_nothing(tiny: Any) -> None:
    """What the server holds is no change."""
    task = tiny.create("Task", {"id": "a", "name": "x", "nope": 1}, reconstructing=True)
    assert task["name"] == "x"
    assert not list(tiny.recorded_operations)


def test_unset_values_in_the_data_count_as_left_out(tiny: Any) -> None:
    """NOT_SET gives way to the default."""
    task = tiny.create("Task", {"name": NOT_SET, "description": NOT_SET})
    assert task["name"] == ""
    assert task["description"] is NOT_SET


def test_a_committed_creation_keeps_its_identity(tiny: Any) -> None:
    """When local values go, the primary key stays."""
    task = tiny.create("Task", {"name": "x"})
    text = str(task)
    tiny.commit()
    assert str(task) == text
    assert inspection.state(task) is NOT_SET


# Text


def test_texts_name_the_entity(tiny: Any) -> None:
    """str gives type and key; several key values are separated by commas."""
    assert str(tiny.load("Task", id="a")) == "<Task(a)>"
    assert str(tiny.load("Metadata", parent_id="a", key="k")) == "<Metadata(a, k)>"
    assert repr(tiny.types["Task"]) == "<dynamic ftrack class 'Task'>"
    assert repr(Entity) == "<dynamic ftrack class 'Entity'>"


# Classes


def test_entities_take_other_classes_and_attributes(tiny: Any) -> None:
    """A mixin by assigning the class works, as do attributes of one's own."""
    task = tiny.load("Task", id="a", name="x")

    class Shouting:
        def shout(self: Any) -> str:
            return str(self["name"]).upper()

    task.__class__ = type("LoudTask", (type(task), Shouting), {})
    task.anything = 5
    assert task.shout() == "X"
    assert task.anything == 5
    assert isinstance(task, tiny.types["Task"])


def test_entity_classes_have_their_metaclass(tiny: Any) -> None:
    """Classes made from schemas are told apart by their class."""
    assert isinstance(tiny.types["Task"], DynamicEntityTypeMetaclass)
    assert issubclass(tiny.types["Task"], Entity)
    assert tiny.types["Task"].entity_type == "Task"
    assert tiny.types["Task"].primary_key_attributes == ["id"]
    assert tiny.types["Task"].default_projections == ["id", "name"]


def test_the_logger_is_named_after_the_class(tiny: Any) -> None:
    """Each class logs under its name; an entity may have another."""
    task = tiny.load("Task", id="a")
    assert task.logger.name == "ftrack_like.entity.base.Task"
    task.logger = "mine"
    assert task.logger == "mine"


def test_a_copy_shares_the_identity(tiny: Any) -> None:
    """copy.copy gives another object for the same entity."""
    task = tiny.load("Task", id="a", name="x")
    assert copy.copy(task) == task
    assert copy.copy(task) is not task


def test_not_set_survives_pickling() -> None:
    """The unset marker is the same object after a round trip."""
    assert pickle.loads(pickle.dumps(NOT_SET)) is NOT_SET


# Merging


def test_merge_says_what_changed(tiny: Any, make_record: Any) -> None:
    """The changes are listed with old and new values; a second time there are none."""
    task = tiny.load("Task", id="a", name="x")
    other = tiny.types["Task"](tiny, {"id": "a", "name": "y", "bid": 2.0}, reconstructing=True)
    changes = task.merge(other)
    assert changes == [
        {"type": "remote_attribute", "name": "name", "old_value": "x", "new_value": "y"},
        {"type": "remote_attribute", "name": "bid", "old_value": NOT_SET, "new_value": 2.0},
    ]
    assert task.merge(other) == []
    assert task["name"] == "y"


def test_merge_of_another_entity_is_refused(tiny: Any) -> None:
    """An entity keeps its primary key."""
    task = tiny.load("Task", id="a")
    with pytest.raises(exception.ImmutableAttributeError):
        task.merge(tiny.types["Task"](tiny, {"id": "b"}, reconstructing=True))


def test_merge_keeps_local_changes(tiny: Any) -> None:
    """What was set here shows until it is committed or taken back."""
    task = tiny.load("Task", id="a", name="x")
    task["name"] = "mine"
    tiny.load("Task", id="a", name="theirs")
    assert task["name"] == "mine"
    tiny._identity_map.forget_local_values()
    assert task["name"] == "theirs"


def test_dots_have_a_hint(tiny: Any) -> None:
    """``task.name`` says how to read the attribute; another name has Python's own error."""
    task = tiny.load("Task", id="a", name="x")
    with pytest.raises(AttributeError, match=r'write task\["name"\] instead of task\.name'):
        task.name
    with pytest.raises(AttributeError, match=r"no attribute 'nam'$"):
        task.nam
    with pytest.raises(AttributeError, match="type object 'Task'"):
        type(task).name
    assert tiny.asked == []


def test_hints_look_like_nothing(tiny: Any) -> None:
    """Probing, copying and listing an entity work as if its class had no hints."""
    task = tiny.load("Task", id="a", name="x")
    assert not hasattr(task, "name")
    assert getattr(task, "bid", None) is None
    assert "name" not in dir(task)
    assert copy.copy(task) == task
    assert [name for name, _ in inspect.getmembers(task) if name in task] == []
    with pytest.warns(exception.UnknownAttributeWarning):
        task.name = "of the program"
    assert task.name == "of the program"
    assert "name" in dir(task)
    assert task["name"] == "x"


def test_setting_with_a_dot_shows_a_warning(tiny: Any) -> None:
    """``task.name = …`` sets an attribute of the object, and the warning says how to set the name.

    Any other name is free for the program, as with the published client.
    """
    task = tiny.load("Task", id="a", name="x")
    with pytest.warns(exception.UnknownAttributeWarning) as caught:
        task.name = "y"
    assert 'Write task["name"] = … instead' in str(caught[0].message)
    assert caught[0].filename == __file__
    task.nmae = "z"
    assert (task.name, task.nmae, task["name"]) == ("y", "z", "x")
    with warnings.catch_warnings():
        warnings.simplefilter("error", exception.UnknownAttributeWarning)
        with pytest.raises(exception.UnknownAttributeWarning):
            task.bid = 3
    assert not hasattr(task, "bid")
    del task.name
    with pytest.raises(AttributeError, match="An entity is a mapping"):
        task.name
    with pytest.raises(AttributeError, match=r"no attribute 'name'$"):
        del task.name


@pytest.mark.parametrize("is_after", [False, True])
def test_setting_an_attribute_of_a_program_shows_no_warning(tiny: Any, is_after: bool) -> None:
    """A property or a value of a program's class is set as if its class had no hints."""

    class Studio:
        bid = 1.0
        shown: Any = None

        @property
        def name(self) -> Any:
            return self.shown

        @name.setter
        def name(self, value: Any) -> None:
            self.shown = value

        @name.deleter
        def name(self) -> None:
            self.shown = "deleted"

    base = tiny.types["Task"]
    bases = (base, Studio) if is_after else (Studio, base)
    task = type(base)("Task", bases, {})(tiny, {"id": "a", "name": "x"}, reconstructing=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task.name, task.bid = "y", 2.0
    assert (task.name, task.bid, task["name"]) == ("y", 2.0, "x")
    del task.name, task.bid
    assert (task.name, task.bid) == ("deleted", 1.0)


def test_members_of_a_class_have_no_hint(tiny: Any) -> None:
    """An attribute with the name of a method or property of the class leaves it alone."""
    names = {"keys": {}, "session": {}, "name": {}}
    assert set(hints_for(names, [Entity])) == {"name"}


def test_hints_hide_no_attribute_of_a_program(tiny: Any) -> None:
    """A base class of a program may have an attribute that is called like one of the schema."""

    class Studio:
        bid = "of the studio"

        @property
        def name(self) -> str:
            return "upper " + self["name"].upper()  # type: ignore[index]

    class_ = type(tiny.types["Task"])("Task", (tiny.types["Task"], Studio), {})
    task = class_(tiny, {"id": "a", "name": "x"}, reconstructing=True)
    assert (task.name, task.bid, class_.bid) == ("upper X", "of the studio", "of the studio")
    with pytest.raises(AttributeError, match="An entity is a mapping"):
        task.status
