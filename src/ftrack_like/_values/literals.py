"""Format values for query expressions, quoted and escaped so that they stay values."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ftrack_like import exception, inspection
from ftrack_like._base.value_errors import shown
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import EntityLike

__all__ = [
    "GROUP_SIZE",
    "bind",
    "bind_pieces",
    "bound",
    "bound_single",
    "condition",
    "groups",
    "key_condition",
    "literal",
    "quoted",
    "require_value",
]

#: Limits of one query that selects by keys: the number of keys, and the length of its condition in
#: characters. A page of a query has as many entities.
GROUP_SIZE = 500
CONDITION_LENGTH = 32_000

#: Texts in quotes (not changed), placeholders, and unclosed quotes. It is compiled at the first
#: use, since many programs never bind values.
_PLACES = r"""(?xs)
    "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*'
    | (?<![^\s(,=<>]):(?P<name>[^\W\d]\w*)
    | (?P<open>["'])
    """

#: The query text for an empty list. The query language has no empty list, so it is a list with a
#: text that no value equals.
_NOTHING = '("9b9d1f0e6f7c4d1c8a55d2a7c0e4b6f3")'


def bind(expression: str, values: Mapping[str, Any]) -> str:
    """Return the query *expression* with *values* inserted at their placeholders.

    A placeholder is ``:name``: ``'Task where name is :name and bid in :bids'``. Inside quotes it is
    ordinary text. *values* is a mapping of names to

    - texts, numbers, booleans, dates and times, None;
    - an entity, of which the primary key is inserted: ``project.id is :project``;
    - a list or another collection of these, for ``in`` and ``not_in``. An empty list finds
      nothing. It may be used only for ids and texts.

    Values are escaped, so that their content cannot change the query. After ``like``, wildcards in
    a value keep their meaning.

    Raise :exc:`ValueError` if a placeholder has no value, a value has no placeholder, or a quote in
    *expression* is not closed. Raise :exc:`~ftrack_like.exception.InvalidValueError` for other
    types of values.
    """
    return "".join([piece for piece, _ in bind_pieces(expression, values)])


def bind_pieces(expression: str, values: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the result of :func:`bind` in pieces, each with its position in *expression*.

    The position of a value is ``-1 - n``, where *n* is the position of its placeholder.
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
        pieces.append((bound(f":{name}", values[name]), -match.start() - 1))
        end = match.end()
    if unused:
        names = ", ".join(f":{name}" for name in sorted(unused))
        raise ValueError(f"There is no placeholder for {names} in {expression!r}.")
    return [*pieces, (expression[end:], end)]


def bound(label: str, value: object) -> str:
    """Return *value*, or the list of values, as text for an expression.

    *label* names the value in errors. See :func:`bind` for the values and the errors.
    """
    if not isinstance(value, Collection) or isinstance(value, str) or _has_key(value):
        return bound_single(label, value)
    require_value(label, value)
    members = [bound_single(label, one) for one in value]
    return f"({', '.join(members)})" if members else _NOTHING


def bound_single(label: str, value: object) -> str:
    """Return *value* as text for an expression: a plain value, or the key of an entity.

    *label* names the value in errors. Raise :exc:`~ftrack_like.exception.InvalidValueError` for a
    list, and for a value that queries cannot contain.
    """
    if _has_key(value):
        key = list(inspection.primary_key(cast("EntityLike", value)).values())
        if len(key) != 1:
            raise exception.InvalidValueError(
                f"The value of {label} is an entity with several keys, {key}; pass one key."
            )
        return literal(key[0])
    require_value(label, value)
    if isinstance(value, Collection) and not isinstance(value, str):
        raise exception.InvalidValueError(
            f"The value of {label} contains a list where a single value belongs: {shown(value)}."
        )
    return literal(value)


def _has_key(value: object) -> bool:
    return getattr(value, "primary_key_attributes", None) is not None


def require_value(label: str, value: object) -> None:
    """Raise an error with *label*, the name of *value*, if queries cannot contain *value*."""
    if value is NOT_SET or isinstance(value, (bytes, bytearray, Mapping)):
        raise exception.InvalidValueError(
            f"The value of {label} cannot be used in a query: {shown(value)}."
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise exception.InvalidValueError(
            f"The value of {label} does not exist in the query language: {shown(value)}."
        )


def literal(value: object) -> str:
    """Return *value* as text for a query, quoted and escaped if necessary.

    Times with a time zone are converted to UTC, since the server compares times in UTC.
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    # Use the methods of the base types: subclasses, such as enumerations, may print differently.
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
    """Return the condition that the attribute *name* equals *value*, which may be an entity.

    Raise :exc:`~ftrack_like.exception.InvalidValueError` for a collection or another invalid value.
    """
    if getattr(value, "primary_key_attributes", None) is not None:
        key = inspection.primary_key(cast("EntityLike", value))
        return " and ".join([f"{name}.{part} is {literal(each)}" for part, each in key.items()])
    require_value(repr(name), value)
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
        # Python does not print numbers with thousands of digits.
        raise exception.InvalidValueError("A number in a query has too many digits.") from None


def key_condition(names: Sequence[str], values: Iterable[object]) -> str:
    """Return the condition in parentheses that the attributes *names* have the *values*."""
    return (
        "("
        + " and ".join([f"{name} is {quoted(value)}" for name, value in zip(names, values)])
        + ")"
    )


def groups(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield *texts*, one for each key, in groups of which each makes one condition of a query."""
    group: list[str] = []
    length = 0
    for text in texts:
        if group and (len(group) >= GROUP_SIZE or length + len(text) > CONDITION_LENGTH):
            yield group
            group, length = [], 0
        group.append(text)
        length += len(text) + len(" or ")
    if group:
        yield group


def quoted(value: object) -> str:
    """Return *value* as text in double quotes, escaped for a query."""
    text = (
        (_digits(value) if type(value) is int else str(value))
        .replace("\\", "\\\\")
        .replace('"', '\\"')
    )
    return f'"{text}"'
