"""A subscription: an expression, and the topics that it can possibly be about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ftrack_like.event import expression as event_expression

__all__ = ["Subscription", "Topics"]


class Topics(NamedTuple):
    """The topics that an expression can match: the *exact* ones and those beginning so."""

    exact: frozenset[str]
    prefixes: frozenset[str]


class Subscription:
    """Represent a subscription."""

    parser = event_expression.Parser()

    def __init__(self, subscription: str) -> None:
        """Initialise with the text *subscription*, such as `"topic=ftrack.update"`.

        Raise :exc:`~ftrack_like.exception.ParseError` if it breaks the rules of expressions.
        """
        self._subscription = subscription
        self._expression = self.parser.parse(subscription)
        self._matcher = event_expression.compile_expression(self._expression)

    def __str__(self) -> str:
        """Return the subscription as it was written."""
        return self._subscription

    @property
    def topics(self) -> Optional[Topics]:
        """Return the topics that the subscription can be about; None means any topic."""
        return _topics(self._expression)

    def includes(self, event: Mapping[str, Any]) -> bool:
        """Return whether *event* is one that the subscription asks for."""
        return self._matcher(event)


def _topics(expression: event_expression.Expression) -> Optional[Topics]:
    """Return a bound on the topics that *expression* can match, or None where there is none."""
    kind = type(expression)
    if kind is event_expression.Condition:
        return _condition_topics(expression)
    if kind not in (event_expression.All, event_expression.Any):
        return None
    bounds = [_topics(member) for member in expression._expressions]  # type: ignore[attr-defined]
    known = [bound for bound in bounds if bound is not None]
    if kind is event_expression.All:
        return min(known, key=_looseness, default=None)
    if len(known) < len(bounds):
        return None
    return Topics(
        frozenset().union(*(bound.exact for bound in known)),
        frozenset().union(*(bound.prefixes for bound in known)),
    )


def _condition_topics(expression: Any) -> Optional[Topics]:
    comparison = event_expression.OPERATORS["="]
    value = expression._value
    if (expression._key, expression._operator) != ("topic", comparison) or not value:
        return None
    if value.endswith("*"):
        return Topics(frozenset(), frozenset([value[:-1]]))
    return Topics(frozenset([value]), frozenset())


def _looseness(topics: Topics) -> tuple[int, int]:
    return len(topics.prefixes), len(topics.exact)
