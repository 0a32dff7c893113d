"""Modules of a package that are attributes without an import.

Programs write ``ftrack_like.accessor.disk.DiskAccessor`` after ``import ftrack_like``. So a package
imports such a module when a program reads the attribute.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from types import ModuleType

__all__ = ["modules_on_demand"]


def modules_on_demand(
    package: str, names: Iterable[str]
) -> tuple[Callable[[str], ModuleType], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for *package*, whose modules are *names*."""
    modules = frozenset(names)

    def import_module(name: str) -> ModuleType:
        """Import the module *name* of the package."""
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def all_names() -> list[str]:
        """Return all names of the package, including its modules."""
        return sorted({*vars(sys.modules[package]), *modules})

    return import_module, all_names
