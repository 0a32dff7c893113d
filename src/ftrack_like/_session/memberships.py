"""Combine the changes that a session makes to collections with those of other sessions.

The protocol only has whole lists. An update of ``Task.notes`` makes exactly these notes the notes
of the task, and removes all others. A session that appends a note wants to add one note. It must
not remove a note that another session added after this session read the list. There are three ways
to avoid that:

1. A list whose members belong to one owner is written member by member, if possible: see
   :mod:`ftrack_like._session.owned_lists`. The commit reads it again at the end of its transaction.
2. For other lists, the batch contains a query for each list, right before the update. Server and
   client run both in one transaction, so the answer shows the list that the update replaced. If it
   contains changes of another session, the client sends a corrected list (:meth:`correct`).
3. The server deletes the members that some lists lose. A correction would come too late for them,
   so :meth:`refresh` also reads these lists before the commit.

A session without load groups sends the same requests as the published client, without these
queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like import exception, inspection
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.owned_lists import ListChange, is_owned, member_writes, with_owners
from ftrack_like._session.payloads import OperationPayload, with_data
from ftrack_like._values.literals import key_condition
from ftrack_like.collection import (
    Collection,
    CustomAttributeCollectionProxy,
    MappedCollectionProxy,
)
from ftrack_like.operation import UpdateEntityOperation

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["Memberships"]

#: Lists that can be corrected: the server keeps the members that they lose, or the client knows all
#: their data.
_CORRECTABLE = frozenset(
    {"components", "items", "members", "notes", "replies", "used_in_versions", "uses_versions"}
)

#: The attributes of metadata to query.
_METADATA = ("metadata.key", "metadata.value", "metadata.parent_id", "metadata.parent_type")

#: The wire form of entities, ``{"__entity_type__": str, key attribute: value}``, by the text of
#: their primary key.
_References = dict[str, dict[str, Any]]


class _Delta:
    """The members that operations add to one collection and remove from it."""

    def __init__(self) -> None:
        """Start without a change."""
        self.added: dict[str, Any] = {}
        self.removed: dict[str, Any] = {}
        #: Whether the program set the whole list. Then it wants exactly this list.
        self.is_whole = False
        #: Whether the program had loaded the list before it changed it.
        self.is_seen = True

    def follow(self, before: Optional[Collection], after: Collection) -> None:
        """Include the next operation, which changed the list from *before* to *after*.

        *before* is None if the program had not loaded the list.
        """
        if before is None or after.is_whole or not len(after):
            self.is_whole = True
        if before is None:
            self.is_seen = False
        old = {_text_of(item): item for item in before or ()}
        new = {_text_of(item): item for item in after}
        for text in old.keys() - new.keys():
            self.added.pop(text, None)
            self.removed[text] = old[text]
        for text, item in new.items():
            if text not in old:
                self.added[text] = item
                self.removed.pop(text, None)


class _Change(NamedTuple):
    """An update of the list *name* in the payload with the index *place*.

    *added* are the added members, and *removed* the texts of the removed members' keys.
    """

    place: int
    name: str
    added: _References
    removed: set[str]


class Memberships:
    """The changes of collections in the payloads of one commit."""

    def __init__(
        self, session: Session, operations: Iterable[Any], payloads: list[OperationPayload]
    ) -> None:
        """Find the changes in *payloads*, which come from *operations*. Do not modify either."""
        self._session = session
        self._changes: list[_Change] = []
        #: The members to send, by the index of the payload and the name of the list.
        self._sent: dict[tuple[int, str], _References] = {}
        self.payloads = list(payloads)
        #: The changes of lists that are written member by member.
        self.written: list[ListChange] = []
        if session._load_groups and any(map(_holds_collection, payloads)):  # noqa: SLF001 - an argument of the constructor
            deltas = _deltas(operations)
            self._write_members(deltas)
            self._find_changes(deltas)

    def _write_members(self, deltas: Mapping[tuple[str, str, str], _Delta]) -> None:
        """Replace the owned lists in the payloads by updates and deletions of their members."""
        kept = []
        ended = {_key_text(each) for each in self.payloads if each["action"] != "update"}
        for payload in self.payloads:
            data = payload.get("entity_data", {})
            changes = [] if _key_text(payload) in ended else self._owned_changes(payload, deltas)
            if changes:
                names = {change.name for change in changes}
                self.written += changes
                payload = with_data(payload, {k: v for k, v in data.items() if k not in names})
            if not changes or payload["entity_data"].keys() - {"__entity_type__"}:
                kept.append(payload)
        kept = with_owners(self.written, kept)
        self.payloads = [*kept, *member_writes(self.written, kept)]

    def _owned_changes(
        self, payload: OperationPayload, deltas: Mapping[tuple[str, str, str], _Delta]
    ) -> list[ListChange]:
        """Return the changes of lists in *payload* that can be written member by member."""
        changes = []
        for name, value in payload["entity_data"].items():
            delta = deltas.get((payload["entity_type"], _key_text(payload), name))
            if delta is None or not delta.is_seen or _collection_in(value) is None:
                continue
            added, removed = list(delta.added.values()), list(delta.removed.values())
            if is_owned(payload["entity_type"], name, added, removed, delta.is_whole):
                changes.append(ListChange(payload, name, added, removed))
        return changes

    def _find_changes(self, deltas: Mapping[tuple[str, str, str], _Delta]) -> None:
        """Record the changes of lists, except of entities that this commit creates or deletes."""
        ended = {_key_text(each) for each in self.payloads if each["action"] != "update"}
        for place, payload in enumerate(self.payloads):
            if payload["action"] != "update" or _key_text(payload) in ended:
                continue
            for name, value in payload["entity_data"].items():
                delta = deltas.get((payload["entity_type"], _key_text(payload), name))
                if delta is not None and not delta.is_whole and _collection_in(value) is not None:
                    self._note(place, name, value, delta)

    def _note(self, place: int, name: str, value: Value, delta: _Delta) -> None:
        """Record the change *delta* of the list *name* in the payload with the index *place*.

        *value* is the new list.
        """
        references = {
            _text_of(item): self._session.entity_reference(item)
            for item in _collection_in(value) or ()
        }
        added = {text: references[text] for text in delta.added}
        self._changes.append(_Change(place, name, added, set(delta.removed)))
        self._sent[place, name] = references

    def refresh(self) -> None:
        """Read the lists that cannot be corrected later, and apply the changes to them."""
        if all(change.name in _CORRECTABLE for change in self._changes):
            return
        try:
            results = self._session.call(RawBatch(self.questions()))
        except (exception.ServerConnectionError, exception.ServerAuthenticationError):
            raise
        except exception.ServerError:
            return  # The server does not answer a query for this list: send the known members.
        for change, present in self._answers(results):
            if change.name in _CORRECTABLE:
                continue
            kept = {text: item for text, item in present.items() if text not in change.removed}
            self._send(change, {**kept, **change.added})

    def questions(self) -> list[dict[str, Any]]:
        """Return queries for the lists that are sent whole, to run before the updates."""
        places = ((self.payloads[change.place], change.name) for change in self._changes)
        return [self._question(payload, name) for payload, name in places]

    def readings(self) -> list[dict[str, Any]]:
        """Return queries for the lists that are written member by member, to run at the end."""
        return [self._question(change.owner, change.name) for change in self.written]

    def _question(self, payload: OperationPayload, name: str) -> dict[str, Any]:
        """Return a query for the list *name* of the entity of *payload*."""
        entity_type = payload["entity_type"]
        names = self._session.types[entity_type].primary_key_attributes
        condition = key_condition(names, payload["entity_key"])
        wanted = [*names, *(_METADATA if name == "metadata" else [name])]
        expression = f"select {', '.join(wanted)} from {entity_type} where {condition}"
        return {"action": "query", "expression": expression}

    def _answers(self, results: Json) -> Iterator[tuple[_Change, _References]]:
        """Yield each change with the members from *results*, the answers to :meth:`questions`.

        Skip answers with another shape, because programs override ``call``.
        """
        for change, result in zip(self._changes, results if isinstance(results, list) else ()):
            present = self._members(result, change.name)
            if present is not None:
                yield change, present

    def _send(self, change: _Change, members: _References) -> None:
        """Make *members* the list to send for *change*."""
        self._sent[change.place, change.name] = members
        payload = self.payloads[change.place]
        data = {**payload["entity_data"], change.name: list(members.values())}
        self.payloads[change.place] = with_data(payload, data)

    def _members(self, result: Json, name: str) -> Optional[_References]:
        """Return the members of the list *name* in *result*, or None if it has no such list."""
        data = result.get("data") if isinstance(result, Mapping) else None
        if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], Mapping):
            return None
        items = data[0].get(name)
        if isinstance(items, MappedCollectionProxy):
            items = items.collection
        found = {}
        for item in items if isinstance(items, Iterable) else ():
            entity_type = getattr(item, "entity_type", None) or item["__entity_type__"]
            names = self._session.types[entity_type].primary_key_attributes
            reference = {each: item[each] for each in names}
            text = str(list(reference.values()))
            found[text] = {"__entity_type__": entity_type, **reference}
        return found

    def correct(self, results: Json) -> bool:
        """Make the payloads correct the lists, and return whether any list needs that.

        *results* are the answers to :meth:`questions`, from the transaction that set the lists. If
        another session changed a list between :meth:`refresh` and the transaction, the commit has
        undone that change. The payloads apply it again.

        A shallow copy of this object, made before, stays as it was.
        """
        self._changes = [
            each._replace(added=dict(each.added), removed=set(each.removed))
            for each in self._changes
        ]
        self._sent = dict(self._sent)
        self.payloads = list(self.payloads)
        differs = False
        for change, present in self._answers(results):
            sent = self._sent[change.place, change.name]
            # *lost* are members that another session added, and that this commit has removed again.
            # *back* are members that another session removed, and that this commit has added again.
            lost = {text: present[text] for text in present.keys() - sent.keys() - change.removed}
            back = sent.keys() - present.keys() - change.added.keys()
            if lost or back:
                differs = True
                change.added.update(lost)
                change.removed.update(back)
                kept = {text: item for text, item in sent.items() if text not in back}
                self._send(change, {**kept, **lost})
        if not differs:
            return False
        # The repairing batch contains only the lists. The other attributes were written by the
        # first batch, and another session may have changed them since.
        lists: dict[int, dict[str, Any]] = {}
        for change in self._changes:
            payload = self.payloads[change.place]
            data = lists.setdefault(change.place, {"__entity_type__": payload["entity_type"]})
            data[change.name] = payload["entity_data"][change.name]
        self.payloads = [with_data(self.payloads[index], data) for index, data in lists.items()]
        places = {index: place for place, index in enumerate(lists)}
        self._changes = [each._replace(place=places[each.place]) for each in self._changes]
        self._sent = {(places[index], name): sent for (index, name), sent in self._sent.items()}
        return True


def _deltas(operations: Iterable[Any]) -> dict[tuple[str, str, str], _Delta]:
    """Return the changes that *operations* make to each collection, by type, key and name."""
    found: dict[tuple[str, str, str], _Delta] = {}
    for each in operations:
        if not isinstance(each, UpdateEntityOperation):
            continue
        after = _collection_in(each.new_value)
        if after is not None:
            key = str(list(each.entity_key.values()))
            delta = found.setdefault((each.entity_type, key, each.attribute_name), _Delta())
            delta.follow(_collection_in(each.old_value), after)
    return found


def _holds_collection(payload: OperationPayload) -> bool:
    """Return whether *payload* updates a collection."""
    items = payload.items_by_name
    if items["action"] != "update":
        return False
    values = items["entity_data"].values()
    return any(isinstance(value, (Collection, MappedCollectionProxy)) for value in values)


def _collection_in(value: object) -> Optional[Collection]:
    """Return the collection in *value*, or None for another value or for custom attributes.

    The server has a row of each custom attribute as long as its configuration applies. A list
    cannot change that.
    """
    if isinstance(value, CustomAttributeCollectionProxy):
        return None
    if isinstance(value, MappedCollectionProxy):
        value = value.collection
    if not isinstance(value, Collection) or value.attribute.name == "custom_attributes":
        return None
    return value


def _key_text(payload: OperationPayload) -> str:
    """Return the primary key of the entity of *payload* as text."""
    return str(payload["entity_key"])


def _text_of(entity: Entity) -> str:
    """Return the primary key of *entity* as text."""
    return str(list(inspection.primary_key(entity).values()))
