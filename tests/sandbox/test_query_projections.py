"""What records carry, and how many statements it takes to load them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftrack_like.sandbox.language import ExpressionError
from ftrack_like.sandbox.query.run import run_query


def one(world, expression):
    """Return the only record of *expression*."""
    (record,) = world.records(expression)
    return record


def test_record_carries_key_default_and_system_projections(world):
    """Without "select" a record has its type, key, default projections and what the server adds."""
    assert one(world, "Task where id is t-anim10") == {
        "__entity_type__": "Task",
        "id": "t-anim10",
        "name": "animation",
        "context_type": "task",
        "project_id": "p-alpha",
    }


def test_selected_names_come_on_top(world):
    """Selected scalars and nested names add to what every record carries."""
    record = one(world, "select bid, status.name from Task where id is t-anim10")

    assert record["bid"] == 28800.0
    assert record["status"] == {"__entity_type__": "Status", "id": "st-done", "name": "Done"}
    assert record["context_type"] == "task"


def test_relation_without_more_has_the_members_defaults(world):
    """Selecting a relation alone gives its members with their default projections."""
    record = one(world, "select parent, assignments from Task where id is t-anim10")

    assert record["parent"]["__entity_type__"] == "Shot"
    assert record["parent"]["name"] == "sh010"
    assert record["assignments"] == [{"__entity_type__": "Appointment", "id": "ap-1"}]


def test_empty_relations(world):
    """An empty reference is null and an empty collection an empty list."""
    record = one(world, "select status.name, timelogs.start from Task where id is t-loose")

    assert record["status"] is None
    assert record["timelogs"] == []


def test_repeated_entity_is_a_reference(world):
    """An entity stands in full once; elsewhere it is only its type and key."""
    records = world.records("select status.name from Task where status_id is st-ready")
    statuses = [record["status"] for record in records]

    assert statuses == [
        {"__entity_type__": "Status", "id": "st-ready", "name": "Ready to start"},
        {"__entity_type__": "Status", "id": "st-ready"},
    ]


def test_entity_stands_in_full_at_its_first_place(world):
    """A member that is also a later row is in full as the member, and a reference as the row."""
    records = world.records(
        "select children.name, parent.name from TypedContext where id in (sh-20, t-light20)"
    )
    shot, task = records

    (child,) = (one for one in shot["children"] if one["id"] == "t-light20")
    assert child["name"] == "lighting"
    assert child["parent"] == {"__entity_type__": "Shot", "id": "sh-20"}
    assert task == {"__entity_type__": "Task", "id": "t-light20"}


def test_names_reached_on_two_ways_are_joined(world):
    """One entity reached with different names on two ways has all of them where it is in full."""
    record = one(
        world, "select parent.status.name, status.color, status.sort from Task where id is t-anim10"
    )

    status = record["parent"]["status"]
    assert status["sort"] == 3
    assert status["name"] == "Done"
    assert record["status"] == {"__entity_type__": "Status", "id": "st-done"}


def test_values_travel_as_the_protocol_says(world):
    """Moments, truth values, numbers, texts and addresses have their wire shapes."""
    task = one(
        world,
        "select start_date, end_date, bid, description, thumbnail_url, time_logged,"
        " bid_time_logged_difference from Task where id is t-anim10",
    )

    assert task["start_date"] == {"__type__": "datetime", "value": "2024-02-01T09:00:00"}
    assert task["bid"] == 28800.0
    assert task["time_logged"] == 3600.0
    assert task["bid_time_logged_difference"] == 25200.0
    address = "http://sandbox.test/component/thumbnail?id=cp-main&size=300"
    assert task["thumbnail_url"] == {"url": address, "value": address}
    without = one(world, "select thumbnail_url from Task where id is t-loose")["thumbnail_url"]
    address = "http://sandbox.test/component/thumbnail?id=&size=300"
    assert without == {"url": address, "value": address}
    user = one(world, "select is_active, first_name from User where id is u-ann")
    assert user["is_active"] is True
    assert user["first_name"] is None


def test_links_lead_from_the_project_down(world):
    """The link of a context names all above it; that of a version ends with the version."""
    task = one(world, "select link, _link from Task where id is t-light20")
    version = one(world, "select link from AssetVersion where id is v-hero2")
    group = one(world, "select link from Group where id is g-lead")

    assert [entry["name"] for entry in task["link"]] == ["alpha", "sq010", "Éclair", "lighting"]
    assert [entry["type"] for entry in task["link"]] == ["Project"] + ["TypedContext"] * 3
    assert task["_link"] == task["link"]
    assert version["link"][-1] == {"type": "AssetVersion", "id": "v-hero2", "name": "hero - v002"}
    assert [entry["name"] for entry in version["link"]] == ["alpha", "Hero 100%", "hero - v002"]
    assert [entry["name"] for entry in group["link"]] == ["Animators", "Leads"]


def test_addresses_of_component_locations(world):
    """The server's location gives an address, others give what they go by."""
    records = world.records(
        "select url, location.name from ComponentLocation where component_id is cp-main"
    )
    found = {record["location"]["name"]: record["url"]["value"] for record in records}

    assert found == {
        "studio.disk": "\\\\server\\share\\hero.ma",
        "ftrack.server": "http://sandbox.test/component/get?id=cp-main",
    }


