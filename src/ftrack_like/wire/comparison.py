"""How the values of an event compare with the text of a condition.

The type of the event's value decides:

* A number compares with a number, and a boolean with `true` or `false`.
* Text compares with text. For an order (`>`, `<=` …), digits compare as whole numbers, and
  versions compare part by part, so `3.10.1` comes after `v3.9`.
* A comparison that is impossible is false.
"""

from __future__ import annotations

import operator as operators
import re
from typing import Any, Callable, Optional, Union

__all__ = ["OPERATORS", "Comparison", "comparable", "compares_plainly", "tester"]

Comparison = Callable[[Any, Any], bool]

OPERATORS: dict[str, Comparison] = {
    "=": operators.eq,
    "!=": operators.ne,
    ">=": operators.ge,
    "<=": operators.le,
    ">": operators.gt,
    "<": operators.lt,
}

#: The operators that support the star, and their result for a value with the prefix.
_PREFIX_SENSE: dict[Comparison, bool] = {operators.eq: True, operators.ne: False}


def compares_plainly(comparison: Comparison, value: object) -> bool:
    """Return whether text passes exactly when it is equal to *value*."""
    return comparison is operators.eq and isinstance(value, str) and not value.endswith("*")


def tester(comparison: Comparison, value: object) -> Callable[[object], bool]:
    """Return a function that compares a value of an event with *value* and returns the result."""
    if isinstance(value, str) and value.endswith("*") and comparison in _PREFIX_SENSE:
        prefix, wanted = value[:-1], _PREFIX_SENSE[comparison]
        return lambda found: _begins(found, prefix) is wanted

    def test(found: object) -> bool:
        try:
            left, right = comparable(found, value, ordered=comparison not in _PREFIX_SENSE)
            return bool(comparison(left, right))
        except TypeError:
            return False

    if compares_plainly(comparison, value):
        return lambda found: found == value or (not isinstance(found, str) and test(found))
    return test


def _begins(found: object, prefix: str) -> bool:
    if isinstance(found, str):
        return found.startswith(prefix)
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        return str(found).startswith(prefix)
    return False


_WHOLE = re.compile(r"[+-]?[0-9]{1,300}\Z")
_VERSION = re.compile(r"[vV]?([0-9]{1,18}(?:\.[0-9]{1,18}){0,15})([-.]?[A-Za-z][A-Za-z0-9.-]*)?\Z")
_RUNS = re.compile(r"[0-9]+|[^0-9]+")


def comparable(found: object, value: object, ordered: bool) -> tuple[object, object]:
    """Return *found* and *value* converted to types that compare sensibly.

    *found* comes from an event, *value* from an expression. *ordered* is true for operators that
    ask for an order. Comparing the pair may still raise :exc:`TypeError`.
    """
    if not isinstance(value, str):
        return found, value
    if isinstance(found, bool):
        return found, _truth(value)
    if isinstance(found, (int, float)):
        number = _number(value)
        return (str(found), value) if number is None and not ordered else (found, number)
    if isinstance(found, str) and ordered:
        return _ordered_text(found, value)
    return found, value


def _truth(value: str) -> Optional[bool]:
    return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())


def _number(value: str) -> Union[int, float, None]:
    try:
        return int(value) if _WHOLE.match(value) else float(value)
    except ValueError:
        return None


def _ordered_text(found: str, value: str) -> tuple[object, object]:
    if _WHOLE.match(found) and _WHOLE.match(value):
        return int(found), int(value)
    left, right = _version(found), _version(value)
    return (found, value) if left is None or right is None else (left, right)


def _version(text: str) -> Optional[tuple[object, ...]]:
    """Return a sort key for the version *text*, or None if it is not a version.

    Trailing zeros do not count. A version with letters at its end (`2.0rc1`, `2.0-beta`) comes
    before the version without them.
    """
    fit = _VERSION.match(text)
    if fit is None:
        return None
    numbers = [int(part) for part in fit.group(1).split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    letters = [
        (0, int(run), "") if run.isdigit() else (1, 0, run)
        for run in _RUNS.findall((fit.group(2) or "").lstrip("-."))
    ]
    return (numbers, not letters, letters)
