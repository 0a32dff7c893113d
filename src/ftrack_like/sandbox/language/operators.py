"""The operators of the query language. This module is the only place that declares them.

The parser uses the spellings and the form, and the query compiler the meaning. To add a comparison,
add it here. It needs no other code if its meaning is a test of two values or a pattern.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Optional

__all__ = ["FOREIGN", "OPERATORS", "SYMBOLS", "TWO_WORDS", "Form", "Operator"]


class Form(enum.Enum):
    """The text that follows an operator."""

    COMPARISON = "a value"
    MEMBERSHIP = "values, or a query, in parentheses"
    QUANTIFIER = "criteria in parentheses"


@dataclass(frozen=True)
class Operator:
    """An operator.

    *name* is the canonical spelling, *others* are further spellings. *foreign* are spellings of
    other languages; the parser rejects them and suggests the right one. A *negated* operator is
    true if the value is not NULL and the opposite operator is false.

    A comparison has either a *test* or a *pattern*. *test* is a function of the attribute's value
    and the written value. *pattern* converts the written text to a pattern for ``LIKE``, in which
    a backslash escapes ``%``, ``_`` and itself. An *equality* operator does not need an order, so
    it can also compare references and none.

    A quantifier applies *over* one kind of relation: ``collection`` or ``reference``.
    """

    name: str
    others: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    form: Form = Form.COMPARISON
    negated: bool = False
    test: Optional[Callable[[Any, Any], Any]] = None
    pattern: Optional[Callable[[str], str]] = None
    equality: bool = False
    over: str = ""


_ALL = (
    Operator("is", ("=",), ("==",), test=operator.eq, equality=True),
    Operator("is_not", ("!=",), ("<>",), test=operator.ne, equality=True, negated=True),
    Operator(">", ("after", "greater_than"), test=operator.gt),
    Operator("<", ("before", "less_than"), test=operator.lt),
    Operator(">=", foreign=("=>",), test=operator.ge),
    Operator("<=", foreign=("=<",), test=operator.le),
    Operator("like", pattern=str),
    Operator("not_like", pattern=str, negated=True),
    Operator("in", form=Form.MEMBERSHIP),
    Operator("not_in", form=Form.MEMBERSHIP, negated=True),
    Operator("any", form=Form.QUANTIFIER, over="collection"),
    Operator("has", form=Form.QUANTIFIER, over="reference"),
)

#: The operators by each of their spellings.
OPERATORS: Mapping[str, Operator] = {
    spelling: one for one in _ALL for spelling in (one.name, *one.others)
}

#: The equivalents of the spellings of other languages.
FOREIGN: Mapping[str, str] = {
    spelling: next(own for own in (one.name, *one.others) if not own.isidentifier())
    for one in _ALL
    for spelling in one.foreign
}

#: The operators by the two words as which users often write them.
TWO_WORDS: Mapping[str, str] = {
    spelling.replace("_", " "): spelling for spelling in OPERATORS if "_" in spelling
}

#: All spellings that are not words, the longest first.
SYMBOLS: tuple[str, ...] = tuple(
    sorted((one for one in (*OPERATORS, *FOREIGN) if not one.isidentifier()), key=len, reverse=True)
)
