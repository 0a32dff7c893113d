"""Interruption of a command that runs until it is stopped."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Optional

__all__ = ["INTERRUPTED", "TERMINATED", "interruptible"]

#: The exit status after Ctrl-C and after SIGTERM: 128 plus the number of the signal, as in shells.
INTERRUPTED, TERMINATED = 130, 143

#: Both get handlers: a program in the background of a script starts with SIGINT ignored.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _TerminatedError(KeyboardInterrupt):
    """A service manager has ended the command."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Return a context that ends at SIGTERM without an error.

    Raise :exc:`KeyboardInterrupt` at Ctrl-C, even in a program that was started in the background.
    """
    main = threading.current_thread() is threading.main_thread()
    before = [signal.signal(number, _interrupt) for number in _SIGNALS] if main else []
    try:
        yield
    except _TerminatedError:
        pass  # an orderly end, not an error
    finally:
        for number, handler in zip(_SIGNALS, before):
            signal.signal(number, handler)


def _interrupt(number: int, frame: Optional[FrameType]) -> None:
    raise _TerminatedError if number == signal.SIGTERM else KeyboardInterrupt
