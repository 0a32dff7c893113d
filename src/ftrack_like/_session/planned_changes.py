"""The changes that a commit would send, as an object for programs and people.

:class:`PendingChanges` is a snapshot: later changes of the session do not alter it, and creating it
sends no request. It contains the entities of the session that the changes refer to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union, cast, overload

from ftrack_like import operation
from ftrack_like._values.units import SECONDS, seconds_text
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Value
    from ftrack_like._session.identity_map import IdentityMap
    from ftrack_like._session.pending import CommitPlan
    from ftrack_like.entity.base import Entity

__all__ = ["PendingChanges", "PlannedChange", "pending_changes"]

#: The attributes that name an entity, best first.
_NAMES = ("name", "username", "label", "key")
#: The longest text of a value in a plan, in characters.
_LONGEST = 80
#: Larger numbers with a fraction are not exact to the unit.
_LARGE = 1e15


class PlannedChange(NamedTuple):
    """One operation of a commit.

    *action* is ``"create"``, ``"update"`` or ``"delete"``. *entity_type* and *entity_key*, a
    mapping such as ``{"id": …}``, identify the entity. *name* is its name if loaded, else None.
    *values* maps the attributes to their new values, empty for a deletion. *old_values* maps them
    to the values before an update; attributes whose old value is not loaded are missing. Values are
    as the program set them: references are entities, collections are lists of entities. *owner*
    describes the entity that a custom attribute or metadata belongs to, such as ``"Shot 'sh010'"``,
    if that is loaded.
    """

    action: str
    entity_type: str
    entity_key: Mapping[str, Value]
    name: Optional[str]
    values: Mapping[str, Value]
    old_values: Mapping[str, Value]
    owner: Optional[str]

    def __str__(self) -> str:
        """Return the change as one line of text."""
        key = ", ".join(str(value) for value in self.entity_key.values())
        name = f" {self.name!r}" if self.name else ""
        owner = f" of {self.owner}" if self.owner else ""
        line = f"{self.action} {self.entity_type}{name}{owner} ({key})"
        shown = self.assignments()
        return f"{line}: {', '.join(shown)}" if shown else line

    def assignments(self) -> list[str]:
        """Return the new values as texts such as ``"bid = 3"``, without those of the key."""
        return [self._assignment(name) for name in self.values if name not in self.entity_key]

    def _assignment(self, name: str) -> str:
        """Return the new value of the attribute *name* as text, with the old value if known."""
        value = self.values[name]
        old = self.old_values.get(name, NOT_SET)
        if isinstance(value, list) and isinstance(old, list):
            return f"{name} {_difference(old, value)}"
        if self.action != "update":
            return f"{name} = {_shown_value(name, value)}"
        before = "…" if old is NOT_SET else _shown_value(name, old)
        return f"{name}: {before} → {_shown_value(name, value)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the change as JSON values; an entity is a mapping of its type and key."""
        return {
            "action": self.action,
            "entity_type": self.entity_type,
            "entity_key": _plain(self.entity_key),
            "name": self.name,
            "owner": self.owner,
            "values": _plain(self.values),
            "old_values": _plain(self.old_values),
        }


