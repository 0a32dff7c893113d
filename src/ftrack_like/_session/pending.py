"""What a commit sends, and what is kept of it until it is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ftrack_like._session.batch_delivery import Delivery
from ftrack_like._session.memberships import Memberships
from ftrack_like._session.owned_lists import ListChange
from ftrack_like._session.payloads import OperationPayload

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.entity.base import Entity
    from ftrack_like.operation import Operation

__all__ = ["CommitLimit", "CommitPlan", "PendingBatch"]


class CommitLimit:
    """The *operations* that a commit may contain: those that were pending at some time."""

    def __init__(self, operations: list[Operation]) -> None:
        """Initialise with *operations*, none of which is undone."""
        self._operations = operations
        #: Whether a rollback has undone operations before the commit sent them.
        self.is_undone = False

    def undo(self, operations: Iterable[Operation]) -> None:
        """Take notice that a rollback has undone *operations*."""
        undone = set(map(id, operations))
        self.is_undone = self.is_undone or any(id(each) in undone for each in self._operations)

    def cut(self, operations: list[Operation]) -> list[Operation]:
        """Return those of *operations* that the commit may contain, in order."""
        allowed = set(map(id, self._operations))
        return [each for each in operations if id(each) in allowed]


class CommitPlan:
    """The steps of a commit. A caller may inspect them without sending them.

    *operations* are the recorded ones, oldest first, and *payloads* the batch for them. *touched*
    are the entities that had local values at that time. *written* are the lists that *payloads*
    change member by member; the batch ends with a query for each.
    """

    def __init__(
        self,
        operations: list[Operation],
        payloads: list[OperationPayload],
        touched: Iterable[Entity] = (),
    ) -> None:
        """CommitPlan to send *payloads*."""
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
    """Return *payload* as one line of text."""
    names = [name for name in payload.get("entity_data", ()) if name != "__entity_type__"]
    shown = f": {', '.join(names)}" if names else ""
    key = ", ".join(str(value) for value in payload["entity_key"])
    return f"{payload['action']} {payload['entity_type']}({key}){shown}"


class PendingBatch:
    """A batch until its results are merged. *results* are valid when *is_answered* is true."""

    def __init__(self, plan: CommitPlan, delivery: Delivery, memberships: Memberships) -> None:
        """Store a batch before it is sent."""
        self.plan = plan
        self.delivery = delivery
        self.memberships = memberships
        self.results: Any = None
        self.is_answered = False
        #: Whether the results are merged, so that only a correction of lists may be missing.
        self.is_merged = False

    @property
    def is_correction(self) -> bool:
        """Whether the batch corrects lists that an earlier batch has set.

        The program has not asked for it, so it cannot take it back.
        """
        return not self.plan.operations

    def answer(self, results: Json) -> None:
        """Store *results*: the server has applied the batch."""
        self.results = results
        self.is_answered = True
