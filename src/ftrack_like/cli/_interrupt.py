"""Ending a command that runs until it is told to stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Optional

__all__ = ["interruptible"]

#: Both are set: a program started in the background of a script comes with SIGINT ignored.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Return a context that ends, without an error, at Ctrl-C or when asked to terminate."""
    main = threading.current_thread() is threading.main_thread()
    before = [signal.signal(number, _interrupt) for number in _SIGNALS] if main else []
    try:
        yield
    except KeyboardInterrupt:
        pass  # the wish to stop, not a fault
    finally:
        for number, handler in zip(_SIGNALS, before):
            signal.signal(number, handler)


def _interrupt(number: int, frame: Optional[FrameType]) -> None:
    raise KeyboardInterrupt
