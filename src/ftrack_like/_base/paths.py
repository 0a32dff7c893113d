"""Find invalid paths before calling the operating system.

For some invalid paths, Python raises a :exc:`ValueError` without the path. For others, Windows
silently uses another name.
"""

from __future__ import annotations

import ntpath
import os
import re
from typing import Optional

from ftrack_like._base.storage_errors import PathError

__all__ = ["check_path", "problem_of"]

#: The names of devices on Windows, also with a suffix.
_DEVICES = frozenset(
    {"aux", "con", "nul", "prn", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))}
)
_REFUSED_BY_WINDOWS = r'[<>:"|?*\x01-\x1f]'


def check_path(path: str) -> None:
    """Raise :exc:`~ftrack_like.exception.PathError` if *path* is invalid."""
    problem = problem_of(path)
    if problem is not None:
        raise PathError(path, problem)


def problem_of(path: str, windows: bool = os.name == "nt") -> Optional[str]:
    """Return the problem with *path* in words; None if it is valid.

    With *windows*, check the rules of Windows as well.
    """
    if "\0" in path:
        return "it has a NUL character in it"
    if not windows:
        # Python uses the surrogates U+DC80 to U+DCFF for bytes that are not UTF-8. Other
        # surrogates cannot be encoded.
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
    """Return the problem with *name* on Windows in words; None if it is valid."""
    if name in {"", ".", ".."}:
        return None
    if name[-1] in " .":
        return "ends with a blank or a dot, which Windows drops"
    if name.partition(".")[0].rstrip().lower() in _DEVICES:
        return "is the name of a device on Windows"
    found = re.search(_REFUSED_BY_WINDOWS, name)
    return f"has {found[0]!r} in it, which Windows refuses" if found else None
