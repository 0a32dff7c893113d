"""Operations: what a session has been asked to change and has not yet committed."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Union, cast

if TYPE_CHECKING:
    from ftrack_like._types import Value

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

    Single calls may be made from any thread.
    """

    def __init__(self) -> None:
        """Initialise without an operation."""
        #: Operations, and for updates their arguments until somebody looks: making the object
        #: takes twice as long as all else that a write of an attribute does.
        self._stack: list[Union[Operation, tuple[Any, ...]]] = []
        self.renew_lock()

    def renew_lock(self) -> None:
        """Take a new lock, in a process that was forked while somebody held the old one."""
        # Held while entries move or are replaced; pushing adds to the end and needs no lock.
        self._lock = threading.RLock()

    def clear(self) -> None:
        """Forget all operations."""
        with self._lock:
            self._stack.clear()

    def push(self, operation: Operation) -> None:
        """Put *operation* on top."""
        self._stack.append(operation)

    def pop(self) -> Operation:
        """Remove the latest operation and return it; :exc:`IndexError` if there is none."""
        with self._lock:
            return _made(self._stack.pop())

    def discard(self, operations: Iterable[Operation]) -> None:
        """Forget exactly these *operations*, told apart by identity; others stay in order.

        Operations that other threads pushed meanwhile are thereby kept.
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


#: The method as it is defined here: a program may replace it on the class or an instance.
PUSH: Callable[[Operations, Operation], None] = Operations.push


def record_update(operations: Operations, *arguments: Value) -> None:
    """Push the update with these *arguments* on *operations*, of ours or of any other kind."""
    if (
        type(operations) is Operations
        and Operations.push is PUSH
        and "push" not in operations.__dict__
    ):
        operations._stack.append(arguments)  # noqa: SLF001 - a call is a tenth more
    else:
        operations.push(UpdateEntityOperation(*arguments))


def _made(entry: Union[Operation, tuple[Any, ...]]) -> Operation:
    """Return the operation for an *entry* of a stack."""
    return UpdateEntityOperation(*entry) if isinstance(entry, tuple) else entry


class Operation:
    """A recorded change of the entity of *entity_type* with the primary key *entity_key*."""

    entity_type: str
    entity_key: Mapping[str, Any]


class CreateEntityOperation(Operation):
    """An entity is to be created."""

    def __init__(
        self, entity_type: str, entity_key: Mapping[str, Any], entity_data: Mapping[str, Any]
    ) -> None:
        """Initialise the creation of an entity.

        *entity_type* is its type's name, *entity_key* maps its primary key attributes to their
        values, in the schema's order, and *entity_data* maps attribute names to values.
        """
        self.entity_type = entity_type
        self.entity_key = entity_key
        self.entity_data = entity_data


class UpdateEntityOperation(Operation):
    """An attribute of an entity is to be set."""

    def __init__(
        self,
        entity_type: str,
        entity_key: Mapping[str, Any],
        attribute_name: str,
        old_value: Value,
        new_value: Value,
    ) -> None:
        """Initialise the update of *attribute_name* from *old_value* to *new_value*.

        *entity_type* and *entity_key* say which entity, as for a creation. *old_value* is
        :data:`~ftrack_like.symbol.NOT_SET` where it was not known.
        """
        self.entity_type = entity_type
        self.entity_key = entity_key
        self.attribute_name = attribute_name
        self.old_value = old_value
        self.new_value = new_value


class DeleteEntityOperation(Operation):
    """An entity is to be deleted."""

    def __init__(self, entity_type: str, entity_key: Mapping[str, Any]) -> None:
        """Initialise the deletion of the entity of *entity_type* with the key *entity_key*."""
        self.entity_type = entity_type
        self.entity_key = entity_key
