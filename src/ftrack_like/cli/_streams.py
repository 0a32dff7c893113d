"""The standard streams of a command, which may be closed or lack characters."""

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
    """Return a context in which standard output and error accept any text.

    A missing stream is replaced by a stream that discards its text. Characters that a stream cannot
    encode are written as escapes. At the end, the remaining text is written, if that is still
    possible.
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
    """Write the remaining text of *stream*, unless its reader has gone or its disk is full."""
    try:
        stream.flush()
    except OSError:
        silence(stream)


def silence(stream: TextIO) -> None:
    """Discard further text for *stream*, whose reader has gone, to prevent an error at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
