"""The meaning of a request: two requests with equal meaning receive the same answer.

These things do not matter: the order of keys, of projections, and of the operands of ``and`` and
``or``; blanks and the case of keywords in an expression; how a value is quoted; the order of the
values of ``in``.

A client makes the ids of new entities, so they differ from run to run. They become placeholders,
numbered in the order in which the request has them.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

from ftrack_like.sandbox.language.errors import ExpressionError
from ftrack_like.sandbox.language.parser import parse
from ftrack_like.sandbox.language.printer import to_text
from ftrack_like.sandbox.language.tree import (
    And,
    Compare,
    Criteria,
    Literal,
    Not,
    Or,
    Query,
    Some,
    Within,
)

__all__ = ["IDENTIFIER", "READING", "Numbered", "meaning", "reads", "shown", "without_times"]

IDENTIFIER = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")

#: The actions that change nothing.
READING = frozenset({"query", "search", "query_schemas", "query_server_information"})

_LONGEST_SHOWN = 300


class Numbered:
    """Replaces the ids for which *is_new* is true by placeholders, which look like ids as well."""

    def __init__(self, is_new: Callable[[str], bool]) -> None:
        self._is_new = is_new
        #: The ids in the order of their placeholders.
        self.ids: list[str] = []

    def __call__(self, text: str) -> str:
        """Return *text* with placeholders."""
        return IDENTIFIER.sub(self._placeholder, text)

    def _placeholder(self, found: re.Match[str]) -> str:
        identifier = found.group()
        if not self._is_new(identifier):
            return identifier
        if identifier not in self.ids:
            self.ids.append(identifier)
        return f"00000000-0000-0000-0000-{self.ids.index(identifier) + 1:012}"


def reads(operation: Any) -> bool:
    """Return whether *operation* changes nothing on the server."""
    return isinstance(operation, dict) and operation.get("action") in READING


def meaning(operation: Any) -> str:
    """Return a text that is equal for operations with equal meaning."""
    if not isinstance(operation, dict):
        return json.dumps(operation, sort_keys=True)
    known = {name: _plain(value) for name, value in operation.items() if value is not None}
    if known.get("action") == "query_server_information":
        known.pop("values", None)
    if isinstance(known.get("expression"), str):
        known["expression"] = _expression(known["expression"])
    return json.dumps(known, sort_keys=True)


def without_times(text: str) -> str:
    """Return *text*, a meaning, with a placeholder for each date-time."""
    return _TIME.sub("$time", text)


def shown(operation: Any) -> str:
    """Return *operation* as a short text for people."""
    if isinstance(operation, dict) and isinstance(operation.get("expression"), str):
        text = f"{operation.get('action')} {operation['expression']!r}"
    elif isinstance(operation, dict):
        named = map(operation.get, ("action", "entity_type", "entity_key", "entity_data"))
        text = " ".join(
            each if isinstance(each, str) else json.dumps(each, sort_keys=True)
            for each in named
            if each
        )
    else:
        text = json.dumps(operation)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]} …"


def _plain(value: Any) -> Any:
    """Return *value* with lists of entities in one order: a collection has none."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        plain = [_plain(each) for each in value]
        if plain and all(isinstance(each, dict) and "__entity_type__" in each for each in plain):
            return sorted(plain, key=lambda each: json.dumps(each, sort_keys=True))
        return plain
    return value


def _expression(text: str) -> str:
    """Return the expression *text* in one spelling; one that cannot be parsed only loses blanks."""
    try:
        return to_text(_query(parse(text)))
    except ExpressionError:
        return " ".join(text.split())


def _query(query: Query) -> Query:
    """Return *query* with everything in one order that has no order."""
    projections = query.projections
    if projections is not None:
        projections = tuple(sorted(set(projections), key=to_text))
    criteria = None if query.criteria is None else _criteria(query.criteria)
    return dataclasses.replace(query, projections=projections, criteria=criteria)


def _criteria(node: Criteria) -> Criteria:
    """Return *node* with its operands and values in one order."""
    if isinstance(node, Compare):
        return dataclasses.replace(node, value=_literal(node.value))
    if isinstance(node, Within):
        if isinstance(node.values, Query):
            return dataclasses.replace(node, values=_query(node.values))
        values = sorted(set(map(_literal, node.values)), key=to_text)
        return dataclasses.replace(node, values=tuple(values))
    if isinstance(node, Some):
        inner = None if node.criteria is None else _criteria(node.criteria)
        return dataclasses.replace(node, criteria=inner)
    if isinstance(node, Not):
        return Not(_criteria(node.operand))
    kind = type(node)
    operands: list[Criteria] = []
    for each in map(_criteria, node.operands):
        operands += each.operands if isinstance(each, kind) else (each,)
    ordered = tuple(sorted(operands, key=to_text))
    return And(ordered) if isinstance(node, And) else Or(ordered)


def _literal(literal: Literal) -> Literal:
    """Return *literal* in quotes, unless it means NULL."""
    return literal if literal.null else dataclasses.replace(literal, quoted=True)
