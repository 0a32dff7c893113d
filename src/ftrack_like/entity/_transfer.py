"""Add components to a location and remove them, with few requests.

A transfer of a sequence with 1,000 files must not send 1,000 queries. But studios override the
methods of locations, which handle one component at a time, and expect their calls. So a transfer
first queries the server for all components together and puts the results into a context variable.
The methods of :class:`~ftrack_like.entity.location.Location` read it before they query the server.

Adding is all or nothing: copy all data, then register all components in one commit. If either
fails, the copied data is removed, unless the server may have registered the components.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union, cast

from ftrack_like import exception
from ftrack_like._base.collaborators import loader_of
from ftrack_like._transport.interruption import raise_interruption
from ftrack_like.accessor._parallel import Move, move_all
from ftrack_like.accessor._progress import Meter, measuring
from ftrack_like.accessor.base import Incoming
from ftrack_like.entity._copies import abandoned_places, copy_data, encode, true_place, undoing
from ftrack_like.entity.component import is_container
from ftrack_like.symbol import (
    COMPONENT_ADDED_TO_LOCATION_TOPIC,
    COMPONENT_REMOVED_FROM_LOCATION_TOPIC,
)
from ftrack_like.wire.events import Event

if TYPE_CHECKING:
    from ftrack_like._base.types import DataSource
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = ["add", "known_places", "remove"]

#: The places that the current transfer has queried: ``{location id: {component id: (encoded)
#: resource identifier}}``.
_KNOWN: ContextVar[Mapping[str, Mapping[str, str]]] = ContextVar(
    "_KNOWN", default=MappingProxyType({})
)

#: The projections of containers and their members, loaded in one query.
_NEEDED = "name, file_type, members.name, members.file_type, members.size, members.container.id"


class _Item(NamedTuple):
    """One component to add, and the location of its data."""

    component: Component
    source: Location
    #: Whether the caller named it. Otherwise it is a member of a container that the caller named.
    is_named: bool


def known_places(location: Location) -> Mapping[str, str]:
    """Return the places in *location* that the current transfer has queried, by component id."""
    return _KNOWN.get().get(location["id"], {})


def add(
    location: Location,
    components: Sequence[Component],
    sources: Union[DataSource, Iterable[DataSource]],
    recursive: bool,
    progress: Optional[Callable[[int, int], object]] = None,
) -> None:
    """Add *components* to *location*; see :meth:`Location.add_components`."""
    pairs = list(zip(components, _one_each(sources, len(components))))
    if location.session.in_doubt:
        location.session.commit()  # The in-doubt batch may concern these components.
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
    """Remove *components* from *location*; see :meth:`Location.remove_components`."""
    pairs = [(component, location) for component in components]
    affected = [item.component for item in _with_members(location.session, pairs, recursive)]
    with _with_known_places({location["id"]: location.find_places(affected)}):
        identifiers = location.get_resource_identifiers(affected)
        removals = [_Removal(location, *pair) for pair in zip(affected, identifiers)]
        try:
            if len(removals) > 1 and location.removes_data_in_threads():
                move_all([Move(removal.remove_in_thread, 0) for removal in removals], None)
            else:
                for removal in removals:
                    removal.remove()
        except exception.AccessorResourceNotFoundError as error:
            failed = [removal.component for removal in removals if removal.error is error]
            if location.find_places(failed):
                raise
            # Another session has removed the component since the query of its place.
            raise exception.ComponentNotInLocationError(failed, location) from error
        finally:
            # Deregister the components whose data is gone, even if another component failed.
            removed = [removal.component for removal in removals if removal.is_done]
            if removed:
                location.deregister_components(removed)
                _publish(location, COMPONENT_REMOVED_FROM_LOCATION_TOPIC, removed)


class _Removal:
    """The removal of the data of one component from *location*, from the place *identifier*."""

    def __init__(self, location: Location, component: Component, identifier: str) -> None:
        self.component = component
        self.is_done = False
        self.error: Optional[Exception] = None
        self._location = location
        self._identifier = identifier
        self._has_data = not is_container(component)

    def remove(self) -> None:
        """Remove the data with the method that programs override."""
        self._run(lambda: self._location._remove_data(self.component))  # noqa: SLF001 - programs override it

    def remove_in_thread(self) -> None:
        """Remove the data. Any thread may call this if the accessor is safe for threads."""
        if self._has_data:
            self._run(lambda: self._location.accessor.remove(self._identifier))
        else:
            self.is_done = True

    def _run(self, remove: Callable[[], None]) -> None:
        """Call *remove*, and keep its outcome."""
        try:
            remove()
        except Exception as error:
            self.error = error
            raise
        self.is_done = True


def _one_each(sources: Union[DataSource, Iterable[DataSource]], count: int) -> list[Location]:
    """Return a list of *count* sources; raise :exc:`ValueError` if *sources* has another length."""
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
    """Yield an item for each of *pairs*, a component and a source; members before containers."""
    pairs = list(pairs)
    if recursive:
        _load_all_members(session, [component for component, _ in pairs])

    def walk(
        component: Component, source: Location, is_named: bool
    ) -> Generator[_Item, None, None]:
        """Yield the items of *component*; a container inside itself is walked once."""
        if recursive and is_container(component) and component["id"] not in open_containers:
            open_containers.add(component["id"])
            for member in component["members"] or ():
                yield from walk(member, source, False)
            open_containers.discard(component["id"])
        yield _Item(component, source, is_named)

    open_containers: set[str] = set()

    for component, source in pairs:
        yield from walk(component, source, True)


def _load_all_members(session: Session, components: Sequence[Component]) -> None:
    """Load the members of all containers in *components*, with one query per level."""
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
    """Raise an error if one of *items* is already in *location*."""
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
        # A different error than above: callers take ComponentInLocationError as "already done".
        members = [item.component for item in present]
        raise exception.LocationError(
            "Cannot add a container: some of its members are already in the location: {error}",
            details={"error": exception.ComponentInLocationError(members, location)},
        )


@contextlib.contextmanager
def _with_known_places(places: Mapping[str, Mapping[str, str]]) -> Generator[None, None, None]:
    """Let :func:`known_places` return *places* inside the context."""
    token = _KNOWN.set({**_KNOWN.get(), **places})
    try:
        yield
    finally:
        _KNOWN.reset(token)


@contextlib.contextmanager
def _known_in_sources(items: Sequence[_Item]) -> Generator[None, None, None]:
    """Query each source of *items* once for the places of all its components."""
    sources: dict[int, tuple[Any, list[Any]]] = {}
    for item in items:
        if hasattr(item.source, "find_places"):
            sources.setdefault(id(item.source), (item.source, []))[1].append(item.component)
    places = {
        source["id"]: source.find_places(components) for source, components in sources.values()
    }
    with _with_known_places(places):
        yield


def _expected_size(item: _Item) -> int:
    """Return the expected size of the data of *item* in bytes; 0 for a container."""
    return 0 if is_container(item.component) else int(item.component["size"] or 0)


def _add_all_data(location: Location, items: Sequence[_Item], meter: Optional[Meter]) -> list[str]:
    """Copy the data of *items* to *location*; return their (encoded) places.

    Several files are moved in parallel if the result is the same as one after the other.
    """
    filled = [item for item in items if not is_container(item.component)]
    if len(filled) > 1 and all(location.adds_data_in_threads(item.source) for item in filled):
        places = [_place(location, item) for item in items]
        wanted = [pair for pair in zip(items, places) if not is_container(pair[0].component)]
        # If two items have the same place, the second must see the data of the first.
        if len({true_place(location, place) for _, place in wanted}) == len(wanted):
            moves, files = _moves(location, wanted)
            with location.accessor.receiving_several(files):
                move_all(moves, meter)
            return [_encoded(location, item, place) for item, place in zip(items, places)]
    return [_add_data(location, item, meter) for item in items]


def _add_data(location: Location, item: _Item, meter: Optional[Meter]) -> str:
    """Copy the data of *item* to *location*; return its (encoded) place."""
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
    """Return the place of *item* according to the structure of *location*."""
    with _explaining(location, item):
        context = location._get_context(item.component, item.source)  # noqa: SLF001 - programs override it
        place: str = location.structure.get_resource_identifier(item.component, context)
    return place


def _encoded(location: Location, item: _Item, place: str) -> str:
    """Return *place* of *item* in *location* in the form that the server stores."""
    with _explaining(location, item):
        return encode(location, item.component, place)


def _moves(
    location: Location, wanted: Sequence[tuple[_Item, str]]
) -> tuple[list[Move], list[Incoming]]:
    """Return the moves for *wanted*, pairs of items and places, and the files that they move.

    Any thread may run the moves. Code of plugins may not be safe for threads, except accessors that
    say so. Therefore this function makes all calls to such code, on the caller's thread.
    """
    with _explaining(location, wanted[0][0]):
        abandoned = abandoned_places(location, [(item.component, place) for item, place in wanted])
    files = []
    for item, place in wanted:
        with _explaining(location, item):
            source_place = item.source.get_resource_identifier(item.component)
        files.append(Incoming(place, item.source.accessor, source_place, _expected_size(item)))
    moves = [_move(location, item, file, abandoned) for (item, _), file in zip(wanted, files)]
    return moves, files


def _move(location: Location, item: _Item, file: Incoming, abandoned: set[str]) -> Move:
    """Return the move of *file*, the data of *item*, into *location*."""

    def run() -> None:
        """Copy the data."""
        place, source, source_place, _ = file
        with _explaining(location, item):
            copy_data(location, item.component, place, source, source_place, abandoned)

    return Move(run, file.size)


@contextlib.contextmanager
def _explaining(location: Location, item: _Item) -> Generator[None, None, None]:
    """Turn an error inside the context into an error that names the component of *item*."""
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
    """Register *components* in *location*; clear *stored*, the written data, to keep the data."""
    note = ""
    try:
        location._register_components_in_location(components, identifiers)  # noqa: SLF001 - programs override it
    except BaseException as error:
        if location.session.in_doubt or isinstance(error, exception.ServerConnectionError):
            # The commit may have arrived. If the components are registered, their data must stay.
            note = " The server may have registered them, so their data is kept."
            stored.clear()
        raise_interruption(error)
        if not isinstance(error, Exception):
            raise
        if isinstance(error, exception.NotUniqueError):
            known = location.find_places(components)
            present = [each for each in components if each["id"] in known]
            if present:  # Another session has registered these components first.
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
