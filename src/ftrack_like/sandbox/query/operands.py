"""The left side of a comparison, and the SQL that compares it with the written value.

All conditions from this module are false or NULL if the value is NULL. The caller handles
comparisons with ``none``; see :mod:`ftrack_like.sandbox.query.conditions`.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from sqlalchemy import Text, and_, cast, false, literal, or_

from ftrack_like.sandbox.database.sql import (
    Expression,
    any_of,
    fold,
    folded,
    like,
    member_of,
    negation,
)
from ftrack_like.sandbox.language import Operator
from ftrack_like.sandbox.tables.values import READERS, read_moment, to_number

__all__ = ["Operand", "UnreadableValueError", "Variable"]

#: A comparison of two values, such as ``operator.eq``.
_Test = Callable[[Any, Any], Any]

#: The most values for which an ``in`` also looks into lists of choices. Each costs a ``LIKE``.
_MAXIMUM_CHOICES = 100


class UnreadableValueError(ValueError):
    """The value cannot be compared with *text*. *expected* describes the valid texts."""

    def __init__(self, text: str, expected: str) -> None:
        super().__init__(f"{text!r} is not {expected}")
        self.text = text
        self.expected = expected


@dataclass(frozen=True)
class Operand:
    """A value in a statement: its SQL *expression* and its *kind*.

    :func:`~ftrack_like.sandbox.tables.values.kind_of` lists the kinds.
    """

    expression: Expression
    kind: str

    def sorting(self) -> Expression:
        """Return the expression by which to sort and group. It ignores the case of texts."""
        return folded(self.expression) if self.kind == "text" else self.expression

    def known(self) -> Expression:
        """Return the condition that the value is not NULL."""
        return self.expression.is_not(None)

    def compare(self, how: Operator, text: str) -> Expression:
        """Return the condition that compares the value with *text* by the comparison *how*.

        Raise :exc:`UnreadableValueError` if *text* is not of the value's kind.
        """
        if how.pattern is not None:
            return self._maybe_not(how, like(self._as_text(text), how.pattern(text)))
        assert how.test is not None, how
        bound = self._read(text)
        if self.kind == "text":
            return _compare_text(how.test, self.expression, bound)
        if self.kind == "boolean" and not how.equality:
            # A bound parameter, because SQLAlchemy cannot order the constants true and false.
            bound = literal(bound)
        return _condition(how.test(self.expression, bound))

    def _maybe_not(self, how: Operator, found: Expression) -> Expression:
        """Return *found*. If *how* is negated, return that the value is known and not *found*."""
        return and_(self.known(), negation(found)) if how.negated else found

    def one_of(self, texts: Sequence[str]) -> Expression:
        """Return the condition that the value is one of *texts*.

        Raise :exc:`UnreadableValueError` if one of *texts* is not of the value's kind.
        """
        bound = [self._read(text) for text in texts]
        if not bound:
            return false()
        if self.kind == "text":
            return _text_among(self.expression, bound)
        if self.kind == "boolean":
            return _condition(self.expression.in_(bound))
        return member_of(self.expression, bound)

    def _read(self, text: str) -> Any:
        reader, expected = READERS[self.kind]
        try:
            return reader(text)
        except ValueError:
            raise UnreadableValueError(text, expected) from None

    def _as_text(self, text: str) -> Expression:
        if self.kind in ("boolean", "flag"):
            raise UnreadableValueError(text, READERS[self.kind][1])
        return cast(self.expression, Text()) if self.kind == "number" else self.expression


@dataclass(frozen=True)
class Variable(Operand):
    """A value whose type varies by row: a custom attribute value.

    The value is either the text *expression* or the *number*; the other is NULL. *type_name* is
    the name of the value's type. A text is a date only if the name is ``date``.
    """

    number: Expression
    type_name: Expression

    def known(self) -> Expression:
        """Return the condition that the value is not NULL."""
        return or_(self.expression.is_not(None), self.number.is_not(None))

    def compare(self, how: Operator, text: str) -> Expression:
        """Return the condition that compares the value with *text*, as a text or a number."""
        if how.pattern is not None:
            return self._maybe_not(how, like(self.expression, how.pattern(text)))
        if how.equality:
            return self._maybe_not(how, self.one_of([text]))
        assert how.test is not None, how
        alternatives = [self._compare_texts(how.test, text)]
        number = _number(text)
        if number is not None:
            alternatives.append(_condition(how.test(self.number, number)))
        return any_of(alternatives)

    def _compare_texts(self, test: _Test, text: str) -> Expression:
        moment = _moment(text)
        plain = _compare_text(test, self.expression, text)
        if moment is None:
            return plain
        is_date = self.type_name == "date"
        return or_(
            and_(is_date, _compare_text(test, self.expression, moment)),
            and_(negation(is_date), plain),
        )

    def one_of(self, texts: Sequence[str]) -> Expression:
        """Return the condition that the value is one of *texts*, or a list that contains one."""
        if not texts:
            return false()
        alternatives = [_text_among(self.expression, texts)]
        numbers = [number for number in map(_number, texts) if number is not None]
        if numbers:
            alternatives.append(member_of(self.number, numbers))
        moments = [moment for moment in map(_moment, texts) if moment is not None]
        if moments:
            alternatives.append(and_(self.type_name == "date", member_of(self.expression, moments)))
        alternatives += [self._chosen(text) for text in texts[:_MAXIMUM_CHOICES]]
        return any_of(alternatives)

    def _chosen(self, text: str) -> Expression:
        """Return the condition that the value is a list (JSON) that contains *text*."""
        item = json.dumps(text).replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        is_list = or_(self.type_name.like("%enumerator"), self.type_name == "url")
        return and_(is_list, like(self.expression, f"[%{item}%]"))


def _compare_text(test: _Test, expression: Expression, text: str) -> Expression:
    bound = literal(fold(text), Text())
    return _condition(test(folded(expression, fold(text)), bound))


def _text_among(expression: Expression, texts: Sequence[str]) -> Expression:
    lowered = [fold(text) for text in texts]
    if len(lowered) == 1:
        return _compare_text(operator.eq, expression, lowered[0])
    return member_of(folded(expression, *lowered), lowered)


def _number(text: str) -> Optional[float]:
    """Return *text* as a number (true is 1, false is 0), or None if it is not one."""
    folded_text = text.strip().lower()
    if folded_text in ("true", "false"):
        return float(folded_text == "true")
    try:
        return float(to_number(folded_text))
    except ValueError:
        return None


def _moment(text: str) -> Optional[str]:
    try:
        return read_moment(text)
    except ValueError:
        return None


def _condition(result: Any) -> Expression:
    """Return the *result* of an operator. Its type hints do not say that it is SQL."""
    expression: Expression = result
    return expression
