"""Entities of asynchronous sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ftrack_like.entity.base import Entity

if TYPE_CHECKING:
    from ftrack_like._base.types import Projections
    from ftrack_like.aio._core import CoreSession

__all__ = ["AsyncEntity"]


class AsyncEntity(Entity):
    """An entity of an :class:`AsyncSession`. Reading an attribute never queries the server."""

    __slots__ = ()

    async def load(self, projections: Projections) -> None:
        """Load *projections* of this entity, text such as ``"name, status.name"`` or a list.

        The server's values replace the remote ones; uncommitted local values stay. To load the
        attributes of many entities in one request, use :meth:`AsyncSession.populate`.
        """
        await cast("CoreSession", self.session).front.populate(self, projections)
