"""The rows that every new site has."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.facts import fact, row
from tests.conformance.site import Site

STATUSES = [
    ("Completed", "9bb65936-88e7-11e3-9264-04011030cf01", "#1cbc90", "DONE"),
    ("Omitted", "a0bc3f24-15e2-11e1-b21a-0019bb4983d8", "#E74C3C", "BLOCKED"),
    ("On Hold", "a0bc2444-15e2-11e1-b21a-0019bb4983d8", "#E74C3C", "BLOCKED"),
    ("Revise", "2286947e-a2d4-11e9-825d-d27cf242b68b", "#FF6600", "IN_PROGRESS"),
    ("Client approved", "d5d6d8ca-ebb2-11e2-aef9-f23c91dfaa16", "#1CBC90", "DONE"),
    ("Approved", "44de097a-4164-11df-9218-0019bb4983d8", "#1cbc90", "DONE"),
    ("Pending Review", "44dded64-4164-11df-9218-0019bb4983d8", "#F1C40F", "IN_PROGRESS"),
    ("In progress", "44ddd0fe-4164-11df-9218-0019bb4983d8", "#3498DB", "IN_PROGRESS"),
    ("WIP", "cadb9a06-acb5-11e1-8668-f23c91df1211", "#CC99FF", "NOT_STARTED"),
    ("Ready to start", "9078de1a-40ce-11ed-a028-8e70b81a65da", "#00FFFF", "NOT_STARTED"),
    ("Not started", "44dd9fb2-4164-11df-9218-0019bb4983d8", "#CACACA", "NOT_STARTED"),
]

STATES = [
    ("NOT_STARTED", "cea0ba04-acb5-11e1-8668-f23c91df1211"),
    ("IN_PROGRESS", "cea0efc4-acb5-11e1-8668-f23c91df1211"),
    ("DONE", "cea116d4-acb5-11e1-8668-f23c91df1211"),
    ("BLOCKED", "5709c04e-2f4b-11e2-b663-0019bb4983d8"),
]

TYPES = [
    ("Concept Art", "56807358-a0f4-11e9-9843-d27cf242b68b", "#33CCCC"),
    ("Modeling", "44dc53c8-4164-11df-9218-0019bb4983d8", "#935ba2"),
    ("Rigging", "44dd5868-4164-11df-9218-0019bb4983d8", "#58592d"),
    ("Texture", "a750a84f-b253-11eb-ad41-1e003a0c2434", "#f1c40f"),
    ("Lookdev", "44dc8cd0-4164-11df-9218-0019bb4983d8", "#a3635d"),
    ("Character", "66d145f0-13c6-11e3-abf2-f23c91dfaa16", "#3a2d5a"),
    ("Prop", "66d1aedc-13c6-11e3-abf2-f23c91dfaa16", "#f39c12"),
    ("Furniture", "0e996e82-6662-11ed-a73a-92ba0fc0dc3d", "#008000"),
    ("Vehicle", "8c39f908-8b4c-11eb-9cdb-c2ffbce28b68", "#ABABAB"),
    ("Environment", "66d1daba-13c6-11e3-abf2-f23c91dfaa16", "#5da35e"),
    ("Matte Painting", "66d2038c-13c6-11e3-abf2-f23c91dfaa16", "#5da35e"),
    ("Production", "b628a004-ad7d-11e1-896c-f23c91df1211", "#bdc3c7"),
    ("Editing", "cc46c4c6-13d2-11e3-8915-f23c91dfaa16", "#f1c40f"),
    ("Conform", "a3ead45c-ae42-11e9-9454-d27cf242b68b", "#ABABAB"),
    ("Tracking", "44dd3ed2-4164-11df-9218-0019bb4983d8", "#27ae60"),
    ("Rotoscoping", "c3bcfdb4-ad7d-11e1-a444-f23c91df1211", "#3498db"),
    ("Previz", "44dc6ffc-4164-11df-9218-0019bb4983d8", "#27ae60"),
    ("Layout", "ffaebf7a-9dca-11e9-8346-d27cf242b68b", "#3a2d5a"),
    ("Animation", "44dc3636-4164-11df-9218-0019bb4983d8", "#35592d"),
    ("FX", "44dcea86-4164-11df-9218-0019bb4983d8", "#9b59b6"),
    ("Lighting", "44dd08fe-4164-11df-9218-0019bb4983d8", "#5b5ba3"),
    ("Rendering", "262225e8-9dcb-11e9-82b8-d27cf242b68b", "#5ba3a3"),
    ("Compositing", "44dd23b6-4164-11df-9218-0019bb4983d8", "#2d5959"),
    ("Deliverable", "ae1e2480-f24e-11e2-bd1f-f23c91dfaa16", "#2980b9"),
]

PRIORITIES = [
    ("Urgent", "847fb90e-ead3-11e2-846c-f23c91dfaa16", "#E74C3C"),
    ("High", "847f9cda-ead3-11e2-846c-f23c91dfaa16", "#E67E22"),
    ("Medium", "847f8146-ead3-11e2-846c-f23c91dfaa16", "#F1C40F"),
    ("Low", "847f663e-ead3-11e2-846c-f23c91dfaa16", "#1CBC90"),
    ("None", "9661b320-3a0c-11e2-81c1-0800200c9a66", "#CACACA"),
]

#: Name, id, and the flags that are set.
OBJECT_TYPES = [
    ("Folder", "3c133785-51cb-11e3-980a-20c9d0831e59", "taskable prioritizable"),
    (
        "Asset Build",
        "4be63b64-5010-42fb-bf1f-428af9d638f0",
        "taskable statusable typeable prioritizable",
    ),
    ("Episode", "22139355-61da-4c8f-9db4-3abc870166bc", "taskable statusable prioritizable"),
    ("Scene", "34b122f0-bd5c-11eb-96ea-d6270330280e", "taskable statusable"),
    ("Sequence", "e5139355-61da-4c8f-9db4-3abc870166bc", "taskable prioritizable"),
    ("Shot", "bad911de-3bd6-47b9-8b46-3476e237cb36", "taskable statusable prioritizable"),
    (
        "Milestone",
        "01decdd1-51cb-11e3-9d5b-20c9d0831e59",
        "leaf statusable typeable prioritizable schedulable",
    ),
    (
        "Task",
        "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c",
        "leaf statusable typeable prioritizable schedulable time_reportable",
    ),
    ("Image", "4721f72a-bd5c-11eb-a3da-d6270330280e", "taskable"),
    ("Information", "efb7d34c-bd5b-11eb-86a7-d6270330280e", "taskable"),
]

PROJECT_SCHEMAS = [
    (
        "VFX",
        "caddd816-acb5-11e1-8668-f23c91df1211",
        "Asset Build, Episode, Folder, Milestone, Sequence, Shot, Task",
    ),
    (
        "Animation",
        "9c77018e-6af0-11eb-b045-169be7b6c453",
        "Asset Build, Episode, Folder, Milestone, Sequence, Shot, Task",
    ),
    (
        "Model production",
        "05dece3c-40cd-11ed-a028-8e70b81a65da",
        "Asset Build, Folder, Milestone, Task",
    ),
    (
        "Media production",
        "d735496c-bd5b-11eb-8fe6-d6270330280e",
        "Asset Build, Folder, Image, Information, Milestone, Scene, Shot, Task",
    ),
]

CUSTOM_ATTRIBUTE_TYPES = [
    ("text", "6268aef0-381c-11e0-acff-0019bb49847a"),
    ("date", "79968e9e-381c-11e0-acff-0019bb49847a"),
    ("number", "92009b00-381c-11e0-acff-0019bb49847a"),
    ("boolean", "ad1034d8-15e2-11e1-b21a-0019bb4983d8"),
    ("enumerator", "6ff9c812-ead3-11e2-846c-f23c91dfaa16"),
    ("dynamic enumerator", "882e4aee-fae6-11e3-b623-20c9d0831e59"),
    ("expression", "d2e6a530-357f-11e2-bd73-0019bb4985b8"),
    ("url", "ec616dcd-56e2-4147-99f8-7e4a4f040cf9"),
]

#: Key, id, entity type, object type and default.
CONFIGURATIONS = [
    ("fstart", "acd86546-4082-11e2-95b1-0019bb4983d8", "task", "Shot", 1),
    ("fend", "432bc746-4087-11e2-8250-0019bb4983d8", "task", "Shot", 1),
    ("handles", "432bdfa6-4087-11e2-8250-0019bb4983d8", "task", "Shot", 0),
    ("fps", "d25219d6-acb5-11e1-8668-f23c91df1211", "show", None, 24),
    ("fps", "d25532e2-acb5-11e1-8668-f23c91df1211", "task", "Sequence", 25),
    ("fps", "d25907a0-acb5-11e1-8668-f23c91df1211", "task", "Shot", 25),
]

LOCATIONS = [
    ("ftrack.origin", "ce9b348f-8809-11e3-821c-20c9d081909b"),
    ("ftrack.unmanaged", "cb268ecc-8809-11e3-a7e2-20c9d081909b"),
    ("ftrack.review", "cd41be70-8809-11e3-b98a-20c9d081909b"),
    ("ftrack.connect", "07b82a97-8cf9-11e3-9383-20c9d081909b"),
    ("ftrack.server", "3a372bde-05bc-11e4-8908-20c9d081909b"),
]


def _named(rows: list[Any]) -> list[Any]:
    """Return *rows* as parameters that show the first value."""
    return [row(*values, name=str(values[0])) for values in rows]


@fact("site-facts A1", "M")
@pytest.mark.parametrize(("name", "identifier", "colour", "state"), _named(STATUSES))
def test_a_status(site: Site, name: str, identifier: str, colour: str, state: str) -> None:
    """A stock status has its id, its colour and its state, and is active."""
    found = site.one(f'select color, is_active, state.short from Status where name is "{name}"')
    assert (found["id"], found["color"]) == (identifier, colour)
    assert found["state"]["short"] == state
    assert found["is_active"] is True


@fact("site-facts A1", "M")
def test_statuses_are_sorted_from_the_end(site: Site) -> None:
    """The sort of a status runs from the end of the work to its start."""
    found = [each["name"] for each in site.rows("select name, sort from Status order by sort")]
    stock = [each[0] for each in STATUSES]
    assert [name for name in found if name in stock] == stock


@fact("site-facts A2", "M")
@pytest.mark.parametrize(("short", "identifier"), _named(STATES))
def test_a_state(site: Site, short: str, identifier: str) -> None:
    """A state has its id."""
    assert site.one(f"select id from State where short is {short}")["id"] == identifier


@fact("site-facts A2", "P")
def test_there_are_four_states(site: Site) -> None:
    """Programs compare the short name of a state with exactly four words."""
    found = sorted(each["short"] for each in site.rows("select short from State"))
    assert found == sorted(short for short, _ in STATES)


@fact("site-facts A3", "M")
@pytest.mark.parametrize(("name", "identifier", "colour"), _named(TYPES))
def test_a_type(site: Site, name: str, identifier: str, colour: str) -> None:
    """A stock type has its id and its colour."""
    found = site.one(f'select color from Type where name is "{name}"')
    assert (found["id"], found["color"]) == (identifier, colour)


@fact("site-facts A3", "M")
@pytest.mark.parametrize("name", ["Generic", "Shot", "Sequence", "Folder", "Episode"])
def test_there_is_no_such_type(site: Site, name: str) -> None:
    """No type has the name of an object type."""
    assert site.rows(f'select id from Type where name is "{name}"') == []


@fact("site-facts A4", "M")
@pytest.mark.parametrize(("name", "identifier", "colour"), _named(PRIORITIES))
def test_a_priority(site: Site, name: str, identifier: str, colour: str) -> None:
    """A stock priority has its id and its colour, and the value 0."""
    found = site.one(f'select color, value from Priority where name is "{name}"')
    assert (found["id"], found["color"], found["value"]) == (identifier, colour, 0)


@fact("site-facts A4", "M")
def test_priorities_are_ordered_by_sort(site: Site) -> None:
    """The sort of a priority runs from the most urgent to none."""
    found = [each["name"] for each in site.rows("select name, sort from Priority order by sort")]
    stock = [each[0] for each in PRIORITIES]
    assert [name for name in found if name in stock] == stock


@fact("site-facts A5", "M")
@pytest.mark.parametrize(("name", "identifier", "flags"), _named(OBJECT_TYPES))
def test_an_object_type(site: Site, name: str, identifier: str, flags: str) -> None:
    """A stock object type has its id and its flags."""
    known = "leaf taskable statusable typeable prioritizable schedulable time_reportable".split()
    columns = ", ".join(f"is_{flag}" for flag in known)
    found = site.one(f'select {columns} from ObjectType where name is "{name}"')
    assert found["id"] == identifier
    assert [flag for flag in known if found[f"is_{flag}"]] == flags.split()


@fact("site-facts A5", "M")
@pytest.mark.parametrize(("name", "identifier"), _named([each[:2] for each in OBJECT_TYPES]))
def test_an_object_type_is_an_entity_type(site: Site, name: str, identifier: str) -> None:
    """Each object type is an entity type that names the object type in its alias."""
    schema = site.schemas[name.replace(" ", "")]
    alias = schema["alias_for"]
    assert alias == "Task" or alias["classifiers"] == {"object_typeid": identifier}


@fact("site-facts A5", "M")
@pytest.mark.parametrize(
    ("name", "flags"), _named([(each[0], each[2].split()) for each in OBJECT_TYPES])
)
def test_flags_decide_what_is_immutable(site: Site, name: str, flags: list[str]) -> None:
    """Without a flag, the attributes that belong to it are immutable in the schema."""
    immutable = site.schemas[name.replace(" ", "")]["immutable"]
    governed: dict[str, tuple[str, ...]] = {
        "statusable": ("status_id",),
        "typeable": ("type_id",),
        "prioritizable": ("priority_id",),
        "schedulable": ("bid", "end_date"),
    }
    if name != "Milestone":  # Its start is immutable in the recorded schemas: it has only an end.
        governed["schedulable"] += ("start_date",)
    for flag, attributes in governed.items():
        for attribute in attributes:
            assert (attribute in immutable) == (flag not in flags), attribute


@fact("site-facts A6", "M")
@pytest.mark.parametrize(("name", "identifier", "object_types"), _named(PROJECT_SCHEMAS))
def test_a_project_schema(site: Site, name: str, identifier: str, object_types: str) -> None:
    """A stock project schema has its id and its object types."""
    found = site.one(f'select object_types.name from ProjectSchema where name is "{name}"')
    assert found["id"] == identifier
    names = sorted(each["name"] for each in found["object_types"])
    assert names == object_types.split(", ")


@fact("site-facts A6", "M")
def test_no_workflow_is_overridden(site: Site) -> None:
    """The stock project schemas override no workflow."""
    known = ", ".join(f'"{each[1]}"' for each in PROJECT_SCHEMAS)
    assert site.rows(f"ProjectSchemaOverride where project_schema_id in ({known})") == []


@fact("site-facts A6", "M")
def test_schemas_of_object_types(site: Site) -> None:
    """The VFX schema has rows for the object types that have statuses or types, but for tasks."""
    rows = site.rows(
        "select type_id, object_type_id from Schema "
        f'where project_schema_id is "{PROJECT_SCHEMAS[0][1]}"'
    )
    names = {key: name for name, key, _ in OBJECT_TYPES}
    assert sorted(names[each["object_type_id"]] for each in rows) == [
        "Asset Build",
        "Episode",
        "Milestone",
        "Shot",
    ]
    assert all(each["type_id"] == each["object_type_id"] for each in rows)


@fact("site-facts A6", "M")
@pytest.mark.parametrize(
    ("object_type", "statuses"),
    _named(
        [
            ("Shot", "Completed, In progress, Not started, Omitted, On Hold"),
            ("Episode", "Completed, In progress, Not started, Omitted, On Hold"),
            ("Milestone", "Completed, In progress, Not started"),
            ("Asset Build", "Completed, In progress, Not started"),
        ]
    ),
)
def test_statuses_of_an_object_type(site: Site, object_type: str, statuses: str) -> None:
    """The VFX schema allows these statuses for an object type."""
    keys = {name: key for name, key, _ in OBJECT_TYPES}
    found = site.one(
        f'select statuses.task_status.name from Schema where type_id is "{keys[object_type]}" '
        f'and project_schema_id is "{PROJECT_SCHEMAS[0][1]}"'
    )
    names = [each["task_status"]["name"] for each in found["statuses"]]
    assert sorted(names) == sorted(statuses.split(", "))


@fact("site-facts A8", "M")
@pytest.mark.parametrize(("name", "identifier"), _named(CUSTOM_ATTRIBUTE_TYPES))
def test_a_custom_attribute_type(site: Site, name: str, identifier: str) -> None:
    """A type of custom attributes has its id."""
    found = site.one(f'select id from CustomAttributeType where name is "{name}"')
    assert found["id"] == identifier


@fact("site-facts A9", "M")
@pytest.mark.parametrize(
    ("key", "identifier", "entity_type", "object_type", "default"),
    [row(*each, name=f"{each[0]} of {each[3] or each[2]}") for each in CONFIGURATIONS],
)
def test_a_built_in_custom_attribute(
    site: Site, key: str, identifier: str, entity_type: str, object_type: Any, default: int
) -> None:
    """A built-in custom attribute has its id, its object type and its default."""
    found = site.one(
        "select key, entity_type, default, object_type.name from "
        f'CustomAttributeConfiguration where id is "{identifier}"'
    )
    assert (found["key"], found["entity_type"], found["default"]) == (key, entity_type, default)
    assert (found["object_type"] or {}).get("name") == object_type


@fact("site-facts A9", "M")
def test_the_duration_of_a_shot_is_an_expression(site: Site) -> None:
    """The duration of a shot is computed from its first and last frame."""
    found = site.one(
        "select default, type.name from CustomAttributeConfiguration where key is duration"
    )
    assert found["type"]["name"] == "expression"
    assert "self.fend - self.fstart + 1" in found["default"]


@fact("site-facts A10", "P")
@pytest.mark.parametrize(
    ("entity_type", "identifier"),
    _named(
        [
            ("AssetType", "8f4144e0-a8e6-11e2-9e96-0800200c9a66"),
            ("NoteCategory", "42983ba0-53b0-11e4-916c-0800200c9a66"),
            ("UserType", "ac9fa5aa-4361-11e0-b7cc-0019bb4983d8"),
        ]
    ),
)
def test_a_stock_row(site: Site, entity_type: str, identifier: str) -> None:
    """A row that programs know by its id is there."""
    assert site.get(entity_type, identifier, "id")["id"] == identifier


@fact("site-facts A10", "P")
@pytest.mark.parametrize(
    "identifier",
    ["77b9ab82-07c2-11e4-ba66-04011030cf01", "712f0fee-ead3-11e2-846c-f23c91dfaa16"],
    ids=["dailies", "deliveries"],
)
def test_a_list_category(site: Site, identifier: str) -> None:
    """A category of lists that programs know by its id is there."""
    assert site.get("ListCategory", identifier, "name")["name"]


@fact("site-facts A10", "P")
@pytest.mark.parametrize(("name", "identifier"), _named(LOCATIONS))
def test_a_built_in_location(site: Site, name: str, identifier: str) -> None:
    """A built-in location has its id."""
    assert site.one(f'select id from Location where name is "{name}"')["id"] == identifier


@fact("site-facts A10", "D")
@pytest.mark.parametrize(
    "name", ["Restricted user", "User", "Project manager", "Administrator", "API"]
)
def test_a_security_role(site: Site, name: str) -> None:
    """A security role of this name exists."""
    assert site.rows(f'select id from SecurityRole where name is "{name}"')


@fact("site-facts H", "M")
@pytest.mark.parametrize("name", ["Conversation", "Message", "Participant"])
def test_a_removed_entity_type(site: Site, name: str) -> None:
    """An entity type that later versions removed is not in the schemas."""
    assert name not in site.schemas


@fact("site-facts A5", "M")
def test_a_new_object_type_is_a_new_entity_type(site: Site) -> None:
    """The hash of the schemas that the server reports fits the schemas that it sends."""
    information = site.information()
    assert len(information["schema_hash"]) == 32
    assert int(information["schema_hash"], 16) >= 0
