"""Turn recorded operations into the batch that a commit sends.

Five passes compute the batch. Each pass is a pure function from one list of payloads to another. A
payload is one operation in the form of the protocol::

    {"action": "create" | "update" | "delete", "entity_type": str, "entity_key": list,
     "entity_data": {"__entity_type__": str, attribute name: value, …}}      (not for delete)
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ftrack_like.exception import OperationError
from ftrack_like.operation import (
    CreateEntityOperation,
    DeleteEntityOperation,
    UpdateEntityOperation,
)
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.operation import Operation

__all__ = ["PASSES", "OperationPayload", "optimise", "payload_of", "with_data"]


class OperationPayload(MutableMapping[str, Any]):
    """One operation in the form of the protocol. It equals a plain mapping of the same items."""

    def __init__(
        self, *args: Union[Mapping[str, Any], Iterable[tuple[str, Any]]], **kwargs: object
    ) -> None:
        """Accept the arguments of ``dict``: a mapping, pairs or keywords."""
        super().__init__()
        self.items_by_name: dict[str, Any] = dict(*args, **kwargs)

    def __getitem__(self, key: str) -> Json:
        """Return the item *key*."""
        return self.items_by_name[key]

    def get(self, key: str, default: Optional[Json] = None) -> Json:
        """Return the item *key*, or *default*."""
        return self.items_by_name.get(key, default)

    def __setitem__(self, key: str, value: Json) -> None:
        """Set the item *key* to *value*."""
        self.items_by_name[key] = value

    def __delitem__(self, key: str) -> None:
        """Remove the item *key*."""
        del self.items_by_name[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self.items_by_name)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.items_by_name)

    def __str__(self) -> str:
        """Return a text with all items."""
        return f"<{type(self).__name__} {self.items_by_name}>"


Payloads = list[OperationPayload]


def _create_payload(operation: CreateEntityOperation) -> OperationPayload:
    """Return the payload of a creation."""
    entity_type = operation.entity_type
    return _payload("create", operation, {"__entity_type__": entity_type, **operation.entity_data})


def _update_payload(operation: UpdateEntityOperation) -> OperationPayload:
    """Return the payload of an update."""
    entity_type = operation.entity_type
    data = {"__entity_type__": entity_type, operation.attribute_name: operation.new_value}
    return _payload("update", operation, data)


def _delete_payload(operation: DeleteEntityOperation) -> OperationPayload:
    """Return the payload of a deletion."""
    return _payload("delete", operation, None)


def _payload(
    action: str,
    operation: Union[CreateEntityOperation, UpdateEntityOperation, DeleteEntityOperation],
    data: Optional[dict[str, Any]],
) -> OperationPayload:
    """Return the payload for *action* on the entity of *operation*, with *data* unless None."""
    items: dict[str, Any] = {
        "action": action,
        "entity_type": operation.entity_type,
        "entity_key": list(operation.entity_key.values()),
    }
    if data is not None:
        items["entity_data"] = data
    return _made_of(items)


def _made_of(items: dict[str, Any]) -> OperationPayload:
    """Return a payload that uses *items* directly: a batch has thousands, so copies take time."""
    payload = OperationPayload.__new__(OperationPayload)
    payload.items_by_name = items
    return payload


_MAKERS: dict[type, Callable[[Any], OperationPayload]] = {
    CreateEntityOperation: _create_payload,
    UpdateEntityOperation: _update_payload,
    DeleteEntityOperation: _delete_payload,
}


def payload_of(operation: Operation) -> OperationPayload:
    """Return the payload of *operation*.

    Raise :exc:`~ftrack_like.exception.OperationError` for another object than a create, update or
    delete operation.
    """
    make = _MAKERS.get(operation.__class__)
    if make is not None:
        return make(operation)
    for kind, make in _MAKERS.items():
        if isinstance(operation, kind):
            return make(operation)
    raise OperationError(f"{operation!r} is not an operation that can be committed.")


def _identity(payload: OperationPayload) -> str:
    """Return the type and key of the entity of *payload* as one text."""
    # The inner dictionary: abstract mappings are slow, and a large batch reads each payload often.
    items = payload.items_by_name
    return f"({items['entity_type']!r}, {items['entity_key']!r})"


def cancel_creates_with_deletes(payloads: Payloads) -> Payloads:
    """Drop all payloads of entities that the batch both creates and deletes."""
    if not any(payload.items_by_name["action"] == "delete" for payload in payloads):
        return list(payloads)
    created: dict[str, list[int]] = {}
    dropped: set[int] = set()
    for index, payload in enumerate(payloads):
        entity = _identity(payload)
        if payload.items_by_name["action"] == "create":
            created[entity] = [index]
        elif entity in created:
            created[entity].append(index)
            if payload.items_by_name["action"] == "delete":
                dropped.update(created.pop(entity))
    return [payload for index, payload in enumerate(payloads) if index not in dropped]


def keep_last_updates(payloads: Payloads) -> Payloads:
    """Drop an attribute from an update if a later update of the same entity sets it."""
    later: dict[str, set[str]] = {}
    kept = []
    for payload in reversed(payloads):
        if payload.items_by_name["action"] == "update":
            entity = _identity(payload)
            data = payload.items_by_name["entity_data"]
            names = later.get(entity)
            if names is None:
                later[entity] = set(data)
            else:
                superseded = names.intersection(data) - {"__entity_type__"}
                names.update(data)
                if superseded:
                    payload = with_data(payload, {n: data[n] for n in data if n not in superseded})
        kept.append(payload)
    kept.reverse()
    return kept


def drop_not_set(payloads: Payloads) -> Payloads:
    """Drop the attributes without a value."""
    kept = []
    for payload in payloads:
        data = payload.items_by_name.get("entity_data", {})
        if any(map(operator.is_, data.values(), itertools.repeat(NOT_SET))):
            payload = with_data(payload, {n: v for n, v in data.items() if v is not NOT_SET})
        kept.append(payload)
    return kept


_TYPE_ALONE = {"__entity_type__"}


def drop_empty_updates(payloads: Payloads) -> Payloads:
    """Drop the updates without attributes."""
    return [
        payload
        for payload in payloads
        if payload.items_by_name["action"] != "update"
        or not payload.items_by_name["entity_data"].keys() <= _TYPE_ALONE
    ]


def fold_adjacent_updates(payloads: Payloads) -> Payloads:
    """Merge an update into the create or update of the same entity directly before it."""
    folded: Payloads = []
    last: Any = {}  # The items of the previous payload, if an update may be merged into it.
    for payload in payloads:
        items = payload.items_by_name
        if (
            items["action"] == "update"
            and items["entity_key"] == last.get("entity_key")
            and items["entity_type"] == last["entity_type"]
        ):
            data = {**last["entity_data"], **items["entity_data"]}
            folded[-1] = with_data(folded[-1], data)
            last = folded[-1].items_by_name
            continue
        folded.append(payload)
        last = {} if items["action"] == "delete" else items
    return folded


def with_data(payload: OperationPayload, data: dict[str, Any]) -> OperationPayload:
    """Return a copy of *payload* with *data* as its data."""
    return _made_of({**payload.items_by_name, "entity_data": data})


#: The passes of a commit, in order.
PASSES: tuple[Callable[[Payloads], Payloads], ...] = (
    cancel_creates_with_deletes,
    keep_last_updates,
    drop_not_set,
    drop_empty_updates,
    fold_adjacent_updates,
)


def optimise(payloads: Iterable[OperationPayload]) -> Payloads:
    """Return a shorter batch with the same effect as *payloads*; do not modify them."""
    batch = list(payloads)
    for one_pass in PASSES:
        batch = one_pass(batch)
    return batch
