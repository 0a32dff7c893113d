"""The behaviour of asset versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like.entity.base import Entity

if TYPE_CHECKING:
    from ftrack_like._base.types import EntityData, PathText
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.job import Job
    from ftrack_like.entity.location import Location

__all__ = ["AssetVersion"]


class AssetVersion(Entity):
    """A version of an asset, with the components published in it."""

    def create_component(
        self,
        path: str,
        data: Optional[EntityData] = None,
        location: Optional[Location] = None,
        *,
        progress: Optional[Callable[[int, int], object]] = None,
    ) -> Component:
        """Return a new component of this version for the data at *path*.

        *data* are further values of the component. *location* and *progress* are as for
        :meth:`Session.create_component <ftrack_like.session.Session.create_component>`.
        """
        if isinstance(data, Mapping) or not data:  # The session refuses other data.
            data = {**(data or {}), "version": self}
        more: dict[str, Any] = {} if progress is None else {"progress": progress}
        return self.session.create_component(path, data=data, location=location, **more)

    def encode_media(
        self,
        media: Union[PathText, Entity],
        keep_original: Union[bool, str] = "auto",
        *,
        wait: bool = False,
        timeout: Optional[float] = None,
        progress: Optional[Callable[[int, int], object]] = None,
    ) -> Job:
        """Encode *media*, a path or a component, for this version; return the job.

        The outputs become components of the version. *keep_original* says whether to keep the
        source; ``"auto"`` keeps a component, and removes a file that was uploaded from a path.
        *wait*, *timeout* and *progress* are as for
        :meth:`Session.encode_media <ftrack_like.session.Session.encode_media>`.
        """
        options: dict[str, Any] = {"wait": wait, "timeout": timeout, "progress": progress}
        # Pass only the given options: sessions of studios override the method without these.
        asked = {name: value for name, value in options.items() if value not in (None, False)}
        return self.session.encode_media(
            media, version_id=self["id"], keep_original=keep_original, **asked
        )
