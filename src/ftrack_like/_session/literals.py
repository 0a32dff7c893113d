"""Values as they stand in query expressions, whatever is in them."""

from __future__ import annotations

import datetime
from typing import Any

from ftrack_like import inspection

__all__ = ["condition", "key_condition", "literal"]


def literal(value: Any) -> str:
    """Return *value* as the query language writes it: quoted and escaped where it must be.

    Times with a zone are given in UTC, as the server compares them.
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    moment = value if isinstance(value, datetime.datetime) else getattr(value, "datetime", None)
    if isinstance(moment, datetime.datetime):
        if moment.tzinfo is not None:
            moment = moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return f'"{moment.isoformat(timespec="seconds")}"'
    return f'"{_escaped(value)}"'


def condition(name: str, value: Any) -> str:
    """Return the condition that the attribute *name* is *value*, which may be an entity."""
    if getattr(value, "primary_key_attributes", None) is not None:
        key = inspection.primary_key(value)
        return " and ".join([f"{name}.{part} is {literal(each)}" for part, each in key.items()])
    return f"{name} is {literal(value)}"


def key_condition(names: Any, values: Any) -> str:
    """Return the condition, in parentheses, that the key attributes *names* have *values*."""
    return "(" + " and ".join([f'{n} is "{_escaped(v)}"' for n, v in zip(names, values)]) + ")"


def _escaped(value: Any) -> str:
    """Return *value* as text that may stand between double quotes."""
    return str(value).replace("\\", "\\\\").replace('"', '\\"')
