"""Lists whose members belong to one owner. A commit writes them member by member.

Sending a whole list removes the members that another session added after this session read the
list, and the server deletes members that cannot exist without an owner. But each member has an
attribute with the key of its owner. Setting this attribute, or deleting the member, has the same
effect for the members that this session changed, and leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ftrack_like import inspection
from ftrack_like._session.payloads import OperationPayload, with_data

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.entity.base import Entity

__all__ = ["ListChange", "is_owned", "member_writes", "with_owners"]


class _OwnedList(NamedTuple):
    """A kind of owned list: the attribute *pointer* of its members contains the owner's key.

    *others* maps some types of owners to another attribute. *is_bound* is true if the server
    deletes a member that the list loses. *only_grows* is true if only new members are written one
    by one. *names_type* is true if the members have an attribute ``parent_type`` as well.
    """

    pointer: str
    others: Mapping[str, str] = {}
    is_bound: bool = True
    only_grows: bool = False
    names_type: bool = False


_RESOURCES = dict.fromkeys(("Collaborator", "Group", "Resource", "User"), "resource_id")

_LISTS = {
    "allocations": _OwnedList("context_id", _RESOURCES),
    "appointments": _OwnedList("context_id", _RESOURCES),
    "assets": _OwnedList("context_id", is_bound=False),
    "assignments": _OwnedList("context_id", _RESOURCES),
    "children": _OwnedList("parent_id", is_bound=False),
    "components": _OwnedList("version_id", is_bound=False, only_grows=True),
    "incoming_links": _OwnedList("to_id"),
    "job_components": _OwnedList("job_id"),
    "members": _OwnedList("container_id", is_bound=False, only_grows=True),
    "memberships": _OwnedList("group_id", {"User": "user_id"}),
    "metadata": _OwnedList("parent_id"),
    "note_components": _OwnedList("note_id"),
    "note_label_links": _OwnedList("note_id"),
    "notes": _OwnedList("parent_id", is_bound=False, only_grows=True, names_type=True),
    "outgoing_links": _OwnedList("from_id"),
    "recipients": _OwnedList("note_id"),
    "replies": _OwnedList("in_reply_to_id", is_bound=False, only_grows=True),
    "review_session_invitees": _OwnedList("review_session_id"),
    "review_session_objects": _OwnedList("review_session_id", {"AssetVersion": "version_id"}),
    "timelogs": _OwnedList("context_id", {"User": "user_id"}, is_bound=False),
    "versions": _OwnedList("asset_id", is_bound=False),
}


class ListChange(NamedTuple):
    """The members that a commit adds to the list *name* of *owner* and removes from it.

    *owner* is the payload that updates the list.
    """

    owner: OperationPayload
    name: str
    added: list[Entity]
    removed: list[Entity]

    @property
    def pointer(self) -> str:
        """The attribute of the members that contains the owner's key."""
        kind = _LISTS[self.name]
        return kind.others.get(self.owner["entity_type"], kind.pointer)

    @property
    def value(self) -> Json:
        """The owner's key."""
        return self.owner["entity_key"][0]

    @property
    def pointers(self) -> dict[str, Any]:
        """The attributes of a member that make it one of this list."""
        found = {self.pointer: self.value}
        if _LISTS[self.name].names_type:
            found["parent_type"] = self.owner["entity_type"]
        return found


def is_owned(
    entity_type: str, name: str, added: list[Entity], removed: list[Entity], is_whole: bool
) -> bool:
    """Return whether the list *name* of an *entity_type* can be written member by member.

    All members that are *added* and *removed* must have the attribute for the owner. *is_whole* is
    true if the program has set the whole list.
    """
    kind = _LISTS.get(name)
    if kind is None or (kind.only_grows and (removed or is_whole)):
        return False
    pointer = kind.others.get(entity_type, kind.pointer)
    return all(member.attributes.get(pointer) is not None for member in (*added, *removed))


def with_owners(
    changes: Iterable[ListChange], payloads: Iterable[OperationPayload]
) -> list[OperationPayload]:
    """Return *payloads*, with the owner in the creation of each member that *changes* add."""
    owners = {_type_and_key(item): change for change in changes for item in change.added}
    result = []
    for payload in payloads:
        change = owners.get((payload["entity_type"], str(payload["entity_key"])))
        if change is not None and payload["action"] == "create":
            data = payload["entity_data"]
            if not data.keys() & {change.pointer, change.pointer[:-3]}:
                payload = with_data(payload, {**data, **change.pointers})
        result.append(payload)
    return result


def member_writes(
    changes: Iterable[ListChange], payloads: Iterable[OperationPayload]
) -> list[OperationPayload]:
    """Return the payloads for *changes*, except payloads that *payloads* contains already."""
    changes = list(changes)
    sent: dict[tuple[str, str], list[OperationPayload]] = {}
    for payload in payloads:
        key = payload["entity_type"], str(payload["entity_key"])
        sent.setdefault(key, []).append(payload)
    moved = {_type_and_key(item) for change in changes for item in change.added}
    writes = [
        _removal(item, change)
        for change in changes
        for item in change.removed
        if _type_and_key(item) not in moved
        and not _is_settled(sent.get(_type_and_key(item), []), change.pointer)
    ]
    writes += [
        _update(item, change.pointers)
        for change in changes
        for item in change.added
        if not any(_points_at(each, change) for each in sent.get(_type_and_key(item), []))
    ]
    return writes


def _is_settled(payloads: list[OperationPayload], pointer: str) -> bool:
    """Return whether *payloads* delete their entity, or give it an owner."""
    names = {pointer, pointer[:-3]}
    return any(
        each["action"] == "delete"
        or (each["action"] == "update" and names & each["entity_data"].keys())
        for each in payloads
    )


def _points_at(payload: OperationPayload, change: ListChange) -> bool:
    """Return whether *payload* makes its entity a member of the list of *change*."""
    data = payload.get("entity_data", {})
    owner = data.get(change.pointer[:-3])
    if hasattr(owner, "primary_key_attributes"):
        return bool(_values(owner) == change.owner["entity_key"])
    return bool(data.get(change.pointer) == change.value)


def _removal(item: Entity, change: ListChange) -> OperationPayload:
    """Return the payload that removes *item* from the list of *change*."""
    if not _LISTS[change.name].is_bound:
        return _update(item, {change.pointer: None})
    entity_type, key = item.entity_type, _values(item)
    return OperationPayload({"action": "delete", "entity_type": entity_type, "entity_key": key})


def _update(item: Entity, data: Mapping[str, Any]) -> OperationPayload:
    """Return a payload that updates *item* with *data*."""
    entity_type, key = item.entity_type, _values(item)
    data = {"__entity_type__": entity_type, **data}
    return OperationPayload(
        {"action": "update", "entity_type": entity_type, "entity_key": key, "entity_data": data}
    )


def _type_and_key(item: Entity) -> tuple[str, str]:
    """Return the type and the primary key of *item*."""
    return item.entity_type, str(_values(item))


def _values(item: Entity) -> list[Any]:
    """Return the values of the primary key of *item*."""
    return list(inspection.primary_key(item).values())
