"""Custom attributes: dictionaries by the keys of the configurations that apply."""

from __future__ import annotations

from typing import Any

import pytest

from ftrack_like.operation import CreateEntityOperation, DeleteEntityOperation

TASK = "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c"
SHOT = "bad911de-3bd6-47b9-8b46-3476e237cb36"


def configuration(name: str, key: str, **values: Any) -> dict[str, Any]:
    """Return the record of a configuration for tasks."""
    return {
        "__entity_type__": "CustomAttributeConfiguration",
        "id": name,
        "key": key,
        "entity_type": "task",
        "object_type_id": TASK,
        "project_id": None,
        "is_hierarchical": False,
        "default": f"default of {name}",
        **values,
    }


CONFIGURATIONS = [
    configuration("c1", "frames"),
    configuration("c2", "frames", project_id="p1"),
    configuration("c3", "fps", entity_type="show", object_type_id=None, is_hierarchical=True),
    configuration("c4", "lens", object_type_id=SHOT),
    configuration("c5", "seat", entity_type="user", object_type_id=None),
]


@pytest.fixture
def configured(tiny: Any) -> Any:
    """Return a session whose server has the configurations."""
    tiny.answer = lambda text: CONFIGURATIONS if "from CustomAttributeConfiguration" in text else []
    return tiny


def value(configuration_id: str, key: str, held: Any) -> dict[str, Any]:
    """Return the record of a stored value of the task ``a``."""
    return {
        "__entity_type__": "ContextCustomAttributeValue",
        "configuration_id": configuration_id,
        "entity_id": "a",
        "key": key,
        "value": held,
    }


def test_stored_values_read_by_key(configured: Any) -> None:
    """Reading needs no configuration."""
    task = configured.load("Task", id="a", custom_attributes=[value("c1", "frames", 100)])
    assert dict(task["custom_attributes"]) == {"frames": 100}
    assert configured.asked == []


def test_setting_a_stored_value_updates_it(configured: Any) -> None:
    """The update has the value's own key."""
    task = configured.load("Task", id="a", custom_attributes=[value("c1", "frames", 100)])
    task["custom_attributes"]["frames"] = 120
    (update,) = configured.recorded_operations
    assert update.entity_type == "ContextCustomAttributeValue"
    assert dict(update.entity_key) == {"configuration_id": "c1", "entity_id": "a"}
    assert update.new_value == 120


@pytest.mark.parametrize(
    ("entity_type", "data", "key", "expected"),
    [
        ("Task", {}, "frames", "c1"),
        ("Task", {"project_id": "p1"}, "frames", "c2"),
        ("Task", {"project_id": "p2"}, "frames", "c1"),
        ("Task", {}, "fps", "c3"),
        ("Shot", {}, "fps", "c3"),
        ("Shot", {}, "lens", "c4"),
    ],
)
def test_a_new_entity_updates_the_value_of_the_configuration_that_applies(
    configured: Any, entity_type: str, data: Any, key: str, expected: str
) -> None:
    """The project's own comes first, hierarchical ones apply to every context."""
    entity = configured.create(entity_type, {**data, "custom_attributes": {key: 1}})
    assert entity["custom_attributes"][key] == 1
    updates = [
        each
        for each in configured.recorded_operations
        if each.entity_type == "ContextCustomAttributeValue"
    ]
    assert [dict(each.entity_key) for each in updates] == [
        {"configuration_id": expected, "entity_id": entity["id"]}
    ]


def test_the_project_is_found_through_the_parent(configured: Any) -> None:
    """A new task under a shot belongs to the shot's project."""
    shot = configured.load("Shot", id="s", project_id="p1")
    task = configured.create("Task", {"parent": shot, "custom_attributes": {"frames": 1}})
    assert task["custom_attributes"].collection[0]["configuration_id"] == "c2"


@pytest.mark.parametrize(
    ("entity_type", "key"), [("Task", "lens"), ("Shot", "frames"), ("Task", "seat")]
)
def test_what_is_not_configured_cannot_be_set(configured: Any, entity_type: str, key: str) -> None:
    """The error names the key; a new entity raises ValueError, a known one KeyError."""
    with pytest.raises(ValueError, match=key):
        configured.create(entity_type, {"custom_attributes": {key: 1}})
    known = configured.load(entity_type, id="k", custom_attributes=[])
    with pytest.raises(KeyError, match=key):
        known["custom_attributes"][key] = 1


