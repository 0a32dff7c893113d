"""A client for the ftrack production tracking API, and a sandbox server to develop against.

``import ftrack_like`` costs next to nothing: the client is loaded when something of it is first
used, then as a whole but for the event hub, which the first session brings. Modules can be reached
as attributes, such as ``ftrack_like.event.base.Event``, without further imports.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ftrack_like._version import __version__

if TYPE_CHECKING:
    from ftrack_like._mixin import mixin
    from ftrack_like.session import RetryPolicy, Session, SessionAuthentication

__all__ = ["RetryPolicy", "Session", "SessionAuthentication", "__version__", "mixin"]

_HOMES = {
    "RetryPolicy": "ftrack_like.session",
    "Session": "ftrack_like.session",
    "SessionAuthentication": "ftrack_like.session",
    "mixin": "ftrack_like._mixin",
}

#: Modules that can be reached as attributes of the package without being imported.
_MODULES = frozenset(
    {
        "accessor",
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
#: Those of them that hold modules of their own.
_PACKAGES = frozenset(
    {"accessor", "cache", "entity", "event", "resource_identifier_transformer", "structure"}
)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - modules and classes alike
    """Return the public *name*, loading the client for it."""
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        # The session brings most modules inside the packages with it. A plain module comes alone:
        # `from ftrack_like import exception`, deep inside the client or the sandbox, asks here.
        if name in _PACKAGES:
            importlib.import_module("ftrack_like.session")
        return importlib.import_module(f"ftrack_like.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return all public names."""
    return sorted({*globals(), *_HOMES, *_MODULES})
