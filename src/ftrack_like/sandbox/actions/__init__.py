"""The actions of the API, and :func:`run_batch`, which runs the operations of a request.

An action, such as ``query`` or ``update``, is the kind of an operation. :data:`ACTIONS` contains
the actions that need only the database; ``sandbox.media``, ``sandbox.invites`` and
``sandbox.widget_url`` declare more. All operations of a request run in one transaction: if one
fails, the server applies none.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Optional

import sqlalchemy.exc
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.access.rights import rights_of
from ftrack_like.sandbox.actions import (
    activity,
    assets,
    authorize,
    checks,
    components,
    contexts,
    custom_attributes,
    information,
    notes,
    object_types,
    people,
    permissions,
    pictures,
    read,
    remote,
    review_sessions,
    security,
    temp_data,
    write,
)
from ftrack_like.sandbox.actions.batch import Batch, Hooks, Operation, joined
from ftrack_like.sandbox.actions.registry import ApiAction, by_name
from ftrack_like.sandbox.actions.store import Key
from ftrack_like.sandbox.auth import check_again
from ftrack_like.sandbox.database.deadline import StatementDeadline, StatementTimeoutError, deadline
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.faults import first_line, remedy_for
from ftrack_like.sandbox.database.outages import is_outage
from ftrack_like.sandbox.database.refusals import refusal
from ftrack_like.sandbox.database.repeats import is_passing, repeated
from ftrack_like.sandbox.errors import (
    BatchTimeoutError,
    DuplicateEntryError,
    IntegrityError,
    InvalidActionError,
    SandboxError,
    StorageError,
    ValidationError,
)
from ftrack_like.sandbox.limits import Limits

__all__ = ["ACTIONS", "HOOKS", "open_batch", "run_batch"]

_LOGGER = logging.getLogger(__name__)

#: The actions that need only the database, by name.
ACTIONS: Mapping[str, ApiAction] = by_name(
    information.ACTIONS,
    read.ACTIONS,
    write.ACTIONS,
    security.ACTIONS,
    remote.ACTIONS,
    authorize.ACTIONS,
)

#: The estimated durations of an operation that reads and of one that writes, in seconds. Batches
#: that write wait for their turn, and longer batches let shorter ones pass (``database.turns``).
#: The real duration is unknown before. A query can be slow, so it counts much more than a change.
_SECONDS_OF_READING = 1.0
_SECONDS_OF_WRITING = 0.001

#: The rules of the server for new, changed and deleted entities, by the name of the type.
HOOKS: Mapping[str, tuple[Hooks, ...]] = joined(
    assets.HOOKS,
    components.HOOKS,
    contexts.HOOKS,
    custom_attributes.HOOKS,
    notes.HOOKS,
    object_types.HOOKS,
    people.HOOKS,
    pictures.HOOKS,
    review_sessions.HOOKS,
    temp_data.HOOKS,
    activity.HOOKS,
)


def run_batch(
    database: Database,
    operations: Sequence[Operation],
    context: RequestContext,
    actions: Mapping[str, ApiAction] = ACTIONS,
    limits: Optional[Limits] = None,
    hooks: Mapping[str, tuple[Hooks, ...]] = HOOKS,
    before_commit: Optional[Callable[[Batch], None]] = None,
    at_end: Sequence[Callable[[Batch], None]] = (),
) -> tuple[Batch, list[Any]]:
    """Run *operations* in one transaction; return the batch and a result for each, in order.

    *actions* are the available actions by name. *limits* bound the time of the transaction; waiting
    for the turn to write does not count. A batch that writes may take longer while no other batch
    waits to write. They also say how many events of the activity are kept. *hooks* are the rules by
    the name of the type. *before_commit* is called in the transaction, after the checks, and
    *at_end* when all rows are written.

    Raise :exc:`SandboxError` if an operation fails. The error contains the index of the operation.
    """
    allowed = limits or Limits()
    try:
        return repeated(
            lambda: _run_batch(
                database, operations, context, actions, allowed, hooks, before_commit, at_end
            )
        )
    except SandboxError as error:
        _place(error, operations)
        raise


def _run_batch(
    database: Database,
    operations: Sequence[Operation],
    context: RequestContext,
    actions: Mapping[str, ApiAction],
    limits: Limits,
    hooks: Mapping[str, tuple[Hooks, ...]],
    before_commit: Optional[Callable[[Batch], None]],
    at_end: Sequence[Callable[[Batch], None]],
) -> tuple[Batch, list[Any]]:
    reading = sum(_reads(actions, one) for one in operations)
    writing = len(operations) - reading
    expected = reading * _SECONDS_OF_READING + writing * _SECONDS_OF_WRITING
    transaction = database.write(context.user_id, expected) if writing else database.read()
    with (
        _explained_failures(),
        transaction as connection,
        _time_limit(database, connection, limits, writing) as end,
    ):
        batch = open_batch(connection, context, hooks)
        _prefetch(batch, operations)
        results = _run_all(batch, actions, operations, end)
        end.check()
        batch.settle()
        checks.check(batch)
        permissions.check(batch)
        if before_commit is not None:
            before_commit(batch)
        activity.write_activity(batch, limits.activity_events)
        batch.store.flush()
        for storing in at_end:
            storing(batch)
        batch.complete_answers()
        end.check()
        return batch, results


@contextlib.contextmanager
def _explained_failures() -> Iterator[None]:
    """Turn the errors of the database in the block into errors for the client."""
    try:
        yield
    except StatementTimeoutError as error:
        raise BatchTimeoutError(
            f"The sandbox stopped the batch because it takes {error}. No operation was applied. "
            "Send fewer or lighter operations at a time, or start the sandbox with a larger "
            "--batch-seconds."
        ) from error
    except UnicodeEncodeError as error:
        raise ValidationError(
            f"The text contains half of a surrogate pair: {error.object!r}."
        ) from error
    except sqlalchemy.exc.DataError as error:
        raise ValidationError(
            f"The database cannot store this value: {first_line(error)}."
        ) from error
    except sqlalchemy.exc.IntegrityError as error:
        raise _translate(error) from error
    except sqlalchemy.exc.DBAPIError as error:
        if is_passing(error) or is_outage(error):
            raise
        refused = refusal(error)
        if refused is not None:
            raise ValidationError(f"The database cannot store this value: {refused}.") from error
        happened = remedy_for(first_line(error))
        if happened is None:
            raise
        _LOGGER.error("The database failed: %s.", first_line(error))
        raise StorageError(
            f"Nothing was saved: {happened[0]} where the sandbox keeps its data. {happened[1]}."
        ) from error


def _time_limit(
    database: Database, connection: Connection, limits: Limits, writing: int
) -> AbstractContextManager[StatementDeadline]:
    """Return the time limit for a batch with *writing* operations that write."""
    if not writing:
        return deadline(connection, limits.batch_seconds)
    alone = functools.partial(database.nobody_waits_to_write, connection)
    return deadline(connection, limits.batch_seconds, alone)


def open_batch(
    connection: Connection,
    context: RequestContext,
    hooks: Mapping[str, tuple[Hooks, ...]] = HOOKS,
) -> Batch:
    """Return a new batch in the transaction of *connection*, with the rights of its user.

    Raise :exc:`InvalidCredentialsError` if the account of the user has ended.
    """
    if context.has_account:
        unrestricted = check_again(connection, context.user_id, context.key_digest)
        context = replace(context, unrestricted=unrestricted)
    if not context.unrestricted and context.rights is None:
        context = replace(context, rights=rights_of(connection, context.user_id))
    return Batch(connection, context, hooks)


def _prefetch(batch: Batch, operations: Sequence[Operation]) -> None:
    """Read the rows that *operations* name by their keys into the store, table by table.

    Otherwise each operation would read its row with a separate statement.
    """
    keys: dict[str, list[Key]] = defaultdict(list)
    for one in operations:
        type_ = batch.model.types.get(str(one.get("entity_type")))
        key = one.get("entity_key")
        if type_ is not None and isinstance(key, list) and len(key) == 1:
            keys[type_.table] += [(value,) for value in key if isinstance(value, str)]
    for table, wanted in keys.items():
        if len(wanted) > 1:
            batch.store.prefetch(table, wanted)


def _run_all(
    batch: Batch,
    actions: Mapping[str, ApiAction],
    operations: Sequence[Operation],
    end: StatementDeadline,
) -> list[Any]:
    """Return the results of *operations*, in order.

    Raise :exc:`StatementTimeoutError` after *end*.
    """
    results: list[Any] = []
    for name, group in itertools.groupby(operations, _name_of):
        end.check()
        action = actions.get(name)
        if action is not None and action.run_together is not None:
            results += _run(batch, len(results), action, list(group))
            continue
        for operation in group:
            end.check()
            results += _run(batch, len(results), action, [operation])
    return results


def _name_of(operation: Operation) -> str:
    """Return the name of the action of *operation*, an empty text if that is not a text."""
    name = operation.get("action")
    return name if isinstance(name, str) else ""


def _reads(actions: Mapping[str, ApiAction], operation: Operation) -> bool:
    action = actions.get(_name_of(operation))
    return action is not None and action.reads


def _run(
    batch: Batch, first: int, action: Optional[ApiAction], operations: Sequence[Operation]
) -> list[Any]:
    """Return the results of *operations*, which all have the *action*.

    *first* is the index of the first operation in the batch. An error names the failed operation.
    """
    batch.running = first
    try:
        if action is None:
            raise InvalidActionError(f"Invalid action u'{operations[0].get('action')}'")
        if batch.rights is not None and action.rule is not None:
            for batch.running, operation in enumerate(operations, first):
                action.rule(operation, batch)
            batch.running = first
        if action.run_together is not None:
            return action.run_together(operations, batch)
        return [action.run(operation, batch) for operation in operations]
    except SandboxError as error:
        batch.blame(error, batch.running)
        raise
    finally:
        batch.running = None


def _place(error: SandboxError, operations: Sequence[Operation]) -> None:
    """Add index, action and type of the failed operation to the text of *error*, if known."""
    if error.operation is None and len(operations) == 1:
        error.operation = 0
    if error.operation is None:
        return
    operation = operations[error.operation]
    if error.operation or operation.get("entity_type"):
        about = " ".join(str(operation.get(key) or "") for key in ("action", "entity_type"))
        # Extend the first line only: a caret below it must stay in its column.
        first, newline, rest = error.content.partition("\n")
        where = f"(operation {error.operation}: {about.strip()})"
        error.content = f"{first} {where}{newline}{rest}"


def _translate(error: sqlalchemy.exc.IntegrityError) -> SandboxError:
    """Return the API error for a violated constraint of the database."""
    text = first_line(error)
    if "not null" in text.lower() or "not-null" in text.lower():
        return ValidationError(f"A required attribute has no value: {text}.")
    if "unique" in text.lower():
        return DuplicateEntryError(f"DuplicateEntry: {text}.")
    return IntegrityError(f"The change would leave a reference to a missing row: {text}.")
