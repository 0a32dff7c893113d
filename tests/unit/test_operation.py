"""Operations are kept in order and forgotten one by one."""

from __future__ import annotations

import pytest

from ftrack_like.operation import (
    CreateEntityOperation,
    DeleteEntityOperation,
    Operation,
    Operations,
    UpdateEntityOperation,
)


def test_operations_are_iterated_oldest_first() -> None:
    """What was pushed first comes first, and pop takes the latest."""
    operations = Operations()
    operations.push("first")
    operations.push("second")
    assert list(operations) == ["first", "second"]
    assert operations.pop() == "second"
    assert len(operations) == 1


def test_pop_of_nothing_is_an_index_error() -> None:
    """An empty stack says so by IndexError."""
    with pytest.raises(IndexError):
        Operations().pop()


def test_discard_keeps_what_it_was_not_given() -> None:
    """Only the very operations given are forgotten, equal ones of others are not."""
    operations = Operations()
    own, others = [1], [1]
    operations.push(own)
    operations.push(others)
    operations.discard([own])
    assert len(operations) == 1
    assert next(iter(operations)) is others


def test_discard_out_of_order() -> None:
    """Operations are found wherever they stand."""
    operations = Operations()
    pushed = [[number] for number in range(5)]
    for each in pushed:
        operations.push(each)
    operations.discard([pushed[3], pushed[1], [9]])
    assert list(operations) == [[0], [2], [4]]


def test_clear_forgets_everything() -> None:
    """After clear there is nothing."""
    operations = Operations()
    operations.push(1)
    operations.clear()
    assert not list(operations)


def test_operations_carry_what_they_are_given() -> None:
    """The values given to an operation are its attributes."""
    create = CreateEntityOperation("Task", {"id": "a"}, {"name": "x"})
    update = UpdateEntityOperation("Task", {"id": "a"}, "name", "x", "y")
    delete = DeleteEntityOperation("Task", {"id": "a"})
    assert all(isinstance(each, Operation) for each in (create, update, delete))
    assert (create.entity_type, create.entity_key, create.entity_data) == (
        "Task",
        {"id": "a"},
        {"name": "x"},
    )
    assert (update.attribute_name, update.old_value, update.new_value) == ("name", "x", "y")
    assert (delete.entity_type, delete.entity_key) == ("Task", {"id": "a"})
