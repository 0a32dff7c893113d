"""Conditions on custom attributes, in the short form that columns and assignments have.

``custom.fstart > 1000`` becomes ``custom_attributes any (key is "fstart" and value > 1000)``, which
is the form of servers. Both are true for the entities that have a value to compare. What a negative
condition says about entities without a value is not clear, so people must write that out.
"""

from __future__ import annotations

import re

from ftrack_like.cli._errors import UsageMistake
from ftrack_like.cli._unknown_values import without_texts

__all__ = ["with_custom_conditions"]

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


def with_custom_conditions(expression: str) -> str:
    """Return the query *expression* with conditions on custom attributes as servers read them.

    Raise :exc:`~ftrack_like.cli._errors.UsageMistake` for a negative condition, and for one on
    ``none``; the message has the form to write.
    """
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
