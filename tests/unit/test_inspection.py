"""Which entity is it, and what has been done to it?"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from typing import Any

import pytest

from ftrack_like import inspection
from ftrack_like.operation import (
    CreateEntityOperation,
    DeleteEntityOperation,
    Operation,
    UpdateEntityOperation,
)
from ftrack_like.symbol import CREATED, DELETED, MODIFIED, NOT_SET


class Duck(dict[str, Any]):
    """Something that merely looks like an entity."""

    entity_type = "Duck"
    primary_key_attributes = ("pond", "name")


def test_identity_is_type_and_key_values(tiny: Any) -> None:
    """The identity is a pair of the type's name and the list of the key's values."""
    assert inspection.identity(tiny.load("Task", id="a")) == ("Task", ["a"])


def test_primary_key_is_an_ordered_mapping(tiny: Any) -> None:
    """The key maps attribute names to values in the schema's order."""
    item = tiny.load("Metadata", key="k", parent_id="p", value="v")
    key = inspection.primary_key(item)
    assert isinstance(key, OrderedDict)
    assert list(key.items()) == [("parent_id", "p"), ("key", "k")]


def test_anything_that_looks_like_an_entity_has_an_identity() -> None:
    """Objects with a type, key names and items are enough."""
    assert inspection.identity(Duck(pond="p", name="n")) == ("Duck", ["p", "n"])


def test_a_missing_key_value_is_a_key_error(tiny: Any) -> None:
    """An entity without its whole key has no identity; nothing is asked of the server."""
    incomplete = tiny.types["Task"](tiny, {"name": "x"}, reconstructing=True)
    with pytest.raises(KeyError, match='"id"'):
        inspection.primary_key(incomplete)
    assert tiny.asked == []


def _operation(kind: str) -> Operation:
    if kind == "C":
        return CreateEntityOperation("Task", {"id": "a"}, {})
    if kind == "U":
        return UpdateEntityOperation("Task", {"id": "a"}, "name", 1, 2)
    return DeleteEntityOperation("Task", {"id": "a"})


@pytest.mark.parametrize("kinds", [*map("".join, itertools.product("CUD", repeat=3))])
def test_state_follows_from_the_operations(tiny: Any, kinds: str) -> None:
    """A deletion always decides; otherwise the first of create and update does."""
    entity = tiny.load("Task", id="a")
    for kind in kinds:
        tiny.recorded_operations.push(_operation(kind))
    expected = DELETED if "D" in kinds else {"C": CREATED, "U": MODIFIED}[kinds[0]]
    assert inspection.state(entity) is expected


def test_states_are_worked_out_in_one_pass(tiny: Any) -> None:
    """The recorded operations are read once for any number of entities, in their order."""
    entities = [tiny.load("Task", id=str(index)) for index in range(5)]
    tiny.recorded_operations.push(UpdateEntityOperation("Task", {"id": "3"}, "name", 1, 2))
    passes = []

    class Counting(list[Any]):
        def __iter__(self) -> Any:
            passes.append(1)
            return super().__iter__()

    tiny.recorded_operations = Counting(tiny.recorded_operations)
    assert inspection.states(entities) == [NOT_SET, NOT_SET, NOT_SET, MODIFIED, NOT_SET]
    assert len(passes) == 1


def test_states_of_nothing_is_nothing() -> None:
    """No entities have no states."""
    assert inspection.states([]) == []


def test_unknown_operations_do_not_count(tiny: Any) -> None:
    """Operations of other kinds leave the state as it is."""
    entity = tiny.load("Task", id="a")
    tiny.recorded_operations.push(Operation())
    assert inspection.state(entity) is NOT_SET
