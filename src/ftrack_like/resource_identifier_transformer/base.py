"""The interface of transformers, which changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["ResourceIdentifierTransformer"]


class ResourceIdentifierTransformer:
    """Change resource identifiers on their way to the server and back.

    For instance to keep them relative to a folder that each site mounts elsewhere. This base
    class hands them on unchanged.
    """

    def __init__(self, session: Session) -> None:
        """Initialise with the *session* whose locations use the transformer."""
        self.session = session
        super().__init__()

    def encode(self, resource_identifier: str, context: Optional[Mapping[str, Any]] = None) -> str:
        """Return *resource_identifier* as the server should store it.

        *context* is a mapping such as ``{"component": entity}``; None when nothing is known.
        """
        return resource_identifier

    def decode(self, resource_identifier: str, context: Optional[Mapping[str, Any]] = None) -> str:
        """Return the *resource_identifier* that the server stores as a location works with it.

        *context* is a mapping such as ``{"component": entity}``; None when nothing is known.
        """
        return resource_identifier
