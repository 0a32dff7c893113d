"""The locations of a session: configure them, choose one, and find components in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional, cast

from ftrack_like._base.mixin import mixin
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.accessor.server import _ServerAccessor
from ftrack_like.entity import location as location_entity
from ftrack_like.entity.component import availabilities
from ftrack_like.structure.entity_id import EntityIdStructure
from ftrack_like.structure.origin import OriginStructure
from ftrack_like.symbol import (
    ORIGIN_LOCATION_ID,
    REVIEW_LOCATION_ID,
    SERVER_LOCATION_ID,
    UNMANAGED_LOCATION_ID,
)
from ftrack_like.wire.events import Event

if TYPE_CHECKING:
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.location import Location
    from ftrack_like.query import QueryResult
    from ftrack_like.session import Session

__all__ = [
    "configure_locations",
    "get_component_availabilities",
    "get_component_availability",
    "get_locations",
    "pick_location",
    "pick_locations",
]


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


def configure_locations(session: Session) -> None:
    """Configure the built-in locations of *session*, then let plugins configure theirs.

    If the server has a storage scenario, publish the event ``ftrack.storage-scenario.activate``
    with the data ``{"storage_scenario": {…}}``, which activates it. Then publish
    ``ftrack.api.session.configure-location`` with the data ``{"session": session}`` for plugins. It
    is safe to call this function again.
    """
    for built_in in _BUILT_IN:
        values = {"name": built_in.name, "id": built_in.identifier}
        location = cast("Location", session.create("Location", values, reconstructing=True))
        mixin(location, built_in.mixin_class, name=built_in.class_name)
        location.accessor = (
            _ServerAccessor(session=session)
            if built_in.identifier == SERVER_LOCATION_ID
            else DiskAccessor(prefix="")
        )
        location.structure = built_in.structure()
        location.priority = built_in.priority
    scenario = session.server_information.get("storage_scenario")
    if scenario:
        session.event_hub.publish(
            Event(topic="ftrack.storage-scenario.activate", data={"storage_scenario": scenario}),
            synchronous=True,
        )
    session.event_hub.publish(
        Event(topic="ftrack.api.session.configure-location", data={"session": session}),
        synchronous=True,
    )


def get_locations(session: Session, filter_inaccessible: bool = True) -> list[Location]:
    """Return the locations of *session*, the lowest priority number first.

    *filter_inaccessible* leaves out the locations without an accessor.
    """
    found = cast("QueryResult[Location]", session.query("select id from Location"))
    locations = list(found)
    if filter_inaccessible:
        locations = [location for location in locations if location.accessor]
    return sorted(locations, key=lambda location: location.priority)


def pick_location(session: Session, component: Optional[Component] = None) -> Optional[Location]:
    """Return the first accessible location by priority, or None if there is none.

    With *component*, return the first location that contains at least a part of the component.
    """
    if component is not None:
        return pick_locations(session, [component])[0]
    locations = get_locations(session)
    return locations[0] if locations else None


def pick_locations(session: Session, components: Iterable[Component]) -> list[Optional[Location]]:
    """Return the result of :func:`pick_location` for each component, with few requests."""
    components = list(components)
    locations = get_locations(session)
    found = session.get_component_availabilities(components, locations=locations)
    return [_first_holding(locations, availability) for availability in found]


def _first_holding(
    locations: Sequence[Location], availability: Mapping[str, float]
) -> Optional[Location]:
    """Return the first of *locations* in which *availability* is above zero, or None."""
    for location in locations:
        if availability[location["id"]] > 0:
            return location
    return None


def get_component_availability(
    session: Session, component: Component, locations: Optional[Iterable[Location]] = None
) -> dict[str, float]:
    """Return the result of :func:`get_component_availabilities` for one *component*."""
    found: dict[str, float] = session.get_component_availabilities(
        [component], locations=locations
    )[0]
    return found


def get_component_availabilities(
    session: Session,
    components: Iterable[Component],
    locations: Optional[Iterable[Location]] = None,
) -> list[dict[str, float]]:
    """Return ``{location id: percentage}`` for each of *components*.

    The percentage is a float from 0.0 (absent) to 100.0 (complete). For a container it is the share
    of its members. *locations* limits the result to these locations; None means all. The function
    always queries the server, with a number of requests that does not grow with the number of
    components.
    """
    components = list(components)
    if locations is None:
        locations = get_locations(session, filter_inaccessible=False)
    location_ids = [location["id"] for location in locations]
    return availabilities(session, components, location_ids)