class PendingChanges(Sequence[PlannedChange]):
    """The changes that the next commit sends, in order: a sequence of :class:`PlannedChange`.

    ``str()`` is a readable plan. *in_doubt* says whether the outcome of the last commit is unknown;
    the next commit resolves that first, and some of the changes may have been applied.
    """

    def __init__(self, changes: Iterable[PlannedChange] = (), in_doubt: bool = False) -> None:
        """Initialise with *changes* in the order of the commit."""
        self._changes = tuple(changes)
        self.in_doubt = in_doubt

    @property
    def creates(self) -> list[PlannedChange]:
        """The creations."""
        return self._with("create")

    @property
    def updates(self) -> list[PlannedChange]:
        """The updates."""
        return self._with("update")

    @property
    def deletes(self) -> list[PlannedChange]:
        """The deletions."""
        return self._with("delete")

    @property
    def counts(self) -> dict[str, int]:
        """The number of changes by action: ``{"create": 1, "update": 2, "delete": 0}``."""
        return {action: len(self._with(action)) for action in ("create", "update", "delete")}

    def _with(self, action: str) -> list[PlannedChange]:
        """Return the changes with *action*."""
        return [each for each in self._changes if each.action == action]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the changes as JSON values; see :meth:`PlannedChange.to_dict`."""
        return [each.to_dict() for each in self._changes]

    def __len__(self) -> int:
        """Return the number of changes."""
        return len(self._changes)

    def __iter__(self) -> Iterator[PlannedChange]:
        """Iterate over the changes in order."""
        return iter(self._changes)

    @overload
    def __getitem__(self, index: int) -> PlannedChange: ...

    @overload
    def __getitem__(self, index: slice) -> list[PlannedChange]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[PlannedChange, list[PlannedChange]]:
        """Return the change at *index*, or a list for a slice."""
        if isinstance(index, slice):
            return list(self._changes[index])
        return self._changes[index]

    def __str__(self) -> str:
        """Return the plan: one line for each change, and a line with the counts."""
        if not self._changes:
            return "Nothing to commit."
        counted = [f"{count} to {action}" for action, count in self.counts.items() if count]
        lines = [*map(str, self._changes), f"Plan: {', '.join(counted)}."]
        if self.in_doubt:
            lines.append("The outcome of the last commit is unknown; the server may have these.")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the plan as HTML for notebooks; never query the server."""
        # lazy: only notebooks need it
        from ftrack_like._values.html import MOST_ROWS, rows_table

        shown = self._changes[:MOST_ROWS]
        rows: list[tuple[list[str], dict[str, Any]]] = [
            (
                [
                    each.action,
                    each.entity_type,
                    each.name or ", ".join(str(value) for value in each.entity_key.values()),
                    each.owner or "",
                    ", ".join(each.assignments()),
                ],
                {},
            )
            for each in shown
        ]
        columns = ("action", "type", "entity", "of", "values")
        title = str(self).splitlines()[len(self._changes) :]
        return rows_table(" ".join(title), columns, rows, len(self._changes) - len(shown))

    def __repr__(self) -> str:
        """Return the counts."""
        counts = ", ".join(f"{count} {action}" for action, count in self.counts.items())
        return f"<{type(self).__name__} {counts}>"


def pending_changes(plan: CommitPlan, identity_map: IdentityMap, in_doubt: bool) -> PendingChanges:
    """Return the changes of *plan*, with the names and values that *identity_map* has loaded."""
    before = _values_before(plan.operations)
    keys = {
        _identity_text(each.entity_type, each.entity_key.values()): dict(each.entity_key)
        for each in plan.operations
    }
    owners = _owners_in(keys.values(), identity_map)
    changes = []
    for payload in plan.payloads:
        identity = _identity_text(payload["entity_type"], payload["entity_key"])
        entity = identity_map.find(payload["entity_type"], payload["entity_key"])
        data = payload.get("entity_data") or {}
        values = {
            name: _snapshot(value) for name, value in data.items() if name != "__entity_type__"
        }
        old = _old_values(entity, values, before.get(identity, {}))
        changes.append(
            PlannedChange(
                payload["action"],
                payload["entity_type"],
                keys[identity],
                _loaded_name(entity, values if payload["action"] == "create" else {}),
                values,
                old if payload["action"] == "update" else {},
                owners.get(_owner_id(keys[identity]) or ""),
            )
        )
    return PendingChanges(changes, in_doubt)


def _identity_text(entity_type: str, key: Iterable[Value]) -> str:
    """Return the identity of an entity as text."""
    return f"({entity_type!r}, {list(key)!r})"


def _owner_id(key: Mapping[str, Value]) -> Optional[str]:
    """Return the id of the owner in the *key* of a custom attribute value or of metadata."""
    if len(key) == 2:
        for name in ("entity_id", "parent_id"):
            if name in key:
                return str(key[name])
    return None


