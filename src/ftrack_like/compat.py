"""Let code that says ``import ftrack_api`` run on this library, unchanged.

::

    import ftrack_like.compat
    ftrack_like.compat.install()

    import ftrack_api                      # this library
    from ftrack_api.entity.base import Entity

or, for a whole script, ``python -m ftrack_like.compat SCRIPT [ARGUMENT …]``.

Every module path resolves to the very module object of ours, so that classes are the same
whichever name they are reached by, and a patch made through one name is seen through the other.
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
    """Finds modules of the published name among our own."""

    def __init__(self) -> None:
        self._specs: dict[str, Any] = {}

    def find_spec(
        self,
        fullname: str,
        path: Optional[Sequence[str]] = None,
        target: Optional[ModuleType] = None,
    ) -> Optional[importlib.machinery.ModuleSpec]:
        """Return a spec for *fullname* where it is ours to answer and exists, else None."""
        if fullname.partition(".")[0] != PUBLISHED_NAME:
            return None
        own = _own_name(fullname)
        if own not in sys.modules and importlib.util.find_spec(own) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return our module for *spec*."""
        module = importlib.import_module(_own_name(spec.name))
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give *module*, which ran long ago, back the spec that the import system replaced."""
        spec = module.__spec__
        if spec is not None and spec.name in self._specs:
            module.__spec__ = self._specs.pop(spec.name)
            module.__loader__ = getattr(module.__spec__, "loader", None)


_FINDER = _Finder()


def install() -> None:
    """Make ``ftrack_api`` and all modules below it resolve to this library.

    Calling it again changes nothing. Raise :exc:`ImportError` when the published library has
    been imported by this process: two of them would not know each other's classes.
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
    """Undo :func:`install`; names that were imported meanwhile stay bound where they are."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)
    for name in [name for name in sys.modules if name.partition(".")[0] == PUBLISHED_NAME]:
        del sys.modules[name]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run a script on this library: *arguments* are its path and what it is given.

    Return 2 when there is no script; else what the script does decides how the process ends.
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
    # The module runs as __main__ here; the finder must belong to the importable one.
    sys.exit(importlib.import_module("ftrack_like.compat").main())
