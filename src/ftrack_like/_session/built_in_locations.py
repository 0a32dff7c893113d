"""The locations that every session configures itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from ftrack_like._base.collaborators import identity_map_of
from ftrack_like._base.mixin import mixin
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.accessor.server import _ServerAccessor
from ftrack_like.entity import location as location_entity
from ftrack_like.structure.entity_id import EntityIdStructure
from ftrack_like.structure.origin import OriginStructure
from ftrack_like.symbol import (
    ORIGIN_LOCATION_ID,
    REVIEW_LOCATION_ID,
    SERVER_LOCATION_ID,
    UNMANAGED_LOCATION_ID,
)

if TYPE_CHECKING:
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = ["configure"]


class _BuiltIn(NamedTuple):
    """A location that every session configures."""

    name: str
    identifier: str
    mixin_class: type
    class_name: str
    priority: int
    structure: type


_BUILT_IN = (
    _BuiltIn(
        "ftrack.origin",
        ORIGIN_LOCATION_ID,
        location_entity.OriginLocationMixin,
        "OriginLocation",
        100,
        OriginStructure,
    ),
    _BuiltIn(
        "ftrack.unmanaged",
        UNMANAGED_LOCATION_ID,
        location_entity.UnmanagedLocationMixin,
        "UnmanagedLocation",
        90,
        OriginStructure,
    ),
    _BuiltIn(
        "ftrack.review",
        REVIEW_LOCATION_ID,
        location_entity.UnmanagedLocationMixin,
        "UnmanagedLocation",
        110,
        OriginStructure,
    ),
    _BuiltIn(
        "ftrack.server",
        SERVER_LOCATION_ID,
        location_entity.ServerLocationMixin,
        "ServerLocation",
        150,
        EntityIdStructure,
    ),
)


def configure(session: Session) -> None:
    """Configure the built-in locations of *session*. It is safe to call this function again."""
    for built_in in _BUILT_IN:
        values = {"name": built_in.name, "id": built_in.identifier}
        # Every session knows these values, so they need not be in a cache.
        with identity_map_of(session).below.attaching():
            location = cast("Location", session.create("Location", values, reconstructing=True))
        mixin(location, built_in.mixin_class, name=built_in.class_name)
        location.accessor = (
            _ServerAccessor(session=session)
            if built_in.identifier == SERVER_LOCATION_ID
            else DiskAccessor(prefix="")
        )
        location.structure = built_in.structure()
        location.priority = built_in.priority
