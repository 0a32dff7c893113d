"""How the values that an event carries compare with the text of a condition.

What the event carries decides:

* a number compares with a number, a truth value with `true` or `false`;
* text compares with text, but when the two are asked for their order, text made of digits compares
  as a whole number, and text that looks like a version compares part by part, so that `3.10.1`
  comes after `v3.9`;
* what cannot be compared is simply false.
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

#: The operators that know the star, and whether they hold when the beginning fits.
_PREFIX_SENSE: dict[Comparison, bool] = {operators.eq: True, operators.ne: False}


def compares_plainly(comparison: Comparison, value: Any) -> bool:
    """Return whether text, to pass, need but be equal to *value*."""
    return comparison is operators.eq and isinstance(value, str) and not value.endswith("*")


def tester(comparison: Comparison, value: Any) -> Callable[[Any], bool]:
    """Return a function that tells whether a value found in an event compares with *value*."""
    if isinstance(value, str) and value.endswith("*") and comparison in _PREFIX_SENSE:
        prefix, wanted = value[:-1], _PREFIX_SENSE[comparison]
        return lambda found: _begins(found, prefix) is wanted

    def test(found: Any) -> bool:
        try:
            left, right = comparable(found, value, ordered=comparison not in _PREFIX_SENSE)
            return bool(comparison(left, right))
        except TypeError:
            return False

    if compares_plainly(comparison, value):
        return lambda found: found == value or (not isinstance(found, str) and test(found))
    return test


def _begins(found: Any, prefix: str) -> bool:
    if isinstance(found, str):
        return found.startswith(prefix)
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        return str(found).startswith(prefix)
    return False


_WHOLE = re.compile(r"[+-]?[0-9]{1,300}\Z")
_VERSION = re.compile(r"[vV]?([0-9]{1,18}(?:\.[0-9]{1,18}){0,15})([-.]?[A-Za-z][A-Za-z0-9.-]*)?\Z")
_RUNS = re.compile(r"[0-9]+|[^0-9]+")


def comparable(found: Any, value: Any, ordered: bool) -> tuple[Any, Any]:
    """Return *found* and *value* in a form that Python compares as a person would.

    *found* comes from an event, *value* from an expression. *ordered* tells whether the two are
    asked for their order and not just for being equal. The pair may still refuse to compare.
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


def _ordered_text(found: str, value: str) -> tuple[Any, Any]:
    if _WHOLE.match(found) and _WHOLE.match(value):
        return int(found), int(value)
    left, right = _version(found), _version(value)
    return (found, value) if left is None or right is None else (left, right)


def _version(text: str) -> Optional[tuple[Any, ...]]:
    """Return a sort key for text that looks like a version, or None.

    Zeros at the end do not count, and a version with letters behind it (`2.0rc1`, `2.0-beta`)
    comes before the one without.
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
