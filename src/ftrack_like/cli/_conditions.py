"""Conditions in the short forms that columns and assignments have, as servers read them.

``custom.fstart > 1000`` becomes ``custom_attributes any (key is "fstart" and value > 1000)``, which
is the form of servers. Both are true for the entities that have a value to compare. What a negative
condition says about entities without a value is not clear, so people must write that out.

``bid > 8h`` becomes ``bid > 28800``: servers have durations in seconds.
"""

from __future__ import annotations

import re

from ftrack_like._values.units import SECONDS, seconds_in
from ftrack_like.cli._errors import UsageMistake
from ftrack_like.cli._unknown_values import without_texts

__all__ = ["as_servers_read"]

# Compiled on first use, because the module is imported for all queries.
_TEXT = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'(),]+)"""
_CONDITION = (
    r"(?<![\w.\]])(?P<before>(?:\w+(?:\[\w+\])?\.)*)(?P<form>custom|custom_attributes)\."
    r"(?P<key>\w+)\s*"
    r"(?P<operator><=|>=|!=|=|<|>|\b(?:is_not|is|not_like|like|after|before|not_in|in)\b)\s*"
    rf"(?P<value>{_TEXT}|\(\s*(?!select\b){_TEXT}(?:\s*,\s*{_TEXT})*\s*\))"
)
#: Attributes of the values of custom attributes, which conditions may name.
_OWN = ("configuration_id", "entity_id", "key", "value")
_NEGATIVE = ("!=", "is_not", "not_in", "not_like")


#: A duration with a unit: no number, so that it has no other meaning.
_DURATION = (
    rf"\b(?:{'|'.join(sorted(SECONDS))})\s*(?:<=|>=|!=|=|<|>|\b(?:is_not|is)\b)\s*"
    r"(?P<quote>[\"']?)(?P<value>(?:\d+(?:\.\d+)?(?:[dhsw]|m(?:in)?))+|\d+:\d\d)(?P=quote)(?![\w.:])"
)

#: A custom attribute in the order of a query.
_ORDER = (
    r"\border\s+by\b(?:(?!\b(?:limit|offset)\b)[^()])*?"
    r"(?P<path>(?<![\w.\]])(?:\w+\.)*(?:custom|custom_attributes)\.(?P<key>\w+))"
)


def as_servers_read(expression: str) -> str:
    """Return the query *expression* with its short conditions as servers read them.

    Raise :exc:`~ftrack_like.cli._errors.UsageMistake` for a negative condition on a custom
    attribute, for one on ``none``, for an order by a custom attribute, and for a duration in days;
    the message has the form to write.
    """
    _refuse_order(expression)
    return _with_seconds(_with_custom_attributes(expression))


def _refuse_order(expression: str) -> None:
    """Raise :exc:`~ftrack_like.cli._errors.UsageMistake` for an order by a custom attribute.

    For servers, the value of a custom attribute is an entity of its own.
    """
    match = re.search(_ORDER, without_texts(expression), re.IGNORECASE)
    if match and match["key"] not in _OWN:
        path = match["path"].replace("custom_attributes.", "custom.")
        raise UsageMistake(
            f"Servers cannot order by {match['path']!r}, because it is a custom attribute. Show it "
            f"as the first column, and sort the lines: --columns {path},name | sort -n"
        )


def _with_seconds(expression: str) -> str:
    """Return *expression* with seconds in place of durations."""
    found, end = "", 0
    for match in re.finditer(_DURATION, expression, re.IGNORECASE):
        if (
            without_texts(expression)[match.start() : match.start("quote")]
            != (expression[match.start() : match.start("quote")])
        ):
            continue  # Within a text.
        start, stop = match.span("value")
        try:
            seconds = seconds_in(match["value"])
        except ValueError as error:
            raise UsageMistake(
                f"{match[0]!r}: servers do not know how long a day is. Write hours, such as 16h."
            ) from error
        found += f"{expression[end : start - len(match['quote'])]}{seconds:.15g}"
        end = stop + len(match["quote"])
    return found + expression[end:]


def _with_custom_attributes(expression: str) -> str:
    """Return *expression* with conditions on the keys of custom attributes."""
    if "custom" not in expression:
        return expression
    found, end = "", 0
    for match in re.finditer(_CONDITION, without_texts(expression), re.IGNORECASE):
        if match["form"].lower() == "custom_attributes" and match["key"] in _OWN:
            continue
        operator = match["operator"]
        value = expression[slice(*match.span("value"))]
        start = f'{match["before"]}custom_attributes any (key is "{match["key"]}" and value'
        if operator.lower() in _NEGATIVE or value.lower() == "none":
            raise UsageMistake(
                f"{expression[slice(*match.span())]!r} may mean entities with another value, or "
                f"also those without any. For the first write: {start} {operator} {value})"
            )
        found += f"{expression[end : match.start()]}{start} {operator} {value})"
        end = match.end()
    return found + expression[end:]
