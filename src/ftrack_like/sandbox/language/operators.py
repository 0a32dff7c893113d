"""The operators of the query language. Each operator is declared once, here.

The parser reads spellings and form, the compiler to SQL reads the meaning. A new comparison needs
no further code if one of the meanings fits: a test of two values, or a pattern.
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
    """One operator.

    *name* is the canonical spelling, *others* are further spellings, *foreign* are spellings of
    other languages, which the parser reports with a hint. *negated* operators hold for known values
    for which their contrary does not hold.

    A comparison has one of two meanings. *test* is a function of the attribute's value and the
    written value. *pattern* turns the written text into a pattern for ``LIKE``, in which a
    backslash escapes ``%``, ``_`` and itself. *equality* operators compare without an order: they
    also apply to references and to none.

    A quantifier applies to one kind of relation, *over* a ``collection`` or a ``reference``.
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

#: Every operator by each of its spellings.
OPERATORS: Mapping[str, Operator] = {
    spelling: one for one in _ALL for spelling in (one.name, *one.others)
}

#: Spellings of other languages: those of this one.
FOREIGN: Mapping[str, str] = {
    spelling: next(own for own in (one.name, *one.others) if not own.isidentifier())
    for one in _ALL
    for spelling in one.foreign
}

#: Spellings that people write as two words: those of this language.
TWO_WORDS: Mapping[str, str] = {
    spelling.replace("_", " "): spelling for spelling in OPERATORS if "_" in spelling
}

#: All spellings that are not words, the longest first.
SYMBOLS: tuple[str, ...] = tuple(
    sorted((one for one in (*OPERATORS, *FOREIGN) if not one.isidentifier()), key=len, reverse=True)
)
