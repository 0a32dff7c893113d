"""Facts about custom attributes of real sites: sections C and F of the site facts."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

OPTIONS = json.dumps([{"menu": "One", "value": "one"}, {"menu": "Two", "value": "two"}])
SINGLE = json.dumps({"multiSelect": False, "data": OPTIONS})
SEVERAL = json.dumps({"multiSelect": True, "data": OPTIONS})


def configure(api: Any, type_name: str, key: str = "mine", **more: Any) -> Any:
    """Return the id of a new configuration for contexts."""
    type_id = api.one(f'CustomAttributeType where name is "{type_name}"')["id"]
    words = {"key": key, "label": key, "entity_type": "task", **more}
    return api.create("CustomAttributeConfiguration", type_id=type_id, **words)


def read(api: Any, owner: str, key: str = "mine", type_name: str = "Task") -> Any:
    """Return the value that an entity has under *key*."""
    wanted = "select custom_attributes.key, custom_attributes.value"
    record = api.one(f"{wanted} from {type_name} where id is {owner}")
    (found,) = [one["value"] for one in record["custom_attributes"] if one["key"] == key]
    return found


def stored(api: Any) -> list[Any]:
    """Return the values that were set."""
    return [one["value"] for one in api.query("select value from CustomAttributeValue")]


@pytest.mark.parametrize("owner", ["Task", "AssetVersion", "AssetVersionList"])
@pytest.mark.parametrize("hierarchical", [False, True])
def test_values_are_created_updated_and_deleted(
    api: Any, work: Any, owner: str, hierarchical: bool
) -> None:
    """C: rows of CustomAttributeValue are created, updated and deleted by clients."""
    if owner == "AssetVersionList":
        if hierarchical:
            pytest.skip("a hierarchical attribute is for contexts, assets and versions")
        category = api.query("ListCategory")[0]["id"]
        id_ = api.create(owner, name="l", project_id=work.project, category_id=category)
    else:
        id_ = {"Task": work.task, "AssetVersion": work.version}[owner]
    word = {"Task": "task", "AssetVersion": "assetversion", "AssetVersionList": "list"}[owner]
    more = {"entity_type": "show", "is_hierarchical": True} if hierarchical else {}
    configuration = configure(api, "text", **{"entity_type": word, "default": "usual", **more})
    key = [configuration, id_]
    assert read(api, id_, type_name=owner) == "usual"
    api.create("CustomAttributeValue", key, value="new")
    assert read(api, id_, type_name=owner) == "new"
    api.update("CustomAttributeValue", key, value="newer")
    assert (read(api, id_, type_name=owner), stored(api)) == ("newer", ["newer"])
    api.delete("CustomAttributeValue", *key)
    assert (read(api, id_, type_name=owner), stored(api)) == ("usual", [])


def test_value_is_created_by_ids_or_by_a_reference(api: Any, work: Any) -> None:
    """C: the ids may be in the key or in the data; the configuration may be a reference."""
    configuration = configure(api, "text")
    create = {"action": "create", "entity_type": "CustomAttributeValue"}
    data = {"configuration_id": configuration, "entity_id": work.task, "value": "a"}
    api.call({**create, "entity_data": data})
    reference = {"__entity_type__": "CustomAttributeConfiguration", "id": configuration}
    data = {"configuration": reference, "entity_id": work.shot, "value": "b"}
    api.call({**create, "entity_data": data})
    assert [read(api, work.task), read(api, work.shot, type_name="Shot")] == ["a", "b"]


def test_value_is_created_once(api: Any, work: Any) -> None:
    """C: AYF asks for set values to decide between create and update; two rows share no key."""
    key = [configure(api, "text"), work.task]
    api.create("CustomAttributeValue", key, value="a")
    with pytest.raises(api.Error, match="DuplicateEntry") as caught:
        api.create("CustomAttributeValue", key, value="b")
    assert caught.value.name == "DuplicateEntryError"


def test_values_need_the_right_to_write_them(api: Any, work: Any, login: Any) -> None:
    """C: creating a value is a change of its entity, for those who may make it."""
    configuration = configure(api, "text")
    with pytest.raises(api.Error) as caught:
        login("reader", "Restricted user").create(
            "CustomAttributeValue", [configuration, work.task], value="a"
        )
    assert caught.value.name == "PermissionError"
    assert stored(api) == []


def test_null_is_a_value(api: Any, work: Any) -> None:
    """C: a value may be null though set, which differs from a value that is not set."""
    configuration = configure(api, "text", default="usual")
    api.create("CustomAttributeValue", [configuration, work.task], value=None)
    assert (read(api, work.task), stored(api)) == (None, [None])


def test_session_creates_a_value(session: Any) -> None:
    """C: a client session creates, reads and deletes a value as an entity."""
    type_ = session.query('CustomAttributeType where name is "text"').one()
    configuration = session.create(
        "CustomAttributeConfiguration",
        {"key": "mine", "label": "Mine", "entity_type": "user", "type": type_},
    )
    user = session.query("User").first()
    session.commit()
    keys = {"configuration_id": configuration["id"], "entity_id": user["id"]}
    value = session.create("CustomAttributeValue", {**keys, "value": "new"})
    session.commit()
    session.reset()
    assert session.query("User").first()["custom_attributes"]["mine"] == "new"
    value = session.query("CustomAttributeValue").one()
    session.delete(value)
    session.commit()
    session.reset()
    assert session.query("User").first()["custom_attributes"]["mine"] == ""


@pytest.mark.parametrize("type_name", ["Project", "Shot", "Task", "Asset", "AssetVersion"])
def test_hierarchical_ones_apply_to_versions_too(api: Any, work: Any, type_name: str) -> None:
    """F: a hierarchical configuration applies to versions as well as to contexts and projects."""
    words = {"entity_type": "show", "is_hierarchical": True, "default": "usual", "config": "{}"}
    configuration = configure(api, "text", **words)
    owners = {"Project": work.project, "Shot": work.shot, "Task": work.task, "Asset": work.asset}
    owner = owners.get(type_name, work.version)
    assert read(api, owner, type_name=type_name) == "usual"
    api.create("CustomAttributeValue", [configuration, owner], value="own")
    assert read(api, owner, type_name=type_name) == "own"


@pytest.mark.parametrize(
    "missing", ["entity_type", "label", "key"], ids="F: {} of a configuration is needed".format
)
def test_words_of_a_configuration_are_needed(api: Any, missing: str) -> None:
    """F: a configuration needs entity_type and label; a later operation may give them."""
    with pytest.raises(api.Error, match=f"'{missing}' of CustomAttributeConfiguration needs"):
        configure(api, "text", **{missing: None})
    operation = api.make("CustomAttributeConfiguration", label=None, key="mine", entity_type="task")
    change = {**operation, "action": "update", "entity_data": {"label": "Mine"}}
    api.call(operation, change)


@pytest.mark.parametrize("key", ["Upper", "with blank", "dash-ed", "", "é"])
def test_keys_contain_few_characters(api: Any, key: str) -> None:
    """F: keys are of [a-z0-9_]."""
    with pytest.raises(api.Error, match="'key' of CustomAttributeConfiguration cannot be"):
        configure(api, "text", key)


def test_entity_type_of_a_configuration_is_known(api: Any) -> None:
    """F: entity_type may be asset, assetversion, list, show, task, user."""
    for number, word in enumerate(("asset", "assetversion", "list", "show", "task", "user")):
        configure(api, "text", f"key_{number}", entity_type=word)
    with pytest.raises(api.Error, match="cannot be 'shot'; it is one of 'asset'"):
        configure(api, "text", entity_type="shot")


@pytest.mark.parametrize("given", [{}, {"default": ""}, {"config": None}], ids=str)
@pytest.mark.parametrize(
    ("type_name", "default", "config"),
    [
        ("text", "", {"markdown": False}),
        ("number", 0, {"isdecimal": False}),
        ("boolean", False, {}),
        ("date", None, {}),
        ("enumerator", [], {"multiSelect": False, "data": "[]"}),
        ("dynamic enumerator", [], {}),
        ("expression", "", {}),
        ("url", None, {}),
    ],
)
def test_configuration_without_default_or_config(
    api: Any, work: Any, given: dict[str, Any], type_name: str, default: Any, config: Any
) -> None:
    """F: without config or default, values and settings are those of the type."""
    id_ = configure(api, type_name, **given)
    record = api.one(f"select default, config from CustomAttributeConfiguration where id is {id_}")
    assert (record["default"], json.loads(record["config"])) == (default, config)
    assert read(api, work.task) == default
    assert type(read(api, work.task)) is type(default)


@pytest.mark.parametrize(
    ("type_name", "config", "sent", "kept", "shown"),
    [
        ("enumerator", SINGLE, "one", ["one"], ["one"]),
        ("enumerator", SINGLE, ["one"], ["one"], ["one"]),
        ("enumerator", SEVERAL, ["one", "two"], ["one", "two"], ["one", "two"]),
        ("enumerator", SINGLE, None, [], []),
        ("dynamic enumerator", None, "any", ["any"], ["any"]),
        ("number", None, 24, 24, 24),
        ("number", None, "24", 24, 24),
        ("boolean", None, False, False, False),
        ("boolean", None, "1", True, True),
        ("text", None, "", "", ""),
        ("url", None, None, None, None),
        (
            "date",
            None,
            "2024-06-22",
            "2024-06-22T00:00:00.000Z",
            {"__type__": "datetime", "value": "2024-06-22T00:00:00"},
        ),
    ],
)
def test_defaults_have_the_form_of_their_type(
    api: Any, work: Any, type_name: str, config: Optional[str], sent: Any, kept: Any, shown: Any
) -> None:
    """F: defaults of enumerators are lists, also for a single choice; dates are ISO texts."""
    id_ = configure(api, type_name, default=sent, config=config)
    record = api.one(f"select default from CustomAttributeConfiguration where id is {id_}")
    assert (record["default"], read(api, work.task)) == (kept, shown)


@pytest.mark.parametrize(
    ("type_name", "config", "value", "shown"),
    [
        ("enumerator", SINGLE, "two", ["two"]),
        ("enumerator", SINGLE, ["two"], ["two"]),
        ("enumerator", SINGLE, "", []),
        ("enumerator", SEVERAL, ["two", "one"], ["two", "one"]),
        ("dynamic enumerator", None, "any", ["any"]),
        ("number", None, "42", 42),
        ("number", None, "42.0", 42),
        ("boolean", None, "1", True),
        ("boolean", None, "0", False),
        (
            "date",
            None,
            "2023-01-02T03:04:05",
            {"__type__": "datetime", "value": "2023-01-02T03:04:05"},
        ),
        (
            "url",
            None,
            [{"url": "https://a.example"}],
            [{"url": "https://a.example", "name": "https://a.example"}],
        ),
    ],
)
def test_values_are_accepted_as_text(
    api: Any, work: Any, type_name: str, config: Optional[str], value: Any, shown: Any
) -> None:
    """F: numbers and booleans are accepted as text, choices as text and read as lists."""
    configuration = configure(api, type_name, config=config)
    api.create("CustomAttributeValue", [configuration, work.task], value=value)
    assert (read(api, work.task), stored(api)) == (shown, [shown])


@pytest.mark.parametrize(
    ("config", "value", "words"),
    [
        (SINGLE, "three", "'three' is not one of its options. The options are 'one', 'two'"),
        (SEVERAL, ["one", "three"], "'three' is not one of its options"),
        (SINGLE, ["one", "two"], "takes only one option"),
    ],
)
def test_enumerators_take_only_their_options(
    api: Any, work: Any, config: str, value: Any, words: str
) -> None:
    """F: a value that is no option is refused, more than one in a single choice too."""
    configuration = configure(api, "enumerator", config=config)
    for write in (api.create, api.update):
        with pytest.raises(api.Error, match=words) as caught:
            write("CustomAttributeValue", [configuration, work.task], value=value)
        assert caught.value.name == "ValidationError"
    with pytest.raises(api.Error, match=words):
        api.update("CustomAttributeConfiguration", configuration, default=value)


@pytest.mark.parametrize("is_default", [False, True])
@pytest.mark.parametrize(
    ("type_name", "config", "value", "criteria"),
    [
        ("enumerator", SINGLE, "one", 'value is "one"'),
        ("enumerator", SEVERAL, ["one", "two"], 'value in ("two", "three")'),
        ("number", None, "42", "value > 41"),
        ("boolean", None, "1", "value is true"),
        ("date", None, "2024-06-22", "value is 2024-06-22"),
        ("date", None, "2024-06-22", "value < 2024-06-23"),
        ("url", None, [{"url": "https://a.example", "name": "A"}], 'value is "https://a.example"'),
    ],
)
def test_values_are_found_by_what_they_mean(
    api: Any,
    work: Any,
    is_default: bool,
    type_name: str,
    config: Optional[str],
    value: Any,
    criteria: str,
) -> None:
    """F: a stored value and a default are found by their content, whatever was sent."""
    object_type = api.one('ObjectType where name is "Task"')["id"]
    default = {"default": value} if is_default else {}
    more = {"config": config, "object_type_id": object_type, **default}
    configuration = configure(api, type_name, **more)
    if not is_default:
        api.create("CustomAttributeValue", [configuration, work.task], value=value)
    where = f'custom_attributes any (key is "mine" and {criteria})'
    assert [one["id"] for one in api.query(f"Task where {where}")] == [work.task]


def test_project_of_a_configuration_may_only_be_cleared(api: Any, work: Any) -> None:
    """F: project_id may be cleared later, but not set on a global configuration."""
    own = configure(api, "text", project_id=work.project)
    api.update("CustomAttributeConfiguration", own, project_id=None)
    with pytest.raises(api.Error, match="is for all projects"):
        api.update("CustomAttributeConfiguration", own, project_id=work.project)


@pytest.mark.parametrize("hierarchical_first", [False, True])
def test_hierarchical_one_comes_first(api: Any, work: Any, hierarchical_first: bool) -> None:
    """F: the same key may be hierarchical and not; readers prefer the hierarchical."""
    plain: dict[str, Any] = {"default": "plain"}
    above = {"default": "above", "entity_type": "show", "is_hierarchical": True}
    for more in (above, plain) if hierarchical_first else (plain, above):
        configure(api, "text", **more)
    record = api.one(f"select custom_attributes.value from Task where id is {work.task}")
    mine = [one["value"] for one in record["custom_attributes"] if one["key"] == "mine"]
    assert mine == ["above", "plain"]


def test_attribute_that_may_not_be_read_is_absent(api: Any, work: Any, login: Any) -> None:
    """F: an attribute that no role of the user may read is absent altogether."""
    roles = api.query('SecurityRole where name is "Administrator"')
    secret = configure(api, "text", "secret")
    configure(api, "text", "open")
    for key in ("secret", "open"):
        allowed = roles if key == "secret" else api.query("SecurityRole")
        references = [{"__entity_type__": "SecurityRole", "id": one["id"]} for one in allowed]
        id_ = api.one(f"CustomAttributeConfiguration where key is {key}")["id"]
        api.update("CustomAttributeConfiguration", id_, read_security_roles=references)
    reader = login("reader", "User")
    wanted = f"select custom_attributes.key from Task where id is {work.task}"
    assert {"secret", "open"} <= {one["key"] for one in api.one(wanted)["custom_attributes"]}
    seen = {one["key"] for one in reader.one(wanted)["custom_attributes"]}
    assert "secret" not in seen
    assert "open" in seen
    assert reader.query(f"CustomAttributeConfiguration where id is {secret}") == []


def test_link_to_contexts_names_an_object_type(api: Any) -> None:
    """F: from 4.8 a link configuration to contexts must name object_type_id_to."""
    words = {"label": "L", "config": "{}", "entity_type": "task", "entity_type_to": "task"}
    with pytest.raises(api.Error, match="'object_type_id_to' of CustomAttributeLinkConfiguration"):
        api.create("CustomAttributeLinkConfiguration", key="mine", **words)
    shots = api.one('ObjectType where name is "Shot"')["id"]
    api.create("CustomAttributeLinkConfiguration", key="mine", object_type_id_to=shots, **words)
