"""A batch at work: its transaction, what it changed, and what is left to do at its end."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.access.rights import Rights, load_rights
from ftrack_like.sandbox.actions.store import Key, Row, Store
from ftrack_like.sandbox.actions.values import moment_text
from ftrack_like.sandbox.errors import SandboxError, UnrecognisedEntityTypeError
from ftrack_like.sandbox.language import did_you_mean
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import EntityType

__all__ = ["Batch", "Change", "Existence", "Hooks", "Operation", "new_id"]

#: One operation as it travels: ``{"action": str, …}``.
Operation = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What a batch did to one entity: *action* is ``add``, ``update`` or ``remove``.

    *row* are its values by column (the last known ones when removed), *old* those that the
    columns in it had before. *members* are the ids in a collection before and after, by the
    collection's server-side name, where rows beside the entity's own hold who belongs to it.
    """

    action: str
    entity_type: str
    key: Key
    row: Row
    old: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, tuple[list[Any], list[Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Hooks:
    """What the server does by itself for the entities of a type, in this order.

    *creating* completes the row of a new entity, *created* follows when the row is stored.
    *changing* may add to the changes of a row or refuse them, *changed* follows and gets the
    old values. *deleting* gets rows of one table before they and their dependants go.
    """

    creating: Optional[Callable[[Batch, EntityType, Row], None]] = None
    created: Optional[Callable[[Batch, EntityType, Row], None]] = None
    changing: Optional[Callable[[Batch, EntityType, Row, dict[str, Any]], None]] = None
    changed: Optional[Callable[[Batch, EntityType, Row, Mapping[str, Any]], None]] = None
    deleting: Optional[Callable[[Batch, Sequence[Row]], None]] = None


@dataclass(frozen=True)
class Existence:
    """Something that must exist when a batch ends: a *type_name* with *value* in *column*."""

    type_name: str
    column: str
    value: Any


class Batch:
    """The operations of one request, in one transaction; belongs to one thread.

    *hooks* are by the name of a type, and hold for its sub-types too.
    """

    def __init__(
        self,
        connection: Connection,
        context: RequestContext,
        hooks: Mapping[str, tuple[Hooks, ...]],
    ) -> None:
        """Begin with nothing done."""
        self.store = Store(connection)
        self.model = MODEL
        self.context = context
        self.now = moment_text(context.now)
        self.changes: list[Change] = []
        #: Rows made by this batch, with their types, for the checks at its end.
        self.made: list[tuple[EntityType, Row]] = []
        #: Required attributes that an update emptied: name and column, with type and row.
        self.emptied: list[tuple[EntityType, Row, str, str]] = []
        #: What must exist at the end, and who said so (``status_id of Task``).
        self.references: dict[Existence, str] = {}
        #: Contexts whose name or parent is new, by id.
        self.placed: dict[str, Row] = {}
        #: Table and key of what this batch deletes, or has deleted.
        self.going: set[tuple[str, Key]] = set()
        #: Table and key of what operations of this batch name for deletion.
        self.doomed: set[tuple[str, Key]] = set()
        #: What subjects remember for the length of the batch.
        self.notes: dict[Any, Any] = {}
        #: What the user must be allowed when the batch ends: action, type, row, attributes.
        self.claims: list[tuple[str, EntityType, Row, tuple[str, ...]]] = []
        #: What is to be done once the transaction is committed, and not without that.
        self.after_commit: list[Callable[[], object]] = []
        #: The place of the operation that is being run, None before and after all of them.
        self.running: Optional[int] = None
        #: Which operation last touched a row (by table and key), or wants something to exist.
        self.origins: dict[Any, Optional[int]] = {}
        self._hooks = hooks
        self._unsettled: list[tuple[Optional[int], Callable[[], bool]]] = []
        self._answers: list[Callable[[], None]] = []
        self._changes_judged = 0

    @property
    def rights(self) -> Optional[Rights]:
        """Return what the calling user may do, after all changes so far; None: everything."""
        if self.context.rights is not None and self._changes_judged < len(self.changes):
            new = self.changes[self._changes_judged :]
            self._changes_judged = len(self.changes)
            if any(one.entity_type == "Project" for one in new):
                self.store.flush()
                rights = load_rights(self.store.connection, self.context.user_id)
                self.context = replace(self.context, rights=rights)
        return self.context.rights

    @property
    def user_id(self) -> str:
        """Return the id of the calling user."""
        return self.context.user_id

    def entity_type(self, name: Any) -> EntityType:
        """Return the type *name*, or raise :exc:`UnrecognisedEntityTypeError`."""
        type_ = self.model.types.get(name) if isinstance(name, str) else None
        if type_ is None:
            near = did_you_mean(str(name), self.model.types)
            raise UnrecognisedEntityTypeError(f"There is no entity type {name!r}.{near}")
        return type_

    def hooks_of(self, type_: EntityType) -> list[Hooks]:
        """Return the hooks of *type_*, those of its bases first."""
        names = [*reversed(type_.bases), type_.name]
        return [hooks for name in names for hooks in self._hooks.get(name, ())]

    def settle_later(self, attempt: Callable[[], bool]) -> None:
        """Call *attempt* before the next reading and at the end, until it answers true."""
        self._unsettled.append((self.running, attempt))

    def settle(self) -> None:
        """Do what waited for later operations, as far as it can be done now."""
        progress = True
        while self._unsettled and progress:
            waiting, self._unsettled = self._unsettled, []
            left = [one for one in waiting if not self._attempt(*one)]
            progress = len(left) < len(waiting)
            self._unsettled = left + self._unsettled

    def _attempt(self, origin: Optional[int], attempt: Callable[[], bool]) -> bool:
        """Return what *attempt* answers, which the operation at *origin* left to be done."""
        running, self.running = self.running, origin
        try:
            return attempt()
        except SandboxError as error:
            self.blame(error, origin)
            raise
        finally:
            self.running = running

    def refer(self, wanted: Existence, where: str) -> None:
        """Remember that *wanted* must exist at the end, as *where* (``status_id of Task``) says."""
        self.references[wanted] = where
        self.origins[wanted] = self.running

    def blame(self, error: SandboxError, origin: Optional[int]) -> SandboxError:
        """Return *error* as one of the operation at *origin*, unless it is of another already."""
        if error.operation is None:
            error.operation = origin
        return error

    def answer_later(self, fill: Callable[[], None]) -> None:
        """Call *fill* when all is done, to complete an answer with what the server filled in."""
        self._answers.append(fill)

    def complete_answers(self) -> None:
        """Complete the answers that wait."""
        answers, self._answers = self._answers, []
        for fill in answers:
            fill()


def new_id() -> str:
    """Return a new id for an entity."""
    return str(uuid.uuid4())
