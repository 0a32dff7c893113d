"""Errors about values that cannot be used, and how such values are shown in them."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from ftrack_like._errors import Error

__all__ = ["InvalidEntityError", "InvalidValueError", "shown"]

#: How much of a value an error shows, in characters.
_LENGTH = 80


def shown(value: Any) -> str:
    """Return *value* and its type as a short text for an error, whatever it is."""
    try:
        # Slices, so that the text of a long value is never made in full.
        text = repr(value[:_LENGTH] if isinstance(value, (str, bytes)) else value)
    except Exception:  # An endless list, a number of a million digits, a faulty class.
        text = "a value"
    short = text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"
    return f"{short} ({type(value).__name__})"


class InvalidValueError(Error, TypeError, ValueError):
    """A value cannot be used here: JSON or the schema has no form for it."""

    default_message = "The value cannot be used here."


class InvalidEntityError(InvalidValueError, NotImplementedError, builtins.AttributeError):
    """Something stands where an entity, or a list of entities, is needed."""

    default_message = "{shown} cannot be {role}. {remedy}"

    def __init__(
        self,
        value: Any = None,
        role: str = "used as an entity",
        remedy: str = "Pass an entity, as session.get or session.query returns it.",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Initialise with the wrong *value*, what it was to be, and the *remedy*, a sentence."""
        values = {"shown": shown(value), "role": role, "remedy": remedy, **(details or {})}
        Error.__init__(self, self.default_message, values)
