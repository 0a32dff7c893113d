"""Warnings of the library, as lines on standard error."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Optional, TextIO, Union

from ftrack_like.cli._text import printable

__all__ = ["show_warnings"]


def show_warnings() -> None:
    """Print the warnings of the library from now on, those of its log unless that is configured."""
    import logging  # lazy: "--help" answers at once

    _show_python_warnings()
    tree = logging.getLogger("ftrack_like")
    if os.environ.get("FTRACK_LOG") or logging.getLogger().handlers:
        return

    class Lines(logging.Handler):
        """Prints each record as one line."""

        def emit(self, record: logging.LogRecord) -> None:
            """Print *record*."""
            _print_warning(record.getMessage())

    if not tree.handlers:
        tree.addHandler(Lines(logging.WARNING))


def _print_warning(message: str) -> None:
    """Print *message* as one line."""
    text = printable(" ".join(message.split()))
    print(f"ftrack-like: warning: {text}", file=sys.stderr)


def _show_python_warnings() -> None:
    """Print the warnings of the library without the line of a program: there is no program."""
    before = warnings.showwarning
    if before.__module__ == __name__:
        return

    def show(
        message: Union[Warning, str],
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Optional[TextIO] = None,
        line: Optional[str] = None,
    ) -> None:
        if category.__module__.startswith("ftrack_like."):
            _print_warning(str(message))
        else:
            before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