def test_addresses_are_signed_where_the_request_says_how(world):
    """What proves the right to read is added to the path of each address."""
    context = replace(world.context, sign=lambda path: f"{path}&signature=yes")
    expression = "select thumbnail_url from Task where id is t-anim10"
    (record,) = run_query(world.connection, world.model, expression, context).records

    assert record["thumbnail_url"]["value"].endswith("?id=cp-main&size=300&signature=yes")


def test_computed_references_and_flags(world):
    """The latest version is followed like any reference."""
    asset = one(world, "select latest_version.version from Asset where id is a-hero")
    none = one(world, "select latest_version from Asset where id is a-none")
    versions = world.records("select is_latest_version from AssetVersion where asset_id is a-hero")

    assert asset["latest_version"]["version"] == 2
    assert none["latest_version"] is None
    assert [version["is_latest_version"] for version in versions] == [False, True]


def values(world, expression):
    """Return custom attribute values by key of the only record of *expression*."""
    return {item["key"]: item["value"] for item in one(world, expression)["custom_attributes"]}


def test_custom_attributes_are_dense_and_typed(world):
    """There is one value for each configuration that applies, stored or the default."""
    select = "select custom_attributes.value from"

    assert values(world, f"{select} Shot where id is sh-10") == {
        "fstart": 993,
        "memo": "none yet",
        "colorspace": ["acescg"],
    }
    assert values(world, f"{select} AssetBuild")["is_hero"] is True
    assert values(world, f"{select} Task where id is t-comp10")["memo"] is None
    assert values(world, f"{select} Task where id is t-loose")["beta_only"] == ""
    assert values(world, f"{select} Shot where id is sh-20")["colorspace"] == ["srgb", "rec_709"]
    assert values(world, f"{select} Milestone")["due"] == {
        "__type__": "datetime",
        "value": "2024-06-01T00:00:00",
    }
    expected = {"approved": False, "colorspace": ["acescg"]}
    assert values(world, f"{select} AssetVersion where id is v-hero1") == expected
    assert values(world, f"{select} User where id is u-ann") == {"phone": ""}
    assert values(world, f"{select} Project where name is beta") == {"colorspace": ["srgb"]}


def test_custom_attributes_carry_their_values_by_default(world):
    """Selecting custom_attributes alone already has keys and values."""
    item = one(world, "select custom_attributes from Project where name is alpha")[
        "custom_attributes"
    ][0]

    assert item == {
        "__entity_type__": "ContextCustomAttributeValue",
        "configuration_id": "cf-space",
        "entity_id": "p-alpha",
        "key": "colorspace",
        "value": ["acescg"],
    }


def test_base_types_answer_concrete_types(world):
    """Records of a base type, and members of its relations, name their concrete type."""
    contexts = {record["id"]: record["__entity_type__"] for record in world.records("Context")}
    note = one(world, "select recipients.recipient from Note where id is n-1")

    assert (contexts["p-alpha"], contexts["sq-a"], contexts["t-loose"]) == (
        "Project",
        "Sequence",
        "Task",
    )
    assert [one["recipient"]["__entity_type__"] for one in note["recipients"]] == ["User", "Group"]


def test_names_of_some_sub_types_are_given_where_they_exist(world):
    """A name that only some rows have is left out of the others."""
    records = world.records("select full_name, bid from Context where id in (p-alpha, sh-10)")

    assert records[0]["full_name"] == "Alpha Film"
    assert "bid" not in records[0]
    assert records[1]["bid"] == 0.0


def test_cast_selects_of_members_of_that_type_alone(world):
    """A cast says of which members names are loaded; the collection stays whole."""
    record = one(world, "select descendants[Task].bid from Project where id is p-alpha")
    kinds = {member["__entity_type__"]: "bid" in member for member in record["descendants"]}

    assert kinds == {
        "AssetBuild": False,
        "Milestone": False,
        "Sequence": False,
        "Shot": False,
        "Task": True,
    }


def test_keys_of_several_parts(world):
    """Types whose key has several parts carry all of them, and are referred to by them."""
    record = one(world, "select metadata from SequenceComponent")

    assert record["metadata"] == [
        {
            "__entity_type__": "Metadata",
            "parent_id": "cp-seq",
            "key": "frames",
            "value": "1-10",
            "parent_type": "SequenceComponent",
        }
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "select name, bid from Task{}",
        "select status.name, type.name, parent.name from Task{}",
        "select assignments.resource.username, timelogs.start, notes.author.first_name from Task{}",
        "select link, custom_attributes, metadata, thumbnail_url, time_logged from Context{}",
        "select latest_version.components.component_locations.location.name from Asset{}",
        "select children.children.name, descendants.status.name from Project{}",
    ],
)
def test_statements_do_not_grow_with_rows(world, expression):
    """However many rows there are, each relation takes one statement."""
    world.query(expression.format(" limit 1"))
    of_one = len(world.statements)
    world.query(expression.format(""))
    of_all = len(world.statements)
    # A single row may lack the relations that further ones lead through.
    relations = {
        tuple(path.split(".")[: depth + 1])
        for path in expression.partition(" from ")[0]
        .replace("select", "")
        .replace(" ", "")
        .split(",")
        for depth in range(path.count(".") + 1)
    }

    assert of_one <= of_all <= 1 + len(relations)


