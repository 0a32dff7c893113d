"""Log messages that are formatted only when a handler writes them."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, Callable, TypeVar

if TYPE_CHECKING:
    from ftrack_like._base.types import Value

__all__ = ["LazyLogMessage", "deprecation_warning"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


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
