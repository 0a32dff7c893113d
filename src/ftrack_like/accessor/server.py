"""Data in the storage of the server."""

from __future__ import annotations

from typing import Any

from ftrack_like.accessor.base import Accessor
from ftrack_like.data import String

__all__ = ["ServerFile"]


class ServerFile(String):
    """Data of a component in the storage of the server."""

    def __init__(self, resource_identifier: str, session: Any, mode: str = "rb") -> None:
        """Initialise for the component *resource_identifier*."""
        super().__init__()
        self.resource_identifier = resource_identifier
        self.mode = mode


class _ServerAccessor(Accessor):
    """Reach the storage of the server."""

    def __init__(self, session: Any, **kw: Any) -> None:
        """Initialise with the *session*."""
        super().__init__(**kw)
        self._session = session

    list = exists = is_file = is_container = is_sequence = None  # type: ignore[assignment]
    open = remove = make_container = get_container = None  # type: ignore[assignment]
