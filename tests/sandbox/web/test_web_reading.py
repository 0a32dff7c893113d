"""Answers of the API made whole for templates."""

from __future__ import annotations

from datetime import date, datetime

from ftrack_like.sandbox.web.reading import PageReader, connect, quoted


def test_every_mention_of_an_entity_is_the_same_mapping():
    """A reference shows what an earlier or later mention told of the entity."""
    first, second = connect(
        [
            {
                "__entity_type__": "Task",
                "id": "t1",
                "status": {"__entity_type__": "Status", "id": "s"},
            },
            {
                "__entity_type__": "Task",
                "id": "t2",
                "status": {"__entity_type__": "Status", "id": "s", "name": "Done"},
            },
        ]
    )
    assert first["status"]["name"] == "Done"
    assert first["status"] is second["status"]


def test_entities_that_point_at_each_other_are_connected():
    """A circle of references is one in Python too."""
    (task,) = connect(
        [
            {
                "__entity_type__": "Shot",
                "id": "s1",
                "children": [
                    {
                        "__entity_type__": "Task",
                        "id": "t1",
                        "parent": {"__entity_type__": "Shot", "id": "s1"},
                    }
                ],
            }
        ]
    )
    assert task["children"][0]["parent"] is task


def test_moments_are_moments():
    """Dates and times come as such; plain mappings stay."""
    (record,) = connect(
        [
            {
                "a": {"__type__": "datetime", "value": "2024-02-03T04:05:06"},
                "b": {"__type__": "date", "value": "2024-02-03"},
                "c": {"value": "x"},
            }
        ]
    )
    assert record == {
        "a": datetime(2024, 2, 3, 4, 5, 6),
        "b": date(2024, 2, 3),
        "c": {"value": "x"},
    }


def test_any_text_is_a_value(api):
    """Quotes and backslashes in a value mean themselves."""
    name = 'A "quoted" \\ name'
    group = api.create("Group", name=name, local=True)
    reader = PageReader(lambda operations: api.call(*operations))
    assert reader.one(f"select id from Group where name is {quoted(name)}")["id"] == group
    assert reader.one(f"select id from Group where name is {quoted('another')}") is None
