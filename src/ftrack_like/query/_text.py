"""The text of queries: what the client has to know of it, and the queries that it makes of it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._suggest import did_you_mean

__all__ = [
    "Outline",
    "count_expression",
    "finds_entities",
    "keyed_expressions",
    "outline",
    "prepare",
]

#: Texts in quotes and words, the parts that an outline is made of, and brackets.
_TOKEN = re.compile(
    r"""
    (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<bracket>[()])
    | (?P<word>[^\s"'(),]+)
    """,
    re.VERBOSE | re.DOTALL,
)


class Outline(NamedTuple):
    """What the client has to know of an expression; its meaning is the server's."""

    #: The expression without what the client says by itself: limit and offset.
    text: str
    #: The type that is queried, or None where none can be made out.
    entity_type: Optional[str]
    #: Whether projections are stated.
    has_projections: bool
    limit: Optional[int]
    offset: Optional[int]
    #: Where limit and offset stand in the expression, as (start, end).
    cut: tuple[tuple[int, int], ...] = ()


@functools.lru_cache(maxsize=128)
def outline(expression: str) -> Outline:
    """Return the outline of the query *expression*.

    Keywords count in any case and with any white space, but not inside quotes or brackets.
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
    """Return the matches of the words of *expression* outside quotes and brackets.

    What stands in brackets (a sub-query, say) has bounds and projections of its own.
    """
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

    A projection may be called ``from`` too; then a comma stands beside it.
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
    """Return the projections of *expression*, the text from the type on and the words of that.

    *expression* states projections, but no bounds. Return None if no type can be made out.
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


def _pair(words: list[re.Match[str]], first: str, second: str) -> Optional[re.Match[str]]:
    """Return the last of *words* that is the keyword *first* with *second* behind it."""
    found = None
    for word, following in zip(words[1:], words[2:]):
        if word.group().lower() == first and following.group().lower() == second:
            found = word
    return found


def count_expression(expression: str, key: str) -> Optional[str]:
    """Return the query for how many values of *key*, an attribute, *expression* finds.

    *expression* states projections, but no bounds. Return None for rows that are no entities.
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
    """Return whether the rows of *expression* are entities, and not counts and sums."""
    parts = _split(expression)
    return parts is None or not _is_aggregate(parts)


def _is_aggregate(parts: tuple[str, str, list[re.Match[str]]]) -> bool:
    """Return whether the rows of the query in *parts* are counts and sums, without a key."""
    return "(" in parts[0] or _pair(parts[2], "group", "by") is not None


def keyed_expressions(expression: str, names: list[str]) -> Optional[tuple[str, str]]:
    """Return the query for the keys *names* alone, and the begin of one for what *expression* does.

    A condition on the keys completes the second one. Return None for rows without a key.
    """
    parts = _split(expression)
    if parts is None or _is_aggregate(parts):
        return None
    projections, body, words = parts
    return (
        f"select {', '.join(names)} from {body}",
        f"select {projections} from {words[0].group()} where ",
    )


def prepare(expression: str, types: Mapping[str, Any]) -> str:
    """Return *expression* with the default projections of its type, if it states none.

    *types* maps names to entity classes. Raise
    :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError`, a :exc:`KeyError`, if the type is
    not one of them.
    """
    parts = outline(expression)
    name = parts.entity_type or ""
    if name not in types:
        if not name and parts.has_projections:
            return expression  # The server says best what is wrong with it.
        raise exception.UnrecognisedEntityTypeError(name, suggestion=did_you_mean(name, types))
    if parts.has_projections:
        return expression
    projections = types[name].default_projections
    return f"select {', '.join(projections)} from {expression.strip()}"


def _cut_bounds(
    expression: str, words: list[re.Match[str]]
) -> tuple[str, dict[str, int], tuple[tuple[int, int], ...]]:
    """Return *expression* without its limit and offset, their numbers, and where they stand."""
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
