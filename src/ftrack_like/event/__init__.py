"""Events, subscriptions to them, and the hub that passes them on."""

from __future__ import annotations

import importlib
from types import ModuleType

#: The modules that are attributes before an import: `ftrack_like.event.base` works at once.
_MODULES = frozenset({"base", "expression", "hub", "subscriber", "subscription"})


def __getattr__(name: str) -> ModuleType:
    """Import the module *name* of this package."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return all names of the package, including its modules."""
    return sorted({*globals(), *_MODULES})
