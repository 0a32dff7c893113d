"""A client for the ftrack production tracking API, and a sandbox server to develop against.

``import ftrack_like`` takes almost no time. The first use of a public name imports the client, and
the first use of ``session.event_hub`` imports the event hub. Modules are available as attributes
without further imports, for example ``ftrack_like.event.base.Event``.
"""

from __future__ import annotations

import gc
import importlib
from typing import TYPE_CHECKING, Any

from ftrack_like._version import __version__

if TYPE_CHECKING:
    from types import ModuleType

    from ftrack_like._base.mixin import mixin
    from ftrack_like.query.builder import attr
    from ftrack_like.session import RetryPolicy, Session, SessionAuthentication

__all__ = ["RetryPolicy", "Session", "SessionAuthentication", "__version__", "attr", "mixin"]

_HOMES = {
    "RetryPolicy": "ftrack_like.session",
    "Session": "ftrack_like.session",
    "SessionAuthentication": "ftrack_like.session",
    "attr": "ftrack_like.query.builder",
    "mixin": "ftrack_like._base.mixin",
}

#: Modules that are available as attributes of the package without an import.
_MODULES = frozenset(
    {
        "accessor",
        "aio",
        "attribute",
        "cache",
        "collection",
        "data",
        "entity",
        "event",
        "exception",
        "formatter",
        "inspection",
        "logging",
        "operation",
        "plugin",
        "query",
        "resource_identifier_transformer",
        "session",
        "structure",
        "symbol",
    }
)
#: The packages in :data:`_MODULES`.
_PACKAGES = frozenset(
    {"accessor", "cache", "entity", "event", "resource_identifier_transformer", "structure"}
)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - modules and classes alike
    """Return the public *name*; import the client if necessary."""
    if name in _HOMES:
        value = getattr(_import_client(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        # Importing the session also imports most modules inside the packages. A plain module is
        # imported without the session, since the client and the sandbox themselves use
        # `from ftrack_like import exception`, which calls this function.
        if name in _PACKAGES:
            _import_client("ftrack_like.session")
        return importlib.import_module(f"ftrack_like.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _import_client(module: str) -> ModuleType:
    """Return the module *module*, imported without pauses of the garbage collector.

    An import creates tens of thousands of objects, and all stay. The collector would search
    them eighty times, which takes a twentieth of the time from the start of the process to the
    answer of the first query.
    """
    if not gc.isenabled():
        return importlib.import_module(module)
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.enable()


def __dir__() -> list[str]:
    """Return all public names."""
    return sorted({*globals(), *_HOMES, *_MODULES})
