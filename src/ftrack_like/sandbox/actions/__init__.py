"""What clients can ask for: one function for each action of the API.

:data:`ACTIONS` is the table of them. :func:`run_batch` runs the operations of a request in one
transaction: if one fails, none of them is applied.
"""

from __future__ import annotations

import itertools
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy.exc
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.actions import (
    assets,
    checks,
    components,
    contexts,
    custom_attributes,
    information,
    notes,
    people,
    permissions,
    read,
    remote,
    security,
    write,
)
from ftrack_like.sandbox.actions.batch import Batch, Hooks, Operation
from ftrack_like.sandbox.actions.store import Key
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
from ftrack_like.sandbox.storage.context import RequestContext
from ftrack_like.sandbox.storage.database import Database
from ftrack_like.sandbox.storage.deadline import Deadline, StatementTimeoutError, deadline
from ftrack_like.sandbox.storage.faults import first_line, remedy_for
from ftrack_like.sandbox.storage.permissions.rights import rights_of
from ftrack_like.sandbox.storage.refusals import refusal

__all__ = ["ACTIONS", "HOOKS", "READING", "Action", "open_batch", "run_batch"]

_LOGGER = logging.getLogger(__name__)

#: What an action is called with, and gives the result of the operation.
Action = Callable[[Operation, Batch], Any]

#: Every action by its name.
ACTIONS: dict[str, Action] = {
    "query_server_information": information.query_server_information,
    "query_schemas": information.query_schemas,
    **{name: getattr(read, name) for name in ("query", "search")},
    **{name: getattr(write, name) for name in ("create", "delete", "update")},
    **security.ACTIONS,
    **remote.ACTIONS,
}

#: The actions that do not write to the database: a batch of them alone keeps nobody waiting.
READING = {
    "complete_multipart_upload",
    "get_upload_metadata",
    "get_widget_url",
    "query",
    "query_schemas",
    "query_server_information",
    "search",
}

#: What an operation is expected to take, in seconds, before it is known what it takes. Queries can
#: be heavy; those of a batch that only reads keep nobody waiting.
_SECONDS_OF_READING = 1.0
_SECONDS_OF_WRITING = 0.001

#: What the server does by itself, by the name of a type.
HOOKS: Mapping[str, tuple[Hooks, ...]] = {
    **assets.HOOKS,
    **components.HOOKS,
    **contexts.HOOKS,
    **custom_attributes.HOOKS,
    **notes.HOOKS,
    **people.HOOKS,
}


def run_batch(
    database: Database,
    operations: Sequence[Operation],
    context: RequestContext,
    actions: Mapping[str, Action] = ACTIONS,
    seconds: float = Limits.batch_seconds,
) -> tuple[Batch, list[Any]]:
    """Run *operations* in one transaction; return the batch and a result for each, in order.

    *actions* is the table of what can be asked for. The transaction may take *seconds*, without
    the time that a batch waits for its turn to write; one that writes may take longer while no
    other writer waits.

    Raise :exc:`SandboxError` naming the operation that failed.
    """
    try:
        return _run_batch(database, operations, context, actions, seconds)
    except SandboxError as error:
        _place(error, operations)
        raise


