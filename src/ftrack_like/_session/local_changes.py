"""The local side of a commit: the entities and operations that a session has in memory.

The unit of work sends batches. This module merges the answers, and forgets what was committed or
rolled back. The cost depends only on the changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import inspection, operation
from ftrack_like._base.collaborators import identity_map_of, loader_of
from ftrack_like._session.link_lists import distinct_members
from ftrack_like._session.pending import CommitPlan
from ftrack_like.symbol import DELETED

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.entity.base import Entity
    from ftrack_like.operation import Operation
    from ftrack_like.session import Session
    from ftrack_like.symbol import Symbol

__all__ = ["LocalChanges", "entity_identity", "operation_identity"]


class LocalChanges:
    """The recorded operations of a session, and the local values of its entities.

    The unit of work calls it while no other commit runs. Other threads may record operations.
    """

    def __init__(self, session: Session) -> None:
        """Keep *session*; each use looks up its operations and methods, which programs replace."""
        self._session = session
        self._identity_map = identity_map_of(session)

    def merge(self, plan: CommitPlan, results: Json) -> None:
        """Merge the entities in *results*. Skip other shapes: programs override ``call``."""
        self.keep_primary_keys(plan)
        session = self._session
        records = self._written_lists(plan, results)
        for result in results if isinstance(results, (list, tuple)) else ():
            data = result.get("data") if isinstance(result, (dict, Mapping)) else None
            if isinstance(data, dict) and "__entity_type__" in data:
                records.append(data)
            elif getattr(data, "entity_type", None) is not None:
                session.merge(data)
        if records:
            loader_of(session).load(records)

    def _written_lists(self, plan: CommitPlan, results: Json) -> list[dict[str, Any]]:
        """Return the records in *results* for the lists that *plan* changes member by member.

        If a record is missing, forget the loaded list, so that the next access reads it.
        """
        records = []
        count = len(plan.written)
        answers = results[-count:] if count and isinstance(results, list) else [None] * count
        for change, answer in zip(plan.written, answers):
            rows = answer.get("data") if isinstance(answer, (dict, Mapping)) else None
            row = rows[0] if isinstance(rows, list) and len(rows) == 1 else None
            if isinstance(row, dict) and change.name in row:
                records.append({**row, change.name: distinct_members(row[change.name])})
            elif getattr(row, "entity_type", None) is not None:
                self._session.merge(row)
            else:
                owner = change.owner
                entity = self._identity_map.find(owner["entity_type"], owner["entity_key"])
                if entity is not None:
                    entity.remote_values.pop(change.name, None)
        return records

    def keep_primary_keys(self, plan: CommitPlan) -> None:
        """Keep the identity of created entities, even if the answer does not contain it.

        Entities with local values do that themselves when they drop these values.
        """
        find = self._identity_map.find
        # Most operations share the ``fixed_key`` of their entity, so comparing ids is enough.
        keeping = {id(entity.fixed_key) for entity in plan.touched}
        for each in plan.operations:
            if id(each.entity_key) in keeping:
                continue
            if isinstance(each, operation.CreateEntityOperation):
                entity = find(each.entity_type, list(each.entity_key.values()))
                if entity is not None:
                    for name, value in each.entity_key.items():
                        entity.remote_values.setdefault(name, value)

    def forget(self, plan: CommitPlan) -> None:
        """Forget the operations of *plan* and their local values.

        Keep values that other threads set during the commit, with the operations for them.
        """
        session = self._session
        self.discard(plan.operations)
        still = self._recorded_names(session.recorded_operations)
        gone = self._gone(plan)
        for entity in plan.touched:
            key = entity_identity(entity)
            names = still.get(key, frozenset())
            if names is None:
                continue  # Created after the plan, so all its values are local.
            self.clear(entity, names)
        for each in gone.values():
            if operation_identity(each) not in still:
                self._remove(each)

    def discard(self, operations: list[Operation]) -> None:
        """Forget exactly these *operations*; keep the operations that other threads recorded."""
        recorded = self._session.recorded_operations
        discard = getattr(recorded, "discard", None)
        if discard is not None:
            discard(operations)
        else:
            recorded.clear()

    @staticmethod
    def _recorded_names(operations: Iterable[Operation]) -> dict[str, Optional[frozenset[str]]]:
        """Return the attributes that *operations* set, by entity; None for a created entity."""
        found: dict[str, Optional[frozenset[str]]] = {}
        for each in list(operations):
            key = operation_identity(each)
            if isinstance(each, operation.CreateEntityOperation):
                found[key] = None
            elif isinstance(each, operation.UpdateEntityOperation):
                names = found.get(key, frozenset())
                if names is not None:
                    found[key] = names | {each.attribute_name}
        return found

    def clear(self, entity: Entity, names: Iterable[str]) -> None:
        """Drop the local values of *entity*, except those of *names*."""
        local = entity.local_values or {}
        kept = {name: value for name, value in local.items() if name in names} if names else None
        if not kept:
            self._identity_map.dirty.discard(entity)
            entity.forget_local_values()
            return
        entity.local_values = kept
        entity.is_created = False

    @staticmethod
    def _gone(plan: CommitPlan) -> dict[str, Any]:
        """Return the last deletion of each entity that *plan* deletes for good."""
        found: dict[str, Any] = {}
        kind = operation.DeleteEntityOperation
        if not any(isinstance(each, kind) for each in plan.operations):
            return found  # The usual case; computing the keys of all takes longer.
        for each in plan.operations:
            key = operation_identity(each)
            if isinstance(each, kind):
                found[key] = each
            elif isinstance(each, operation.CreateEntityOperation):
                found.pop(key, None)
        return found

    def _remove(self, deletion: operation.DeleteEntityOperation) -> None:
        """Forget the entity of *deletion* in all cache layers."""
        identity_map = self._identity_map
        values = list(deletion.entity_key.values())
        entity = identity_map.find(deletion.entity_type, values)
        if entity is not None:
            identity_map.discard(entity)
            return
        identity_map.remove(identity_map.key((deletion.entity_type, values)))

    def forget_loaded(self, plan: CommitPlan) -> None:
        """Forget the loaded values that *plan* may have changed on the server."""
        for payload in plan.payloads:
            if payload["action"] != "update":
                continue
            entity = self._identity_map.find(payload["entity_type"], payload["entity_key"])
            if entity is None:
                continue
            for name in payload["entity_data"]:
                if name not in entity.primary_key_attributes and name != "__entity_type__":
                    entity.remote_values.pop(name, None)

    def in_state(self, wanted: Symbol) -> list[Entity]:
        """Return the attached entities that the pending operations bring to the state *wanted*."""
        states: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        for each in list(self._session.recorded_operations):
            state = inspection.resulting_state(each)
            key = operation_identity(each)
            if state is not None and (key not in states or state is DELETED):
                states[key] = state
                keys[key] = each
        found = [
            self._identity_map.find(each.entity_type, list(each.entity_key.values()))
            for key, each in keys.items()
            if states[key] is wanted
        ]
        return [entity for entity in found if entity is not None]


def entity_identity(entity: Entity) -> str:
    """Return the identity of *entity* as text, empty if its primary key is incomplete."""
    known: Optional[str] = entity.known_identity
    if known is not None:
        return known
    try:
        return str(inspection.identity(entity))
    except KeyError:
        return ""


def operation_identity(recorded: operation.Operation) -> str:
    """Return the identity of the entity of the operation *recorded*, as text."""
    return f"({recorded.entity_type!r}, {list(recorded.entity_key.values())!r})"
