"""Operations are kept in order and forgotten one by one."""

from __future__ import annotations

import threading

import pytest

from ftrack_like.operation import (
    CreateEntityOperation,
    DeleteEntityOperation,
    Operation,
    Operations,
    UpdateEntityOperation,
    record_update,
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


def test_updates_are_made_once_when_somebody_looks() -> None:
    """A recorded update becomes one object, which every look at the operations gives."""
    operations = Operations()
    record_update(operations, "Task", {"id": "1"}, "name", "before", "after")
    assert not any(isinstance(entry, Operation) for entry in operations._stack)
    assert len(operations) == 1
    (first,), (second,) = operations, operations
    assert first is second
    assert (first.attribute_name, first.old_value, first.new_value) == ("name", "before", "after")
    operations.discard([first])
    assert not len(operations)


def test_the_latest_update_can_be_popped_before_anybody_looked() -> None:
    """An update that nobody has looked at is popped as an operation."""
    operations = Operations()
    record_update(operations, "Task", {"id": "1"}, "name", "before", "after")
    assert isinstance(operations.pop(), UpdateEntityOperation)


def test_other_stacks_get_updates_pushed() -> None:
    """A stack of another class has its own push called with the operation."""

    class Listening(Operations):
        """A stack that keeps what it is given beside."""

        def push(self, operation: object) -> None:
            """Keep *operation*."""
            heard.append(operation)

    heard: list[object] = []
    record_update(Listening(), "Task", {"id": "1"}, "name", "before", "after")
    assert [type(each) for each in heard] == [UpdateEntityOperation]


def test_updates_of_many_threads_are_made_once_each() -> None:
    """Threads that write and threads that look see each operation as one object."""
    operations = Operations()
    seen: list[list[object]] = []

    def write() -> None:
        """Record updates, looking now and then."""
        for number in range(500):
            record_update(operations, "Task", {"id": "1"}, "name", number, number + 1)
            if number % 50 == 0:
                seen.append(list(operations))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    final = list(operations)
    assert len(final) == 2_000
    for part in seen:
        assert all(a is b for a, b in zip(part, final))


def test_recorded_deletions_are_found() -> None:
    """A deletion is found by type and key, as long as it is recorded."""
    operations = Operations()
    assert not operations.has_deletion("Task", ["a"])
    record_update(operations, "Task", {"id": "a"}, "name", "x", "y")
    assert not operations.has_deletion("Task", ["a"])
    deletion = DeleteEntityOperation("Task", {"id": "a"})
    operations.push(deletion)
    assert operations.has_deletion("Task", ["a"])
    assert not operations.has_deletion("Task", ["b"])
    assert not operations.has_deletion("Shot", ["a"])
    record_update(operations, "Task", {"id": "b"}, "name", "x", "y")
    assert operations.has_deletion("Task", ["a"])
    operations.discard([deletion])
    assert not operations.has_deletion("Task", ["a"])
    operations.push(deletion)
    operations.clear()
    assert not operations.has_deletion("Task", ["a"])
