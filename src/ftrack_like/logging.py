"""Log messages that are formatted only when somebody reads them."""

from __future__ import annotations

import functools
import warnings
from typing import Any, Callable, TypeVar

__all__ = ["LazyLogMessage", "deprecation_warning"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def deprecation_warning(message: str) -> Callable[[_Function], _Function]:
    """Return a decorator that warns with *message* on each call, at the caller's line."""

    def decorate(function: _Function) -> _Function:
        @functools.wraps(function)
        def warn_and_call(*args: Any, **kwargs: Any) -> Any:
            warnings.warn(message, PendingDeprecationWarning, stacklevel=2)
            return function(*args, **kwargs)

        return warn_and_call  # type: ignore[return-value]

    return decorate


class LazyLogMessage:
    """A ``str.format`` template and its arguments, joined when the record is written."""

    __slots__ = ("__dict__", "args", "kwargs", "message")

    def __init__(self, message: str, *args: Any, **kwargs: Any) -> None:
        """Initialise with the template *message* and the *args* and *kwargs* that fill it."""
        self.message = message
        self.args = args
        self.kwargs = kwargs

    def __str__(self) -> str:
        """Return the finished text."""
        return self.message.format(*self.args, **self.kwargs)
