"""The unit of work: what was changed, and how it gets to the server once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception, inspection, operation
from ftrack_like._collaborators import calls_of, identity_map_of, loader_of
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.delivery import Delivery
from ftrack_like._session.memberships import Memberships
from ftrack_like._session.owned_lists import ListChange
from ftrack_like._session.payloads import OperationPayload, optimise, payload_of
from ftrack_like.symbol import CREATED, DELETED, MODIFIED

if TYPE_CHECKING:
    from ftrack_like._types import Json
    from ftrack_like.entity.base import Entity
    from ftrack_like.operation import Operation
    from ftrack_like.session import Session
    from ftrack_like.symbol import Symbol

__all__ = ["Plan", "UnitOfWork"]

#: How often lists that other sessions change at the same time are corrected.
_CORRECTIONS = 50


class Plan:
    """What a commit is about to do; it can be looked at without being carried out.

    *operations* are those recorded, oldest first; *payloads* what is sent for them, in order;
    *touched* the entities with local values when it was made. *written* are the lists that
    *payloads* change member by member, which the batch reads at its end.
    """

    def __init__(
        self,
        operations: list[Operation],
        payloads: list[OperationPayload],
        touched: Iterable[Entity] = (),
    ) -> None:
        """Initialise with all of it."""
        self.operations = operations
        self.payloads = payloads
        self.touched = list(touched)
        self.written: list[ListChange] = []

    def __str__(self) -> str:
        """Return one line for each payload."""
        lines = [_line(payload) for payload in self.payloads]
        return "\n".join(lines) if lines else "nothing to commit"

    def summary(self) -> str:
        """Return the first payloads in one line."""
        lines = [_line(payload) for payload in self.payloads[:5]]
        more = len(self.payloads) - len(lines)
        return "; ".join(lines) + (f"; {more} more" if more else "")


def _line(payload: Mapping[str, Any]) -> str:
    """Return *payload* as one line for people."""
    names = [name for name in payload.get("entity_data", ()) if name != "__entity_type__"]
    shown = f": {', '.join(names)}" if names else ""
    key = ", ".join(str(value) for value in payload["entity_key"])
    return f"{payload['action']} {payload['entity_type']}({key}){shown}"


class _Pending:
    """A batch from before it is sent until its results are taken over.

    *results* are those of the server once *is_answered*.
    """

    def __init__(self, plan: Plan, delivery: Delivery, memberships: Memberships) -> None:
        """Initialise with the *plan*, the *delivery* of its payloads and their *memberships*."""
        self.plan = plan
        self.delivery = delivery
        self.memberships = memberships
        self.results: Any = None
        self.is_answered = False

    def answer(self, results: Json) -> None:
        """Take the *results*: the server has applied the batch."""
        self.results = results
        self.is_answered = True


class UnitOfWork:
    """Commit and take back what a session has recorded; cost follows what was changed.

    It may be used from any thread. Commits wait for one another, so that an operation is sent
    once and after those that it builds on; nothing else waits for them.
    """

    def __init__(self, session: Session) -> None:
        """Initialise for *session*, whose operations and methods are reached at each use."""
        self._session = session
        self._identity_map = identity_map_of(session)
        #: The batch that was sent last, until its outcome is known and taken over.
        self._pending: Optional[_Pending] = None
        self.renew_lock()

    def renew_lock(self) -> None:
        """Take a new lock, in a process that was forked while a thread held the old one."""
        self._committing = threading.RLock()
        #: The thread that is in a commit or a rollback.
        self._busy: Optional[int] = None

    def plan(self) -> Plan:
        """Return what :meth:`commit` would do now."""
        touched = list(self._identity_map.dirty)
        operations = list(self._session.recorded_operations)
        payloads = optimise(payload_of(each) for each in operations)
        return Plan(operations, payloads, touched)

    def commit(self) -> None:
        """Send what is recorded in one transaction.

        On an error the operations stay recorded. Operations that are recorded meanwhile by
        other threads stay for the next commit. A batch in doubt is settled first.
        """
        with self._committing:
            self.refuse_nesting("commit")
            # No context manager written in Python here: an exception of a signal handler that
            # comes while it is entered would leave the mark set.
            self._busy = threading.get_ident()
            try:
                self._settle()
                plan = self.plan()
                if plan.payloads:
                    self._deliver(plan)
                else:
                    self._forget_cancelled(plan)
            finally:
                self._busy = None

    def refuse_nesting(self, verb: str) -> None:
        """Raise an error for *verb* if the calling thread is inside a commit or a rollback."""
        if self._busy == threading.get_ident():
            raise exception.CommitInProgressError(verb)

    def _deliver(self, plan: Plan) -> None:
        """Send the payloads of *plan* and take over the answer.

        The batch is noted before it is sent and crossed out when all is done: whatever is raised
        in between, the next commit knows where this one stopped.
        """
        memberships = Memberships(self._session, plan.operations, plan.payloads)
        memberships.refresh()
        plan.payloads, plan.written = memberships.payloads, memberships.written
        delivery = self._delivery(plan, memberships.questions(), memberships.readings())
        pending = self._pending = _Pending(plan, delivery, memberships)
        self._finish(pending)

    def _finish(self, pending: _Pending) -> None:
        """Have *pending* sent, or sent again, and take over the answer.

        Lists that another session changed at the same time are corrected.
        """
        for _ in range(_CORRECTIONS):
            self._finish_one(pending)
            repairs = pending.memberships.repairs(pending.results)
            if not repairs:
                return
            plan = Plan([], list(repairs))
            questions = pending.memberships.questions()
            delivery = self._delivery(plan, questions, [])
            pending = self._pending = _Pending(plan, delivery, pending.memberships)
        self._pending = None
        self._session.logger.warning(
            "Other sessions change the same lists all the time; not corrected: %s",
            pending.plan.summary(),
        )

    def _finish_one(self, pending: _Pending) -> None:
        """Have *pending* sent unless it is answered, and take over the answer."""
        try:
            if not pending.is_answered:
                pending.answer(pending.delivery.send())
        except BaseException:
            if not pending.delivery.in_doubt:
                self._pending = None
            raise
        try:
            self._merge(pending.plan, pending.results)
        finally:
            self._forget(pending.plan)
            self._pending = None

    def _settle(self) -> None:
        """Find out what became of a batch in doubt, before anything else is sent.

        If the server did not apply it, it is sent again as it was. What the program recorded
        since follows with the batch of the commit.
        """
        pending = self._pending
        if pending is None:
            return
        if not pending.is_answered and not self._is_wanted(pending):
            self._pending = None
            return
        try:
            self._finish(pending)
        except exception.ServerError:
            if self._pending is not None:
                raise
            # The server refuses the batch, so it was not applied. The commit sends everything
            # that is recorded, which may hold a correction.

    def _is_wanted(self, pending: _Pending) -> bool:
        """Return whether *pending* is in doubt and the program has not taken it back."""
        if not pending.delivery.in_doubt:
            return False
        if not pending.plan.operations:
            return True  # Lists that the session itself corrects.
        recorded = {id(each) for each in self._session.recorded_operations}
        return not recorded.isdisjoint([id(each) for each in pending.plan.operations])

    @property
    def in_doubt(self) -> bool:
        """Whether it is unknown what became of the last batch."""
        pending = self._pending
        return pending is not None and (pending.is_answered or self._is_wanted(pending))

    def abandon(self) -> None:
        """Stop asking what became of the last batch."""
        self._pending = None
        calls_of(self._session).running.forget()

    def _forget_cancelled(self, plan: Plan) -> None:
        """Forget the operations of *plan*, which add up to nothing, and their entities' values.

        Nothing was waited for, so another thread may be about to record what it has just set on
        other entities.
        """
        own = {_key_of(each) for each in plan.operations}
        plan.touched = [entity for entity in plan.touched if _identity_of(entity) in own]
        if plan.operations:
            self._forget(plan)

    def _delivery(self, plan: Plan, questions: list[Any], readings: list[Any]) -> Delivery:
        """Return what sends the *questions*, the payloads of *plan* and the *readings*."""
        session = self._session
        plain = loader_of(session).takes_plain_path()
        batch = [*questions, *plan.payloads, *readings]
        return Delivery(session, batch if plain else RawBatch(batch))

    def _merge(self, plan: Plan, results: Json) -> None:
        """Take over what the server answered, by what it carries.

        A replaced ``call`` may have answered anything: what holds no entity is passed over.
        """
        self._keep_primary_keys(plan)
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

    def _written_lists(self, plan: Plan, results: Json) -> list[dict[str, Any]]:
        """Return records of the lists that *plan* changes member by member, from *results*.

        A list that was not read is forgotten, to be read when it is looked at.
        """
        records = []
        count = len(plan.written)
        answers = results[-count:] if count and isinstance(results, list) else [None] * count
        for change, answer in zip(plan.written, answers):
            rows = answer.get("data") if isinstance(answer, (dict, Mapping)) else None
            row = rows[0] if isinstance(rows, list) and len(rows) == 1 else None
            if isinstance(row, dict) and change.name in row:
                records.append(row)
            elif getattr(row, "entity_type", None) is not None:
                self._session.merge(row)
            else:
                owner = change.owner
                entity = self._identity_map.find(owner["entity_type"], owner["entity_key"])
                if entity is not None:
                    entity.remote_values.pop(change.name, None)
        return records

    def _keep_primary_keys(self, plan: Plan) -> None:
        """Let created entities keep their identity, also when the answer leaves it out.

        Those with local values do so by themselves when they lose these.
        """
        find = self._identity_map.find
        keeping = {id(entity.fixed_key) for entity in plan.touched}
        for each in plan.operations:
            if id(each.entity_key) in keeping:
                continue
            if isinstance(each, operation.CreateEntityOperation):
                entity = find(each.entity_type, list(each.entity_key.values()))
                if entity is not None:
                    for name, value in each.entity_key.items():
                        entity.remote_values.setdefault(name, value)

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

    def _discard(self, operations: list[Operation]) -> None:
        """Forget exactly these *operations*; what other threads recorded stays."""
        recorded = self._session.recorded_operations
        discard = getattr(recorded, "discard", None)
        if discard is not None:
            discard(operations)
        else:
            recorded.clear()

    @staticmethod
    def _recorded_names(operations: Iterable[Operation]) -> dict[str, Optional[frozenset[str]]]:
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

    def _clear(self, entity: Entity, names: Iterable[str]) -> None:
        """Drop the local values of *entity* but for those with the *names*."""
        local = entity.local_values or {}
        kept = {name: value for name, value in local.items() if name in names} if names else None
        if not kept:
            self._identity_map.dirty.discard(entity)
            entity.forget_local_values()
            return
        entity.local_values = kept
        entity.is_created = False

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

    def _remove(self, deletion: operation.DeleteEntityOperation) -> None:
        """Forget the entity of the *deletion* in all cache layers."""
        identity_map = self._identity_map
        values = list(deletion.entity_key.values())
        entity = identity_map.find(deletion.entity_type, values)
        if entity is not None:
            identity_map.discard(entity)
            return
        identity_map.remove(identity_map.key((deletion.entity_type, values)))

    def rollback(self) -> None:
        """Take back what is recorded: entities are as the server holds them.

        Entities that were created are forgotten; they keep their primary key, so that they can
        still be told apart. A batch in doubt is given up: the server may have applied it.
        """
        with self._committing:
            self.refuse_nesting("roll back")
            self._busy = threading.get_ident()
            try:
                self._roll_back()
            finally:
                self._busy = None

    def _roll_back(self) -> None:
        """Do what :meth:`rollback` does."""
        session = self._session
        pending = self._pending
        if pending is not None and pending.is_answered:
            self._finish(pending)  # The server applied it; only the taking over was interrupted.
        elif pending is not None and self._is_wanted(pending):
            self._forget_loaded(pending.plan)
            session.logger.warning(
                "Rolled back while it was unknown whether the server had applied the last batch; "
                "if it did, these changes stay there: %s",
                pending.plan.summary(),
            )
        operations = list(session.recorded_operations)
        self._keep_primary_keys(Plan(operations, [], self._identity_map.dirty))
        created = []
        for each in operations:
            if isinstance(each, operation.CreateEntityOperation):
                values = list(each.entity_key.values())
                created.append(self._identity_map.find(each.entity_type, values))
        self._discard(operations)
        self._identity_map.forget_local_values()
        for entity in created:
            if entity is not None:
                self._identity_map.discard(entity)
        self.abandon()

    def take_back(self, entities: Iterable[Entity]) -> None:
        """Take back what is recorded of *entities*; those that were created are forgotten."""
        session = self._session
        wanted = {_identity_of(entity): entity for entity in entities}
        operations = [each for each in session.recorded_operations if _key_of(each) in wanted]
        if operations and hasattr(session.recorded_operations, "discard"):
            session.recorded_operations.discard(operations)
        self._keep_primary_keys(Plan(operations, [], self._identity_map.dirty))
        for entity in wanted.values():
            created = entity.is_created
            self._clear(entity, ())
            if created:
                self._identity_map.discard(entity)

    def _forget_loaded(self, plan: Plan) -> None:
        """Forget the loaded values that *plan* may have changed on the server, to be read again."""
        for payload in plan.payloads:
            if payload["action"] != "update":
                continue
            entity = self._identity_map.find(payload["entity_type"], payload["entity_key"])
            if entity is None:
                continue
            for name in payload["entity_data"]:
                if name not in entity.primary_key_attributes and name != "__entity_type__":
                    entity.remote_values.pop(name, None)

    def created(self) -> list[Entity]:
        """Return the entities that are created and not committed."""
        return self._in_state(CREATED)

    def modified(self) -> list[Entity]:
        """Return the entities whose changes are not committed, created ones left out."""
        return self._in_state(MODIFIED)

    def deleted(self) -> list[Entity]:
        """Return the entities whose deletion is not committed."""
        return self._in_state(DELETED)

    def _in_state(self, wanted: Symbol) -> list[Entity]:
        """Return the attached entities that the recorded operations leave in the state *wanted*."""
        states: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        for each in list(self._session.recorded_operations):
            state = inspection.resulting_state(each)
            key = _key_of(each)
            if state is not None and (key not in states or state is DELETED):
                states[key] = state
                keys[key] = each
        found = [
            self._identity_map.find(each.entity_type, list(each.entity_key.values()))
            for key, each in keys.items()
            if states[key] is wanted
        ]
        return [entity for entity in found if entity is not None]


def _identity_of(entity: Entity) -> str:
    """Return the identity of *entity* as text, empty when its primary key is not whole."""
    known: Optional[str] = entity.known_identity
    if known is not None:
        return known
    try:
        return str(inspection.identity(entity))
    except KeyError:
        return ""


def _key_of(recorded: operation.Operation) -> str:
    """Return the identity of the entity that the operation *recorded* is about, as text."""
    return f"({recorded.entity_type!r}, {list(recorded.entity_key.values())!r})"
