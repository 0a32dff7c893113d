"""The query language: parse text to a tree, and print a tree as text.

This package knows only the grammar. :mod:`ftrack_like.sandbox.query` checks the names against the
schema and makes SQL from the tree.
"""

from __future__ import annotations

from ftrack_like.sandbox.language.errors import ExpressionError, did_you_mean
from ftrack_like.sandbox.language.operators import OPERATORS, Operator
from ftrack_like.sandbox.language.parser import parse, parse_path
from ftrack_like.sandbox.language.printer import to_text
from ftrack_like.sandbox.language.tree import (
    AGGREGATES,
    Aggregate,
    And,
    Compare,
    Criteria,
    Literal,
    Not,
    Or,
    Order,
    Part,
    Path,
    Query,
    Some,
    Within,
)

__all__ = [
    "AGGREGATES",
    "OPERATORS",
    "Aggregate",
    "And",
    "Compare",
    "Criteria",
    "ExpressionError",
    "Literal",
    "Not",
    "Operator",
    "Or",
    "Order",
    "Part",
    "Path",
    "Query",
    "Some",
    "Within",
    "did_you_mean",
    "parse",
    "parse_path",
    "to_text",
]
