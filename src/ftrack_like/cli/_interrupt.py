"""Ending a command that runs until it is told to stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Optional

__all__ = ["INTERRUPTED", "interruptible"]

#: The exit status of a command that Ctrl-C ended: 128 and the number of the signal, as in shells.
INTERRUPTED = 130

#: Both are set: a program started in the background of a script comes with SIGINT ignored.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _TerminatedError(KeyboardInterrupt):
    """A service manager asked the command to end."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Return a context that ends at SIGTERM without an error, and raises at Ctrl-C.

    Raise :exc:`KeyboardInterrupt` at Ctrl-C, also in a program started in the background.
    """
    main = threading.current_thread() is threading.main_thread()
    before = [signal.signal(number, _interrupt) for number in _SIGNALS] if main else []
    try:
        yield
    except _TerminatedError:
        pass  # An orderly end, which is no fault.
    finally:
        for number, handler in zip(_SIGNALS, before):
            signal.signal(number, handler)


def _interrupt(number: int, frame: Optional[FrameType]) -> None:
    raise _TerminatedError if number == signal.SIGTERM else KeyboardInterrupt
