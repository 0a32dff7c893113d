"""A fresh site has the stock rows of real sites: rows A1 to A10 of ``site-facts.md``."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sandbox import stock_facts

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

FLAGS = (
    "is_leaf",
    "is_taskable",
    "is_statusable",
    "is_typeable",
    "is_prioritizable",
    "is_schedulable",
    "is_time_reportable",
)
SCHEMA_IDS = [pytest.param(*one, id=one[0]) for one in stock_facts.PROJECT_SCHEMAS]


def names(rows: list[dict[str, Any]]) -> list[str]:
    """Return the names of *rows*."""
    return [one["name"] for one in rows]


def test_statuses(api: Any) -> None:
    """A1: a fresh site has these statuses and no others, all active, in this order."""
    states = {id_: name for _, id_, name in stock_facts.STATES}
    rows = api.query("select sort, name, id, color, state, is_active from Status order by sort")
    assert [
        (one["sort"], one["name"], one["id"], one["color"], states[one["state"]["id"]])
        for one in rows
    ] == stock_facts.STATUSES
    assert all(one["is_active"] for one in rows)


def test_omitted_counts_as_blocked(api: Any) -> None:
    """A1: work that is omitted is blocked, not done."""
    row = api.one("select state.short from Status where name is Omitted")
    assert row["state"]["short"] == "BLOCKED"


def test_states(api: Any) -> None:
    """A2: the four states have these ids, and ``short`` is one of four words."""
    rows = api.query("select short, id, name from State")
    assert {(one["short"], one["id"], one["name"].lower()) for one in rows} == set(
        stock_facts.STATES
    )


def test_types(api: Any) -> None:
    """A3: the types have these ids and colours and this order; two are not billable."""
    rows = api.query("select name, id, color, is_billable from Type order by sort")
    count = len(stock_facts.TYPES)
    assert [
        (one["name"], one["id"], one["color"], one["is_billable"]) for one in rows[:count]
    ] == stock_facts.TYPES


def test_types_of_a_later_site(api: Any) -> None:
    """A3: the types of a later starter site follow, and no further ones."""
    rows = api.query("select name, id from Type order by sort")
    assert [(one["name"], one["id"]) for one in rows[len(stock_facts.TYPES) :]] == (
        stock_facts.LATER_TYPES
    )


def test_priorities(api: Any) -> None:
    """A4: the order of priorities is ``sort``, and their value is 0."""
    rows = api.query("select sort, name, id, color, value from Priority order by sort")
    assert [
        (one["sort"], one["name"], one["id"], one["color"], one["value"]) for one in rows
    ] == stock_facts.PRIORITIES


def test_object_types(api: Any) -> None:
    """A5: the object types have these ids and flags."""
    rows = api.query(f"select name, id, {', '.join(FLAGS)} from ObjectType order by sort")
    assert [
        (one["name"], one["id"], "".join("x" if one[flag] else "-" for flag in FLAGS))
        for one in rows
    ] == stock_facts.OBJECT_TYPES


def test_project_schemas(api: Any) -> None:
    """A6: a fresh site has these four project schemas."""
    rows = api.query("select name, id from ProjectSchema")
    assert {(one["name"], one["id"]) for one in rows} == {
        one[:2] for one in stock_facts.PROJECT_SCHEMAS
    }


@pytest.mark.parametrize(
    (
        "name",
        "id_",
        "workflow",
        "version_workflow",
        "type_schema",
        "object_types",
        "task_types",
        "statuses",
        "types",
    ),
    SCHEMA_IDS,
)
def test_project_schema(
    api: Any,
    name: str,
    id_: str,
    workflow: str,
    version_workflow: str,
    type_schema: str,
    object_types: set[str],
    task_types: set[str],
    statuses: dict[str, list[str]],
    types: dict[str, set[str]],
) -> None:
    """A6: a project schema has these workflows, object types, types and statuses."""
    row = api.one(
        "select _task_workflow.id, _version_workflow.id, _task_type_schema.types.name,"
        " object_types.name, _overrides, _schemas.type_id, _schemas.object_type_id,"
        " _schemas.statuses.task_status.name, _schemas.statuses.sort,"
        f" _schemas.types.task_type.name from ProjectSchema where id is {id_}"
    )
    assert row["_task_workflow"]["id"] == workflow
    assert row["_version_workflow"]["id"] == version_workflow
    assert row["_task_type_schema"]["id"] == type_schema
    assert set(names(row["object_types"])) == object_types
    assert set(names(row["_task_type_schema"]["types"])) == task_types
    assert row["_overrides"] == []
    ids = {one["name"]: one["id"] for one in api.query("select name, id from ObjectType")}
    found = {one["type_id"]: one for one in row["_schemas"]}
    assert found.keys() == {ids[object_type] for object_type in statuses}
    status_names = {one["id"]: one["name"] for one in api.query("select name from Status")}
    type_names = {one["id"]: one["name"] for one in api.query("select name from Type")}
    for object_type, wanted in statuses.items():
        schema = found[ids[object_type]]
        assert schema["object_type_id"] == schema["type_id"]
        ordered = sorted(schema["statuses"], key=lambda one: one["sort"])
        assert [status_names[one["status_id"]] for one in ordered] == wanted
        allowed = {type_names[one["type_id"]] for one in schema["types"]}
        assert allowed == types.get(object_type, set())


def test_custom_attribute_types(api: Any) -> None:
    """A8: eight types of custom attributes have these ids, ``url`` too; a ninth is internal."""
    rows = api.query("select name, id from CustomAttributeType")
    found = {one["name"]: one["id"] for one in rows}
    assert found.pop("notificationtype")
    assert found == dict(stock_facts.CUSTOM_ATTRIBUTE_TYPES)


@pytest.mark.parametrize(
    ("key", "label", "on", "type_name", "default", "id_"),
    stock_facts.CUSTOM_ATTRIBUTES,
    ids=[f"{one[0]}-{one[2]}" for one in stock_facts.CUSTOM_ATTRIBUTES],
)
def test_built_in_custom_attribute(
    api: Any, key: str, label: str, on: str, type_name: str, default: Any, id_: Any
) -> None:
    """A9: a built-in custom attribute has its id, label, type, default and object type."""
    kind = "show" if on == "show" else "task"
    condition = "object_type_id is none" if on == "show" else f'object_type.name is "{on}"'
    row = api.one(
        "select id, label, default, type.name, is_hierarchical from CustomAttributeConfiguration"
        f" where key is {key} and entity_type is {kind} and {condition}"
    )
    assert (row["label"], row["type"]["name"], row["default"]) == (label, type_name, default)
    assert not row["is_hierarchical"]
    assert id_ is None or row["id"] == id_


def test_one_key_has_one_value_for_each_kind_of_entity(api: Any) -> None:
    """A9: ``fps`` has three configurations; a project, a sequence and a shot show their own."""
    schema = api.one("ProjectSchema where name is VFX")["id"]
    project = api.create("Project", name="film", project_schema_id=schema)
    shot = api.create("Shot", name="sh010", parent_id=project)
    sequence = api.create("Sequence", name="sq010", parent_id=project)
    found = {}
    for type_name, id_ in (("Project", project), ("Sequence", sequence), ("Shot", shot)):
        row = api.one(
            "select custom_attributes.key, custom_attributes.value,"
            f" custom_attributes.configuration_id from {type_name} where id is {id_}"
        )
        own = [one for one in row["custom_attributes"] if one["key"] == "fps"]
        found[type_name] = [(one["value"], one["configuration_id"]) for one in own]
    assert found == {
        "Project": [(24, "d25219d6-acb5-11e1-8668-f23c91df1211")],
        "Sequence": [(25, "d25532e2-acb5-11e1-8668-f23c91df1211")],
        "Shot": [(25, "d25907a0-acb5-11e1-8668-f23c91df1211")],
    }


def test_built_in_attributes_never_miss(session: Any) -> None:
    """A9: a client reads the frames of a new shot on a fresh site without a KeyError."""
    schema = session.query('ProjectSchema where name is "VFX"').one()
    project = session.create("Project", {"name": "film", "project_schema": schema})
    shot = session.create("Shot", {"name": "sh010", "parent": project})
    session.commit()
    for key in ("fstart", "fend", "handles", "duration", "fps"):
        assert key in shot["custom_attributes"]
    assert shot["custom_attributes"]["fstart"] == 1


@pytest.mark.parametrize(("type_name", "id_"), stock_facts.OTHER_ROWS)
def test_other_stock_row(api: Any, type_name: str, id_: str) -> None:
    """A10: this row is on a fresh site."""
    assert api.one(f"{type_name} where id is {id_}")["id"] == id_


def test_upload_is_an_asset_type(api: Any) -> None:
    """A10: the asset type with the known id is called Upload."""
    row = api.one("select name from AssetType where id is 8f4144e0-a8e6-11e2-9e96-0800200c9a66")
    assert row["name"] == "Upload"


def test_security_roles(api: Any) -> None:
    """A10: a fresh site has five security roles."""
    assert sorted(names(api.query("select name from SecurityRole"))) == [
        "API",
        "Administrator",
        "Project manager",
        "Restricted user",
        "User",
    ]


def test_new_user_has_the_type_of_users(api: Any) -> None:
    """A10: a user who is created without a type gets the stock one."""
    user = api.create("User", username="ada")
    row = api.one(f"select user_type_id from User where id is {user}")
    assert row["user_type_id"] == "ac9fa5aa-4361-11e0-b7cc-0019bb4983d8"


def test_note_categories_seen_by_name(api: Any) -> None:
    """A10: the categories "Client feedback" and "Internal" are there by name."""
    assert {"Client feedback", "Internal"} <= set(names(api.query("select name from NoteCategory")))


def test_server_information_of_a_fresh_site(api: Any) -> None:
    """A10: a fresh site has the automatic storage scenario and supports time zones."""
    (information,) = api.call({"action": "query_server_information"})
    assert information["storage_scenario"] == {"scenario": "ftrack.automatic", "data": {}}
    assert information["is_timezone_support_enabled"] is True
