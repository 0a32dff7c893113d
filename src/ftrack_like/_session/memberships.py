"""Changes of collections, brought up to date with what other sessions did to them.

The protocol knows only whole lists: an update of ``Task.notes`` makes the notes of the list the
notes of the task, and takes out all others. A session that appends a note means to add one, and
must not take out what another session has added since this one read the list. So the lists are
read inside the transaction that sets them, right before, and corrected if they had changed. Lists
whose members belong to one owner are written member by member instead, where that is possible
(:mod:`ftrack_like._session.owned_lists`), and read at the end of the transaction. Other lists
whose members the server deletes when they are taken out are read before they are sent as well.

Sessions that load attributes one by one send the same requests as the published client does, and
ask nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like import exception, inspection
from ftrack_like._literals import key_condition
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.owned_lists import ListChange, is_owned, member_writes
from ftrack_like._session.payloads import OperationPayload, with_data
from ftrack_like.collection import (
    Collection,
    CustomAttributeCollectionProxy,
    MappedCollectionProxy,
)
from ftrack_like.operation import UpdateEntityOperation

if TYPE_CHECKING:
    from ftrack_like._types import Json, Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["Memberships"]

#: Lists that can be corrected: the server keeps what is taken out of them, or its data is known.
_CORRECTABLE = frozenset(
    {"components", "items", "members", "notes", "replies", "used_in_versions", "uses_versions"}
)

#: What is read of metadata.
_METADATA = ("metadata.key", "metadata.value", "metadata.parent_id", "metadata.parent_type")

#: References to entities, by the text of their primary key.
_References = dict[str, dict[str, Any]]


class _Delta:
    """What operations add to one collection and remove from it."""

    def __init__(self) -> None:
        """Initialise with no change."""
        self.added: dict[str, Any] = {}
        self.removed: dict[str, Any] = {}
        #: Whether the program set the whole list: then exactly this list is meant.
        self.is_whole = False
        #: Whether the program had seen the list before it changed it.
        self.is_seen = True

    def follow(self, before: Optional[Collection], after: Collection) -> None:
        """Add the change of one operation from *before* to *after*."""
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
    """An update of the list *name* in the payload at *place*."""

    place: int
    name: str
    added: _References
    removed: set[str]


class Memberships:
    """The changes of collections in the payloads of one commit."""

    def __init__(
        self, session: Session, operations: Iterable[Any], payloads: list[OperationPayload]
    ) -> None:
        """Initialise for *session* with the *payloads* of *operations*; neither is changed."""
        self._session = session
        self._changes: list[_Change] = []
        #: The members that are sent, by the place of the payload and the name of the list.
        self._sent: dict[tuple[int, str], _References] = {}
        self.payloads = list(payloads)
        #: The lists that are written member by member.
        self.written: list[ListChange] = []
        if session._load_groups and any(map(_holds_collection, payloads)):  # noqa: SLF001 - an argument of the constructor
            deltas = _deltas(operations)
            self._write_members(deltas)
            self._find_changes(deltas)

    def _write_members(self, deltas: Mapping[tuple[str, str, str], _Delta]) -> None:
        """Replace lists by what they add and remove, where the members say whose they are."""
        kept = []
        ended = {_text(each) for each in self.payloads if each["action"] != "update"}
        for payload in self.payloads:
            data = payload.get("entity_data", {})
            changes = [] if _text(payload) in ended else self._owned_changes(payload, deltas)
            if changes:
                names = {change.name for change in changes}
                self.written += changes
                payload = with_data(payload, {k: v for k, v in data.items() if k not in names})
            if not changes or payload["entity_data"].keys() - {"__entity_type__"}:
                kept.append(payload)
        self.payloads = [*kept, *member_writes(self.written, kept)]

    def _owned_changes(
        self, payload: OperationPayload, deltas: Mapping[tuple[str, str, str], _Delta]
    ) -> list[ListChange]:
        """Return the changes of lists in *payload* that can be written member by member."""
        changes = []
        for name, value in payload["entity_data"].items():
            delta = deltas.get((payload["entity_type"], _text(payload), name))
            if delta is None or not delta.is_seen or _collection(value) is None:
                continue
            added, removed = list(delta.added.values()), list(delta.removed.values())
            if is_owned(payload["entity_type"], name, [*added, *removed]):
                changes.append(ListChange(payload, name, added, removed))
        return changes

    def _find_changes(self, deltas: Mapping[tuple[str, str, str], _Delta]) -> None:
        """Note the changes of collections of entities that are not created with them."""
        created = {_text(each) for each in self.payloads if each["action"] == "create"}
        for place, payload in enumerate(self.payloads):
            if payload["action"] != "update" or _text(payload) in created:
                continue
            for name, value in payload["entity_data"].items():
                delta = deltas.get((payload["entity_type"], _text(payload), name))
                if delta is not None and not delta.is_whole and _collection(value) is not None:
                    self._note(place, name, value, delta)

    def _note(self, place: int, name: str, value: Value, delta: _Delta) -> None:
        """Note the *delta* of the list *name*, which is *value*, in the payload at *place*."""
        references = {
            _text_of(item): self._session.entity_reference(item)
            for item in _collection(value) or ()
        }
        added = {text: references[text] for text in delta.added}
        self._changes.append(_Change(place, name, added, set(delta.removed)))
        self._sent[place, name] = references

    def refresh(self) -> None:
        """Read the lists that could not be corrected, and put the changes into them."""
        if all(change.name in _CORRECTABLE for change in self._changes):
            return
        try:
            results = self._session.call(RawBatch(self.questions()))
        except (exception.ServerConnectionError, exception.ServerAuthenticationError):
            raise
        except exception.ServerError:
            return  # The server does not let this list be asked for: send what is known.
        for change, present in self._answers(results):
            if change.name in _CORRECTABLE:
                continue
            kept = {text: item for text, item in present.items() if text not in change.removed}
            self._send(change, {**kept, **change.added})

    def questions(self) -> list[dict[str, Any]]:
        """Return operations that ask for the lists as they are."""
        places = ((self.payloads[change.place], change.name) for change in self._changes)
        return [self._question(payload, name) for payload, name in places]

    def readings(self) -> list[dict[str, Any]]:
        """Return operations that ask for the lists that are written member by member."""
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
        """Yield each change with the members that the *results* of :meth:`questions` give it.

        A replaced ``call`` may have answered anything.
        """
        for change, result in zip(self._changes, results if isinstance(results, list) else ()):
            present = self._members(result, change.name)
            if present is not None:
                yield change, present

    def _send(self, change: _Change, members: _References) -> None:
        """Make *members* the list that is sent for *change*."""
        self._sent[change.place, change.name] = members
        payload = self.payloads[change.place]
        data = {**payload["entity_data"], change.name: list(members.values())}
        self.payloads[change.place] = with_data(payload, data)

    def _members(self, result: Json, name: str) -> Optional[_References]:
        """Return the members of the list *name* in the *result* of a query, None without any."""
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

    def repairs(self, results: Json) -> list[OperationPayload]:
        """Return what is to be sent again by the *results* of :meth:`questions`, often nothing.

        The questions go in one transaction with the lists, right before them. If another session
        has changed a list after :meth:`refresh`, that change is undone now, and must be redone.
        """
        differs = False
        for change, present in self._answers(results):
            sent = self._sent[change.place, change.name]
            lost = {text: present[text] for text in present.keys() - sent.keys() - change.removed}
            back = sent.keys() - present.keys() - change.added.keys()
            if lost or back:
                differs = True
                change.added.update(lost)
                change.removed.update(back)
                kept = {text: item for text, item in sent.items() if text not in back}
                self._send(change, {**kept, **lost})
        if not differs:
            return []
        lists: dict[int, dict[str, Any]] = {}
        for change in self._changes:
            payload = self.payloads[change.place]
            data = lists.setdefault(change.place, {"__entity_type__": payload["entity_type"]})
            data[change.name] = payload["entity_data"][change.name]
        self.payloads = [with_data(self.payloads[index], data) for index, data in lists.items()]
        places = {index: place for place, index in enumerate(lists)}
        self._changes = [each._replace(place=places[each.place]) for each in self._changes]
        self._sent = {(places[index], name): sent for (index, name), sent in self._sent.items()}
        return self.payloads


def _deltas(operations: Iterable[Any]) -> dict[tuple[str, str, str], _Delta]:
    """Return what *operations* change of each collection, by type, key and name."""
    found: dict[tuple[str, str, str], _Delta] = {}
    for each in operations:
        if not isinstance(each, UpdateEntityOperation):
            continue
        after = _collection(each.new_value)
        if after is not None:
            key = str(list(each.entity_key.values()))
            delta = found.setdefault((each.entity_type, key, each.attribute_name), _Delta())
            delta.follow(_collection(each.old_value), after)
    return found


def _holds_collection(payload: OperationPayload) -> bool:
    """Return whether *payload* updates a collection."""
    items = payload.items_by_name
    if items["action"] != "update":
        return False
    values = items["entity_data"].values()
    return any(isinstance(value, (Collection, MappedCollectionProxy)) for value in values)


def _collection(value: object) -> Optional[Collection]:
    """Return the collection in *value*; None for other values and for custom attributes.

    Their rows are there for each configuration that applies, and no list changes that.
    """
    if isinstance(value, CustomAttributeCollectionProxy):
        return None
    if isinstance(value, MappedCollectionProxy):
        value = value.collection
    if not isinstance(value, Collection) or value.attribute.name == "custom_attributes":
        return None
    return value


def _text(payload: OperationPayload) -> str:
    """Return the primary key of the entity of *payload* as text."""
    return str(payload["entity_key"])


def _text_of(entity: Entity) -> str:
    """Return the primary key of *entity* as text."""
    return str(list(inspection.primary_key(entity).values()))
