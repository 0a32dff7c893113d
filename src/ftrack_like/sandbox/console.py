"""What the commands of the sandbox share: reading a port, failing, and waiting for a signal."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Stop", "fail", "in_words", "port", "stopping"]


class Stop(threading.Event):
    """Set when the command must end; *number* is the number of the signal."""

    number = 0


@contextmanager
def stopping() -> Iterator[Stop]:
    """Yield an event that SIGINT and SIGTERM set, even while the server starts."""
    stop = Stop()

    def ask(number: int, frame: Any) -> None:
        stop.number = number
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def port(text: str) -> int:
    """Return the port in *text*, from 0 to 65535."""
    if not (text.isascii() and text.isdigit() and len(text) < 6) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def in_words(error: Exception) -> str:
    """Return the text of *error*, with the name of its file."""
    if not isinstance(error, OSError):
        return str(error)
    words = str(error.strerror or error)
    return f"{words}: {error.filename}" if error.filename else words


def fail(text: str) -> int:
    """Print *text* as an error, and return the exit status for it."""
    print(text, file=sys.stderr)
    return 1
