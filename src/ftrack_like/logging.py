"""The log of the library, and log messages that are formatted only when a handler writes them.

All loggers are below ``ftrack_like``. The library is silent until the program configures logging,
or the environment variable FTRACK_LOG is set.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any, Callable, TypeVar

if TYPE_CHECKING:
    from ftrack_like._base.types import Value

__all__ = [
    "REQUEST_LOGGER",
    "LazyLogMessage",
    "deprecation_warning",
    "level_in_use",
    "set_up_logging",
]

#: Logs one line for each request, at the level DEBUG.
REQUEST_LOGGER: logging.Logger = logging.getLogger("ftrack_like.requests")

#: The environment variable with the level from which messages appear on standard error.
_LOG_VARIABLE = "FTRACK_LOG"
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _StandardError(logging.StreamHandler):  # type: ignore[type-arg]  # not generic in Python 3.9
    """Writes to the present standard error, which a program may replace."""

    def __init__(self) -> None:
        """Initialise with the format of the lines."""
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*; do nothing without a standard error."""
        self.stream = sys.stderr
        if self.stream is not None:
            super().emit(record)


def set_up_logging() -> None:
    """Keep the log silent, or show it on standard error as FTRACK_LOG says.

    Sessions and event hubs call this. The variable is ``debug``, ``info``, ``warning`` or
    ``error``. With ``debug``, the log has a line for each request, but no bodies. A later call has
    no effect once there is a handler for the variable.
    """
    tree = logging.getLogger("ftrack_like")
    if not tree.handlers:
        # Without a handler, Python itself prints warnings.
        tree.addHandler(logging.NullHandler())
    chosen, problem = level_in_use()
    if not chosen or any(isinstance(each, _StandardError) for each in tree.handlers):
        return
    tree.addHandler(_StandardError())
    if problem is not None:
        tree.warning("%s", problem)
        return
    level = _LEVELS[chosen]
    if level == logging.DEBUG:
        # Only this logger: others log the bodies of requests at that level.
        REQUEST_LOGGER.setLevel(logging.DEBUG)
    tree.setLevel(max(level, logging.INFO))


def level_in_use() -> tuple[str, str | None]:
    """Return the level that FTRACK_LOG names, empty without one, and what is wrong with it."""
    chosen = os.environ.get(_LOG_VARIABLE, "").strip().lower()
    if not chosen or chosen in _LEVELS:
        return chosen, None
    names = ", ".join(_LEVELS)
    problem = f"{_LOG_VARIABLE} must be one of {names}, not {chosen[:40]!r}."
    return "warning", f"{problem} Only warnings are shown."


def deprecation_warning(message: str) -> Callable[[_Function], _Function]:
    """Return a decorator that warns with *message* on each call, at the caller's line."""

    def decorate(function: _Function) -> _Function:
        @functools.wraps(function)
        def warn_and_call(*args: Value, **kwargs: Value) -> Value:
            warnings.warn(message, PendingDeprecationWarning, stacklevel=2)
            return function(*args, **kwargs)

        return warn_and_call  # type: ignore[return-value]

    return decorate


class LazyLogMessage:
    """A ``str.format`` template and its arguments; ``str()`` formats it."""

    __slots__ = ("__dict__", "args", "kwargs", "message")

    def __init__(self, message: str, *args: object, **kwargs: object) -> None:
        """Initialise with the template *message*, and *args* and *kwargs* for its fields."""
        self.message: str = message
        self.args: tuple[object, ...] = args
        self.kwargs: dict[str, object] = kwargs

    def __str__(self) -> str:
        """Return the formatted message."""
        return self.message.format(*self.args, **self.kwargs)
