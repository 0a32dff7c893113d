"""Data on its way into a location: never over other data, and removed again on a failure."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Generator, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like.accessor.base import receive, remaining_size
from ftrack_like.entity.component import measured_size
from ftrack_like.logging import LazyLogMessage as L
from ftrack_like.symbol import CHUNK_SIZE

if TYPE_CHECKING:
    from ftrack_like.accessor.base import Accessor
    from ftrack_like.data import Data
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.location import Location

__all__ = ["Copies", "abandoned_places", "copy_data", "encode", "true_place", "undoing"]


class Copies(NamedTuple):
    """What the transfer under way has brought: *written* by itself, or *found* complete.

    Each is a list of locations and places in them.
    """

    written: list[tuple[Location, str]]
    found: list[tuple[Location, str]]


#: What the transfer under way has brought, to be removed if it fails.
_COPIES: ContextVar[Optional[Copies]] = ContextVar("_COPIES", default=None)


def copy_data(
    location: Location,
    component: Component,
    place: str,
    source: Accessor,
    source_place: str,
    abandoned: Optional[Iterable[str]] = None,
) -> None:
    """Copy what is at *source_place* of the accessor *source* to *place* in *location*.

    Raise :exc:`~ftrack_like.exception.LocationError` if there is something already; the very same
    data is fine where a transfer that was killed left it. *abandoned* are the places with data
    that belongs to nobody; None asks the server where there is data.

    Raise it as well if the data is the file that *component* was created of in this session, and
    has another size now; nothing stays at *place* then.
    """
    copies = _COPIES.get()
    measured = measured_size(component, source_place)
    if location.accessor.exists(place):
        if abandoned is None:
            abandoned = abandoned_places(location, [(component, place)])
        if not _is_left_over(location, place, source, source_place, abandoned):
            _refuse(place, place in abandoned)
        with source.open(source_place, "rb") as data:
            _refuse_changed(component, source_place, measured, remaining_size(data))
        if copies is not None:
            copies.found.append((location, place))
        return
    data = source.open(source_place, "rb")
    try:
        # Before anything is made or sent; where the source does not tell, the transfer counts.
        _refuse_changed(component, source_place, measured, remaining_size(data))
        _make_container(location.accessor, place)
        size = receive(location.accessor, place, data)
    finally:
        data.close()
    try:
        _refuse_changed(component, source_place, measured, size)
    except exception.LocationError:
        _remove_stored(location, place)
        raise
    if copies is not None:
        copies.written.append((location, place))


def abandoned_places(location: Location, pairs: Iterable[tuple[Component, str]]) -> set[str]:
    """Return at which places of *pairs*, components and places, data lies that belongs to nobody.

    No component is registered there, and this transfer did not bring it.
    """
    there = [(each, place) for each, place in pairs if location.accessor.exists(place)]
    if not there:
        return set()
    encoded = {encode(location, component, place): place for component, place in there}
    taken = {each.casefold() for each in location.find_taken(list(encoded))}
    copies = _COPIES.get() or Copies([], [])
    brought = {true_place(location, place) for _, place in [*copies.written, *copies.found]}
    return {
        place
        for identifier, place in encoded.items()
        if identifier.casefold() not in taken and true_place(location, place) not in brought
    }


def true_place(location: Location, place: str) -> str:
    """Return what is the same for all names of *place*, also where case and links do not count."""
    try:
        path = location.accessor.get_filesystem_path(place)
    except exception.AccessorError:
        return str(place).casefold()
    return str(os.path.realpath(path)).casefold()


def encode(location: Location, component: Component, place: str) -> str:
    """Return *place* of *component* in *location* as the server is to store it."""
    transformer = location.resource_identifier_transformer
    if not transformer:
        return place
    encoded: str = transformer.encode(place, context={"component": component})
    return encoded


def _is_left_over(
    location: Location, place: str, source: Accessor, source_place: str, abandoned: Iterable[str]
) -> bool:
    """Return whether what is at *place* belongs to nobody, and is the same as in the source."""
    if place not in abandoned:
        return False
    try:
        with location.accessor.open(place, "rb") as there, source.open(source_place, "rb") as data:
            return _hold_the_same(there, data)
    except exception.AccessorError:
        return False  # A folder, say. What is wrong with the source, another try will tell.


def _hold_the_same(one: Data, other: Data) -> bool:
    """Return whether the open data *one* and *other* hold the same bytes."""
    if remaining_size(one) != remaining_size(other):
        return False
    while True:
        chunk = one.read(CHUNK_SIZE)
        if chunk != other.read(CHUNK_SIZE):
            return False
        if not chunk:
            return True


def _refuse(place: str, is_abandoned: bool) -> None:
    """Raise the error that there is data at *place*."""
    hint = " No component is registered there: it may be what is left of a publish that was killed."
    raise exception.LocationError(
        "There is data at {resource_identifier} already, which is not overwritten.{hint}",
        details={"resource_identifier": place, "hint": hint if is_abandoned else ""},
    )


def _refuse_changed(
    component: Component, source_place: str, measured: Optional[int], size: Optional[int]
) -> None:
    """Raise an error if *size* is not the *measured* one of *component*; None compares nothing."""
    if measured is None or size is None or size == measured:
        return
    raise exception.LocationError(
        "The source {resource_identifier} changed: it had {measured} bytes when component "
        "{component} was created and has {size} now. Create the component again, or set its "
        '"size" to {size} if the change is meant.',
        details={
            "resource_identifier": source_place,
            "component": component,
            "measured": measured,
            "size": size,
        },
    )


def _make_container(accessor: Accessor, resource_identifier: str) -> None:
    """Make the container that is to hold *resource_identifier*, where there is such a thing."""
    try:
        container = accessor.get_container(resource_identifier)
    except (
        exception.AccessorParentResourceNotFoundError,
        exception.AccessorUnsupportedOperationError,
    ):
        return
    if container:
        accessor.make_container(container)  # Whether it is there is the accessor's to know.


@contextlib.contextmanager
def undoing() -> Generator[list[tuple[Location, str]], None, None]:
    """Remove the data written within the context if that ends with an exception.

    Yield the list of it; what is taken out of the list stays. Data that was found stays anyway,
    and so does data that another session has registered since: it found the same data there.
    """
    copies = Copies([], [])
    token = _COPIES.set(copies)
    try:
        yield copies.written
    except BaseException:
        for location, identifier in reversed(copies.written):
            if not _is_registered(location, identifier):
                _remove_stored(location, identifier)
        raise
    finally:
        _COPIES.reset(token)


def _is_registered(location: Location, identifier: str) -> bool:
    """Return whether the server knows of a component at *identifier* of *location*."""
    try:
        # Only identifiers that are registered as they are can be looked up without a component.
        return bool(location.find_taken([identifier]))
    except Exception as error:
        logging.getLogger(__name__).debug("Cannot look %s up: %s", identifier, error)
        return False


def _remove_stored(location: Location, identifier: str) -> None:
    """Remove the data at *identifier* of *location*; say so in the log if that fails."""
    try:
        location.accessor.remove(identifier)
    except Exception as error:
        logging.getLogger(__name__).warning(
            L("Data of a failed transfer stays at {0} in {1}: {2}", identifier, location, error)
        )
