"""The targets of events: expressions over the metadata of subscribers."""

from __future__ import annotations

import functools

from ftrack_like._base.errors import ParseError
from ftrack_like.sandbox.events.clients import Matches, compile_bounded

__all__ = ["require_target", "target_matches"]

#: Longer targets (in characters) are compiled each time and not remembered.
REMEMBERED_TARGET = 1024


def require_target(target: str) -> None:
    """Raise ValueError if *target* is not an expression."""
    try:
        target_matches(target)
    except ParseError as error:
        raise ValueError(f"The target is invalid. {error}") from error


def target_matches(target: str) -> Matches:
    """Return what says whether the metadata of a subscriber match *target*.

    Raise :exc:`ValueError` or :exc:`~ftrack_like.exception.ParseError` if it is no expression.
    """
    short = len(target) <= REMEMBERED_TARGET
    return _remembered_target(target) if short else compile_bounded(target)[1]


@functools.lru_cache(maxsize=1024)
def _remembered_target(target: str) -> Matches:
    return compile_bounded(target)[1]
