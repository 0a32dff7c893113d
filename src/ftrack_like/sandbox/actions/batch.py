"""The state of a running batch: its transaction, its changes, and its work for the end.

An operation may refer to an entity that a later operation of the same batch creates. So many
operations cannot finish at once. They leave work for later:

* values that depend on the missing entity (:meth:`Batch.settle_later`),
* the check that the entity exists (:meth:`Batch.refer`),
* the check that the user has the right to the final state (:attr:`Batch.later_checks`),
* the values in an answer that the server sets (:meth:`Batch.answer_later`).

Each piece of work remembers its operation, so that an error at the end names the right operation.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.access.model import known_model
from ftrack_like.sandbox.access.rights import Rights, load_rights
from ftrack_like.sandbox.actions.store import Key, Row, Store
from ftrack_like.sandbox.actions.values import moment_text
from ftrack_like.sandbox.errors import SandboxError, UnrecognisedEntityTypeError
from ftrack_like.sandbox.language import did_you_mean
from ftrack_like.sandbox.schema import OTHER_NAMES
from ftrack_like.sandbox.schema.model import EntityType, Model
from ftrack_like.sandbox.tables.site_model import model_of

__all__ = ["Batch", "Change", "Existence", "Hooks", "Operation", "joined", "new_id"]

#: The types whose entities determine the model of a site.
_MODELLED = frozenset({"ObjectType", "Priority"})

#: One operation as it travels: ``{"action": str, …}``.
Operation = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """The change of an entity by a batch. *action* is ``add``, ``update`` or ``remove``.

    *row* contains the values by column (the last ones of a removed entity), and *old* the previous
    values of the changed columns. *members* maps the server-side names of collections in link
    tables to their ids before and after.
    """

    action: str
    entity_type: str
    key: Key
    row: Row
    old: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, tuple[list[Any], list[Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Hooks:
    """The rules of the server for the entities of a type, in the order of their calls.

    *creating* completes the row of a new entity, *created* follows when the row is stored.
    *changing* may add to the changes of a row or refuse them with an error, *changed* follows and
    receives the old values. *deleting* receives rows of one table before the batch deletes these
    rows and their dependants.
    """

    creating: Optional[Callable[[Batch, EntityType, Row], None]] = None
    created: Optional[Callable[[Batch, EntityType, Row], None]] = None
    changing: Optional[Callable[[Batch, EntityType, Row, dict[str, Any]], None]] = None
    changed: Optional[Callable[[Batch, EntityType, Row, Mapping[str, Any]], None]] = None
    deleting: Optional[Callable[[Batch, Sequence[Row]], None]] = None


@dataclass(frozen=True)
class Existence:
    """An entity that must exist when a batch ends: a *type_name* with *value* in *column*."""

    type_name: str
    column: str
    value: Any


class Batch:
    """The operations of one request, in one transaction; belongs to one thread.

    *hooks* are by the name of a type, and apply to its sub-types too.
    """

    def __init__(
        self,
        connection: Connection,
        context: RequestContext,
        hooks: Mapping[str, tuple[Hooks, ...]],
    ) -> None:
        self.store: Store = Store(connection)
        self._model: Optional[Model] = None
        self.context: RequestContext = context
        self.now: str = moment_text(context.now)
        self.changes: list[Change] = []
        #: Rows that this batch created, with their types, for the checks at its end.
        self.made: list[tuple[EntityType, Row]] = []
        #: Required attributes that an update set to null: type, row, name and column.
        self.emptied: list[tuple[EntityType, Row, str, str]] = []
        #: Entities that must exist at the end, and the reference to each (``status_id of Task``) by
        #: operation.
        self.references: dict[Existence, dict[Optional[int], str]] = {}
        #: Table and key of the entities that an operation creates or changes, by operation.
        self.subjects: dict[Optional[int], list[tuple[str, Key]]] = {}
        #: Contexts with a new name or parent, by id.
        self.placed: dict[str, Row] = {}
        #: Table and key of the rows that this batch deletes or has deleted.
        self.going: set[tuple[str, Key]] = set()
        #: Table and key of the rows that operations of this batch name for deletion.
        self.doomed: set[tuple[str, Key]] = set()
        #: Values that modules keep for the duration of the batch.
        self.notes: dict[Any, Any] = {}
        #: Permissions to check when the batch ends: action, type, row, attributes.
        self.later_checks: list[tuple[str, EntityType, Row, tuple[str, ...]]] = []
        #: Events to publish with the changes, besides the events about them.
        self.events: list[Mapping[str, Any]] = []
        #: The ids of versions whose media this batch stores, which an event reports.
        self.encoded: list[str] = []
        #: Functions to call when the transaction is committed, and only then.
        self.after_commit: list[Callable[[], object]] = []
        #: The index of the running operation, None before and after the operations.
        self.running: Optional[int] = None
        #: The index of the operation that last touched a row (by table and key), or that requires
        #: an existence.
        self.origins: dict[Any, Optional[int]] = {}
        self._hooks = hooks
        self._unsettled: list[tuple[Optional[int], Callable[[], bool]]] = []
        self._answers: list[Callable[[], None]] = []
        self._changes_judged = 0
        self._changes_modelled = 0

    @property
    def rights(self) -> Optional[Rights]:
        """Return the rights of the calling user after the changes so far; None: no restrictions."""
        if self.context.rights is not None and self._changes_judged < len(self.changes):
            new = self.changes[self._changes_judged :]
            self._changes_judged = len(self.changes)
            if any(one.entity_type == "Project" for one in new):
                self.store.flush()
                rights = load_rights(self.store.connection, self.context.user_id)
                self.context = replace(self.context, rights=rights)
        return self.context.rights

    @property
    def model(self) -> Model:
        """Return the model of the site: its object types, also those of this batch, are types."""
        new = self.changes[self._changes_modelled :]
        if any(one.entity_type in _MODELLED for one in new):
            self.store.flush()
            self._model = model_of(self.store.connection)
        elif self._model is None:
            self._model = known_model(self.store.connection)
        self._changes_modelled = len(self.changes)
        return self._model

    @property
    def user_id(self) -> str:
        """Return the id of the calling user."""
        return self.context.user_id

    def entity_type(self, name: Any) -> EntityType:
        """Return the type *name*, or raise :exc:`UnrecognisedEntityTypeError`."""
        known = OTHER_NAMES.get(name, name) if isinstance(name, str) else None
        type_ = self.model.types.get(known) if known is not None else None
        if type_ is None:
            near = did_you_mean(str(name), self.model.types)
            raise UnrecognisedEntityTypeError(f"There is no entity type {name!r}.{near}")
        return type_

    def hooks_of(self, type_: EntityType) -> list[Hooks]:
        """Return the hooks of *type_*, those of its bases first."""
        names = [*reversed(type_.bases), type_.name]
        return [hooks for name in names for hooks in self._hooks.get(name, ())]

    def settle_later(self, attempt: Callable[[], bool]) -> None:
        """Call *attempt* before the next query and at the end, until it returns True.

        Use this for work that needs an entity which a later operation may create.
        """
        self._unsettled.append((self.running, attempt))

    def settle(self) -> None:
        """Call the waiting attempts, as long as at least one of a round succeeds."""
        progress = True
        while self._unsettled and progress:
            waiting, self._unsettled = self._unsettled, []
            left = [one for one in waiting if not self._attempt(*one)]
            progress = len(left) < len(waiting)
            self._unsettled = left + self._unsettled

    def _attempt(self, origin: Optional[int], attempt: Callable[[], bool]) -> bool:
        """Return the result of *attempt*; its errors belong to the operation at *origin*."""
        running, self.running = self.running, origin
        try:
            return attempt()
        except SandboxError as error:
            self.blame(error, origin)
            raise
        finally:
            self.running = running

    def refer(self, wanted: Existence, where: str) -> None:
        """Require that *wanted* exists at the end; *where* names the reference in errors."""
        self.references.setdefault(wanted, {})[self.running] = where
        self.origins[wanted] = self.running

    def is_about(self, table: str, key: Key) -> None:
        """Record that the running operation creates or changes a row of *table*."""
        self.subjects.setdefault(self.running, []).append((table, key))

    def standing_references(self) -> Iterator[tuple[Existence, Optional[int], str]]:
        """Yield each required entity, the last operation with a reference to it, and the reference.

        Skip operations whose entities have all been deleted.
        """
        for wanted, places in self.references.items():
            for origin, where in reversed(places.items()):
                if not self._is_undone(origin):
                    yield wanted, origin, where
                    break

    def _is_undone(self, origin: Optional[int]) -> bool:
        subjects = self.subjects.get(origin) if self.going else None
        return bool(subjects) and self.going.issuperset(subjects or ())

    def blame(self, error: SandboxError, origin: Optional[int]) -> SandboxError:
        """Return *error*, assigned to the operation at *origin* if it has no operation yet."""
        if error.operation is None:
            error.operation = origin
        return error

    def answer_later(self, fill: Callable[[], None]) -> None:
        """Call *fill* at the end, to complete an answer with the values that the server set."""
        self._answers.append(fill)

    def complete_answers(self) -> None:
        """Call the functions of :meth:`answer_later`."""
        answers, self._answers = self._answers, []
        for fill in answers:
            fill()


def joined(*several: Mapping[str, tuple[Hooks, ...]]) -> dict[str, tuple[Hooks, ...]]:
    """Return the hooks of *several* modules by type, in the order of the modules."""
    found: dict[str, tuple[Hooks, ...]] = {}
    for hooks in several:
        for name, of_type in hooks.items():
            found[name] = (*found.get(name, ()), *of_type)
    return found


def new_id() -> str:
    """Return a new id for an entity."""
    return str(uuid.uuid4())
