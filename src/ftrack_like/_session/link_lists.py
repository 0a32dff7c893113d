"""Lists that the server stores as link rows. A commit writes them row by row.

``AssetVersionList.items`` is a many-to-many list. The server has a row of the type ``ListObject``
for each member. Sending the whole list removes the members that another session added after this
session read the list. If the server's answer is lost as well, no query can find out which members
these were. Creating or deleting one row leaves the other members alone.

A server may refuse to write these rows, or may store the list in another way. Then the commit sends
the whole list: see :meth:`Links.are_refused` and :meth:`Links.without_effect`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.owned_lists import ListChange, key_values
from ftrack_like._session.payloads import OperationPayload
from ftrack_like._values.literals import key_condition, quoted

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["LinkPayload", "Links", "distinct_members"]

#: How many links one query looks for.
_CHUNK = 200


class _Kind(NamedTuple):
    """The type of the rows of a list. *own* and *other* are the keys of the owner and a member."""

    link_type: str
    own: str
    other: str


_KINDS = {
    "items": _Kind("ListObject", "list_id", "entity_id"),
    "lists": _Kind("ListObject", "entity_id", "list_id"),
    "used_in_versions": _Kind("AssetVersionLink", "from_id", "to_id"),
    "uses_versions": _Kind("AssetVersionLink", "to_id", "from_id"),
}

#: Types with a list of one of these names whose members belong to one owner.
_OTHER_OWNERS = frozenset({"ListCategory", "TaskTemplate"})


class LinkPayload(OperationPayload):
    """A payload that creates or deletes a link row, because a list has changed.

    The program has not asked for this row. So it is no error if another session has created or
    deleted the link already.
    """


class _Row(NamedTuple):
    """The link row *key* between the owner and the *member*."""

    key: str
    member: str


class Links:
    """The changes of link lists in one commit.

    *whole* contains the names of lists that this session sends whole, because the server does not
    accept their rows.
    """

    def __init__(self, session: Session, whole: set[str]) -> None:
        """Start without a change."""
        self._session = session
        self._whole = whole
        self.changes: list[ListChange] = []
        #: The key of the row that the commit creates, by the index of the change and the member.
        self._created: dict[tuple[int, str], str] = {}

    def accepts(self, owner: OperationPayload, name: str) -> bool:
        """Return whether the list *name* of *owner* can be written row by row."""
        kind = _KINDS.get(name)
        if kind is None or name in self._whole or owner["entity_type"] in _OTHER_OWNERS:
            return False
        attributes = getattr(self._session.types.get(kind.link_type), "attributes", None)
        return attributes is not None and all(attributes.get(each) for each in kind[1:])

    def writes(self, changes: Iterable[ListChange]) -> list[OperationPayload]:
        """Return the payloads that create and delete the rows for *changes*.

        Query the keys of the rows to delete. A member without a row was removed by another session.
        """
        payloads: list[OperationPayload] = []
        for change in changes:
            place = len(self.changes)
            self.changes.append(change)
            rows = self._rows(change, change.removed)
            payloads += [_deletion(_KINDS[change.name], row.key) for row in rows]
            for item in change.added:
                payload = self._creation(change, item)
                self._created[place, str(key_values(item)[0])] = payload["entity_key"][0]
                payloads.append(payload)
        return payloads

    def _creation(self, change: ListChange, item: Entity) -> OperationPayload:
        """Return a payload that creates the row for *item*."""
        import uuid  # lazy: a session that changes no such list needs none

        kind, key = _KINDS[change.name], str(uuid.uuid4())
        data = {
            "__entity_type__": kind.link_type,
            "id": key,
            kind.own: change.value,
            kind.other: key_values(item)[0],
        }
        return LinkPayload(
            {
                "action": "create",
                "entity_type": kind.link_type,
                "entity_key": [key],
                "entity_data": data,
            }
        )

    def _rows(self, change: ListChange, members: list[Entity]) -> list[_Row]:
        """Return the rows on the server that link the owner of *change* to *members*."""
        return self._find(change, [str(key_values(item)[0]) for item in members])

    def _find(self, change: ListChange, members: list[str]) -> list[_Row]:
        """Return the rows that link the owner of *change* to entities with the keys *members*."""
        kind = _KINDS[change.name]
        found = []
        for start in range(0, len(members), _CHUNK):
            wanted = ", ".join(quoted(each) for each in members[start : start + _CHUNK])
            expression = (
                f"select id, {kind.other} from {kind.link_type} where "
                f"{key_condition([kind.own], [change.value])} and {kind.other} in ({wanted})"
            )
            batch = RawBatch([{"action": "query", "expression": expression}])
            for row in _rows_of(self._session.call(batch)):
                found.append(_Row(str(row["id"]), str(row[kind.other])))
        return found

    def are_refused(self, failed: Optional[Mapping[str, Any]]) -> bool:
        """Return whether the server refused a row of these changes, the payload *failed*.

        If so, the session sends the lists with rows of this type whole from now on.
        """
        if not isinstance(failed, LinkPayload):
            return False
        link_type = failed["entity_type"]
        self._whole |= {name for name, kind in _KINDS.items() if kind.link_type == link_type}
        return True

    def without_effect(self, place: int, present: Iterable[str]) -> bool:
        """Return whether the change with the index *place* did not change its list.

        *present* are the keys of the members after the change, from the same transaction. If so,
        the session sends such lists whole from now on.
        """
        change, shown = self.changes[place], set(present)
        added = {str(key_values(item)[0]) for item in change.added}
        removed = {str(key_values(item)[0]) for item in change.removed}
        if added <= shown and not removed & shown:
            return False
        self._whole.add(change.name)
        return True

    def undoing(self, place: int) -> list[OperationPayload]:
        """Return payloads that delete the rows which the change with the index *place* made."""
        return self.surplus(place, [member for index, member in self._created if index == place])

    def surplus(self, place: int, members: Iterable[str]) -> list[OperationPayload]:
        """Return payloads that delete the rows which this commit made for *members*.

        Another session has added these members as well, in an earlier transaction. Its rows stay,
        and their custom attributes with them.
        """
        keys = [self._created.get((place, member)) for member in members]
        kind = _KINDS[self.changes[place].name]
        return [_deletion(kind, key) for key in keys if key is not None]


def _deletion(kind: _Kind, key: str) -> OperationPayload:
    """Return the payload that deletes the row *key*."""
    return LinkPayload({"action": "delete", "entity_type": kind.link_type, "entity_key": [key]})


def distinct_members(members: Json) -> Json:
    """Return copies of *members*, a list from a server, without entities that it contains twice.

    Loading a record changes it, and :meth:`Links.without_effect` needs the originals later.
    """
    if not isinstance(members, list) or not all(isinstance(each, dict) for each in members):
        return members
    return list({each.get("id", place): dict(each) for place, each in enumerate(members)}.values())


def _rows_of(results: Json) -> list[Mapping[str, Any]]:
    """Return the rows in *results*, the answer to one query.

    Raise :exc:`~ftrack_like.exception.ServerError` for another shape.
    """
    answer = results[0] if isinstance(results, (list, tuple)) and results else None
    rows = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise exception.ServerError("The answer to a query for links has no rows.")
    return rows
