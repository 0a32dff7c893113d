"""Errors about invalid values, and the text of a value in an error."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from ftrack_like._base.errors import Error

__all__ = ["ONE_ENTITY", "InvalidEntityError", "InvalidValueError", "shown"]

#: The advice of errors where one entity is needed.
ONE_ENTITY = "Pass an entity, as session.get or session.query returns it."

#: The most characters of a value in an error.
_LENGTH = 80


def shown(value: object) -> str:
    """Return any *value* and its type as a short text for an error."""
    try:
        # Cut the value first, to avoid formatting a very long value.
        text = repr(value[:_LENGTH] if isinstance(value, (str, bytes)) else value)
    except Exception:  # For example a list that contains itself, or a broken class.
        text = "a value"
    short = text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"
    return f"{short} ({type(value).__name__})"


class InvalidValueError(Error, TypeError, ValueError, builtins.AttributeError):
    """A value cannot be used here: it has the wrong type, or it is not a JSON value."""

    default_message = "The value cannot be used here."


class InvalidEntityError(InvalidValueError, NotImplementedError):
    """A value is not an entity, or not a list of entities, but must be."""

    default_message = "{shown} cannot be {role}. {remedy}"

    def __init__(
        self,
        value: object = None,
        role: str = "used as an entity",
        remedy: str = ONE_ENTITY,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Initialise with the invalid *value*, its intended *role* and the *remedy*, in words."""
        values = {"shown": shown(value), "role": role, "remedy": remedy, **(details or {})}
        Error.__init__(self, self.default_message, values)
