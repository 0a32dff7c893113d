"""Warnings of the library, as lines on standard error."""

from __future__ import annotations

import os
import sys

from ftrack_like.cli._text import printable

__all__ = ["show_warnings"]


def show_warnings() -> None:
    """Print the warnings of the library from now on, unless logging is configured already."""
    import logging  # lazy: "--help" answers at once

    tree = logging.getLogger("ftrack_like")
    if os.environ.get("FTRACK_LOG") or logging.getLogger().handlers:
        return

    class Lines(logging.Handler):
        """Prints each record as one line."""

        def emit(self, record: logging.LogRecord) -> None:
            """Print *record*."""
            text = printable(" ".join(record.getMessage().split()))
            print(f"ftrack-like: warning: {text}", file=sys.stderr)

    if not tree.handlers:
        tree.addHandler(Lines(logging.WARNING))
