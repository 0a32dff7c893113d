"""JSON: what is written for which value, and what is read back."""

from __future__ import annotations

import datetime
import json
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import arrow
import pytest

from ftrack_like import exception
from ftrack_like.symbol import NOT_SET
from ftrack_like.wire import values

ZONE = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            datetime.datetime(2020, 1, 2, 3, 4, 5),
            {"__type__": "datetime", "value": "2020-01-02T03:04:05"},
        ),
        (
            datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=ZONE),
            {"__type__": "datetime", "value": "2020-01-02T03:04:05+02:00"},
        ),
        (
            arrow.get("2020-01-02T03:04:05"),
            {"__type__": "datetime", "value": "2020-01-02T03:04:05+00:00"},
        ),
        (datetime.date(2020, 1, 2), {"__type__": "date", "value": "2020-01-02"}),
        ((1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"b": 1}), {"b": 1}),
        (None, None),
        (1.5, 1.5),
        ("é", "é"),
    ],
)
def test_values_as_they_travel(tiny: Any, value: Any, expected: Any) -> None:
    """Dates are marked, mappings are mappings, and the rest is plain JSON."""
    assert json.loads(tiny.encode({"v": value})) == {"v": expected}


@pytest.mark.parametrize("value", [b"x", {1, 2}, object(), NOT_SET, datetime.timedelta(1)])
def test_what_json_has_no_form_for_is_refused(tiny: Any, value: Any) -> None:
    """The error names the type."""
    with pytest.raises(TypeError, match=type(value).__name__):
        tiny.encode({"v": value})


def test_numbers_that_json_has_no_form_for_are_refused(tiny: Any) -> None:
    """NaN would be no JSON."""
    with pytest.raises(ValueError):
        tiny.encode({"v": float("nan")})


def test_an_unknown_strategy_is_refused(tiny: Any) -> None:
    """The error lists those that there are."""
    with pytest.raises(ValueError, match="persisted_only"):
        tiny.encode({}, "sometimes")


@pytest.fixture
def task(tiny: Any, make_record: Any) -> Any:
    """Return a task with values of all kinds."""
    return tiny.load(
        "Task",
        id="a",
        name="x",
        time_logged=5.0,
        start_date={"__type__": "datetime", "value": "2020-01-01T00:00:00"},
        status=make_record("Status", id="s", name="Open"),
        children=[make_record("Task", id="b", name="child")],
        metadata=[make_record("Metadata", parent_id="a", key="k", value="v")],
        link=[{"id": "p", "name": "project"}],
    )


ENCODED = {
    "__entity_type__": "Task",
    "id": "a",
    "name": "x",
    "time_logged": 5.0,
    "start_date": {"__type__": "datetime", "value": "2020-01-01T00:00:00+00:00"},
    "status": {"__entity_type__": "Status", "id": "s"},
    "children": [{"__entity_type__": "Task", "id": "b"}],
    "metadata": [{"__entity_type__": "Metadata", "parent_id": "a", "key": "k"}],
    "link": [{"id": "p", "name": "project"}],
}


def encoded(session: Any, entity: Any, strategy: str) -> Any:
    """Return *entity* as *session* writes it."""
    return json.loads(session.encode(entity, strategy))


def test_set_only_writes_what_is_set(tiny: Any, task: Any) -> None:
    """Entities inside are references; dates carry their zone whether read before or not."""
    assert encoded(tiny, task, "set_only") == ENCODED
    task["start_date"], task["children"], task["metadata"]
    assert encoded(tiny, task, "set_only") == ENCODED
    assert tiny.asked == []


def test_local_values_are_written_before_remote_ones(tiny: Any, task: Any) -> None:
    """set_only shows what the entity shows."""
    task["name"] = "mine"
    task["status"] = None
    task["children"] = []
    found = encoded(tiny, task, "set_only")
    assert (found["name"], found["status"], found["children"]) == ("mine", None, [])


def test_modified_only_writes_changes_and_the_key(tiny: Any, task: Any) -> None:
    """Reading a collection is none."""
    task["children"]
    assert encoded(tiny, task, "modified_only") == {"__entity_type__": "Task", "id": "a"}
    task["name"] = "mine"
    del task["children"][0]
    assert encoded(tiny, task, "modified_only") == {
        "__entity_type__": "Task",
        "id": "a",
        "name": "mine",
        "children": [],
    }


