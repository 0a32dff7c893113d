"""Equal texts of a page are one object, mappings share their keys, and nothing else changes."""

from __future__ import annotations

import copy
import json
import sys
from typing import Any

import pytest

from ftrack_like._session import compact
from ftrack_like._session.compact import compact_value
from ftrack_like.session import Session

KIND = "a text that is no constant"


def records(count: int) -> list[dict[str, Any]]:
    """Return *count* tasks with links and dates, decoded so that no texts are shared."""
    return [
        {
            "__entity_type__": "Task",
            "id": f"id-{number}",
            "name": None,
            "start_date": {"__type__": "datetime", "value": f"2026-01-01T10:{number:02}:00"},
            "link": json.loads(json.dumps([{"type": KIND, "id": "p", "deep": [1, {"a": KIND}]}])),
        }
        for number in range(count)
    ]


def test_links_share_equal_texts(server: Any, open_session: Any) -> None:
    """The links of two tasks have the same text object, and the same values as were sent."""
    session = open_session(server)
    sent = records(2)
    expected = copy.deepcopy(sent)
    first, second = read(session, sent)
    assert first["link"][0]["type"] is second["link"][0]["type"]
    assert [task["link"] for task in (first, second)] == [each["link"] for each in expected]


def test_changing_a_link_does_not_change_others(server: Any, open_session: Any) -> None:
    """Mappings are not shared, only texts: a program may change the value of one task."""
    first, second = read(open_session(server), records(2))
    first["link"][0]["type"] = "changed"
    assert second["link"][0]["type"] == KIND


def test_odd_values_stay_as_they_are(server: Any, open_session: Any) -> None:
    """Values of other shapes than dates and links pass through unchanged."""
    odd: list[Any] = [None, "text", 3, [], {}, ["a", None, 1], {"a": ["b"]}, [[{"c": "d"}]]]
    sent = [{**record, "link": value} for record, value in zip(records(len(odd)), odd)]
    expected = copy.deepcopy(odd)
    assert [task["link"] for task in read(open_session(server), sent)] == expected


def read(session: Session, sent: list[dict[str, Any]]) -> list[Any]:
    """Return the entities of *session* for a page with the records *sent*."""
    page: list[Any] = session._loader.page(
        "select link from Task", {"action": "query", "data": sent, "metadata": {}}
    )[0]
    return page


def decoded(*sent: dict[str, Any]) -> list[dict[str, Any]]:
    """Return *sent* as the JSON decoder creates it."""
    found: list[dict[str, Any]] = json.loads(json.dumps(sent))
    return found


@pytest.mark.skipif(sys.version_info < (3, 11), reason="older Pythons copy the keys")
def test_values_of_one_shape_share_their_keys(server: Any, open_session: Any) -> None:
    """The values of an entity, its date and its link take less memory than decoded JSON."""
    date = {"__type__": "datetime", "value": "2026-01-01T10:00:00"}
    link = [{"type": KIND, "id": "p", "name": "n"}]
    sent = [
        {"__entity_type__": "Task", "id": f"id-{number}", "start_date": date, "link": link}
        for number in range(3)
    ]
    before = decoded(*sent)[2]
    task = read(open_session(server), decoded(*sent))[2]
    after = task.remote_values
    assert sys.getsizeof(after) < sys.getsizeof(before) * 0.7
    assert sys.getsizeof(after["start_date"]) < sys.getsizeof(before["start_date"]) * 0.7
    assert sys.getsizeof(after["link"][0]) < sys.getsizeof(before["link"][0]) * 0.7
    assert {"__entity_type__": "Task", **after} == before


def test_compact_values_can_change(server: Any, open_session: Any) -> None:
    """A program may add, change and remove items, and other values keep theirs."""
    tasks = read(open_session(server), records(3))
    tasks[0].remote_values["other"] = 1
    del tasks[1].remote_values["name"]
    tasks[2]["link"][0].update(more=2, type="changed")
    assert tasks[0].remote_values["other"] == 1
    assert (
        tasks[0]["link"]
        == tasks[1]["link"]
        == [{"type": KIND, "id": "p", "deep": [1, {"a": KIND}]}]
    )
    assert "name" not in tasks[1].remote_values
    assert tasks[2]["link"] == [{"type": "changed", "id": "p", "deep": [1, {"a": KIND}], "more": 2}]
    assert tasks[0]["start_date"] < tasks[1]["start_date"]


def test_values_of_unusual_shapes_stay_equal() -> None:
    """Dates without a value, empty mappings and mappings with many keys come back equal."""
    odd: list[Any] = [
        {"__type__": "datetime"},
        {"__type__": ["a"], "value": 1},
        {},
        {str(number): number for number in range(100)},
        {"__class__": 1, "__dict__": "a", "__slots__": None, "": 2, "\ud800": 3},
    ]
    kept = copy.deepcopy(odd)
    share = dict[str, str]().setdefault
    assert [compact_value(each, share) for each in odd] == kept
    assert compact_value(copy.deepcopy(odd), share) == kept


def test_shapes_are_bounded() -> None:
    """Mappings with ever new keys pass unchanged once enough shapes are known."""
    share = dict[str, str]().setdefault
    for number in range(200):
        assert compact_value([{f"key {number}": "a"}], share) == [{f"key {number}": "a"}]
    assert len(compact._holders) <= compact.MOST_SHAPES
