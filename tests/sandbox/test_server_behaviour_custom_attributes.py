"""What the server does by itself for custom attributes: dense, typed, by key."""

from __future__ import annotations

from typing import Any, Optional

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

MOMENT = {"__type__": "datetime", "value": "2023-10-10T09:50:34"}

#: Type of an attribute: values that it takes, and values that it refuses.
TYPES = {
    "text": (["some text", ""], [5, True, ["a"], {"a": 1}]),
    "boolean": ([True, False], ["yes", 2, MOMENT]),
    "number": ([5, 2.5, -3, 0], ["five", "nan", "1_0", True, [1]]),
    "date": ([MOMENT], ["tomorrow", 5, True]),
    "enumerator": ([["one", "two"], ["[one"], []], [5, [1], {"a": 1}]),
    "dynamic enumerator": ([["one"], ["one", "[two"]], [5, True]),
    "expression": (["{self.bid} * 2"], [5, True]),
    "url": (
        [[{"url": "https://a.example", "name": "A"}], []],
        ["https://a.example", [{"name": "A"}], [{"url": 5}], [{"url": "u", "size": 1}]],
    ),
}


@pytest.fixture
def project(api: Any) -> str:
    """Return the id of a project."""
    schema = api.query("ProjectSchema")[0]["id"]
    return api.create("Project", name="film", project_schema_id=schema)


@pytest.fixture
def task(api: Any, project: str) -> str:
    """Return the id of a task in the project."""
    return api.create("Task", name="comp", parent_id=project)


def configure(
    api: Any, type_name: str = "text", entity_type: str = "task", key: str = "mine", **more: Any
) -> str:
    """Return the id of a new configuration."""
    type_id = api.one(f'CustomAttributeType where name is "{type_name}"')["id"]
    more.setdefault("default", None)
    return api.create(
        "CustomAttributeConfiguration",
        key=key,
        label=key,
        type_id=type_id,
        entity_type=entity_type,
        config='{"multiSelect": true, "isdecimal": true}',
        **more,
    )


def put(configuration: str, entity: str, value: Any, family: str = "Context") -> dict[str, Any]:
    """Return the operation that sets a value."""
    type_name = f"{family}CustomAttributeValue"
    return {
        "action": "update",
        "entity_type": type_name,
        "entity_key": [configuration, entity],
        "entity_data": {"__entity_type__": type_name, "value": value},
    }


def read(api: Any, type_name: str, id_: str, key: str = "mine") -> Optional[Any]:
    """Return the value that an entity has under *key*; the key must be there once."""
    record = api.one(
        f"select custom_attributes.key, custom_attributes.value from {type_name} where id is {id_}"
    )
    (found,) = [one for one in record["custom_attributes"] if one["key"] == key]
    return found["value"]


def test_every_entity_has_the_default(api: Any, task: str) -> None:
    """An entity for which nothing is stored has the configuration's default."""
    configure(api, default="usual")
    assert read(api, "Task", task) == "usual"
    assert api.query("CustomAttributeValue where configuration.key is mine") == []


def test_update_inserts_and_changes(api: Any, task: str) -> None:
    """An update with the key of a value makes the value, or changes it."""
    configuration = configure(api)
    for value in ("first", "second"):
        answer = api.call(put(configuration, task, value))[0]["data"]
        assert (answer["key"], answer["value"]) == ("mine", value)
        assert read(api, "Task", task) == value
    stored = api.query("select value from CustomAttributeValue where configuration.key is mine")
    assert [(one["entity_id"], one["value"]) for one in stored] == [(task, "second")]


def test_update_may_be_in_the_batch_that_creates_the_entity(api: Any, project: str) -> None:
    """A value may be set for an entity that the same batch creates, before or after."""
    configuration = configure(api)
    task = api.make("Task", name="comp", parent_id=project)
    task_id = task["entity_key"][0]
    api.call(put(configuration, task_id, "early"), task)
    assert read(api, "Task", task_id) == "early"


def test_value_of_nothing_is_refused(api: Any) -> None:
    """A value for an entity that is not there when the batch ends is refused."""
    with pytest.raises(api.Error, match="does not exist") as caught:
        api.call(put(configure(api), "nobody", "x"))
    assert caught.value.name == "ValidationError"


