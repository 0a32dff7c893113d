"""The registry of API actions. Each action is declared once, next to its implementation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ftrack_like.sandbox.actions.batch import Batch, Operation

__all__ = ["ApiAction", "by_name"]


@dataclass(frozen=True)
class ApiAction:
    """One API action.

    *name* is the ``action`` of its operations. *run* performs one operation and returns its result.
    *reads* says that *run* never writes to the database: a batch of such actions takes no write
    lock. *rule* runs before *run* if the user's rights are limited, and raises
    :exc:`~ftrack_like.sandbox.errors.PermissionDeniedError` to refuse the operation. Without a rule
    every user may run the action. *run_together* performs consecutive operations of the action at
    once and returns their results in order. It keeps ``batch.running`` at the index of the
    operation that it performs, for errors.
    """

    name: str
    run: Callable[[Operation, Batch], Any]
    reads: bool = False
    rule: Optional[Callable[[Operation, Batch], None]] = None
    run_together: Optional[Callable[[Sequence[Operation], Batch], list[Any]]] = None


def by_name(*groups: Iterable[ApiAction]) -> dict[str, ApiAction]:
    """Return all actions of *groups* by name; raise :exc:`ValueError` if two have one name."""
    actions: dict[str, ApiAction] = {}
    for group in groups:
        for action in group:
            if action.name in actions:
                raise ValueError(f"Two API actions are named {action.name!r}.")
            actions[action.name] = action
    return actions
