"""Values as they stand in query expressions, whatever is in them."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ftrack_like import exception, inspection
from ftrack_like._value_errors import shown
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._types import EntityLike

__all__ = ["bind", "bind_pieces", "condition", "key_condition", "literal", "quoted"]

#: Texts in quotes, which are left alone, placeholders, and quotes that nothing closes. Compiled at
#: its first use, which many programs never come to.
_PLACES = r"""(?xs)
    "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*'
    | (?<![^\s(,=<>]):(?P<name>[^\W\d]\w*)
    | (?P<open>["'])
    """

#: What stands for a list without anything in it: a text that nothing holds.
_NOTHING = '("9b9d1f0e6f7c4d1c8a55d2a7c0e4b6f3")'


def bind(expression: str, values: Mapping[str, Any]) -> str:
    """Return the query *expression* with *values* in the places that are called by their names.

    A place is written ``:name`` where a value may stand: ``'Task where name is :name and bid in
    :bids'``. What is inside quotes is text, and no place. *values* is a mapping of names to

    - text, numbers, true and false, dates and times, None;
    - an entity, which stands for its primary key: ``project.id is :project``;
    - a list (or any other collection) of these, for ``in`` and ``not_in``. An empty one finds
      nothing; it fits ids and texts alone.

    Whatever is in a value, it stays a value. Wildcards keep their meaning behind ``like``.

    Raise :exc:`ValueError` if a place has no value, a value no place, or a quote of *expression*
    is not closed; :exc:`~ftrack_like.exception.InvalidValueError` for what is no value.
    """
    return "".join([piece for piece, _ in bind_pieces(expression, values)])


def bind_pieces(expression: str, values: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return what :func:`bind` does in pieces, each with the place in *expression* it is from.

    The place of a value is negative, counted from -1.
    """
    unused = set(values)
    pieces = []
    end = 0
    for match in re.finditer(_PLACES, expression):
        if match.group("open"):
            raise ValueError(
                f"The quote at position {match.start()} of {expression!r} is not closed."
            )
        name = match.group("name")
        if name is None:
            continue
        if name not in values:
            raise ValueError(f"There is no value for :{name} of {expression!r}.")
        unused.discard(name)
        pieces.append((expression[end : match.start()], end))
        pieces.append((_bound(name, values[name]), -match.start() - 1))
        end = match.end()
    if unused:
        names = ", ".join(f":{name}" for name in sorted(unused))
        raise ValueError(f"There is no place for {names} in {expression!r}.")
    return [*pieces, (expression[end:], end)]


def _bound(name: str, value: object) -> str:
    """Return *value* of the place *name* as it stands in an expression."""
    if getattr(value, "primary_key_attributes", None) is not None:
        key = list(inspection.primary_key(cast("EntityLike", value)).values())
        if len(key) != 1:
            raise exception.InvalidValueError(
                f"The value of :{name} is an entity with several keys, {key}; give one of them."
            )
        return literal(key[0])
    _require_value(f":{name}", value)
    if isinstance(value, Collection) and not isinstance(value, str):
        members = [_member(name, one) for one in value]
        return f"({', '.join(members)})" if members else _NOTHING
    return literal(value)


def _member(name: str, value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        raise exception.InvalidValueError(
            f"The value of :{name} holds a list inside a list: {shown(value)}."
        )
    return _bound(name, value)


def _require_value(label: str, value: object) -> None:
    """Raise an error that calls *value* by its *label* if the query language has no form for it."""
    if value is NOT_SET or isinstance(value, (bytes, bytearray, Mapping)):
        raise exception.InvalidValueError(
            f"The value of {label} cannot stand in a query: {shown(value)}."
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise exception.InvalidValueError(
            f"The value of {label} has no form in the query language: {shown(value)}."
        )


def literal(value: object) -> str:
    """Return *value* as the query language writes it: quoted and escaped where it must be.

    Times with a zone are given in UTC, as the server compares them.
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    # By their base: enumerations and numbers of other libraries print as what they like.
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, int):
        return _digits(value)
    if isinstance(value, str):
        return quoted(str.__str__(value))
    moment = value if isinstance(value, datetime.datetime) else getattr(value, "datetime", None)
    if isinstance(moment, datetime.datetime):
        if moment.tzinfo is not None:
            moment = moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return f'"{moment.isoformat(timespec="seconds")}"'
    return quoted(value)


def condition(name: str, value: object) -> str:
    """Return the condition that the attribute *name* is *value*, which may be an entity.

    Raise :exc:`~ftrack_like.exception.InvalidValueError` for what is no single value.
    """
    if getattr(value, "primary_key_attributes", None) is not None:
        key = inspection.primary_key(cast("EntityLike", value))
        return " and ".join([f"{name}.{part} is {literal(each)}" for part, each in key.items()])
    _require_value(repr(name), value)
    if isinstance(value, Collection) and not isinstance(value, str):
        raise exception.InvalidValueError(
            f"The value of {name!r} must be a single value, not {shown(value)}."
        )
    return f"{name} is {literal(value)}"


def _digits(value: int) -> str:
    """Return the whole number *value* in digits."""
    try:
        return int.__repr__(value)
    except ValueError:
        # Python refuses to write numbers of thousands of digits.
        raise exception.InvalidValueError("A number in a query has too many digits.") from None


def key_condition(names: Sequence[str], values: Iterable[object]) -> str:
    """Return the condition, in parentheses, that the key attributes *names* have *values*."""
    return (
        "("
        + " and ".join([f"{name} is {quoted(value)}" for name, value in zip(names, values)])
        + ")"
    )


def quoted(value: object) -> str:
    """Return *value* as text in double quotes, as queries have it."""
    text = (
        (_digits(value) if type(value) is int else str(value))
        .replace("\\", "\\\\")
        .replace('"', '\\"')
    )
    return f'"{text}"'
