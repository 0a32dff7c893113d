"""How to recognise an exception that a signal handler raised.

Python runs signal handlers on the main thread, between any two instructions. The exceptions that
they raise look like those of the network when they come out of urllib3.
"""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any, Optional

__all__ = ["interruption", "raise_interruption"]

#: The flag of code that takes any number of arguments: ``inspect.CO_VARARGS``, of a module that
#: takes long to import.
_TAKES_MORE = 0x04


def interruption(error: BaseException) -> Optional[BaseException]:
    """Return the exception of a signal handler that *error* is, or was made of; None without one.

    A handler of a time limit often raises :exc:`TimeoutError`. urllib3 cannot tell that from a
    socket that timed out: without this, the client would repeat the request and the limit would
    be without effect.
    """
    handlers = {_code_of(each) for each in _handlers()}
    found = None
    for each in _chain(error):
        if any(frame.f_code in handlers or _is_handler(frame) for frame in _frames(each)):
            found = each
        elif found is not None:
            break  # What follows was there before, if the handler raises one object repeatedly.
    return found


def _is_handler(frame: FrameType) -> bool:
    """Return whether *frame* is a call with the arguments of a signal handler.

    A handler that works once is not set any more when its exception is looked at.
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
    """Raise the exception of a signal handler that *error* was made of, if there is one."""
    raised = interruption(error)
    if raised is not None:
        raise raised


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and the exceptions during whose handling it was raised, the first one last."""
    seen: set[int] = set()
    current: Optional[BaseException] = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _frames(error: BaseException) -> Iterator[Any]:
    """Yield the frames from where *error* was caught to where it was raised."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _handlers() -> Iterator[Any]:
    """Yield the signal handlers of the process."""
    for number in signal.valid_signals():
        yield signal.getsignal(number)


def _code_of(handler: Any) -> Any:
    """Return the code object of *handler*, None for one that is not written in Python."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    if not hasattr(function, "__code__") and callable(handler):
        function = type(handler).__call__
    return getattr(function, "__code__", None)
