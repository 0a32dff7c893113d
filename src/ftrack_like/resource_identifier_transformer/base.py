"""The interface of transformers. The base class changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["ResourceIdentifierTransformer"]


class ResourceIdentifierTransformer:
    """Converts resource identifiers to the form that the server stores, and back.

    For example, a subclass may store them relative to a folder that each office mounts at another
    path. This base class returns them unchanged.
    """

    def __init__(self, session: Session) -> None:
        """Initialise with the *session* whose locations use the transformer."""
        self.session = session
        super().__init__()

    def encode(self, resource_identifier: str, context: Optional[Mapping[str, Any]] = None) -> str:
        """Return *resource_identifier* in the form that the server stores.

        *context* is a mapping such as ``{"component": entity}``, or None.
        """
        return resource_identifier

    def decode(self, resource_identifier: str, context: Optional[Mapping[str, Any]] = None) -> str:
        """Return *resource_identifier*, stored on the server, in the form for the location.

        *context* is a mapping such as ``{"component": entity}``, or None.
        """
        return resource_identifier
