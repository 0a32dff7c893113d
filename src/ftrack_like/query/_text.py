"""The text of queries: find its parts, and build other queries from them.

The client does not parse the query language; only the server knows its meaning. But the client must
find the entity type, the projections, the limit and the offset, to add default projections, load
pages and count rows. These keywords count only outside quotes and brackets: a text may contain the
word "limit", and a sub-query has its own limit.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like import exception
from ftrack_like._base.named_tuples import NamedTuple
from ftrack_like._base.suggest import did_you_mean

__all__ = [
    "Outline",
    "count_expression",
    "finds_entities",
    "keyed_expressions",
    "outline",
    "prepare",
    "projections_of",
    "with_projections",
]

#: The tokens of an expression: texts in quotes, brackets, and words.
_TOKEN = re.compile(
    r"""
    (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<bracket>[()])
    | (?P<word>[^\s"'(),]+)
    """,
    re.VERBOSE | re.DOTALL,
)


class Outline(NamedTuple):
    """The parts of an expression that the client needs."""

    #: The expression without limit and offset.
    text: str
    #: The queried type, or None if it cannot be found.
    entity_type: Optional[str]
    #: Whether the expression has projections.
    has_projections: bool
    limit: Optional[int]
    offset: Optional[int]
    #: The positions of limit and offset in the expression, as (start, end).
    cut: tuple[tuple[int, int], ...] = ()


@functools.lru_cache(maxsize=128)
def outline(expression: str) -> Outline:
    """Return the outline of the query *expression*.

    Keywords may be in upper or lower case. They do not count inside quotes or brackets.
    """
    words = _plain_words(expression)
    text, numbers, cut = _cut_bounds(expression, words)
    lowered = [match.group().lower() for match in words]
    has_projections = lowered[:1] == ["select"]
    if has_projections:
        found = _type_after_from(expression, words, lowered)
    else:
        found = words[0] if words else None
    entity_type = None if found is None else found.group()
    limit, offset = numbers.get("limit"), numbers.get("offset")
    return Outline(text, entity_type, has_projections, limit, offset, cut)


def _plain_words(expression: str) -> list[re.Match[str]]:
    """Return the matches of the words of *expression* outside quotes and brackets."""
    depth = 0
    words = []
    for match in _TOKEN.finditer(expression):
        if match.lastgroup == "bracket":
            depth += 1 if match.group() == "(" else -1
        elif match.lastgroup == "word" and depth <= 0:
            words.append(match)
    return words


def _type_after_from(
    expression: str, words: list[re.Match[str]], lowered: list[str]
) -> Optional[re.Match[str]]:
    """Return the match of the word after the ``from`` that ends the projections.

    An attribute may also be called ``from``; then there is a comma next to it.
    """
    for index in range(1, len(words) - 1):
        if lowered[index] != "from":
            continue
        before = expression[words[index - 1].end() : words[index].start()]
        after = expression[words[index].end() : words[index + 1].start()]
        is_only_projection = index == 1 and lowered[2] == "from"
        if "," not in before and "," not in after and not is_only_projection:
            return words[index + 1]
    return None


def _split(expression: str) -> Optional[tuple[str, str, list[re.Match[str]]]]:
    """Return the projections of *expression*, the text from the type on, and the words of it.

    *expression* has projections, but no limit and offset. Return None if the type cannot be found.
    """
    words = _plain_words(expression)
    lowered = [match.group().lower() for match in words]
    found = _type_after_from(expression, words, lowered)
    if found is None:
        return None
    following = [match for match in words if match.start() >= found.start()]
    before = [match for match in words if match.start() < found.start()]
    projections = expression[before[0].end() : before[-1].start()].strip()
    return projections, expression[found.start() :].strip(), following


def projections_of(expression: str) -> tuple[list[str], int]:
    """Return the projections of the query *expression*, and the position of its type.

    Without projections the list is empty and the position 0.
    """
    parts = _split(expression) if outline(expression).has_projections else None
    if parts is None:
        return [], 0
    pieces, depth = [""], 0
    for character in parts[0]:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0)
        if character == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece.strip() for piece in pieces], parts[2][0].start()


def _pair(words: list[re.Match[str]], first: str, second: str) -> Optional[re.Match[str]]:
    """Return the last of *words* that is the keyword *first* and is followed by *second*."""
    found = None
    for word, following in zip(words[1:], words[2:]):
        if word.group().lower() == first and following.group().lower() == second:
            found = word
    return found


def count_expression(expression: str, key: str) -> Optional[str]:
    """Return the query that counts the rows of *expression* by the attribute *key*.

    *expression* has projections, but no limit and offset. Return None if its rows are not entities.
    """
    parts = _split(expression)
    if parts is None or _is_aggregate(parts):
        return None
    _, body, words = parts
    order = _pair(words, "order", "by")
    if order is not None:
        body = body[: order.start() - words[0].start()].strip()
    return f"select count({key}) from {body}"


def finds_entities(expression: str) -> bool:
    """Return whether the rows of *expression* are entities, not counts or sums."""
    parts = _split(expression)
    return parts is None or not _is_aggregate(parts)


def _is_aggregate(parts: tuple[str, str, list[re.Match[str]]]) -> bool:
    """Return whether the rows of the query in *parts* are counts or sums, without a key."""
    return "(" in parts[0] or _pair(parts[2], "group", "by") is not None


def keyed_expressions(expression: str, names: list[str]) -> Optional[tuple[str, str]]:
    """Return a query for the keys *names* of *expression*, and the start of a query by keys.

    The second query has the projections of *expression* and ends in ``where``; the caller adds a
    condition on the keys. Return None for rows without a key.
    """
    parts = _split(expression)
    if parts is None or _is_aggregate(parts):
        return None
    projections, body, words = parts
    return (
        f"select {', '.join(names)} from {body}",
        f"select {projections} from {words[0].group()} where ",
    )


def with_projections(expression: str, names: list[str]) -> str:
    """Return *expression*, which has projections, with the projections *names* instead."""
    parts = _split(expression)
    return expression if parts is None else f"select {', '.join(names)} from {parts[1]}"


def prepare(expression: str, types: Mapping[str, Any]) -> str:
    """Return *expression*, with the default projections of its type if it has no projections.

    *types* maps names to entity classes. Raise
    :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError`, a :exc:`KeyError`, for an unknown
    type.
    """
    parts = outline(expression)
    name = parts.entity_type or ""
    if name not in types:
        if not name and parts.has_projections:
            return expression  # The server can describe the mistake best.
        raise exception.UnrecognisedEntityTypeError(name, suggestion=did_you_mean(name, types))
    if parts.has_projections:
        return expression
    projections = types[name].default_projections
    return f"select {', '.join(projections)} from {expression.strip()}"


def _cut_bounds(
    expression: str, words: list[re.Match[str]]
) -> tuple[str, dict[str, int], tuple[tuple[int, int], ...]]:
    """Return *expression* without limit and offset, their numbers, and their positions."""
    numbers: dict[str, int] = {}
    spans = []
    for keyword, number in zip(words, words[1:]):
        name = keyword.group().lower()
        if name in {"limit", "offset"} and number.group().isdigit():
            numbers[name] = int(number.group())
            spans.append((keyword.start(), number.end()))
    for start, end in reversed(spans):
        expression = expression[:start].rstrip() + " " + expression[end:].lstrip()
    return expression.strip(), numbers, tuple(spans)
