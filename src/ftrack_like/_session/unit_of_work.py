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

from ftrack_like import exception, operation
from ftrack_like._base.collaborators import background_of, calls_of, identity_map_of, loader_of
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.batch_delivery import Delivery
from ftrack_like._session.local_changes import (
    LocalChanges,
    entity_identity,
    operation_identity,
)
from ftrack_like._session.memberships import Memberships
from ftrack_like._session.payloads import optimise, payload_of
from ftrack_like._session.pending import CommitLimit, CommitPlan, PendingBatch
from ftrack_like.symbol import CREATED, DELETED, MODIFIED

if TYPE_CHECKING:
    from ftrack_like._session.reporting import CommitTally
    from ftrack_like.entity.base import Entity
    from ftrack_like.operation import Operation
    from ftrack_like.session import Session

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
        self._local = LocalChanges(session)
        #: The last batch, until its outcome is known and merged.
        self._pending: Optional[PendingBatch] = None
        #: Counts the operations of the commit that is running.
        self._tally: Optional[CommitTally] = None
        #: The names of the link lists that are sent whole.
        self._whole: set[str] = set()
        #: The operations of the last commit, if the server refused it.
        self._refused: list[Operation] = []
        self.renew_lock()

    def renew_lock(self) -> None:
        """Replace the lock in a forked process: a thread of the parent may have held it."""
        self._committing = threading.RLock()
        #: The thread that runs a commit or a rollback.
        self._busy: Optional[int] = None

    def plan(self, limit: Optional[CommitLimit] = None) -> CommitPlan:
        """Return the plan of a commit at this moment, of the operations within *limit*."""
        touched = list(self._identity_map.dirty)
        operations = list(self._session.recorded_operations)
        if limit is not None:
            operations = limit.cut(operations)
        payloads = optimise(payload_of(each) for each in operations)
        return CommitPlan(operations, payloads, touched)

    def limit(self) -> CommitLimit:
        """Return the limit for a commit of the operations that are pending now."""
        return CommitLimit(list(self._session.recorded_operations))

    def commit(
        self, tally: Optional[CommitTally] = None, limit: Optional[CommitLimit] = None
    ) -> None:
        """Send the pending operations in one transaction, after resolving a batch in doubt.

        *tally* counts them. Operations beyond *limit* wait for a later commit. After an error the
        operations stay pending. Operations that other threads record during the commit stay for the
        next one. Raise RolledBackError if a rollback has undone operations within *limit*.
        """
        with self._committing:
            self.refuse_nesting("commit")
            # Not a context manager that is written in Python: a signal handler could raise an
            # exception inside its ``__enter__``, and ``_busy`` would stay set.
            self._busy = threading.get_ident()
            self._tally = tally
            try:
                self._settle()
                if limit is not None and limit.is_undone:
                    raise exception.RolledBackError()
                plan = self.plan(limit)
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
        exception interrupts it, the next commit continues at the same state. If the server refuses
        link rows, send the lists whole.
        """
        planned = plan.payloads
        while True:
            memberships = Memberships(self._session, plan.operations, planned, self._whole)
            memberships.refresh()
            plan.payloads, plan.written = memberships.payloads, memberships.written
            delivery = self._delivery(plan, memberships.questions(), memberships.readings())
            pending = self._pending = PendingBatch(plan, delivery, memberships)
            try:
                self._finish(pending)
                self._refused = []
                return
            except exception.ServerError as error:
                if not self._pending and memberships.links.are_refused(delivery.refused):
                    continue
                if not self._pending:
                    self._note_refusal(error, plan, delivery.refused)
                raise

    def _note_refusal(
        self, error: exception.ServerError, plan: CommitPlan, failing: Optional[Mapping[str, Any]]
    ) -> None:
        """Add to *error* if *failing*, a payload of *plan*, stayed from an earlier refused commit.

        If *failing* is None, add it if any operation stayed.
        """
        if isinstance(error, (exception.ServerConnectionError, exception.ServerAnswerError)):
            return
        earlier = set(map(id, self._refused))
        stayed = [each for each in plan.operations if id(each) in earlier]
        self._refused = plan.operations
        if failing is not None:
            key = [str(each) for each in failing["entity_key"]]
            stayed = [
                each for each in stayed if [str(value) for value in each.entity_key.values()] == key
            ]
        if stayed:
            which = "At least one operation" if failing is None else "This operation"
            error.message += (
                f"\n{which} is still pending from an earlier commit that the server refused. "
                "Correct it, or call session.rollback()."
            )

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
        number = self._identity_map.begin_reading()
        try:
            if not pending.is_answered:
                pending.answer(pending.delivery.send())
                if self._tally is not None:
                    self._tally.note(pending.plan.payloads, is_applied=True)
                self._warn_of_lists(pending)
        except BaseException as error:
            if self._tally is not None and not pending.is_answered:
                self._tally.note(pending.plan.payloads, is_applied=False)
            if not pending.delivery.in_doubt and not (pending.is_correction and _passes(error)):
                self._pending = None
            raise
        if not pending.is_merged:
            try:
                self._local.merge(pending.plan, pending.results)
            finally:
                self._local.forget(pending.plan)
                pending.is_merged = True
            self._identity_map.end_reading(number)

    def _warn_of_lists(self, pending: PendingBatch) -> None:
        """Log the lists of which changes of other sessions may be lost with the server's answer."""
        lists = pending.memberships.whole_lists
        if lists and pending.delivery.was_in_doubt:
            self._session.logger.warning(
                "The connection lost the answer to a commit. If another session changed one of "
                "these lists at the same moment, its change may be undone: %s",
                lists,
            )

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
        own = {operation_identity(each) for each in plan.operations}
        plan.touched = [entity for entity in plan.touched if entity_identity(entity) in own]
        if plan.operations:
            self._local.forget(plan)

    def _delivery(self, plan: CommitPlan, questions: list[Any], readings: list[Any]) -> Delivery:
        """Return the delivery of one batch: queries, the payloads of *plan*, queries."""
        session = self._session
        plain = loader_of(session).takes_plain_path()
        batch = [*questions, *plan.payloads, *readings]
        return Delivery(session, batch if plain else RawBatch(batch))

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
            self._local.forget_loaded(pending.plan)
            session.logger.warning(
                "Rolled back while it was unknown whether the server had applied the last batch; "
                "if it did, these changes stay there: %s",
                pending.plan.summary(),
            )
        operations = list(session.recorded_operations)
        self._local.keep_primary_keys(CommitPlan(operations, [], self._identity_map.dirty))
        created = []
        for each in operations:
            if isinstance(each, operation.CreateEntityOperation):
                values = list(each.entity_key.values())
                created.append(self._identity_map.find(each.entity_type, values))
        self._local.discard(operations)
        background = background_of(session)
        if background is not None:
            background.undo(operations)
        self._identity_map.forget_local_values()
        for entity in created:
            if entity is not None:
                self._identity_map.discard(entity)
        self.abandon()

    def take_back(self, entities: Iterable[Entity]) -> None:
        """Discard the pending operations of *entities*, and forget the created ones."""
        session = self._session
        wanted = {entity_identity(entity): entity for entity in entities}
        operations = [
            each for each in session.recorded_operations if operation_identity(each) in wanted
        ]
        if operations and hasattr(session.recorded_operations, "discard"):
            session.recorded_operations.discard(operations)
        self._local.keep_primary_keys(CommitPlan(operations, [], self._identity_map.dirty))
        for entity in wanted.values():
            created = entity.is_created
            self._local.clear(entity, ())
            if created:
                self._identity_map.discard(entity)

    def created(self) -> list[Entity]:
        """Return the created entities that are not committed."""
        return self._local.in_state(CREATED)

    def modified(self) -> list[Entity]:
        """Return the entities with uncommitted changes, except created ones."""
        return self._local.in_state(MODIFIED)

    def deleted(self) -> list[Entity]:
        """Return the entities with an uncommitted deletion."""
        return self._local.in_state(DELETED)


def _passes(error: BaseException) -> bool:
    """Return whether *error* may pass: an interruption, or a server that is out of reach.

    Otherwise the server has refused the batch.
    """
    return not isinstance(error, exception.ServerError) or isinstance(
        error, exception.ServerConnectionError
    )
