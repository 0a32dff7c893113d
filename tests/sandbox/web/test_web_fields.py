"""Custom attributes as a form: its items, and the changes that come back."""

from __future__ import annotations

import json

import pytest


def configure(api, key, type_name, config, default=None, **more):
    """Create a configuration for tasks and return its id."""
    found = api.query(f'select id from CustomAttributeType where name is "{type_name}"')[0]
    values = {"label": key.title(), "entity_type": "task", "core": False, **more}
    return api.create(
        "CustomAttributeConfiguration",
        key=key,
        type_id=found["id"],
        config=config if isinstance(config, str) else json.dumps(config),
        default=default,
        **values,
    )


CHOICES = json.dumps([{"menu": "One", "value": "1"}, {"menu": "Two", "value": "2"}])

#: Name, type and configuration of attributes, and what the item of the form has besides its names.
ATTRIBUTES = [
    ("words", "text", {"markdown": False}, "a", {"type": "text", "value": "a"}),
    ("count", "number", {"isdecimal": False}, 5, {"type": "number", "value": 5}),
    ("flag", "boolean", {}, True, {"type": "boolean", "value": True}),
    (
        "several",
        "enumerator",
        {"multiSelect": True, "data": CHOICES},
        ["1", "2"],
        {"type": "enumerator", "multi_select": True, "value": ["1", "2"], "dynamic": False},
    ),
    (
        "asked",
        "dynamic enumerator",
        {"multiSelect": False},
        None,
        {"type": "enumerator", "multi_select": False, "data": [], "value": None, "dynamic": True},
    ),
]


@pytest.fixture
def task(api):
    """Return the id of a task."""
    schema = api.query("select id from ProjectSchema")[0]["id"]
    project = api.create("Project", name="p", full_name="P", project_schema_id=schema)
    return api.create("Task", name="layout", parent_id=project, project_id=project)


@pytest.fixture
def ids(api):
    """Return the ids of the attributes by key."""
    return {key: configure(api, *rest) for key, *rest in [(one[0], *one[:4]) for one in ATTRIBUTES]}


def items_of(visitor, task):
    """Return the items of the form by key."""
    page = visitor.get(f"/browse/fields/context/{task}")
    assert page.status == 200
    return {item["key"]: item for item in page.response.json()["items"]}


def send(visitor, task, values, place="context"):
    """Post changes of values; return the page that answers."""
    token = visitor.get("/browse").field("form_token")
    text = values if isinstance(values, str) else json.dumps(values)
    return visitor.post(f"/browse/fields/{place}/{task}", form_token=token, values=text)


def test_the_form_has_an_item_for_each_attribute(visitor, task, ids):
    """Kind, label, choices and value are those of the configuration."""
    items = items_of(visitor, task)
    for key, _, _, _, expected in ATTRIBUTES:
        assert items[key]["label"] == key.title()
        assert items[key]["name"] == ids[key]
        assert {name: items[key][name] for name in expected} == expected
    assert items["several"]["data"] == [
        {"label": "One", "value": "1"},
        {"label": "Two", "value": "2"},
    ]


def test_changes_are_stored(visitor, api, task, ids):
    """The values come back from a query with their types; what was not sent has its default."""
    sent = {"words": "new", "count": 7, "flag": False, "several": ["2"], "asked": "anything"}
    assert send(visitor, task, {ids[key]: value for key, value in sent.items()}).status == 200
    values = {
        one["key"]: one["value"]
        for one in api.one(
            f"select custom_attributes.key, custom_attributes.value from Task where id is {task}"
        )["custom_attributes"]
    }
    assert {key: values[key] for key in sent} == {**sent, "asked": ["anything"]}
    assert items_of(visitor, task)["asked"]["value"] == "anything"


def test_a_refused_value_changes_nothing(visitor, api, task, ids):
    """The answer says what is wrong, and the other values of the form are not stored either."""
    page = send(visitor, task, {ids["words"]: "new", ids["count"]: "many"})
    assert 400 <= page.status < 500
    assert "'count'" in page.response.json()["message"]
    assert items_of(visitor, task)["words"]["value"] == "a"


def test_a_date_is_a_day(visitor, api, task):
    """The form has the day of the value, and a day is stored as the moment in which it begins."""
    due = configure(api, "due", "date", {})
    assert items_of(visitor, task)["due"]["value"] is None
    assert send(visitor, task, {due: "2027-01-31"}).status == 200
    assert items_of(visitor, task)["due"]["value"].startswith("2027-01-31")
    assert send(visitor, task, {due: None}).status == 200
    assert items_of(visitor, task)["due"]["value"] is None


@pytest.mark.parametrize("values", ["", "no JSON", "[1]", "null", '"text"'])
def test_an_invalid_form_is_refused(visitor, task, values):
    """What is no JSON object is an error of the page."""
    assert send(visitor, task, values).status == 400


def test_fields_need_a_page_a_log_in_and_a_token(visitor, browser, sandbox, task, ids):
    """Neither a form without the token nor an unknown kind of entity changes anything."""
    path = f"/browse/fields/context/{task}"
    values = json.dumps({ids["words"]: "bad"})
    assert visitor.post(path, values=values).status == 403
    assert visitor.get(f"/browse/fields/user/{task}").status == 404
    assert send(visitor, task, {ids["words"]: "bad"}, "user").status == 404
    assert send(visitor, task, {"unknown": "bad"}).status == 404
    assert items_of(visitor, task)["words"]["value"] == "a"


def test_a_broken_configuration_has_no_choices(visitor, api, task):
    """Whatever is in the configuration of an enumerator, the form is shown."""
    for number, config in enumerate(("", "no JSON", "[]", '{"data": "no"}', '{"data": [1]}')):
        key = f"broken{number}"
        configure(api, key, "enumerator", config or "{}")
        assert items_of(visitor, task)[key]["data"] == []
