"""The root of all errors, and those that the sandbox has in common with the client.

They stand apart from :mod:`ftrack_like.exception`, where everybody finds them, since that module
needs requests: a server that starts has no use for it.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ftrack_like._types import ErrorOptions, Value

__all__ = ["Error", "MediaError", "NotSetError", "ParseError", "missing_package", "with_details"]

#: Where errors belong, whichever module defines them: what pickles and messages call them by.
PUBLIC_MODULE = "ftrack_like.exception"
_DEFINED_IN = frozenset(
    {"ftrack_like._errors", "ftrack_like._storage_errors", "ftrack_like._value_errors"}
)


def _readable(value: Value) -> Value:
    """Return *value* with bytes turned into text; anything else as it is."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return value


class Error(Exception):
    """The root of all errors of this library."""

    __module__ = PUBLIC_MODULE
    default_message = "Unspecified error occurred."

    def __init_subclass__(cls, **keywords: object) -> None:
        """Let an error that is defined in a module of ours bear the name of the public one."""
        super().__init_subclass__(**keywords)
        if cls.__module__ in _DEFINED_IN:
            cls.__module__ = PUBLIC_MODULE

    def __init__(
        self, message: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        """Initialise with the template *message* and the *details* that fill it.

        *message* defaults to the class's ``default_message``; *details* is a mapping of the names
        in the template to their values. The formatted trace of the exception being handled, if
        there is one, stays readable as *traceback*.
        """
        self.message: str = self.default_message if message is None else message
        self.details: dict[str, Any] = dict(details or {})
        self.traceback: str = traceback.format_exc() if sys.exc_info()[0] else "NoneType: None\n"

    def __str__(self) -> str:
        """Return the finished text, or the bare template when it cannot be filled."""
        message = _readable(self.message)
        if not self.details:
            return str(message)
        try:
            values = {str(name): _readable(value) for name, value in self.details.items()}
            return str(message.format(**values))
        except Exception:
            # An error that cannot be printed hides what it has to say: print what there is.
            return str(message)

    def __repr__(self) -> str:
        """Return the class and the finished text."""
        return f"{type(self).__name__}({str(self)!r})"


class NotSetError(Error, AttributeError, TypeError):
    """A program uses NOT_SET as if it were the value that is missing."""

    default_message = (
        "The value is NOT_SET, which has no {what}. It was never set or loaded. If it is the "
        "accessor or structure of a location, a plugin or this program has to set it: "
        "location.accessor = DiskAccessor(prefix=...). If it is an attribute of an entity, commit "
        "a new entity first, or load the attribute: session.populate(entity, name)."
    )

    def __init__(self, what: str = "value", **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with *what* was looked for, in words: ``attribute 'open'``."""
        super().__init__(**with_details(kw, what=what))


class ParseError(Error):
    """A text does not follow its language."""

    default_message = "Failed to parse."


class MediaError(Error):
    """Media cannot be read or encoded: the program for it is missing, or what it said."""

    default_message = "The media cannot be read or encoded."


def missing_package(user: str, package: str, extra: str) -> str:
    """Return the message for a *package* that *user* needs and that *extra* installs.

    It names the extra and no command, because the command depends on where ftrack-like comes from:
    a checkout, a wheel or an index.
    """
    return f"{user} needs the package {package!r}. Install the extra {extra!r} of ftrack-like."


def with_details(keywords: ErrorOptions, **values: Value) -> ErrorOptions:
    """Return *keywords* with *values* added to its details; the caller's own details win."""
    return {**keywords, "details": {**values, **(keywords.get("details") or {})}}