def test_restricted_relations_cannot_be_selected(world):
    """What may only be filtered by is refused among projections, by name."""
    with pytest.raises(ExpressionError, match="'custom_attribute_links' of Task can be used in"):
        world.query("select custom_attribute_links from Task")


def test_references_over_two_columns(world):
    """A reference to an entity whose key has two parts matches both."""
    records = world.records("select setting.value from SettingComponent")

    assert [record["setting"] and record["setting"]["value"] for record in records] == [
        "dark",
        None,
    ]


def test_references_over_numbers(world):
    """A reference to a numbered entity is followed like any other."""
    (record,) = world.records("select event.action from Feed where id is fe-3")

    assert record["event"]["id"] == 2
    assert record["event"]["action"] == "create"


def test_review_sessions_compute_their_state(world):
    """Whether a session is open depends on the time, its image on its objects."""
    records = world.records("select is_open, thumbnail.name, thumbnail_id from ReviewSession")

    assert [record["is_open"] for record in records] == [True, False]
    assert [record["thumbnail_id"] for record in records] == ["cp-main", None]
    assert records[0]["thumbnail"]["name"] == "main"


# Pages


def test_last_page_has_no_next_offset_even_when_full(world):
    """The next offset is null on the last page, whether it is full or not."""
    assert world.query("User limit 2").next_offset == 2
    assert world.query("User offset 1 limit 2").next_offset is None
    assert world.query("User offset 2 limit 2").next_offset is None
    assert world.query("User limit 3").next_offset is None
    assert world.query("User").next_offset is None
    assert world.query("User offset 7 limit 2").next_offset is None
    assert world.query("User limit 0").next_offset is None


def test_default_order_is_that_of_coming(world):
    """Without an order entities come as they were created, with filters, too."""
    expected = [row["id"] for row in world.rows["context"] if row["id"].startswith("t-")]

    assert world.keys("Task") == expected
    assert world.keys("Task where status_id is_not none or bid is 0") == expected


# Groups


def test_aggregates_answer_plain_mappings(world):
    """With "group by" a row has the grouped names as written and keys like count_id."""
    assert world.records("select count(id), status.name from Task group by status.name") == [
        {"count_id": 1, "status.name": None},
        {"count_id": 2, "status.name": "Done"},
        {"count_id": 2, "status.name": "In progress"},
        {"count_id": 2, "status.name": "Ready to start"},
    ]


def test_aggregates_without_groups_answer_one_row(world):
    """All functions over all entities that fit give one row."""
    (row,) = world.records(
        "select count(id), sum(bid), avg(sort), min(name), max(parent.name) from Task where bid > 0"
    )

    assert row == {
        "count_id": 4,
        "sum_bid": 54000.5,
        "avg_sort": 2.0,
        "min_name": "animation",
        "max_parent_name": "Éclair",
    }


def test_groups_follow_order_offset_and_limit(world):
    """Groups are sorted and cut like rows; moments keep their wire shape."""
    rows = world.records(
        "select type_id, max(start_date) from Task group by type_id"
        " order by type_id desc limit 1 offset 2"
    )

    assert rows == [
        {
            "type_id": "ty-comp",
            "max_start_date": {"__type__": "datetime", "value": "2024-02-11T09:00:00"},
        }
    ]


def test_groups_know_no_case(world):
    """Texts that differ in case alone are one group."""
    names = {
        row["name"]: row["count_id"]
        for row in world.records("select count(id), name from Task group by name")
    }

    assert {name.lower(): count for name, count in names.items()}["animation"] == 2


# Reading by key


def test_read_records_by_key_in_the_order_asked_for(world):
    """Records are read by key, in that order, without those that do not exist."""
    records = world.read("Task", [("t-light20",), ("nothing",), ("t-anim10",)], ["status.name"])

    assert [record["id"] for record in records] == ["t-light20", "t-anim10"]
    assert records[1]["status"]["name"] == "Done"
    assert len(world.statements) == 2


def test_read_records_with_keys_of_several_parts(world):
    """Keys of several parts are read likewise; no projections give the defaults."""
    records = world.read("Setting", [("theme", "LOOK"), ("no", "LOOK")])

    assert records == [{"__entity_type__": "Setting", "name": "theme", "group": "LOOK"}]


def test_read_records_of_dense_values(world):
    """A custom attribute value that is not stored is read with its default."""
    (record,) = world.read("ContextCustomAttributeValue", [("cf-fstart", "sh-30")], ["value"])

    assert record["value"] == 1001