def test_unknown_configuration_is_refused(api: Any, task: str) -> None:
    """A value of no known configuration is refused."""
    with pytest.raises(api.Error, match="no custom attribute configuration") as caught:
        api.call(put("nothing", task, "x"))
    assert (caught.value.name, caught.value.status) == ("NotFoundError", 404)


def test_values_are_not_created(api: Any, task: str) -> None:
    """A create of a value is refused in words that say what to do instead."""
    configuration = configure(api)
    with pytest.raises(api.Error, match="update it"):
        api.call(
            api.make(
                "ContextCustomAttributeValue",
                [configuration, task],
                configuration_id=configuration,
                entity_id=task,
                value="x",
            )
        )


def test_deleting_a_value_brings_the_default_back(api: Any, task: str) -> None:
    """A deleted value is the default again, and deleting a default changes nothing."""
    configuration = configure(api, default="usual")
    api.call(put(configuration, task, "other"))
    for _ in range(2):
        api.delete("ContextCustomAttributeValue", configuration, task)
        assert read(api, "Task", task) == "usual"


@pytest.mark.parametrize(
    ("type_name", "value"),
    [(name, value) for name, (good, _) in TYPES.items() for value in [*good, None]],
    ids=str,
)
def test_values_of_the_type_are_kept(api: Any, task: str, type_name: str, value: Any) -> None:
    """A value of the configured type is answered as it was sent, none included."""
    api.call(put(configure(api, type_name, default=None), task, value))
    assert read(api, "Task", task) == value


@pytest.mark.parametrize(
    ("type_name", "value"),
    [(name, value) for name, (_, bad) in TYPES.items() for value in bad],
    ids=str,
)
def test_values_of_another_type_are_refused(
    api: Any, task: str, type_name: str, value: Any
) -> None:
    """A value of another type is refused, naming key, type and value."""
    configuration = configure(api, type_name)
    with pytest.raises(api.Error) as caught:
        api.call(put(configuration, task, value))
    assert caught.value.name == "ValidationError"
    shown = repr(value).translate(str.maketrans("{}", "()"))  # errors contain no braces
    for part in ("'mine'", type_name, shown, type(value).__name__):
        assert part in caught.value.content


def test_expressions_are_answered_unevaluated(api: Any, task: str) -> None:
    """The value of an expression is its text."""
    api.call(put(configure(api, "expression"), task, "{self.bid} * 2"))
    assert read(api, "Task", task) == "{self.bid} * 2"


def test_hierarchical_values_are_answered_raw(api: Any, project: str, task: str) -> None:
    """A hierarchical attribute is one of all contexts; each answers what is stored for it."""
    configuration = configure(api, entity_type="show", is_hierarchical=True, default="usual")
    api.call(put(configuration, project, "above"))
    assert read(api, "Project", project) == "above"
    assert read(api, "Task", task) == "usual"


@pytest.mark.parametrize(
    ("family", "entity_type"),
    [
        ("Context", "task"),
        ("Context", "show"),
        ("AssetVersion", "assetversion"),
        ("Asset", "asset"),
        ("User", "user"),
        ("List", "list"),
    ],
)
def test_every_family_has_values(api: Any, project: str, family: str, entity_type: str) -> None:
    """Each of the types that a configuration may be for takes values of it."""
    configuration = configure(api, entity_type=entity_type)
    task = api.create("Task", name="comp", parent_id=project)
    asset = api.create("Asset", name="plate", context_id=task)
    category = api.query("ListCategory")[0]["id"]
    entities = {
        "task": ("Task", task),
        "show": ("Project", project),
        "asset": ("Asset", asset),
        "assetversion": ("AssetVersion", api.create("AssetVersion", asset_id=asset)),
        "user": ("User", api.query("User")[0]["id"]),
        "list": (
            "TypedContextList",
            api.create("TypedContextList", name="l", project_id=project, category_id=category),
        ),
    }
    type_name, id_ = entities[entity_type]
    api.call(put(configuration, id_, "x", family))
    assert read(api, type_name, id_) == "x"


def test_configuration_of_an_object_type_is_for_no_other(api: Any, project: str) -> None:
    """A value for an entity of another object type is refused, saying what the attribute is for."""
    shots = api.one("ObjectType where name is Shot")["id"]
    configuration = configure(api, object_type_id=shots)
    shot = api.create("Shot", name="sh010", parent_id=project)
    task = api.create("Task", name="comp", parent_id=project)
    api.call(put(configuration, shot, "x"))
    with pytest.raises(api.Error, match="not for this Task"):
        api.call(put(configuration, task, "x"))


