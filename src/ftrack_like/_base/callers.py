"""Show a warning at the line of the program that caused it."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn_at_caller"]

_PACKAGE = __name__.partition(".")[0] + "."


def warn_at_caller(message: str, category: type[Warning]) -> None:
    """Show the warning *message* for the last line outside this package that led here.

    Python shows a warning once for each line, so a loop does not repeat it.
    """
    level, frame = 1, sys._getframe()  # noqa: SLF001 - quicker than inspect
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
