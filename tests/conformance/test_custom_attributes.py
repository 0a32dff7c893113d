"""Configurations of custom attributes and their values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conformance.facts import fact, row, writes
from tests.conformance.site import Site

pytestmark = writes

_OPTIONS = json.dumps([{"menu": each.title(), "value": each} for each in ("one", "two")])
SINGLE = json.dumps({"multiSelect": False, "data": _OPTIONS})
SEVERAL = json.dumps({"multiSelect": True, "data": _OPTIONS})

_KINDS: dict[str, Any] = {
    "text": {},
    "number": {},
    "boolean": {},
    "date": {},
    "url": {},
    "dynamic enumerator": {},
    "single": {"type_name": "enumerator", "config": SINGLE},
    "several": {"type_name": "enumerator", "config": SEVERAL},
}


@pytest.fixture(scope="session")
def kinds(site: Site) -> dict[str, str]:
    """Return the id of a configuration for contexts of each kind."""
    return {
        name: site.configuration(**{"type_name": name, "label": name.title(), **more})
        for name, more in _KINDS.items()
    }


@pytest.fixture(scope="session")
def inherited(site: Site) -> str:
    """Return the id of a hierarchical configuration whose default is the text "usual"."""
    return site.configuration("text", "show", is_hierarchical=True, default="usual")


def _shown(site: Site, entity_type: str, key: str, configuration: str) -> list[Any]:
    """Return the values that an entity shows for a configuration."""
    found = site.get(
        entity_type, key, "custom_attributes.configuration_id, custom_attributes.value"
    )
    return [
        each["value"]
        for each in found["custom_attributes"]
        if each["configuration_id"] == configuration
    ]


def _stored(site: Site, key: str, configuration: str) -> list[Any]:
    """Return the values of a configuration that were set for an entity."""
    rows = site.rows(
        "select value from CustomAttributeValue "
        f'where entity_id is "{key}" and configuration_id in ({configuration})'
    )
    return [each["value"] for each in rows]


def _set(site: Site, key: str, configuration: str, value: Any) -> None:
    """Set a value."""
    site.create("CustomAttributeValue", configuration_id=configuration, entity_id=key, value=value)


# Rows of values


@fact("site-facts C", "P")
@pytest.mark.parametrize("form", ["ids in the data", "ids in the key alone"])
def test_a_value_is_created(site: Site, kinds: dict[str, str], form: str) -> None:
    """A row of CustomAttributeValue is created by its two ids."""
    task = site.context("Task")
    key = [kinds["text"], task]
    data: dict[str, Any] = {"__entity_type__": "CustomAttributeValue", "value": "new"}
    if form == "ids in the data":
        data.update(configuration_id=key[0], entity_id=key[1])
    site.call(
        {
            "action": "create",
            "entity_type": "CustomAttributeValue",
            "entity_key": key,
            "entity_data": data,
        }
    )
    assert _shown(site, "Task", task, kinds["text"]) == ["new"]


@fact("site-facts C", "P")
def test_a_value_is_updated(site: Site, kinds: dict[str, str]) -> None:
    """A row of CustomAttributeValue is updated by its two ids."""
    task = site.context("Task")
    _set(site, task, kinds["text"], "new")
    site.update("CustomAttributeValue", [kinds["text"], task], value="newer")
    assert _stored(site, task, kinds["text"]) == ["newer"]


@fact("site-facts C", "P")
def test_a_deleted_value_leaves_the_default(site: Site, kinds: dict[str, str]) -> None:
    """Deleting a value takes it away, and the default shows again."""
    task = site.context("Task")
    before = _shown(site, "Task", task, kinds["text"])
    _set(site, task, kinds["text"], "new")
    site.delete("CustomAttributeValue", [kinds["text"], task])
    assert _shown(site, "Task", task, kinds["text"]) == before
    assert _stored(site, task, kinds["text"]) == []


@fact("protocol 1", "protocol")
def test_a_typed_row_is_updated_without_a_create(site: Site, kinds: dict[str, str]) -> None:
    """An update of a typed row inserts the value, also in the batch that creates the entity."""
    task = site.creation("Task", name=site.name("task"), parent_id=site.project["id"])
    key = task["entity_key"][0]
    value = site.update_of("ContextCustomAttributeValue", [kinds["text"], key], value="x")
    site.call(task, value)
    assert _stored(site, key, kinds["text"]) == ["x"]


@fact("site-facts B", "P")
def test_the_base_type_answers_what_was_set(site: Site, kinds: dict[str, str]) -> None:
    """CustomAttributeValue answers what was set, ContextCustomAttributeValue also defaults."""
    task = site.context("Task")
    where = f'where entity_id is "{task}" and configuration_id is "{kinds["text"]}"'
    assert site.rows(f"select value from CustomAttributeValue {where}") == []
    assert len(site.rows(f"select value from ContextCustomAttributeValue {where}")) == 1


@fact("site-facts C", "P")
@pytest.mark.parametrize("name", ["text", "number", "boolean", "date"])
def test_a_value_may_be_null_though_set(site: Site, kinds: dict[str, str], name: str) -> None:
    """Null is a value, and differs from a value that is not set."""
    task = site.context("Task")
    _set(site, task, kinds[name], None)
    assert _stored(site, task, kinds[name]) == [None]
    assert _shown(site, "Task", task, kinds[name]) == [None]


@fact("site-facts B", "P")
def test_a_value_is_found_by_a_list(site: Site, kinds: dict[str, str]) -> None:
    """Rows are found by a list of values."""
    task = site.context("Task")
    word = site.name("word")
    _set(site, task, kinds["text"], word)
    rows = site.rows(
        f'select entity_id from CustomAttributeValue where value in ("{word}","other") '
        f"and configuration_id in ({kinds['text']})"
    )
    assert [each["entity_id"] for each in rows] == [task]


@fact("site-facts B", "P")
@pytest.mark.parametrize("form", ["any", "two conditions"])
def test_an_entity_is_found_by_its_value(site: Site, kinds: dict[str, str], form: str) -> None:
    """A key and a value in one criterion, in either form, are those of one attribute."""
    task, other = site.context("Task"), site.context("Task")
    word = site.name("word")
    _set(site, task, kinds["text"], word)
    _set(site, other, kinds["dynamic enumerator"], [word])
    key = site.get("CustomAttributeConfiguration", kinds["text"], "key")["key"]
    criteria = {
        "any": f'custom_attributes any (key is "{key}" and value is "{word}")',
        "two conditions": (
            f'custom_attributes.key is "{key}" and custom_attributes.value is "{word}"'
        ),
    }[form]
    rows = site.rows(f"select id from Task where {criteria}")
    assert [each["id"] for each in rows] == [task]


# What is accepted, and how it is read


@fact("site-facts F", "M")
@pytest.mark.parametrize(
    ("name", "sent", "read"),
    [
        row("text", "ü", "ü", name="text"),
        row("number", 42, 42, name="number"),
        row("boolean", True, True, name="boolean"),
        row("single", ["one"], ["one"], name="single choice"),
        row("several", ["two", "one"], ["two", "one"], name="several choices"),
        row("dynamic enumerator", ["any"], ["any"], name="dynamic"),
        row(
            "url",
            [{"url": "https://example.com", "name": "x"}],
            [{"url": "https://example.com", "name": "x"}],
            name="url",
        ),
    ],
)
def test_a_value_is_read_as_it_was_written(
    site: Site, kinds: dict[str, str], name: str, sent: Any, read: Any
) -> None:
    """A value of each type is read as it was written."""
    task = site.context("Task")
    _set(site, task, kinds[name], sent)
    found = _shown(site, "Task", task, kinds[name])
    assert found == [read]
    assert isinstance(found[0], bool) == isinstance(read, bool)


@fact("site-facts F", "D")
@pytest.mark.parametrize(
    ("name", "sent", "read"),
    [
        row("number", "42", 42, name="number"),
        row("number", "42.0", 42, name="decimal number"),
        row("boolean", "1", True, name="true"),
        row("boolean", "0", False, name="false"),
    ],
)
def test_a_value_is_accepted_as_text(
    site: Site, kinds: dict[str, str], name: str, sent: str, read: Any
) -> None:
    """Numbers and booleans are accepted as text."""
    task = site.context("Task")
    _set(site, task, kinds[name], sent)
    assert _shown(site, "Task", task, kinds[name]) == [read]


@fact("site-facts F", "D")
def test_a_date_is_accepted_as_text(site: Site, kinds: dict[str, str]) -> None:
    """A date is accepted as ISO text."""
    task = site.context("Task")
    _set(site, task, kinds["date"], "2024-06-22T03:04:05")
    found = _shown(site, "Task", task, kinds["date"])[0]
    assert found["value"].startswith("2024-06-22")


@fact("site-facts C", "P")
@pytest.mark.parametrize("name", ["single", "several"])
def test_a_choice_is_accepted_as_text(site: Site, kinds: dict[str, str], name: str) -> None:
    """A choice is accepted as plain text and read as a list."""
    task = site.context("Task")
    _set(site, task, kinds[name], "two")
    assert _shown(site, "Task", task, kinds[name]) == [["two"]]


@fact("site-facts F", "D")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        row("single", "three", name="unknown choice"),
        row("single", ["one", "two"], name="two choices for one"),
        row("several", ["one", "three"], name="unknown among several"),
        row("number", "many", name="text for a number"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    site: Site, kinds: dict[str, str], name: str, value: Any
) -> None:
    """A value that is no option, or of another type, is refused."""
    operation = site.creation(
        "CustomAttributeValue",
        configuration_id=kinds[name],
        entity_id=site.context("Task"),
        value=value,
    )
    problem = site.problem(operation)
    if site.client.tells_names:
        assert problem.name == "ValidationError"


# Configurations


@fact("site-facts F", "M")
@pytest.mark.parametrize(
    ("name", "default"),
    [
        row("text", "", name="text"),
        row("single", [], name="single choice"),
        row("several", [], name="several choices"),
        row("url", None, name="url"),
        row("boolean", False, name="boolean"),
        row("number", 0, name="number"),
    ],
)
def test_a_default_has_the_form_of_its_type(
    site: Site, kinds: dict[str, str], name: str, default: Any
) -> None:
    """A default that was not given has the form of its type; choices are lists."""
    found = _shown(site, "Task", site.context("Task"), kinds[name])
    assert found == [default]


@fact("site-facts F", "M")
def test_a_default_of_a_single_choice_is_a_list(site: Site) -> None:
    """The default of a single choice is a list, also if it was given as text."""
    key = site.configuration("enumerator", config=SINGLE, default="one")
    assert site.get("CustomAttributeConfiguration", key, "default")["default"] == ["one"]


@fact("site-facts F", "D")
@pytest.mark.parametrize("missing", ["label", "entity_type", "key"])
def test_a_configuration_needs_a_word(site: Site, missing: str) -> None:
    """A configuration without a label, an entity type or a key is refused."""
    kind = site.one('select id from CustomAttributeType where name is "text"')["id"]
    words = {"key": "conformance_missing", "label": "x", "entity_type": "task", "config": "{}"}
    del words[missing]
    site.problem(site.creation("CustomAttributeConfiguration", type_id=kind, **words))


@fact("site-facts F", "P")
@pytest.mark.parametrize("entity_type", ["asset", "assetversion", "list", "show", "task", "user"])
def test_a_configuration_has_an_entity_type(site: Site, entity_type: str) -> None:
    """The entity type of a configuration is one of six words."""
    assert site.configuration("text", entity_type)


@fact("site-facts F", "P")
@pytest.mark.parametrize("key", ["Upper", "with blank", "dash-ed"])
def test_a_key_has_few_characters(site: Site, key: str) -> None:
    """A key has small letters, digits and underscores."""
    kind = site.one('select id from CustomAttributeType where name is "text"')["id"]
    site.problem(
        site.creation(
            "CustomAttributeConfiguration",
            type_id=kind,
            key=key,
            label="x",
            entity_type="task",
            config="{}",
        )
    )


@fact("site-facts F", "P")
def test_an_attribute_is_for_one_object_type(site: Site) -> None:
    """A configuration with an object type applies to contexts of this type only."""
    shots = site.one('select id from ObjectType where name is "Shot"')["id"]
    key = site.configuration("text", object_type_id=shots, default="x")
    assert _shown(site, "Shot", site.context("Shot"), key) == ["x"]
    assert _shown(site, "Task", site.context("Task"), key) == []


@fact("site-facts F", "D")
def test_a_project_of_a_configuration_may_be_cleared(site: Site) -> None:
    """A configuration for one project may become one for all, but not the other way round."""
    key = site.configuration("text", project_id=site.project["id"])
    site.update("CustomAttributeConfiguration", key, project_id=None)
    site.problem(site.update_of("CustomAttributeConfiguration", key, project_id=site.project["id"]))


@fact("site-facts F", "D")
def test_a_link_to_contexts_names_an_object_type(site: Site) -> None:
    """A configuration of links to contexts names the object type at the other end."""
    words = {"label": "L", "config": "{}", "entity_type": "task", "entity_type_to": "task"}
    site.problem(site.creation("CustomAttributeLinkConfiguration", key="conformance_link", **words))


@fact("site-facts F", "P")
def test_an_unreadable_attribute_is_absent(site: Site) -> None:
    """An attribute that the user may not read is absent from the custom attributes."""
    administrators = [{"__entity_type__": "SecurityRole", "id": site.role("Administrator")}]
    secret = site.configuration("text", read_security_roles=administrators)
    open_ = site.configuration("text")
    seen = site.person("User").log_in()
    task = site.context("Task")
    assert _shown(seen, "Task", task, secret) == []
    assert len(_shown(seen, "Task", task, open_)) == 1


# Hierarchical ones


@fact("site-facts F", "P")
@pytest.mark.parametrize("entity_type", ["Project", "Shot", "Task", "Asset", "AssetVersion"])
def test_a_hierarchical_attribute_applies(site: Site, inherited: str, entity_type: str) -> None:
    """A hierarchical attribute applies to projects, contexts, assets and versions."""
    if entity_type == "Project":
        key = site.project["id"]
    elif entity_type in ("Asset", "AssetVersion"):
        key = site.version()
        if entity_type == "Asset":
            key = site.get("AssetVersion", key, "asset_id")["asset_id"]
    else:
        key = site.context(entity_type)
    assert len(_shown(site, entity_type, key, inherited)) == 1


@fact("site-facts F", "P")
def test_a_version_stores_a_hierarchical_value(site: Site, inherited: str) -> None:
    """A version has a value of its own in a hierarchical attribute."""
    version = site.version()
    _set(site, version, inherited, "own")
    assert _shown(site, "AssetVersion", version, inherited) == ["own"]
    assert _stored(site, version, inherited) == ["own"]


@fact("site-facts C", "P")
def test_a_deleted_hierarchical_value_leaves_the_other(site: Site, inherited: str) -> None:
    """Deleting a hierarchical value takes only the explicit value away."""
    shot = site.context("Shot")
    before = _shown(site, "Shot", shot, inherited)
    _set(site, shot, inherited, "own")
    site.delete("CustomAttributeValue", [inherited, shot])
    assert _shown(site, "Shot", shot, inherited) == before


@fact("site-facts F", "P")
def test_a_key_may_be_hierarchical_and_not(site: Site) -> None:
    """Two configurations, one of them hierarchical, may have one key."""
    key = site.name("both").replace("-", "_")
    plain = site.configuration("text", key=key, default="plain")
    above = site.configuration("text", "show", key=key, is_hierarchical=True, default="above")
    task = site.context("Task")
    assert _shown(site, "Task", task, plain) == ["plain"]
    assert _shown(site, "Task", task, above) == ["above"]