def _run_batch(
    database: Database,
    operations: Sequence[Operation],
    context: RequestContext,
    actions: Mapping[str, Action],
    seconds: float,
) -> tuple[Batch, list[Any]]:
    reading = sum(one.get("action") in READING for one in operations)
    writing = len(operations) - reading
    expected = reading * _SECONDS_OF_READING + writing * _SECONDS_OF_WRITING
    transaction = database.write(context.user_id, expected) if writing else database.read()
    alone = database.turns.is_free if writing else None
    try:
        with transaction as connection, deadline(connection, seconds, alone) as end:
            batch = open_batch(connection, context)
            _prefetch(batch, operations)
            results = _run_all(batch, actions, operations, end)
            end.check()
            batch.settle()
            checks.check(batch)
            permissions.check(batch)
            batch.store.flush()
            batch.complete_answers()
            end.check()
            return batch, results
    except StatementTimeoutError as error:
        raise BatchTimeoutError(
            f"The batch takes {error}, and was ended; none of it is applied. Send fewer or lighter "
            f"operations at a time, or start the sandbox with a larger --batch-seconds."
        ) from error
    except UnicodeEncodeError as error:
        raise ValidationError(f"Half of a surrogate pair is no text: {error.object!r}.") from error
    except sqlalchemy.exc.DataError as error:
        raise ValidationError(f"The database cannot keep this: {first_line(error)}.") from error
    except sqlalchemy.exc.IntegrityError as error:
        raise _translate(error) from error
    except sqlalchemy.exc.DBAPIError as error:
        refused = refusal(error)
        if refused is not None:
            raise ValidationError(f"The database cannot keep this: {refused}.") from error
        happened = remedy_for(first_line(error))
        if happened is None:
            raise
        _LOGGER.error("The database failed: %s.", first_line(error))
        raise StorageError(
            f"Nothing was saved: {happened[0]} where the sandbox keeps its data. {happened[1]}."
        ) from error


def open_batch(connection: Connection, context: RequestContext) -> Batch:
    """Return a new batch in the transaction of *connection*, with the rights of its user."""
    if not context.unrestricted and context.rights is None:
        context = replace(context, rights=rights_of(connection, context.user_id))
    return Batch(connection, context, HOOKS)


def _prefetch(batch: Batch, operations: Sequence[Operation]) -> None:
    """Read what *operations* name by their keys, by few statements for many of them."""
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
    batch: Batch, actions: Mapping[str, Action], operations: Sequence[Operation], end: Deadline
) -> list[Any]:
    """Return the results of *operations*; deletions that follow each other are run together.

    Raise :exc:`StatementTimeoutError` after *end*.
    """
    results: list[Any] = []
    for deletes, group in itertools.groupby(operations, _deletes):
        end.check()
        if deletes:
            results += _run_deletions(batch, len(results), list(group))
        else:
            for operation in group:
                end.check()
                results.append(_run(batch, actions, len(results), operation))
    return results


def _deletes(operation: Operation) -> bool:
    return operation.get("action") == "delete"


def _run_deletions(batch: Batch, first: int, operations: Sequence[Operation]) -> list[Any]:
    """Return the results of *operations*, all of which delete, from number *first* on."""
    batch.running = first
    try:
        return write.delete_all(operations, batch)
    except SandboxError as error:
        batch.blame(error, batch.running)
        raise
    finally:
        batch.running = None


def _run(batch: Batch, actions: Mapping[str, Action], index: int, operation: Operation) -> Any:
    name = operation.get("action")
    action = actions.get(name) if isinstance(name, str) else None
    batch.running = index
    try:
        if action is None:
            raise InvalidActionError(f"Invalid action u'{name}'")
        permissions.check_action(operation, batch)
        return action(operation, batch)
    except SandboxError as error:
        batch.blame(error, index)
        raise
    finally:
        batch.running = None


def _place(error: SandboxError, operations: Sequence[Operation]) -> None:
    """Let *error* say which of *operations* it is about, if that is known."""
    if error.operation is None and len(operations) == 1:
        error.operation = 0
    if error.operation is None:
        return
    operation = operations[error.operation]
    if error.operation or operation.get("entity_type"):
        about = " ".join(str(operation.get(key) or "") for key in ("action", "entity_type"))
        # A caret under a mistake keeps its line.
        first, newline, rest = error.content.partition("\n")
        where = f"(operation {error.operation}: {about.strip()})"
        error.content = f"{first} {where}{newline}{rest}"


def _translate(error: sqlalchemy.exc.IntegrityError) -> SandboxError:
    """Return what the database refused in the words of the protocol."""
    text = first_line(error)
    if "not null" in text.lower() or "not-null" in text.lower():
        return ValidationError(f"A required attribute has no value: {text}.")
    if "unique" in text.lower():
        return DuplicateEntryError(f"DuplicateEntry: {text}.")
    return IntegrityError(f"The change would leave something pointing at nothing: {text}.")