def test_a_slip_in_a_key_is_answered_with_a_hint(configured: Any) -> None:
    """The error says what may have been meant."""
    task = configured.load("Task", id="a", object_type_id=TASK, custom_attributes=[])
    with pytest.raises(KeyError, match="Did you mean 'frames'"):
        task["custom_attributes"]["frame"] = 1


def test_a_mapping_with_an_unknown_key_changes_nothing_it_should_not(configured: Any) -> None:
    """What is there stays when the assignment fails."""
    task = configured.load("Task", id="a", custom_attributes=[value("c1", "frames", 100)])
    with pytest.raises(KeyError):
        task["custom_attributes"] = {"nope": 1}
    assert dict(task["custom_attributes"]) == {"frames": 100}
    assert not list(configured.recorded_operations)


def test_configurations_are_read_once_and_again_after_a_reset(configured: Any) -> None:
    """A reset forgets them with everything else."""
    for _ in range(3):
        configured.create("Task", {"custom_attributes": {"frames": 1}})
    assert len(configured.asked) == 1
    configured._local_cache.clear()
    configured.create("Task", {"custom_attributes": {"frames": 1}})
    assert len(configured.asked) == 2


# The older kind


@pytest.fixture
def legacy(configured: Any) -> Any:
    """Return an entity of a server with the older kind of custom attributes."""
    return configured.load(
        "Legacy",
        id="a",
        project_id=None,
        object_type_id=TASK,
        custom_attributes=[
            {
                "__entity_type__": "CustomAttributeValue",
                "configuration_id": "c1",
                "entity_id": "a",
                "value": 5,
            }
        ],
    )


def test_older_values_are_found_by_configuration_key(legacy: Any) -> None:
    """Every configuration that applies has a key; what is not stored shows its default."""
    values = legacy["custom_attributes"]
    assert dict(values) == {"frames": 5, "fps": "default of c3"}
    assert len(values) == 2
    assert values.get_configuration_id_from_key("frames") == "c1"
    with pytest.raises(KeyError):
        values["lens"]


def test_older_values_are_updated_created_and_deleted(configured: Any, legacy: Any) -> None:
    """A stored one is updated, another created, and deleting shows the default again."""
    values = legacy["custom_attributes"]
    values["frames"] = 6
    values["fps"] = 24
    update, create, members = configured.recorded_operations
    assert (update.entity_type, update.new_value) == ("CustomAttributeValue", 6)
    assert isinstance(create, CreateEntityOperation)
    assert create.entity_data == {"configuration_id": "c3", "entity_id": "a", "value": 24}
    assert len(members.new_value) == 2
    configured.recorded_operations.clear()
    del values["fps"]
    assert values["fps"] == "default of c3"
    assert isinstance(list(configured.recorded_operations)[-1], DeleteEntityOperation)
    configured.recorded_operations.clear()
    del values["fps"]
    assert not list(configured.recorded_operations)


def test_older_proxies_are_equal_by_their_members(legacy: Any) -> None:
    """A dictionary of the same is no such proxy."""
    values = legacy["custom_attributes"]
    assert values == legacy["custom_attributes"]
    assert values != dict(values)


@pytest.mark.parametrize("created", [True, False])
def test_the_error_for_a_missing_key_lists_those_that_are_there(
    configured: Any, created: bool
) -> None:
    """It is a KeyError with a guess at the key, and does not ask the server."""
    if created:
        task = configured.create("Task", {"id": "a"})
        task["custom_attributes"]["frames"] = 1
    else:
        task = configured.load("Task", id="a", custom_attributes=[value("c1", "frames", 100)])
    asked = list(configured.asked)
    with pytest.raises(KeyError) as caught:
        task["custom_attributes"]["frmaes"]
    assert "Did you mean 'frames'" in str(caught.value)
    assert "are: frames" in str(caught.value)
    assert ("commit" in str(caught.value)) is created
    assert task["custom_attributes"].get("frmaes", 5) == 5
    assert configured.asked == asked
