"""What the commands of the sandbox share: reading a port, failing, and waiting for a signal."""

from __future__ import annotations

import argparse
import os
import pathlib
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = [
    "Stop",
    "database_url",
    "fail",
    "filled",
    "folder_path",
    "in_words",
    "port",
    "require_address",
    "share_interpreter",
    "stopping",
    "whole_number",
]


#: Seconds for which a thread may run while others wait for Python's global lock.
_TURN = 0.0005


def share_interpreter() -> None:
    """Let the threads of this process take shorter turns at the interpreter.

    A request has many short steps between the answers of the database, and waits for a turn before
    each. With Python's 5 ms, a few of 16 requests at once take many times longer than most. Only
    the commands do this, because it concerns the whole process.
    """
    sys.setswitchinterval(_TURN)


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


def database_url(text: str) -> str:
    """Return *text*, which must be the address of a PostgreSQL database."""
    if not text.startswith("postgresql"):
        # The text may contain a password, so the error does not show it.
        raise argparse.ArgumentTypeError("it must be like postgresql://user:password@host/name")
    return text


def require_address(text: str) -> None:
    """Raise :exc:`ValueError` if *text* is not the address of a database.

    The error shows no part of *text*, because any part may belong to the password.
    """
    # lazy: "--help" answers at once.
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(text)
    except (ValueError, ArgumentError):
        raise ValueError(
            "it must be like postgresql://user:password@host/name; in a "
            "password, write / : @ # as %2F %3A %40 %23"
        ) from None


def folder_path(text: str) -> pathlib.Path:
    """Return *text* as a path; an empty text would mean the current folder."""
    return pathlib.Path(filled(text))


def filled(text: str) -> str:
    """Return *text*, which must not be empty: an empty text comes from an unset variable."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; omit the option, or give it a value")
    return text


def whole_number(text: str) -> int:
    """Return the whole number in *text*, from 0."""
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise argparse.ArgumentTypeError(f"it must be a whole number from 0, not {text!r}")
    return int(text)


def in_words(error: Exception) -> str:
    """Return the text of *error*, with the name of its file."""
    if not isinstance(error, OSError):
        return str(error)
    words = str(error.strerror or error)
    return f"{words}: {error.filename}" if error.filename else words


def fail(text: str) -> int:
    """Print *text* as an error, and return the exit status for it.

    If FTRACK_LOG is ``debug``, as with ``--debug``, print the traceback of the handled error too.
    """
    if sys.exc_info()[0] is not None and os.environ.get("FTRACK_LOG", "").lower() == "debug":
        import traceback  # lazy: seldom needed

        traceback.print_exc()
    print(f"ftrack-like: {text}", file=sys.stderr)
    return 1
