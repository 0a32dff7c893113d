"""Events: what happened, who wants to know, and the hub that carries the news."""

from __future__ import annotations

import importlib
from typing import Any

#: Modules that can be reached as attributes before they are imported, as the first session does.
_MODULES = frozenset({"base", "expression", "hub", "subscriber", "subscription"})


def __getattr__(name: str) -> Any:
    """Return the module *name* of this package."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return all names of the package, those of its modules too."""
    return sorted({*globals(), *_MODULES})
