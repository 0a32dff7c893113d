"""Operations: the changes that a session has recorded and not yet committed.

Setting an attribute records an update. Creating the operation object would take twice as long as
the rest of the write. So the stack contains only the arguments of an update, as a tuple. The object
is created when a program or a commit reads the stack.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Union, cast

if TYPE_CHECKING:
    from ftrack_like._base.types import Value

__all__ = [
    "CreateEntityOperation",
    "DeleteEntityOperation",
    "Operation",
    "Operations",
    "UpdateEntityOperation",
    "record_update",
]


class Operations:
    """A stack of operations, oldest first.

    Any thread may call a single method.
    """

    #: The size and the top of the stack, and the entities whose deletion was recorded then.
    _deletions: tuple[int, object, set[tuple[str, str]]] = (0, None, set())

    def __init__(self) -> None:
        """Initialise an empty stack."""
        #: Operations, or the arguments of updates whose object has not been created yet.
        self._stack: list[Union[Operation, tuple[Any, ...]]] = []
        self.renew_lock()

    def renew_lock(self) -> None:
        """Create a new lock, for a forked process: a thread of the parent may own the old one."""
        # It guards moving and replacing entries. Pushing appends to the list and needs no lock.
        self._lock = threading.RLock()

    def clear(self) -> None:
        """Remove all operations."""
        with self._lock:
            self._stack.clear()

    def push(self, operation: Operation) -> None:
        """Put *operation* on top."""
        self._stack.append(operation)

    def pop(self) -> Operation:
        """Remove and return the latest operation; raise :exc:`IndexError` if there is none."""
        with self._lock:
            return _made(self._stack.pop())

    def discard(self, operations: Iterable[Operation]) -> None:
        """Remove exactly these *operations*, compared with ``is``; keep the others in order.

        After a commit this keeps the operations that other threads have pushed during the commit.
        """
        unwanted = list(operations)
        with self._lock:
            if all(map(operator.is_, self._stack, unwanted)):
                del self._stack[: len(unwanted)]
                return
            for operation in unwanted:
                for index, kept in enumerate(self._stack):
                    if kept is operation:
                        del self._stack[index]
                        break

    def has_deletion(self, entity_type: str, key: list[Any]) -> bool:
        """Return whether the deletion of the entity of *entity_type* with *key* is recorded.

        *key* is the list of the values of its primary key.
        """
        stack = list(self._stack)
        if not stack:
            return False
        # Consoles print many entities in a row, so keep the result until the stack changes.
        size, last, deleted = self._deletions
        if size != len(stack) or last is not stack[-1]:
            deleted = {
                (entry.entity_type, str(list(entry.entity_key.values())))
                for entry in stack
                if isinstance(entry, DeleteEntityOperation)
            }
            self._deletions = (len(stack), stack[-1], deleted)
        return (entity_type, str(key)) in deleted

    def __len__(self) -> int:
        """Return the number of operations."""
        return len(self._stack)

    def __iter__(self) -> Iterator[Operation]:
        """Iterate over the operations, oldest first."""
        with self._lock:
            for index, entry in enumerate(self._stack):
                if type(entry) is tuple:
                    self._stack[index] = _made(entry)
            return iter(cast("list[Operation]", self._stack[:]))


#: The original method, to find out whether a program has replaced it on the class.
PUSH: Callable[[Operations, Operation], None] = Operations.push


def record_update(operations: Operations, *arguments: Value) -> None:
    """Push the update with *arguments* on *operations*, which may be an object of a program.

    If the program has replaced ``push``, call it with the operation object.
    """
    if (
        type(operations) is Operations
        and Operations.push is PUSH
        and "push" not in operations.__dict__
    ):
        operations._stack.append(arguments)  # noqa: SLF001 - a call is a tenth more
    else:
        operations.push(UpdateEntityOperation(*arguments))


def _made(entry: Union[Operation, tuple[Any, ...]]) -> Operation:
    """Return the operation of *entry*, an operation or the arguments of an update."""
    return UpdateEntityOperation(*entry) if isinstance(entry, tuple) else entry


class Operation:
    """A recorded change of the entity of *entity_type* with the primary key *entity_key*."""

    entity_type: str
    entity_key: Mapping[str, Any]


class CreateEntityOperation(Operation):
    """The creation of an entity."""

    def __init__(
        self, entity_type: str, entity_key: Mapping[str, Any], entity_data: Mapping[str, Any]
    ) -> None:
        """Initialise the creation of an entity.

        *entity_type* is the name of its type. *entity_key* is its primary key, ``{attribute name:
        value}`` in the order of the schema. *entity_data* maps attribute names to values.
        """
        self.entity_type = entity_type
        self.entity_key = entity_key
        self.entity_data = entity_data


class UpdateEntityOperation(Operation):
    """The update of one attribute of an entity."""

    def __init__(
        self,
        entity_type: str,
        entity_key: Mapping[str, Any],
        attribute_name: str,
        old_value: Value,
        new_value: Value,
    ) -> None:
        """Initialise the update of *attribute_name* from *old_value* to *new_value*.

        *entity_type* and *entity_key* identify the entity, as for a creation. *old_value* is
        :data:`~ftrack_like.symbol.NOT_SET` if it was unknown.
        """
        self.entity_type = entity_type
        self.entity_key = entity_key
        self.attribute_name = attribute_name
        self.old_value = old_value
        self.new_value = new_value


class DeleteEntityOperation(Operation):
    """The deletion of an entity."""

    def __init__(self, entity_type: str, entity_key: Mapping[str, Any]) -> None:
        """Initialise the deletion of the entity of *entity_type* with the key *entity_key*."""
        self.entity_type = entity_type
        self.entity_key = entity_key
