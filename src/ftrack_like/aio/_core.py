"""The synchronous session below an asynchronous one. It never waits on the thread of a loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Optional, cast

from ftrack_like import exception
from ftrack_like.aio._entity import AsyncEntity
from ftrack_like.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from ftrack_like.aio._session import AsyncSession
    from ftrack_like.entity.base import Entity

__all__ = ["CoreSession", "on_event_loop"]


def on_event_loop() -> bool:
    """Return whether an event loop runs on this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _refuse_loading(entity: Entity, attribute_name: str) -> None:
    """Raise :exc:`~ftrack_like.exception.NotLoadedError` on the thread of an event loop.

    In the threads of the session, attributes are loaded as usual: its methods rely on that.
    """
    if on_event_loop():
        raise exception.NotLoadedError(
            entity, attribute_name, _short_projection(entity, attribute_name)
        )


def _short_projection(entity: Entity, attribute_name: str) -> str:
    """Return the projection of an attribute for an error, such as ``status.name``."""
    attribute = entity.attributes.lookup(attribute_name)
    referred = entity.session.types.get(str(getattr(attribute, "entity_type", None)))
    if referred is not None and "name" in referred.attributes.by_name:
        return f"{attribute_name}.name"
    return attribute.projection(entity).partition(",")[0]


class CoreSession(Session):
    """A session that refuses to wait for the server on the thread of an event loop."""

    #: The mixin of all entity classes.
    entity_mixin = AsyncEntity

    def __init__(self, front: AsyncSession, options: Mapping[str, Any]) -> None:
        """Initialise for *front* with the *options* of the base class. Nothing is sent here."""
        super().__init__(**options, connect="lazy")
        self.front = front
        self._on_lazy_load = _refuse_loading

    def prepare(self) -> None:
        """Make what calls on the thread of a loop need. Runs in a worker.

        The modules are imported on first use, and their import would stop the loop.
        """
        self._prepared = (self._unit_of_work, self._background, self._catalogue)

    @property
    def _request(self) -> requests.Session:
        """The HTTP session. Raise BlockingCallError on the thread of an event loop."""
        if on_event_loop():
            raise exception.BlockingCallError()
        return cast("requests.Session", _BASE.__get__(self))

    @_request.setter
    def _request(self, value: Optional[requests.Session]) -> None:
        """Use *value* for calls from now on."""
        _BASE.__set__(self, value)


#: The property that the class above extends.
_BASE: Any = vars(Session)["_request"]