def test_persisted_only_writes_what_the_server_holds(tiny: Any, task: Any) -> None:
    """Neither local changes nor what the server works out."""
    task["name"] = "mine"
    expected = {name: value for name, value in ENCODED.items() if name != "time_logged"}
    assert encoded(tiny, task, "persisted_only") == expected


def test_all_loads_what_is_missing(tiny: Any, make_record: Any) -> None:
    """Everything that the server has is written."""
    tiny.answer = lambda _: [
        make_record("Task", id="a", name="x", bid=1.0, children=[], notes=[], metadata=[])
    ]
    found = encoded(tiny, tiny.load("Task", id="a"), "all")
    assert (found["name"], found["bid"], found["children"]) == ("x", 1.0, [])
    assert "description" not in found


def test_collections_are_lists_of_references(tiny: Any, task: Any) -> None:
    """Wherever they stand."""
    assert json.loads(tiny.encode([task["children"], task["metadata"]])) == [
        ENCODED["children"],
        ENCODED["metadata"],
    ]


def test_a_reference_has_the_new_key_of_a_new_entity(tiny: Any, task: Any) -> None:
    """Its key is local until it is committed."""
    child = tiny.create("Task", {"parent": task})
    task["children"] = [child]
    assert encoded(tiny, task, "set_only")["children"] == [
        {"__entity_type__": "Task", "id": child["id"]}
    ]


def test_keys_are_sorted(tiny: Any) -> None:
    """The same value is the same text."""
    assert tiny.encode({"b": 1, "a": 2}) == '{"a": 2, "b": 1}'


def test_entities_and_dates_are_read_back(tiny: Any, task: Any) -> None:
    """As detached entities, with those inside."""
    found = tiny.decode(tiny.encode([task]))[0]
    assert found == task
    assert found is not task
    assert found["start_date"] == task["start_date"]
    assert found["status"] == task["status"]
    assert found["status"] is not task["status"]
    assert found["children"][0]["id"] == "b"


def test_other_marks_are_left_alone(tiny: Any) -> None:
    """A mapping with another type is a mapping; a date without a value is None."""
    assert tiny.decode('{"a": {"__type__": "odd", "value": 1}, "b": [1]}') == {
        "a": {"__type__": "odd", "value": 1},
        "b": [1],
    }
    assert tiny.decode('{"__type__": "datetime", "value": null}') is None
    assert tiny.decode('{"__type__": "date", "value": "2020-01-02"}') == arrow.get("2020-01-02")


def test_an_unknown_type_is_an_error(tiny: Any) -> None:
    """The error names it."""
    with pytest.raises(exception.UnrecognisedEntityTypeError, match="Riddle"):
        tiny.decode('{"__entity_type__": "Riddle", "id": "a"}')


def test_the_overridable_methods_are_passed(tiny: Any) -> None:
    """Both directions reach the session's own methods at each use."""
    seen: list[Any] = []

    def encode(item: Any, entity_attribute_strategy: str) -> Any:
        seen.append((item, entity_attribute_strategy))
        return "encoded"

    tiny._encode = encode
    tiny._decode = lambda item: ("decoded", item)
    item = object()
    assert tiny.encode([item], "all") == '["encoded"]'
    assert tiny.decode('{"a": 1}') == ("decoded", {"a": 1})
    assert seen == [(item, "all")]


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-02T03:04:05",
        "2020-01-02T03:04:05+02:00",
        "2020-01-02T03:04:05.123",
        "2020-01-02T03:04:05Z",
        "2020-01-02",
        "2020-01-02 03:04",
    ],
)
def test_the_quick_way_reads_dates_as_arrow_does(text: str) -> None:
    """Whatever form they come in."""
    assert values.decode_date(text) == arrow.get(text)
    assert values.decode_date(text).utcoffset() == arrow.get(text).utcoffset()


def test_what_is_remembered_of_dates_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Very many different moments do not pile up."""
    monkeypatch.setattr(values, "_READ_LIMIT", 10)
    monkeypatch.setattr(values, "_read", {})
    for year in range(2000, 2050):
        values.decode_date(f"{year}-01-01T00:00:00")
    assert len(values._read) <= 10
