"""Rename a complete file to its final name, also while other programs look at it.

On POSIX a rename replaces a file that other programs have open. Windows refuses it: the reader of
another process, a virus scanner or an indexer has the old or the new file open for a moment. So
the rename is repeated there for a short time.
"""

from __future__ import annotations

import os
import time
from typing import Union

__all__ = ["RENAME_PATIENCE", "put_into_place"]

_Name = Union[str, "os.PathLike[str]"]

#: The seconds for which a rename is repeated on Windows.
RENAME_PATIENCE = 2.0

_PAUSE = 0.02


def put_into_place(source: _Name, target: _Name) -> None:
    """Rename the closed file *source* to *target*; replace the file that has this name.

    Raise the :exc:`OSError` of the rename. On Windows, :exc:`PermissionError` is raised only if it
    lasts for :data:`RENAME_PATIENCE` seconds.
    """
    deadline = time.monotonic() + RENAME_PATIENCE
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