def test_configuration_of_a_project_is_for_no_other(api: Any, project: str, task: str) -> None:
    """A value for an entity of another project is refused."""
    schema = api.query("ProjectSchema")[0]["id"]
    other = api.create("Project", name="other", project_schema_id=schema)
    with pytest.raises(api.Error, match="not for this Task"):
        api.call(put(configure(api, project_id=other), task, "x"))
    api.call(put(configure(api, project_id=project, key="own"), task, "x"))
    assert read(api, "Task", task, "own") == "x"


@pytest.mark.parametrize("own_is_older", [True, False])
def test_own_configuration_of_a_project_comes_first(
    api: Any, project: str, task: str, own_is_older: bool
) -> None:
    """Of two configurations with one key, the project's own is answered before that of all."""
    for is_own in (own_is_older, not own_is_older):
        more = {"project_id": project} if is_own else {}
        configure(api, default="own" if is_own else "all", **more)
    values = api.one(f'select custom_attributes.value from Task where id is "{task}"')
    mine = [each["value"] for each in values["custom_attributes"] if each["key"] == "mine"]
    assert mine == ["own", "all"]


def test_values_go_with_their_configuration(api: Any, task: str) -> None:
    """Deleting a configuration deletes its values."""
    configuration = configure(api)
    api.call(put(configuration, task, "x"))
    api.delete("CustomAttributeConfiguration", configuration)
    assert api.query("CustomAttributeValue") == []


def test_list_of_values_that_clients_send_changes_nothing(api: Any, task: str) -> None:
    """The list of values in an update of their owner is no statement about the values."""
    configuration = configure(api)
    api.call(put(configuration, task, "x"))
    api.update("Task", task, custom_attributes=[])
    assert read(api, "Task", task) == "x"


def test_links_know_their_families(api: Any, project: str, task: str) -> None:
    """A link finds out between which types it is by its configuration, and is found both ways."""
    configuration = api.create(
        "CustomAttributeLinkConfiguration",
        key="artist",
        label="Artist",
        config="{}",
        entity_type="task",
        entity_type_to="user",
    )
    user = api.query("User")[0]["id"]
    link = api.create(
        "CustomAttributeLink", configuration_id=configuration, from_id=task, to_id=user
    )
    for type_name in ("UserCustomAttributeLink", "ContextCustomAttributeLinkFrom"):
        assert [one["id"] for one in api.query(type_name)] == [link], type_name
    found = api.query("Task where custom_attribute_links any (configuration.key is artist)")
    assert [one["id"] for one in found] == [task]
    found = api.query("User where custom_attribute_links_from any (configuration.key is artist)")
    assert [one["id"] for one in found] == [user]


@pytest.mark.parametrize("family", ["Context", "Asset", "AssetVersion"])
def test_hierarchical_ones_apply_to_contexts_assets_and_versions(
    api: Any, project: str, family: str
) -> None:
    """They have the default there, and can be set, found and deleted again."""
    configuration = configure(api, entity_type="show", is_hierarchical=True, default="usual")
    asset = api.create("Asset", name="hero", context_id=project)
    owners = {
        "Context": ("Project", project),
        "Asset": ("Asset", asset),
        "AssetVersion": ("AssetVersion", api.create("AssetVersion", asset_id=asset)),
    }
    type_name, owner = owners[family]
    assert read(api, type_name, owner) == "usual"
    api.call(put(configuration, owner, "own", family))
    assert read(api, type_name, owner) == "own"
    condition = 'custom_attributes any (key is "mine" and value is "own")'
    assert [one["id"] for one in api.query(f"{type_name} where {condition}")] == [owner]
    api.call(
        {
            "action": "delete",
            "entity_type": "CustomAttributeValue",
            "entity_key": [configuration, owner],
        }
    )
    assert read(api, type_name, owner) == "usual"


def test_others_do_not_apply_to_assets(api: Any, project: str) -> None:
    """An attribute of projects that is not hierarchical is refused on an asset."""
    configuration = configure(api, entity_type="show")
    asset = api.create("Asset", name="hero", context_id=project)
    with pytest.raises(AssertionError, match="is not for this Asset"):
        api.call(put(configuration, asset, "own", "Asset"))
