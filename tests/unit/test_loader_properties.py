"""Whatever the order and the shape in which a graph comes, the same entities stand at the end."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

IDS = st.sampled_from("abcdef")


@st.composite
def graphs(draw: Any) -> dict[str, dict[str, Any]]:
    """Return tasks by id, each with a name, a parent or none, and children."""
    return {
        key: {
            "name": draw(st.text(max_size=3)),
            "parent": draw(st.none() | IDS),
            "children": draw(st.lists(IDS, unique=True, max_size=3)),
        }
        for key in "abcdef"
    }


def as_record(graph: Any, key: str, depth: int, names: Any) -> dict[str, Any]:
    """Return the record of *key*, with those it refers to *depth* levels in."""
    record: dict[str, Any] = {"__entity_type__": "Task", "id": key}
    if depth < 0:
        return record
    for name in names:
        value = graph[key][name]
        if name == "parent":
            value = None if value is None else as_record(graph, value, depth - 1, names)
        elif name == "children":
            value = [as_record(graph, each, depth - 1, names) for each in value]
        record[name] = value
    return record


NAMES = st.permutations(["name", "parent", "children"])


@settings(max_examples=60)
@given(graph=graphs(), data=st.data())
def test_any_order_gives_the_same_graph(make_tiny: Any, graph: Any, data: Any) -> None:
    """Nested or not, whole or in parts, first or last: one object each, all values in place."""
    session = make_tiny()
    pieces = []
    for key in "abcdef":
        names = data.draw(NAMES)
        cut = data.draw(st.integers(0, 3))
        for part in (names[:cut], names[cut:]):
            pieces.append((key, data.draw(st.integers(0, 2)), part))
    for key, depth, names in data.draw(st.permutations(pieces)):
        session._loader.load([as_record(graph, key, depth, names)])
        session._loader.load([as_record(graph, key, -1, names)])
    found = {key: session._identity_map.find("Task", [key]) for key in graph}
    for key, values in graph.items():
        task = found[key]
        assert task["name"] == values["name"]
        assert task["parent"] is (values["parent"] and found[values["parent"]])
        assert [id(child) for child in task["children"]] == [
            id(found[child]) for child in values["children"]
        ]
    assert session.asked == []


@settings(max_examples=60)
@given(graph=graphs(), changes=st.lists(st.tuples(IDS, st.text(max_size=2)), max_size=6))
def test_a_detour_through_json_gives_the_same_graph(
    make_tiny: Any, graph: Any, changes: Any
) -> None:
    """Encoded, decoded and merged into another session nothing is lost, and nothing is local."""
    session = make_tiny()
    tasks = session._loader.load([as_record(graph, key, 0, graph[key]) for key in graph])
    for key, name in changes:
        session._identity_map.find("Task", [key])["name"] = name
    other = make_tiny()
    merged = other.merge(other.decode(session.encode(tasks, "persisted_only")))
    for task, copy in zip(tasks, merged):
        assert copy["name"] == graph[task["id"]]["name"]
        assert copy["parent"] == task["parent"]
        assert list(copy["children"]) == list(task["children"])
        assert copy is other._identity_map.find("Task", [task["id"]])
    assert len(other._identity_map.dirty) == 0
