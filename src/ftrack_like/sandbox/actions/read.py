"""The actions ``query`` and ``search``."""

from __future__ import annotations

from typing import Any

from ftrack_like.sandbox.actions.attributes import required_key
from ftrack_like.sandbox.actions.batch import Batch, Operation
from ftrack_like.sandbox.errors import ParseError, ValidationError
from ftrack_like.sandbox.language import ExpressionError
from ftrack_like.sandbox.storage.query import run_query

__all__ = ["query", "search"]


def query(operation: Operation, batch: Batch) -> Any:
    """Return the records that the expression of *operation* asks for."""
    expression = required_key(operation, "expression")
    if not isinstance(expression, str):
        raise ValidationError("The expression of a query is a text.")
    return _answer(batch, expression)


def search(operation: Operation, batch: Batch) -> Any:
    raise NotImplementedError


def _answer(batch: Batch, expression: Any) -> dict[str, Any]:
    batch.settle()
    batch.store.flush()
    try:
        result = run_query(batch.store.connection, batch.model, expression, batch.context)
    except ExpressionError as error:
        raise ParseError(str(error)) from error
    return {
        "action": "query",
        "data": result.records,
        "metadata": {"next": {"offset": result.next_offset}},
    }
