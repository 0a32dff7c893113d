"""The interface of structures."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

__all__ = ["Structure"]


class Structure(abc.ABC):
    """A rule that gives each entity a resource identifier.

    Identifiers are paths. :attr:`path_separator` separates their parts on every operating system.
    """

    def __init__(self, prefix: str = "") -> None:
        """Initialise with the *prefix* of all resource identifiers."""
        self.prefix = prefix
        self.path_separator = "/"
        super().__init__()

    @abc.abstractmethod
    def get_resource_identifier(
        self, entity: Entity, context: Optional[Mapping[str, Any]] = None
    ) -> str:
        """Return the resource identifier for *entity*.

        *context* is a mapping with further information, or None. In a transfer between locations it
        is ``{"source_resource_identifier": str, …}``.
        """

    def _get_sequence_expression(self, sequence: Entity) -> str:
        """Return the frame part of a path for the component *sequence*: ``%04d`` or ``%d``."""
        padding = sequence["padding"]
        return f"%{padding:02d}d" if padding else "%d"
