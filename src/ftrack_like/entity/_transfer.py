"""Adding components to a location and removing them: plans, and few requests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union, cast

from ftrack_like import exception
from ftrack_like._collaborators import loader_of
from ftrack_like._transport.interruption import raise_interruption
from ftrack_like.accessor._parallel import Move, move_all
from ftrack_like.accessor._progress import Meter, measuring
from ftrack_like.entity._copies import abandoned_places, copy_data, encode, true_place, undoing
from ftrack_like.entity.component import is_container
from ftrack_like.symbol import (
    COMPONENT_ADDED_TO_LOCATION_TOPIC,
    COMPONENT_REMOVED_FROM_LOCATION_TOPIC,
)
from ftrack_like.wire.events import Event

if TYPE_CHECKING:
    from ftrack_like._types import Source
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = ["add", "known_places", "remove"]

#: What was asked of the server once for the transfer under way: ``{location id: {component id:
#: (encoded) resource identifier}}``. So the methods of locations, which studios override, can ask
#: for one component at a time without a request each.
_KNOWN: ContextVar[Mapping[str, Mapping[str, str]]] = ContextVar(
    "_KNOWN", default=MappingProxyType({})
)

#: What is needed of containers and their members: asked for in one go, not when it is needed.
_NEEDED = "name, file_type, members.name, members.file_type, members.size, members.container.id"


class _Item(NamedTuple):
    """One component to be added, and where its data comes from."""

    component: Component
    source: Location
    #: Whether the caller named it; else it is a member of a container that was named.
    is_named: bool


def known_places(location: Location) -> Mapping[str, str]:
    """Return what is known of places in *location* during a transfer, by component id."""
    return _KNOWN.get().get(location["id"], {})


def add(
    location: Location,
    components: Sequence[Component],
    sources: Union[Source, Iterable[Source]],
    recursive: bool,
    progress: Optional[Callable[[int, int], object]] = None,
) -> None:
    """Add *components* to *location*, as :meth:`Location.add_components` says."""
    pairs = list(zip(components, _one_each(sources, len(components))))
    if location.session.in_doubt:
        location.session.commit()  # It may be about these components.
    if not location.structure:
        raise exception.LocationError(
            "No structure defined for location {location}. A plugin sets it for every session, or "
            "this program does: location.structure = StandardStructure().",
            details={"location": location},
        )
    items = list(_with_members(location.session, pairs, recursive))
    _refuse_present(location, items)
    meter = progress and Meter(progress, sum(_expected_size(item) for item in items))
    with measuring(meter), _known_in_sources(items), undoing() as stored:
        identifiers = _add_all_data(location, items, meter)
        _register(location, [item.component for item in items], identifiers, stored)
    _publish(location, COMPONENT_ADDED_TO_LOCATION_TOPIC, [item.component for item in items])


def remove(location: Location, components: Sequence[Component], recursive: bool) -> None:
    """Remove *components* from *location*, as :meth:`Location.remove_components` says."""
    pairs = [(component, location) for component in components]
    affected = [item.component for item in _with_members(location.session, pairs, recursive)]
    with _known({location["id"]: location.find_places(affected)}):
        location.get_resource_identifiers(affected)
        removed = []
        try:
            for component in affected:
                _remove_data(location, component)
                removed.append(component)
        finally:
            # What has lost its data must not stay registered, even if the next one failed.
            if removed:
                location.deregister_components(removed)
                _publish(location, COMPONENT_REMOVED_FROM_LOCATION_TOPIC, removed)


def _remove_data(location: Location, component: Component) -> None:
    """Remove the data of *component* from *location*.

    Raise :exc:`~ftrack_like.exception.ComponentNotInLocationError` if another session has removed
    the component since it was looked for.
    """
    try:
        location._remove_data(component)  # noqa: SLF001 - programs override it
    except exception.AccessorResourceNotFoundError as error:
        if location.find_places([component]):
            raise
        raise exception.ComponentNotInLocationError([component], location) from error


def _one_each(sources: Union[Source, Iterable[Source]], count: int) -> list[Location]:
    """Return a source for each of *count* components."""
    if isinstance(sources, (str, Mapping)) or not isinstance(sources, Iterable):
        return [cast("Location", sources)] * count
    several = [cast("Location", each) for each in sources]
    if len(several) == 1:
        return several * count
    if len(several) != count:
        raise ValueError(
            f"The sources must be either a single source for all components or one for each: "
            f"there are {len(several)} sources for {count} components."
        )
    return several


def _with_members(
    session: Session, pairs: Iterable[tuple[Component, Location]], recursive: bool
) -> Generator[_Item, None, None]:
    """Yield an item for each of *pairs*, components and sources; members before containers."""
    pairs = list(pairs)
    if recursive:
        _load_members(session, [component for component, _ in pairs])

    def walk(
        component: Component, source: Location, is_named: bool
    ) -> Generator[_Item, None, None]:
        """Yield the items of *component*; one that is within itself is walked once."""
        if recursive and is_container(component) and component["id"] not in open_containers:
            open_containers.add(component["id"])
            for member in component["members"] or ():
                yield from walk(member, source, False)
            open_containers.discard(component["id"])
        yield _Item(component, source, is_named)

    open_containers: set[str] = set()

    for component, source in pairs:
        yield from walk(component, source, True)


def _load_members(session: Session, components: Sequence[Component]) -> None:
    """Load the members of all containers among *components*, those of a level in one go."""
    loaded: set[str] = set()
    level = components
    while True:
        level = [each for each in level if is_container(each) and each["id"] not in loaded]
        if not level:
            return
        loaded.update(each["id"] for each in level)
        lacking = loader_of(session).lacking(level, _NEEDED)
        if lacking:
            session.populate(lacking, _NEEDED)
        level = [member for container in level for member in container["members"] or ()]


def _refuse_present(location: Location, items: Sequence[_Item]) -> None:
    """Raise an error if one of *items* is in *location* already."""
    try:
        location.get_resource_identifiers([item.component for item in items])
        missing = set()
    except exception.ComponentNotInLocationError as error:
        missing = {component["id"] for component in error.details["components"]}
    present = [item for item in items if item.component["id"] not in missing]
    named = [item.component for item in present if item.is_named]
    if named:
        raise exception.ComponentInLocationError(named, location)
    if present:
        # Not the error above: callers take that for "nothing is left to do".
        members = [item.component for item in present]
        raise exception.LocationError(
            "Cannot add a container some of whose members are there already: {error}",
            details={"error": exception.ComponentInLocationError(members, location)},
        )


@contextlib.contextmanager
def _known(places: Mapping[str, Mapping[str, str]]) -> Generator[None, None, None]:
    """Answer questions for *places* from what is known of them, within the context."""
    token = _KNOWN.set({**_KNOWN.get(), **places})
    try:
        yield
    finally:
        _KNOWN.reset(token)


@contextlib.contextmanager
def _known_in_sources(items: Sequence[_Item]) -> Generator[None, None, None]:
    """Ask each source of *items* once for the places of all components it gives."""
    sources: dict[int, tuple[Any, list[Any]]] = {}
    for item in items:
        if hasattr(item.source, "find_places"):
            sources.setdefault(id(item.source), (item.source, []))[1].append(item.component)
    places = {
        source["id"]: source.find_places(components) for source, components in sources.values()
    }
    with _known(places):
        yield


def _expected_size(item: _Item) -> int:
    """Return how many bytes the data of *item* should have; a container has none of its own."""
    return 0 if is_container(item.component) else int(item.component["size"] or 0)


def _add_all_data(location: Location, items: Sequence[_Item], meter: Optional[Meter]) -> list[str]:
    """Bring the data of *items* to *location*; return the (encoded) places of it.

    Several files are moved at the same time where that makes no other difference.
    """
    filled = [item for item in items if not is_container(item.component)]
    if len(filled) > 1 and all(location.adds_data_in_threads(item.source) for item in filled):
        places = [_place(location, item) for item in items]
        wanted = [pair for pair in zip(items, places) if not is_container(pair[0].component)]
        # Of two with one place the second must find the data of the first.
        if len({true_place(location, place) for _, place in wanted}) == len(wanted):
            moves = _moves(location, wanted)
            with location.accessor.receiving_several():
                move_all(moves, meter)
            return [_encoded(location, item, place) for item, place in zip(items, places)]
    return [_add_data(location, item, meter) for item in items]


def _add_data(location: Location, item: _Item, meter: Optional[Meter]) -> str:
    """Bring the data of *item* to *location*; return the (encoded) place of it."""
    if meter:
        meter.begin(_expected_size(item))
    place = _place(location, item)
    with _explaining(location, item):
        location._add_data(item.component, place, item.source)  # noqa: SLF001 - programs override it
    encoded = _encoded(location, item, place)
    if meter:
        meter.end()
    return encoded


def _place(location: Location, item: _Item) -> str:
    """Return where the structure of *location* puts *item*."""
    with _explaining(location, item):
        context = location._get_context(item.component, item.source)  # noqa: SLF001 - programs override it
        place: str = location.structure.get_resource_identifier(item.component, context)
    return place


def _encoded(location: Location, item: _Item, place: str) -> str:
    """Return *place* of *item* in *location* as the server is to store it."""
    with _explaining(location, item):
        return encode(location, item.component, place)


def _moves(location: Location, wanted: Sequence[tuple[_Item, str]]) -> list[Move]:
    """Return what moves the data of *wanted*, items and their places, in any thread.

    Everything that others may have written, but for accessors, is called here.
    """
    with _explaining(location, wanted[0][0]):
        abandoned = abandoned_places(location, [(item.component, place) for item, place in wanted])
    return [_move(location, item, place, abandoned) for item, place in wanted]


def _move(location: Location, item: _Item, place: str, abandoned: set[str]) -> Move:
    """Return what moves the data of *item* to *place* in *location*, in any thread."""
    component, source, _ = item
    with _explaining(location, item):
        source_place = source.get_resource_identifier(component)

    def run() -> None:
        """Move it."""
        with _explaining(location, item):
            copy_data(location, component, place, source.accessor, source_place, abandoned)

    return Move(run, _expected_size(item))


@contextlib.contextmanager
def _explaining(location: Location, item: _Item) -> Generator[None, None, None]:
    """Say of an error within the context which component could not be brought to *location*."""
    try:
        yield
    except Exception as error:
        raise_interruption(error)
        raise exception.LocationError(
            "Failed to transfer component {component} data to location {location} due to error: "
            "{error}",
            details={"component": item.component, "location": location, "error": error},
        ) from error


def _register(
    location: Location,
    components: Sequence[Component],
    identifiers: Sequence[str],
    stored: list[tuple[Any, str]],
) -> None:
    """Register *components* with *location*, whose data *stored* names."""
    note = ""
    try:
        location._register_components_in_location(components, identifiers)  # noqa: SLF001 - programs override it
    except BaseException as error:
        if location.session.in_doubt or isinstance(error, exception.ServerConnectionError):
            # It may have arrived: data that the server knows of must stay.
            note = " The server may have registered them: their data stays."
            stored.clear()
        raise_interruption(error)
        if not isinstance(error, Exception):
            raise
        if isinstance(error, exception.NotUniqueError):
            known = location.find_places(components)
            present = [each for each in components if each["id"] in known]
            if present:  # Another session was faster.
                raise exception.ComponentInLocationError(present, location) from error
        raise exception.LocationError(
            "Failed to register components with location {location} due to error: {error}{note}",
            details={"location": location, "error": error, "note": note},
        ) from error


def _publish(location: Location, topic: str, components: Iterable[Component]) -> None:
    """Publish an event on *topic* for each of *components*."""
    for component in components:
        location.session.event_hub.publish(
            Event(
                topic=topic,
                data={"component_id": component["id"], "location_id": location["id"]},
            ),
            on_error="ignore",
        )