def _owners_in(keys: Iterable[Mapping[str, Value]], identity_map: IdentityMap) -> dict[str, str]:
    """Return descriptions of the loaded entities that are owners in *keys*, by id."""
    wanted = {identifier for identifier in map(_owner_id, keys) if identifier is not None}
    found: dict[str, str] = {}
    for entity in list(identity_map.entities().values()) if wanted else ():
        identifier = entity.remote_values.get("id") or (entity.local_values or {}).get("id")
        if isinstance(identifier, str) and identifier in wanted:
            found[identifier] = _text(entity)
    return found


def _values_before(operations: Iterable[operation.Operation]) -> dict[str, dict[str, Value]]:
    """Return the values before *operations*: ``{identity: {attribute name: value}}``.

    A value is NOT_SET if the attribute was not changed before, or if the value was unknown.
    """
    found: dict[str, dict[str, Value]] = {}
    for each in operations:
        if isinstance(each, operation.UpdateEntityOperation):
            old = found.setdefault(_identity_text(each.entity_type, each.entity_key.values()), {})
            old.setdefault(each.attribute_name, _snapshot(each.old_value))
    return found


def _old_values(
    entity: Optional[Entity], names: Iterable[str], before: Mapping[str, Value]
) -> dict[str, Value]:
    """Return the values of *names* in *before*, else those that *entity* has loaded."""
    remote = entity.remote_values if entity is not None else {}
    found = {}
    for name in names:
        value = before.get(name, NOT_SET)
        if value is NOT_SET:
            value = _snapshot(remote.get(name, NOT_SET))
        if value is not NOT_SET:
            found[name] = value
    return found


def _snapshot(value: Value) -> Value:
    """Return *value*, or a list of the members of a collection, which changes with the session."""
    return list(value) if _is_collection(value) else value


def _is_collection(value: Value) -> bool:
    """Return whether *value* is a collection of entities."""
    # Not the class: programs may replace collections by lists.
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _loaded_name(entity: Optional[Entity], values: Mapping[str, Value]) -> Optional[str]:
    """Return the name of *entity*, from its loaded values before the change or from *values*."""
    remote = entity.remote_values if entity is not None else {}
    for source in (remote, values):
        for name in _NAMES:
            text = source.get(name)
            if isinstance(text, str) and text:
                return text
    return None


def _is_entity(value: Value) -> bool:
    """Return whether *value* is an entity."""
    return getattr(value, "entity_type", None) is not None and hasattr(value, "remote_values")


def _shown_value(name: str, value: Value) -> str:
    """Return the *value* of the attribute *name* as text, seconds in hours too."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return seconds_text(value) if name in SECONDS and is_number else _text(value)


def _text(value: Value) -> str:
    """Return *value* as text for people, on one line."""
    if _is_entity(value):
        entity = cast("Entity", value)
        name = _loaded_name(entity, entity.local_values or {})
        return (
            f"{entity.entity_type} {name!r}"
            if name
            else f"{entity.entity_type} {_key_words(entity)}"
        )
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if _is_moment(value):
        return str(value.isoformat())
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGE:
        return str(int(value))  # Servers send 3.0 where programs write 3.
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _difference(old: list[Value], new: list[Value]) -> str:
    """Return the members that *new* has gained and lost since *old*."""
    gained = [f"+ {_text(each)}" for each in new if each not in old]
    lost = [f"- {_text(each)}" for each in old if each not in new]
    return ", ".join([*gained, *lost]) or "reordered"


def _key_words(entity: Entity) -> str:
    """Return the primary key of *entity* as text, from its values without a request."""
    return ", ".join(str(value) for value in entity.operation_key().values())


def _is_moment(value: Value) -> bool:
    """Return whether *value* is a date or a time."""
    # The dates of the library have this method, and are imported only by programs that read one.
    return isinstance(value, date) or (hasattr(value, "isoformat") and hasattr(value, "tzinfo"))


def _plain(value: Value) -> Json:
    """Return *value* as JSON values."""
    if _is_entity(value):
        entity = cast("Entity", value)
        return {"__entity_type__": entity.entity_type, **_plain(entity.operation_key())}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if _is_moment(value):
        return value.isoformat()
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
