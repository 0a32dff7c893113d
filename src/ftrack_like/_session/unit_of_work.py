"""The unit of work: what was changed, and how it gets to the server once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ftrack_like import inspection, operation
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.delivery import Delivery
from ftrack_like._session.payloads import OperationPayload, optimise, payload_of
from ftrack_like.symbol import CREATED, DELETED, MODIFIED

__all__ = ["Plan", "UnitOfWork"]


class Plan:
    """What a commit is about to do; it can be looked at without being carried out.

    *operations* are those recorded, oldest first; *payloads* what is sent for them, in order;
    *touched* the entities with local values when it was made.
    """

    def __init__(
        self, operations: list[Any], payloads: list[OperationPayload], touched: Iterable[Any] = ()
    ) -> None:
        """Initialise with all of it."""
        self.operations = operations
        self.payloads = payloads
        self.touched = list(touched)

    def __str__(self) -> str:
        """Return one line for each payload."""
        lines = [_line(payload) for payload in self.payloads]
        return "\n".join(lines) if lines else "nothing to commit"


def _line(payload: Mapping[str, Any]) -> str:
    """Return *payload* as one line for people."""
    names = [name for name in payload.get("entity_data", ()) if name != "__entity_type__"]
    shown = f": {', '.join(names)}" if names else ""
    key = ", ".join(str(value) for value in payload["entity_key"])
    return f"{payload['action']} {payload['entity_type']}({key}){shown}"


class UnitOfWork:
    """Commit and take back what a session has recorded; cost follows what was changed.

    It may be used from any thread. Commits wait for one another, so that an operation is sent
    once and after those that it builds on; nothing else waits for them.
    """

    def __init__(self, session: Any) -> None:
        """Initialise for *session*, whose operations and methods are reached at each use."""
        self._session = session
        self._committing = threading.RLock()
        #: What was sent last, if nobody knows whether the server carried it out.
        self._in_doubt: Optional[tuple[Plan, Delivery]] = None

    def plan(self) -> Plan:
        """Return what :meth:`commit` would do now."""
        touched = list(self._session._identity_map.dirty)
        operations = list(self._session.recorded_operations)
        payloads = optimise(payload_of(each) for each in operations)
        return Plan(operations, payloads, touched)

    def commit(self) -> None:
        """Send what is recorded in one transaction.

        On an error the operations stay recorded. Operations that are recorded meanwhile by
        other threads stay for the next commit.
        """
        with self._committing:
            self._settle()
            plan = self.plan()
            if not plan.payloads:
                self._forget_cancelled(plan)
                return
            delivery = self._delivery(plan)
            try:
                results = delivery.send()
            except BaseException:
                self._in_doubt = (plan, delivery) if delivery.in_doubt else None
                raise
            self._take_over(plan, results)

    def _settle(self) -> None:
        """Find out what became of a batch whose answer never came, before anything else is sent."""
        if self._in_doubt is None:
            return
        plan, delivery = self._in_doubt
        recorded = {id(each) for each in self._session.recorded_operations}
        if recorded.isdisjoint([id(each) for each in plan.operations]):
            results = None  # Taken back meanwhile: nobody waits for it any more.
        else:
            results = delivery.results_if_applied()
        self._in_doubt = None
        if results is not None:
            self._take_over(plan, results)

    def _take_over(self, plan: Plan, results: Any) -> None:
        """Take over the *results* of *plan*, which the server has carried out."""
        try:
            self._merge(plan, results)
        finally:
            self._forget(plan)

    def _forget_cancelled(self, plan: Plan) -> None:
        """Forget the operations of *plan*, which add up to nothing, and their entities' values.

        Nothing was waited for, so another thread may be about to record what it has just set on
        other entities.
        """
        own = {_key_of(each) for each in plan.operations}
        plan.touched = [entity for entity in plan.touched if _identity_of(entity) in own]
        if plan.operations:
            self._forget(plan)

    def _delivery(self, plan: Plan) -> Delivery:
        """Return what sends the payloads of *plan*."""
        session = self._session
        plain = session._loader._takes_plain_path()
        batch = list(plan.payloads) if plain else RawBatch(plan.payloads)
        return Delivery(session, batch)

    def _merge(self, plan: Plan, results: Any) -> None:
        """Take over what the server answered, by what it carries.

        A replaced ``call`` may have answered anything: what holds no entity is passed over.
        """
        self._keep_primary_keys(plan)
        session = self._session
        records = []
        for result in results if isinstance(results, (list, tuple)) else ():
            data = result.get("data") if isinstance(result, (dict, Mapping)) else None
            if isinstance(data, dict) and "__entity_type__" in data:
                records.append(data)
            elif getattr(data, "entity_type", None) is not None:
                session.merge(data)
        if records:
            session._loader.load(records)

    def _keep_primary_keys(self, plan: Plan) -> None:
        """Let created entities keep their identity, also when the answer leaves it out.

        Those with local values do so by themselves when they lose these.
        """
        find = self._session._identity_map.find
        keeping = {id(entity._fixed_key) for entity in plan.touched}
        for each in plan.operations:
            if id(each.entity_key) in keeping:
                continue
            if isinstance(each, operation.CreateEntityOperation):
                entity = find(each.entity_type, list(each.entity_key.values()))
                if entity is not None:
                    for name, value in each.entity_key.items():
                        entity._remote.setdefault(name, value)

    def _forget(self, plan: Plan) -> None:
        """Forget the operations of *plan* and the local values that they stand for.

        Values that were set meanwhile stay, with the operations that say so.
        """
        session = self._session
        self._discard(plan.operations)
        still = self._recorded_names(session.recorded_operations)
        gone = self._gone(plan)
        for entity in plan.touched:
            key = _identity_of(entity)
            names = still.get(key, frozenset())
            if names is None:
                continue  # Created meanwhile: it is all local still.
            self._clear(entity, names)
        for each in gone.values():
            if _key_of(each) not in still:
                self._remove(each)

    def _discard(self, operations: list[Any]) -> None:
        """Forget exactly these *operations*; what other threads recorded stays."""
        recorded = self._session.recorded_operations
        discard = getattr(recorded, "discard", None)
        if discard is not None:
            discard(operations)
        else:
            recorded.clear()

    @staticmethod
    def _recorded_names(operations: Iterable[Any]) -> dict[str, Optional[frozenset[str]]]:
        """Return the attributes that *operations* set, by entity; None for a creation."""
        found: dict[str, Optional[frozenset[str]]] = {}
        for each in list(operations):
            key = _key_of(each)
            if isinstance(each, operation.CreateEntityOperation):
                found[key] = None
            elif isinstance(each, operation.UpdateEntityOperation):
                names = found.get(key, frozenset())
                if names is not None:
                    found[key] = names | {each.attribute_name}
        return found

    def _clear(self, entity: Any, names: Iterable[str]) -> None:
        """Drop the local values of *entity* but for those with the *names*."""
        kept = names and {
            name: value for name, value in (entity._local or {}).items() if name in names
        }
        if not kept:
            self._session._identity_map.dirty.discard(entity)
            entity._forget_local_values()
            return
        entity._local = kept
        entity._created = False

    @staticmethod
    def _gone(plan: Plan) -> dict[str, Any]:
        """Return the last deletion of each entity that *plan* leaves deleted."""
        found: dict[str, Any] = {}
        kind = operation.DeleteEntityOperation
        if not any(isinstance(each, kind) for each in plan.operations):
            return found  # As most commits are; the keys of all would take longer.
        for each in plan.operations:
            key = _key_of(each)
            if isinstance(each, kind):
                found[key] = each
            elif isinstance(each, operation.CreateEntityOperation):
                found.pop(key, None)
        return found

    def _remove(self, deletion: Any) -> None:
        """Forget the entity of the *deletion* in all cache layers."""
        identity_map = self._session._identity_map
        values = list(deletion.entity_key.values())
        entity = identity_map.find(deletion.entity_type, values)
        if entity is not None:
            identity_map.discard(entity)
            return
        identity_map.remove(identity_map.key((deletion.entity_type, values)))

    def rollback(self) -> None:
        """Take back what is recorded: entities are as the server holds them.

        Entities that were created are forgotten; they keep their primary key, so that they can
        still be told apart.
        """
        session = self._session
        with self._committing:
            operations = list(session.recorded_operations)
            self._keep_primary_keys(Plan(operations, [], session._identity_map.dirty))
            created = []
            for each in operations:
                if isinstance(each, operation.CreateEntityOperation):
                    values = list(each.entity_key.values())
                    created.append(session._identity_map.find(each.entity_type, values))
            self._discard(operations)
            session._identity_map.forget_local_values()
            for entity in created:
                if entity is not None:
                    session._identity_map.discard(entity)

    def created(self) -> list[Any]:
        """Return the entities that are created and not committed."""
        return self._in_state(CREATED)

    def modified(self) -> list[Any]:
        """Return the entities whose changes are not committed, created ones left out."""
        return self._in_state(MODIFIED)

    def deleted(self) -> list[Any]:
        """Return the entities whose deletion is not committed."""
        return self._in_state(DELETED)

    def _in_state(self, wanted: Any) -> list[Any]:
        """Return the attached entities that the recorded operations leave in the state *wanted*."""
        states: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        for each in list(self._session.recorded_operations):
            state = inspection._resulting_state(each)
            key = _key_of(each)
            if state is not None and (key not in states or state is DELETED):
                states[key] = state
                keys[key] = each
        found = [
            self._session._identity_map.find(each.entity_type, list(each.entity_key.values()))
            for key, each in keys.items()
            if states[key] is wanted
        ]
        return [entity for entity in found if entity is not None]


def _identity_of(entity: Any) -> str:
    """Return the identity of *entity* as text, empty when its primary key is not whole."""
    known: Optional[str] = entity._key
    if known is not None:
        return known
    try:
        return str(inspection.identity(entity))
    except KeyError:
        return ""


def _key_of(recorded: Any) -> str:
    """Return the identity of the entity that the operation *recorded* is about, as text."""
    return f"({recorded.entity_type!r}, {list(recorded.entity_key.values())!r})"
