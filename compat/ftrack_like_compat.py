"""Answer to the name ``ftrack_api`` in every program of an environment, where that is asked for.

The file ``ftrack_like_compat.pth`` beside this one calls :func:`install` as Python starts, if the
environment variable ``FTRACK_LIKE_COMPAT`` is ``1``. Programs that never import ``ftrack_api`` pay
for one comparison of names at their imports, and load nothing.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from typing import Any

__all__ = ["install"]

PUBLISHED_NAME = "ftrack_api"


class _FirstImport(importlib.abc.MetaPathFinder):
    """Waits for the first import of the published name, and makes way for the finder of ours."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Return the spec of our package for the published name, None for all other names."""
        if fullname != PUBLISHED_NAME:
            return None
        sys.meta_path.remove(self)
        # Only now, since most programs need nothing of it; and as Python starts, folders that are
        # named by other .pth files are not on the path yet.
        importlib.import_module("ftrack_like.compat").install()
        return importlib.util.find_spec(fullname)


def install() -> None:
    """Let ``import ftrack_api`` give this environment's ``ftrack_like`` from now on.

    Calling it again changes nothing. A Python that is told to ignore the environment (``-E``,
    ``-I``) is left alone.
    """
    if sys.flags.ignore_environment or PUBLISHED_NAME in sys.modules:
        return
    if not any(isinstance(finder, _FirstImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _FirstImport())
