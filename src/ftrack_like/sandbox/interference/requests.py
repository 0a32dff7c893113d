"""Requests in words, for the messages of tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["SeenOperation", "SeenRequest", "read_seen"]

#: The maximum number of operations to list, and the maximum length of an expression in characters.
_LISTED = 10
_LENGTH = 200


@dataclass(frozen=True)
class SeenOperation:
    """An operation of a batch: its *action*, and *words* that describe it."""

    action: str
    words: str


@dataclass(frozen=True)
class SeenRequest:
    """A request that the server received; *operations* are those of a batch."""

    method: str
    path: str
    operations: tuple[SeenOperation, ...] = ()

    def __str__(self) -> str:
        """Return the request in one line."""
        listed = [one.words for one in self.operations[:_LISTED]]
        left = len(self.operations) - len(listed)
        listed += [f"and {left} more"] if left else []
        return f"{self.method} {self.path}" + (f": {'; '.join(listed)}" if listed else "")

    def has(self, action: str) -> bool:
        """Return whether an operation of the request is *action*, such as ``query``."""
        return any(one.action == action for one in self.operations)


def read_seen(method: str, path: str, body: bytes) -> SeenRequest:
    """Return the request with the operations in *body*, the JSON of a batch."""
    try:
        batch = json.loads(body)
    except ValueError:
        return SeenRequest(method, path)
    operations = batch if isinstance(batch, list) else [batch]
    seen = tuple(_describe(one) for one in operations if isinstance(one, Mapping))
    return SeenRequest(method, path, seen)


def _describe(operation: Mapping[str, Any]) -> SeenOperation:
    action = str(operation.get("action", "?"))
    expression = operation.get("expression")
    if isinstance(expression, str):
        short = expression if len(expression) <= _LENGTH else f"{expression[:_LENGTH]}…"
        return SeenOperation(action, f"{action} '{short}'")
    entity_type = operation.get("entity_type")
    return SeenOperation(action, f"{action} {entity_type}" if entity_type else action)
