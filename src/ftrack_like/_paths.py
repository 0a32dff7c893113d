"""Paths that no file system can hold, told apart before the operating system is asked.

Python raises a bare :exc:`ValueError` for some of them, without the path, and Windows stores some
under another name.
"""

from __future__ import annotations

import ntpath
import os
import re
from typing import Optional

from ftrack_like._storage_errors import PathError

__all__ = ["check_path", "problem_of"]

#: Names that stand for devices on Windows, with any suffix.
_DEVICES = frozenset(
    {"aux", "con", "nul", "prn", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))}
)
_REFUSED_BY_WINDOWS = re.compile(r'[<>:"|?*\x01-\x1f]')


def check_path(path: str) -> None:
    """Raise :exc:`~ftrack_like.exception.PathError` if no file can have the *path*."""
    problem = problem_of(path)
    if problem is not None:
        raise PathError(path, problem)


def problem_of(path: str, windows: bool = os.name == "nt") -> Optional[str]:
    """Return in words why no file can have the *path*; None if one can.

    With *windows*, the rules of that system count as well.
    """
    if "\0" in path:
        return "it has a NUL character in it"
    if not windows:
        # Here half surrogates stand for bytes that are not UTF-8; others stand for nothing.
        try:
            os.fsencode(path)
        except UnicodeEncodeError:
            return "it has a character in it that cannot be encoded"
        return None
    for part in re.split(r"[\\/]", ntpath.splitdrive(path)[1]):
        problem = _problem_on_windows(part)
        if problem is not None:
            return f"{part!r} {problem}"
    return None


def _problem_on_windows(name: str) -> Optional[str]:
    """Return in words why Windows gives no file the *name*; None if it does."""
    if name in {"", ".", ".."}:
        return None
    if name[-1] in " .":
        return "ends with a blank or a dot, which Windows drops"
    if name.partition(".")[0].rstrip().lower() in _DEVICES:
        return "is the name of a device on Windows"
    found = _REFUSED_BY_WINDOWS.search(name)
    return f"has {found[0]!r} in it, which Windows refuses" if found else None
