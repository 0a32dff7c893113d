"""Event expressions, under their public name; :mod:`ftrack_like.wire.expression` defines them.

An expression is made of conditions, `key.path OP value` with OP one of `= != >= <= > <`, joined
by `and`, `or`, `not` and parentheses.
"""

from __future__ import annotations

from ftrack_like.wire.expression import (
    All,
    Any,
    Condition,
    Expression,
    Not,
    Parser,
    compile_expression,
    topics_of,
)

__all__ = [
    "All",
    "Any",
    "Condition",
    "Expression",
    "Not",
    "Parser",
    "compile_expression",
    "topics_of",
]
