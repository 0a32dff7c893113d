"""The actions ``query`` and ``search``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftrack_like.sandbox.actions.attributes import required_key
from ftrack_like.sandbox.actions.batch import Batch, Operation
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.errors import ParseError, ValidationError
from ftrack_like.sandbox.language import ExpressionError
from ftrack_like.sandbox.query.run import QueryPage, run_query
from ftrack_like.sandbox.query.search import run_search

__all__ = ["ACTIONS"]


def query(operation: Operation, batch: Batch) -> Any:
    """Return the records that match the expression of *operation*."""
    expression = _expression(operation)
    return _answer(
        batch,
        lambda: run_query(batch.store.connection, batch.model, expression, batch.context),
    )


def search(operation: Operation, batch: Batch) -> Any:
    """Return the records that match expression, terms, contexts and object types."""
    expression = _expression(operation)
    entity_type = operation.get("entity_type")
    if entity_type is not None and not isinstance(entity_type, str):
        raise ValidationError("The entity_type of a search must be the name of an entity type.")
    narrowing = {
        name: _texts(operation, name) for name in ("terms", "context_ids", "object_type_ids")
    }
    return _answer(
        batch,
        lambda: run_search(
            batch.store.connection,
            batch.model,
            expression,
            batch.context,
            entity_type=entity_type,
            **narrowing,
        ),
    )


def _expression(operation: Operation) -> str:
    expression = required_key(operation, "expression")
    if not isinstance(expression, str):
        raise ValidationError("The expression of a query must be a text.")
    return expression


def _texts(operation: Operation, name: str) -> list[str]:
    """Return the texts at *name* of *operation*; a single text becomes a list."""
    value = operation.get(name)
    values = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in values):
        raise ValidationError(f"{name!r} of a search must be a list of texts.")
    return values


def _answer(batch: Batch, run: Callable[[], QueryPage]) -> dict[str, Any]:
    """Return the records that *run* finds; it sees all changes of the batch so far."""
    batch.settle()
    batch.store.flush()
    _ = batch.rights  # reloads the rights if the batch changed them
    try:
        result = run()
    except ExpressionError as error:
        answered = ParseError(str(error))
        answered.position = error.position
        raise answered from error
    return {
        "action": "query",
        "data": result.records,
        "metadata": {"next": {"offset": result.next_offset}},
    }


ACTIONS = (
    ApiAction("query", query, reads=True),
    ApiAction("search", search, reads=True),
)
