"""Recognise an exception that a signal handler raised.

Python runs signal handlers on the main thread, between any two instructions. A handler of a time
limit often raises :exc:`TimeoutError`. If this happens inside urllib3, urllib3 takes it for a
socket that timed out and raises its own error. Then the client would retry the request, and the
time limit of the user would have no effect.

No attribute of an exception says that a signal handler raised it. But its traceback contains the
frame of the handler. So this module looks for such a frame in the chain of exceptions.
"""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any, Optional

__all__ = ["interruption", "raise_interruption"]

#: The flag of code with ``*args``. It is ``inspect.CO_VARARGS``; importing inspect takes too long.
_TAKES_MORE = 0x04


def interruption(error: BaseException) -> Optional[BaseException]:
    """Return the exception of a signal handler that led to *error*, or is *error*; else None."""
    handlers = {_code_of(each) for each in _signal_handlers()}
    found = None
    for each in _causes(error):
        if any(frame.f_code in handlers or _is_handler(frame) for frame in _frames(each)):
            found = each
        elif found is not None:
            # If the handler raises the same object repeatedly, the rest of the chain is older.
            break
    return found


def _is_handler(frame: FrameType) -> bool:
    """Return whether *frame* is a call with the arguments of a signal handler.

    This finds handlers that are no longer installed, such as a handler that removes itself when
    it runs. Python calls a handler with the signal number and the interrupted frame.
    """
    code, values = frame.f_code, frame.f_locals
    names = code.co_varnames[: code.co_argcount]
    arguments = [values.get(name) for name in names]
    if code.co_flags & _TAKES_MORE:
        rest = values.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
        arguments.extend(rest if isinstance(rest, tuple) else ())
    return any(
        isinstance(number, int) and isinstance(interrupted, FrameType)
        for number, interrupted in zip(arguments, arguments[1:])
    )


def raise_interruption(error: BaseException) -> None:
    """Raise the exception of a signal handler that led to *error*, if there is one."""
    raised = interruption(error)
    if raised is not None:
        raise raised


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and its causes and contexts, the oldest last."""
    seen: set[int] = set()
    current: Optional[BaseException] = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _frames(error: BaseException) -> Iterator[Any]:
    """Yield the frames of *error*, from the place that caught it to the place that raised it."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _signal_handlers() -> Iterator[Any]:
    """Yield the signal handlers of the process."""
    for number in signal.valid_signals():
        yield signal.getsignal(number)


def _code_of(handler: Any) -> Any:
    """Return the code object of *handler*, None if it is not written in Python."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    if not hasattr(function, "__code__") and callable(handler):
        function = type(handler).__call__
    return getattr(function, "__code__", None)
