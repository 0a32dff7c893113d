"""Errors about values that cannot be used, and how such values are shown in them."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from ftrack_like._errors import Error

__all__ = ["ONE_ENTITY", "InvalidEntityError", "InvalidValueError", "shown"]

#: What to do where one entity is needed.
ONE_ENTITY = "Pass an entity, as session.get or session.query returns it."

#: How much of a value an error shows, in characters.
_LENGTH = 80


def shown(value: object) -> str:
    """Return *value* and its type as a short text for an error, whatever it is."""
    try:
        # Slices, so that the text of a long value is never made in full.
        text = repr(value[:_LENGTH] if isinstance(value, (str, bytes)) else value)
    except Exception:  # An endless list, a number of a million digits, a faulty class.
        text = "a value"
    short = text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"
    return f"{short} ({type(value).__name__})"


class InvalidValueError(Error, TypeError, ValueError, builtins.AttributeError):
    """A value cannot be used here: it is of the wrong type, or JSON has no form for it."""

    default_message = "The value cannot be used here."


class InvalidEntityError(InvalidValueError, NotImplementedError):
    """Something stands where an entity, or a list of entities, is needed."""

    default_message = "{shown} cannot be {role}. {remedy}"

    def __init__(
        self,
        value: object = None,
        role: str = "used as an entity",
        remedy: str = ONE_ENTITY,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Initialise with the wrong *value*, what it was to be, and the *remedy*, a sentence."""
        values = {"shown": shown(value), "role": role, "remedy": remedy, **(details or {})}
        Error.__init__(self, self.default_message, values)
