"""Run code that says ``import ftrack_api`` on this library, without a change.

::

    import ftrack_like.compat
    ftrack_like.compat.install()

    import ftrack_api                      # this library
    from ftrack_api.entity.base import Entity

or, for a whole script, ``python -m ftrack_like.compat SCRIPT [ARGUMENT …]``.

Each module path resolves to the module object of this library. So classes are the same under both
names, and a patch under one name takes effect under the other.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Optional

__all__ = ["PUBLISHED_NAME", "install", "installed", "main", "uninstall"]

#: The name under which the published library is imported.
PUBLISHED_NAME = "ftrack_api"

_OWN_NAME = "ftrack_like"


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules of the published name among the modules of this library."""

    def __init__(self) -> None:
        self._specs: dict[str, Any] = {}

    def find_spec(
        self,
        fullname: str,
        path: Optional[Sequence[str]] = None,
        target: Optional[ModuleType] = None,
    ) -> Optional[importlib.machinery.ModuleSpec]:
        """Return a spec for *fullname* if this library has such a module, else None."""
        if fullname.partition(".")[0] != PUBLISHED_NAME:
            return None
        own = _own_name(fullname)
        if own not in sys.modules and importlib.util.find_spec(own) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the module of this library for *spec*."""
        module = importlib.import_module(_own_name(spec.name))
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Restore the spec of *module*, which the import system has replaced."""
        spec = module.__spec__
        if spec is not None and spec.name in self._specs:
            module.__spec__ = self._specs.pop(spec.name)
            module.__loader__ = getattr(module.__spec__, "loader", None)


_FINDER = _Finder()


def install() -> None:
    """Make ``ftrack_api`` and all modules below it resolve to this library.

    A second call changes nothing. Raise :exc:`ImportError` if this process has imported the
    published library already, because the two libraries do not know each other's classes.
    """
    loaded = sys.modules.get(PUBLISHED_NAME)
    if loaded is not None and loaded.__name__ != _OWN_NAME:
        raise ImportError(
            f"{PUBLISHED_NAME} has been imported already, from"
            f" {getattr(loaded, '__file__', 'an unknown place')}. Call ftrack_like.compat.install()"
            " before anything imports it, or run the program by python -m ftrack_like.compat."
        )
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def installed() -> bool:
    """Return whether :func:`install` is in effect."""
    return _FINDER in sys.meta_path


def uninstall() -> None:
    """Undo :func:`install`; names that were imported in between keep their objects."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)
    for name in [name for name in sys.modules if name.partition(".")[0] == PUBLISHED_NAME]:
        del sys.modules[name]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run a script on this library: *arguments* are its path and its own arguments.

    Return 2 if there is no script. Otherwise the script decides how the process ends.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print("usage: python -m ftrack_like.compat SCRIPT [ARGUMENT …]", file=sys.stderr)
        return 0 if given else 2
    script = given[0]
    if not os.path.exists(script):
        print(f"There is no script {script!r}.", file=sys.stderr)
        return 2
    install()
    sys.argv[:] = given
    if not os.path.isdir(script):
        sys.path[0:1] = [os.path.dirname(os.path.abspath(script))]
    runpy.run_path(script, run_name="__main__")
    return 0


def _own_name(name: str) -> str:
    return _OWN_NAME + name[len(PUBLISHED_NAME) :]


if __name__ == "__main__":
    # This module runs as __main__ here, but the finder must belong to the importable module.
    sys.exit(importlib.import_module("ftrack_like.compat").main())
