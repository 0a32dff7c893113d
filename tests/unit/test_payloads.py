"""The batch of a commit: five passes, each of which changes nothing in the result."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrack_like import exception, operation
from ftrack_like._session import payloads as module
from ftrack_like._session.payloads import OperationPayload, optimise, payload_of
from ftrack_like.symbol import NOT_SET


def create(key: str, kind: str = "Task", **data: Any) -> OperationPayload:
    """Return the payload of a creation."""
    return payload_of(operation.CreateEntityOperation(kind, {"id": key}, data))


def update(key: str, name: str, value: Any, kind: str = "Task") -> OperationPayload:
    """Return the payload of an update."""
    return payload_of(operation.UpdateEntityOperation(kind, {"id": key}, name, NOT_SET, value))


def delete(key: str, kind: str = "Task") -> OperationPayload:
    """Return the payload of a deletion."""
    return payload_of(operation.DeleteEntityOperation(kind, {"id": key}))


def short(batch: list[OperationPayload]) -> list[tuple[Any, ...]]:
    """Return payloads as ``(action, key, data)``."""
    return [
        (
            each["action"],
            each["entity_key"][0],
            {k: v for k, v in each.get("entity_data", {}).items() if k != "__entity_type__"},
        )
        for each in batch
    ]


def test_payload_is_a_mapping() -> None:
    """A payload equals a plain mapping, can be changed, and prints its items."""
    payload = OperationPayload({"action": "foo"}, entity_type="Task")
    assert payload == {"action": "foo", "entity_type": "Task"}
    payload["entity_key"] = ["1"]
    del payload["entity_type"]
    assert list(payload) == ["action", "entity_key"]
    assert str(payload) == "<OperationPayload {'action': 'foo', 'entity_key': ['1']}>"


def test_payloads_have_the_wire_form() -> None:
    """Each operation becomes the mapping that the protocol asks for."""
    assert create("1", name="a") == {
        "action": "create",
        "entity_type": "Task",
        "entity_key": ["1"],
        "entity_data": {"__entity_type__": "Task", "name": "a"},
    }
    assert delete("1") == {"action": "delete", "entity_type": "Task", "entity_key": ["1"]}


def test_unknown_operation_is_refused() -> None:
    """What is no operation of ours cannot be committed."""
    with pytest.raises(exception.OperationError):
        payload_of(operation.Operation())


def test_create_and_delete_cancel() -> None:
    """An entity that is created and deleted again is not sent, with all that was set on it."""
    batch = [create("1"), create("2"), update("1", "name", "x"), delete("1")]
    assert short(optimise(batch)) == [("create", "2", {})]


def test_delete_then_create_is_kept() -> None:
    """Deleting an entity and creating one with its key is two things."""
    assert short(optimise([delete("1"), create("1")])) == [("delete", "1", {}), ("create", "1", {})]


def test_same_key_of_another_type_is_another_entity() -> None:
    """Keys are told apart by type."""
    assert len(optimise([create("1"), delete("1", kind="Shot")])) == 2


def test_last_update_counts() -> None:
    """Only the last value of an attribute is sent, where it was set last."""
    batch = [update("1", "name", "a"), update("2", "name", "b"), update("1", "name", "c")]
    assert short(optimise(batch)) == [
        ("update", "2", {"name": "b"}),
        ("update", "1", {"name": "c"}),
    ]


def test_not_set_is_dropped() -> None:
    """Attributes without value are left out, and updates that hold nothing else."""
    batch = [create("1", name=NOT_SET, bid=1), update("2", "name", NOT_SET)]
    assert short(optimise(batch)) == [("create", "1", {"bid": 1})]


def test_update_folds_into_what_stands_directly_before() -> None:
    """An update joins the create or update of its entity only when nothing is between them."""
    batch = [
        create("1", name="a"),
        update("1", "name", "b"),
        update("1", "bid", 2),
        create("2"),
        update("1", "type", 3),
    ]
    assert short(optimise(batch)) == [
        ("create", "1", {"name": "b", "bid": 2}),
        ("create", "2", {}),
        ("update", "1", {"type": 3}),
    ]


def test_payloads_given_stay_as_they_are() -> None:
    """The passes return new payloads: what was recorded can be committed again."""
    batch = [create("1", name="a"), update("1", "name", "b")]
    before = [dict(each, entity_data=dict(each["entity_data"])) for each in batch]
    optimise(batch)
    assert batch == before


def test_there_are_five_named_passes() -> None:
    """The order of the passes is part of what is sent."""
    assert [each.__name__ for each in module.PASSES] == [
        "cancel_creates_with_deletes",
        "keep_last_updates",
        "drop_not_set",
        "drop_empty_updates",
        "fold_adjacent_updates",
    ]


KEYS = st.sampled_from(["1", "2", "3"])
PAYLOADS = st.lists(
    st.one_of(
        st.builds(create, KEYS, name=st.integers(0, 3)),
        st.builds(update, KEYS, st.sampled_from(["name", "bid"]), st.integers(0, 3)),
        st.builds(delete, KEYS),
    ),
    max_size=12,
)


def carried_out(batch: list[OperationPayload]) -> Any:
    """Return the state that *batch* leaves, None when a server would refuse it."""
    state: dict[str, dict[str, Any]] = {"3": {"name": 0}}
    for payload in batch:
        key = payload["entity_key"][0]
        if (payload["action"] == "create") == (key in state):
            return None
        if payload["action"] == "delete":
            del state[key]
        else:
            state.setdefault(key, {}).update(payload["entity_data"])
    return state


@given(PAYLOADS)
def test_passes_change_nothing_in_the_result(batch: list[OperationPayload]) -> None:
    """A batch that a server takes leaves the same state after each pass."""
    expected = carried_out(batch)
    if expected is None:
        return
    for one_pass in module.PASSES:
        shorter = one_pass(batch)
        assert len(shorter) <= len(batch)
        batch = shorter
        assert carried_out(batch) == expected
