"""The locations of a session: configure them, choose one, and find components in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Optional, cast

from ftrack_like._base.seams import is_overridden
from ftrack_like._base.storage_scenarios import CENTRALIZED
from ftrack_like._session.entity_types import EntityTypes
from ftrack_like._session.hub_making import publish_here
from ftrack_like.entity.component import availabilities

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

#: The methods that create a built-in location. A program that replaces one expects its call at the
#: start.
_CREATORS = ("_create", "_merge", "create", "merge")


def configure_locations(session: Session) -> None:
    """Configure the built-in locations of *session*, then let plugins configure theirs.

    If the server has a storage scenario, publish the event ``ftrack.storage-scenario.activate``
    with the data ``{"storage_scenario": {…}}``, which activates it. Then publish
    ``ftrack.api.session.configure-location`` with the data ``{"session": session}`` for plugins. It
    is safe to call this function again.

    A session may never use its locations. So it configures the built-in ones just before the first
    use of the class ``Location``: without that class, no location can be there.
    """
    types = session.types
    if isinstance(types, EntityTypes) and not is_overridden(session, *_CREATORS):
        types.before_first_use("Location", lambda: _configure_built_in(session))
    else:
        _configure_built_in(session)
    scenario = session.server_information.get("storage_scenario")
    if scenario:
        publish_here(
            session,
            "ftrack.storage-scenario.activate",
            {"storage_scenario": scenario},
            needs_hub=_has_subscriber(scenario),
        )
    publish_here(session, "ftrack.api.session.configure-location", {"session": session})


def _has_subscriber(scenario: object) -> bool:
    """Return whether a new hub has a subscriber for *scenario*; a fresh site has another one."""
    return isinstance(scenario, Mapping) and scenario.get("scenario") == CENTRALIZED


def _configure_built_in(session: Session) -> None:
    """Configure the built-in locations of *session*."""
    # lazy: their accessors and structures are a tenth of the library
    from ftrack_like._session import built_in_locations

    built_in_locations.configure(session)


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
