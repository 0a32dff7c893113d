"""The unit of work: commit a session's changes to the server exactly once, or roll them back.

A commit passes through these states:

1. *Recorded*: the session has pending operations; nothing was sent.
2. *Planned*: a :class:`CommitPlan` contains the payloads for the operations.
3. *Sent*: the batch is on its way. An interruption leaves it in doubt.
4. *Answered*: the server has applied the batch; its answer must be merged.
5. *Done*: the session has forgotten the operations of the plan and their local values.

An exception such as Ctrl-C may come between any two instructions. So the batch is stored before
state 3 and dropped in state 5: the next commit continues from there. Other threads may record
operations during a commit. So it forgets only the operations of its own plan.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception, inspection, operation
from ftrack_like._base.collaborators import calls_of, identity_map_of, loader_of
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.batch_delivery import Delivery
from ftrack_like._session.memberships import Memberships
from ftrack_like._session.payloads import optimise, payload_of
from ftrack_like._session.pending import CommitPlan, PendingBatch
from ftrack_like.symbol import CREATED, DELETED, MODIFIED

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.entity.base import Entity
    from ftrack_like.operation import Operation
    from ftrack_like.session import Session
    from ftrack_like.symbol import Symbol

__all__ = ["UnitOfWork"]

#: The most batches of one commit. After the first, each corrects lists that other sessions changed.
_CORRECTIONS = 50


class UnitOfWork:
    """Commit a session's operations or roll them back. The cost depends only on the changes.

    Any thread may use it. A commit waits for other commits, so every operation is sent once and
    after the operations that it depends on. Other calls do not wait.
    """

    def __init__(self, session: Session) -> None:
        """Keep *session*; each use looks up its operations and methods, which programs replace."""
        self._session = session
        self._identity_map = identity_map_of(session)
        #: The last batch, until its outcome is known and merged.
        self._pending: Optional[PendingBatch] = None
        self.renew_lock()

    def renew_lock(self) -> None:
        """Replace the lock in a forked process: a thread of the parent may have held it."""
        self._committing = threading.RLock()
        #: The thread that runs a commit or a rollback.
        self._busy: Optional[int] = None

    def plan(self) -> CommitPlan:
        """Return the plan of a commit at this moment."""
        touched = list(self._identity_map.dirty)
        operations = list(self._session.recorded_operations)
        payloads = optimise(payload_of(each) for each in operations)
        return CommitPlan(operations, payloads, touched)

    def commit(self) -> None:
        """Send the pending operations in one transaction, after resolving a batch in doubt.

        After an error the operations stay pending. Operations that other threads record during the
        commit stay for the next one.
        """
        with self._committing:
            self.refuse_nesting("commit")
            # Not a context manager that is written in Python: a signal handler could raise an
            # exception inside its ``__enter__``, and ``_busy`` would stay set.
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
        """Raise CommitInProgressError for *verb* if this thread runs a commit or a rollback."""
        if self._busy == threading.get_ident():
            raise exception.CommitInProgressError(verb)

    def _deliver(self, plan: CommitPlan) -> None:
        """Send the payloads of *plan* and merge the answer.

        The method stores the batch before it sends it, and drops it when all is done. If an
        exception interrupts it, the next commit continues at the same state.
        """
        memberships = Memberships(self._session, plan.operations, plan.payloads)
        memberships.refresh()
        plan.payloads, plan.written = memberships.payloads, memberships.written
        delivery = self._delivery(plan, memberships.questions(), memberships.readings())
        pending = self._pending = PendingBatch(plan, delivery, memberships)
        self._finish(pending)

    def _finish(self, pending: PendingBatch) -> None:
        """Send *pending*, merge the answer, and correct lists that other sessions have changed."""
        for _ in range(_CORRECTIONS):
            self._finish_one(pending)
            correction = self._correction(pending)
            self._pending = correction
            if correction is None:
                return
            pending = correction
        self._pending = None
        self._session.logger.warning(
            "Other sessions change the same lists all the time; not corrected: %s",
            pending.plan.summary(),
        )

    def _finish_one(self, pending: PendingBatch) -> None:
        """Send *pending* unless it is answered, and merge the answer."""
        try:
            if not pending.is_answered:
                pending.answer(pending.delivery.send())
        except BaseException as error:
            if not pending.delivery.in_doubt and not (pending.is_correction and _passes(error)):
                self._pending = None
            raise
        if not pending.is_merged:
            try:
                self._merge(pending.plan, pending.results)
            finally:
                self._forget(pending.plan)
                pending.is_merged = True

    def _correction(self, pending: PendingBatch) -> Optional[PendingBatch]:
        """Return the batch that corrects the lists of *pending*, which is answered, or None."""
        corrected = copy.copy(pending.memberships)  # An interruption leaves the original as it is.
        if not corrected.correct(pending.results):
            return None
        plan = CommitPlan([], corrected.payloads)
        return PendingBatch(plan, self._delivery(plan, corrected.questions(), []), corrected)

    def _settle(self) -> None:
        """Resolve a batch in doubt before another batch is sent.

        If the server did not apply the batch, send it again unchanged. Operations that the program
        has recorded since then follow with the next batch.
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
            # The server refuses the batch, so it has not applied it. The commit sends all pending
            # operations, which may contain a correction.

    def _is_wanted(self, pending: PendingBatch) -> bool:
        """Return whether *pending* must still be sent, or its outcome found out.

        That is a correction, or a batch in doubt that the program has not rolled back.
        """
        if pending.is_correction:
            return True
        if not pending.delivery.in_doubt:
            return False
        recorded = {id(each) for each in self._session.recorded_operations}
        return not recorded.isdisjoint([id(each) for each in pending.plan.operations])

    @property
    def in_doubt(self) -> bool:
        """Whether the outcome of the last batch is unknown or not yet merged."""
        pending = self._pending
        return pending is not None and (pending.is_answered or self._is_wanted(pending))

    def reset(self) -> None:
        """Forget the pending operations, a batch in doubt, and all entities.

        Wait for the commit of another thread.
        """
        with self._committing:
            self.refuse_nesting("reset")
            self.abandon()
            self._session.recorded_operations.clear()
            self._identity_map.clear()

    def abandon(self) -> None:
        """Forget the batch in doubt, except a correction, and do not wait for its request."""
        if self._pending is not None and not self._pending.is_correction:
            self._pending = None
        calls_of(self._session).running.forget()

    def _forget_cancelled(self, plan: CommitPlan) -> None:
        """Forget the operations of *plan*, which cancel each other, and their local values.

        Keep the values of other entities: another thread may have set one, and be about to record
        it.
        """
        own = {_key_of(each) for each in plan.operations}
        plan.touched = [entity for entity in plan.touched if _identity_of(entity) in own]
        if plan.operations:
            self._forget(plan)

    def _delivery(self, plan: CommitPlan, questions: list[Any], readings: list[Any]) -> Delivery:
        """Return the delivery of one batch: queries, the payloads of *plan*, queries."""
        session = self._session
        plain = loader_of(session).takes_plain_path()
        batch = [*questions, *plan.payloads, *readings]
        return Delivery(session, batch if plain else RawBatch(batch))

    def _merge(self, plan: CommitPlan, results: Json) -> None:
        """Merge the entities in *results*. Skip other shapes: programs override ``call``."""
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
                records.append(row)
            elif getattr(row, "entity_type", None) is not None:
                self._session.merge(row)
            else:
                owner = change.owner
                entity = self._identity_map.find(owner["entity_type"], owner["entity_key"])
                if entity is not None:
                    entity.remote_values.pop(change.name, None)
        return records

    def _keep_primary_keys(self, plan: CommitPlan) -> None:
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

    def _forget(self, plan: CommitPlan) -> None:
        """Forget the operations of *plan* and their local values.

        Keep values that other threads set during the commit, with the operations for them.
        """
        session = self._session
        self._discard(plan.operations)
        still = self._recorded_names(session.recorded_operations)
        gone = self._gone(plan)
        for entity in plan.touched:
            key = _identity_of(entity)
            names = still.get(key, frozenset())
            if names is None:
                continue  # Created after the plan, so all its values are local.
            self._clear(entity, names)
        for each in gone.values():
            if _key_of(each) not in still:
                self._remove(each)

    def _discard(self, operations: list[Operation]) -> None:
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
            key = _key_of(each)
            if isinstance(each, operation.CreateEntityOperation):
                found[key] = None
            elif isinstance(each, operation.UpdateEntityOperation):
                names = found.get(key, frozenset())
                if names is not None:
                    found[key] = names | {each.attribute_name}
        return found

    def _clear(self, entity: Entity, names: Iterable[str]) -> None:
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
            key = _key_of(each)
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

    def rollback(self) -> None:
        """Undo the changes since the last commit, without a request.

        The session forgets created entities; these keep their primary key. It also forgets a batch
        in doubt, which the server may have applied.
        """
        with self._committing:
            self.refuse_nesting("roll back")
            self._busy = threading.get_ident()
            try:
                self._roll_back()
            finally:
                self._busy = None

    def _roll_back(self) -> None:
        """Roll back, while the lock is held."""
        session = self._session
        pending = self._pending
        if pending is not None and pending.is_answered:
            self._finish(pending)  # The server has applied it; only merging was interrupted.
        elif pending is not None and not pending.is_correction and self._is_wanted(pending):
            self._forget_loaded(pending.plan)
            session.logger.warning(
                "Rolled back while it was unknown whether the server had applied the last batch; "
                "if it did, these changes stay there: %s",
                pending.plan.summary(),
            )
        operations = list(session.recorded_operations)
        self._keep_primary_keys(CommitPlan(operations, [], self._identity_map.dirty))
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
        """Discard the pending operations of *entities*, and forget the created ones."""
        session = self._session
        wanted = {_identity_of(entity): entity for entity in entities}
        operations = [each for each in session.recorded_operations if _key_of(each) in wanted]
        if operations and hasattr(session.recorded_operations, "discard"):
            session.recorded_operations.discard(operations)
        self._keep_primary_keys(CommitPlan(operations, [], self._identity_map.dirty))
        for entity in wanted.values():
            created = entity.is_created
            self._clear(entity, ())
            if created:
                self._identity_map.discard(entity)

    def _forget_loaded(self, plan: CommitPlan) -> None:
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

    def created(self) -> list[Entity]:
        """Return the created entities that are not committed."""
        return self._in_state(CREATED)

    def modified(self) -> list[Entity]:
        """Return the entities with uncommitted changes, except created ones."""
        return self._in_state(MODIFIED)

    def deleted(self) -> list[Entity]:
        """Return the entities with an uncommitted deletion."""
        return self._in_state(DELETED)

    def _in_state(self, wanted: Symbol) -> list[Entity]:
        """Return the attached entities that the pending operations bring to the state *wanted*."""
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


def _passes(error: BaseException) -> bool:
    """Return whether *error* may pass: an interruption, or a server that is out of reach.

    Otherwise the server has refused the batch.
    """
    return not isinstance(error, exception.ServerError) or isinstance(
        error, exception.ServerConnectionError
    )


def _identity_of(entity: Entity) -> str:
    """Return the identity of *entity* as text, empty if its primary key is incomplete."""
    known: Optional[str] = entity.known_identity
    if known is not None:
        return known
    try:
        return str(inspection.identity(entity))
    except KeyError:
        return ""


def _key_of(recorded: operation.Operation) -> str:
    """Return the identity of the entity of the operation *recorded*, as text."""
    return f"({recorded.entity_type!r}, {list(recorded.entity_key.values())!r})"
