"""The root of all errors, and the errors that the sandbox shares with the client.

The public place of these errors is :mod:`ftrack_like.exception`. But that module imports requests,
which the sandbox server does not need. A separate module lets the server start faster.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ftrack_like._base.types import ErrorOptions, Value

__all__ = ["Error", "MediaError", "NotSetError", "ParseError", "missing_package", "with_details"]

#: The module that pickles and messages show for all errors, wherever they are defined.
PUBLIC_MODULE = "ftrack_like.exception"
_DEFINED_IN = frozenset(
    {
        "ftrack_like._base.errors",
        "ftrack_like._base.storage_errors",
        "ftrack_like._base.value_errors",
    }
)


def _readable(value: Value) -> Value:
    """Return *value*; decode it if it is bytes."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return value


class Error(Exception):
    """The root of all errors of this library."""

    __module__ = PUBLIC_MODULE
    default_message = "Unspecified error occurred."

    def __init_subclass__(cls, **keywords: object) -> None:
        """Set the module of an error from the private modules to the public module."""
        super().__init_subclass__(**keywords)
        if cls.__module__ in _DEFINED_IN:
            cls.__module__ = PUBLIC_MODULE

    def __init__(
        self, message: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        """Initialise with the template *message* and *details*, the values for its fields.

        The default of *message* is ``default_message`` of the class. The attribute *traceback* is
        the formatted trace of the exception that is being handled, if there is one.
        """
        self.message: str = self.default_message if message is None else message
        self.details: dict[str, Any] = dict(details or {})
        self.traceback: str = traceback.format_exc() if sys.exc_info()[0] else "NoneType: None\n"

    def __str__(self) -> str:
        """Return the formatted message, or the template if formatting fails."""
        message = _readable(self.message)
        if not self.details:
            return str(message)
        try:
            values = {str(name): _readable(value) for name, value in self.details.items()}
            return str(message.format(**values))
        except Exception:
            # An exception here would hide the original error. Show at least the template.
            return str(message)

    def __repr__(self) -> str:
        """Return the class and the formatted message."""
        return f"{type(self).__name__}({str(self)!r})"


class NotSetError(Error, AttributeError, TypeError):
    """A program uses NOT_SET like a real value."""

    default_message = (
        "The value is NOT_SET, which has no {what}. It was never set or loaded. If it is the "
        "accessor or structure of a location, a plugin or this program has to set it: "
        "location.accessor = DiskAccessor(prefix=...). If it is an attribute of an entity, commit "
        "a new entity first, or load the attribute: session.populate(entity, name)."
    )

    def __init__(self, what: str = "value", **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with the missing thing in words, such as ``attribute 'open'``."""
        super().__init__(**with_details(kw, what=what))


class ParseError(Error):
    """A text has a syntax error."""

    default_message = "Failed to parse."


class MediaError(Error):
    """Media cannot be read or encoded, for example because ffmpeg is missing or failed."""

    default_message = "The media cannot be read or encoded."


def missing_package(user: str, package: str, extra: str) -> str:
    """Return the message for a *package* that *user* needs and that *extra* installs.

    The command depends on where ftrack-like comes from, a checkout or a folder of wheels.
    """
    return (
        f"{user} needs the package {package!r}. Install the extra {extra!r} of ftrack-like: "
        f"python -m pip install '.[{extra}]' in a checkout, or with a folder of wheels "
        f"python -m pip install --find-links FOLDER 'ftrack_like[{extra}]'"
    )


def with_details(keywords: ErrorOptions, **values: Value) -> ErrorOptions:
    """Return *keywords* with *values* added to its details; existing details have precedence."""
    return {**keywords, "details": {**values, **(keywords.get("details") or {})}}
