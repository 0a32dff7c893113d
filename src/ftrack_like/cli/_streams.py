"""The standard streams of a command: they may be closed, or not know a character."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

__all__ = ["silence", "usable_streams"]


@contextlib.contextmanager
def usable_streams() -> Iterator[None]:
    """Return a context in which standard output and error take any text.

    A stream that is missing is replaced by one that goes nowhere. Characters that a stream cannot
    encode are written as escapes. What is left in the streams is written in the end, if that is
    still possible.
    """
    with contextlib.ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None:
                nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.callback(setattr, sys, name, None)
                setattr(sys, name, nowhere)
            elif isinstance(stream, io.TextIOWrapper):
                stack.callback(stream.reconfigure, errors=stream.errors)
                stream.reconfigure(errors="backslashreplace")
                stack.callback(_flush, stream)
        yield


def _flush(stream: TextIO) -> None:
    """Write what is left in *stream*, unless its reader has gone or its disk is full."""
    try:
        stream.flush()
    except OSError:
        silence(stream)


def silence(stream: TextIO) -> None:
    """Let *stream*, whose reader has gone, go nowhere, so that Python does not complain later."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
