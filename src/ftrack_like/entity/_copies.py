"""Copy data into a location: never overwrite other data, and remove it after a failure.

A transfer has two steps: copy the data, then register the component on the server. Between these
steps the process may be killed, or another session may copy the same component. So data may exist
at a place without a registration. The rules are:

- Data at the target place is never overwritten.
- *Abandoned* data, with no component registered at its place, is used if it has the same bytes as
  the source. Otherwise the transfer fails, and the user must decide.
- After a failure, a transfer removes the data that it has *written*. It keeps the data that it has
  *found*, and data that another session has registered since.
"""

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
    """The data of the current transfer that it has *written* itself, or has *found* complete.

    Each is a list of pairs of a location and a place (a resource identifier).
    """

    written: list[tuple[Location, str]]
    found: list[tuple[Location, str]]


#: The data of the current transfer. The written data is removed if the transfer fails.
_COPIES: ContextVar[Optional[Copies]] = ContextVar("_COPIES", default=None)


def copy_data(
    location: Location,
    component: Component,
    place: str,
    source: Accessor,
    source_place: str,
    abandoned: Optional[Iterable[str]] = None,
) -> None:
    """Copy the data at *source_place* of the accessor *source* to *place* in *location*.

    *abandoned* are the places with abandoned data (see the module docstring); None queries the
    server for these.

    Raise :exc:`~ftrack_like.exception.LocationError` if there is other data at *place*, or if
    *component* was created from this file in this session and the size has changed since. In the
    second case nothing stays at *place*.
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
        # Check the size before creating or sending anything. If the source does not know its size,
        # the check after the transfer finds a difference.
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
    """Return the places in *pairs*, of components and places, that have abandoned data.

    No component is registered there, and the data is not from this transfer.
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
    """Return a text that is equal for all names of *place*, with links resolved and case folded."""
    try:
        path = location.accessor.get_filesystem_path(place)
    except exception.AccessorError:
        return str(place).casefold()
    return str(os.path.realpath(path)).casefold()


def encode(location: Location, component: Component, place: str) -> str:
    """Return *place* of *component* in *location* in the form that the server stores."""
    transformer = location.resource_identifier_transformer
    if not transformer:
        return place
    encoded: str = transformer.encode(place, context={"component": component})
    return encoded


def _is_left_over(
    location: Location, place: str, source: Accessor, source_place: str, abandoned: Iterable[str]
) -> bool:
    """Return whether the data at *place* is abandoned and has the same bytes as the source."""
    if place not in abandoned:
        return False
    try:
        with location.accessor.open(place, "rb") as there, source.open(source_place, "rb") as data:
            return _hold_the_same(there, data)
    except exception.AccessorError:
        return (
            False  # For example a folder. If the source fails, opening it again raises the error.
        )


def _hold_the_same(one: Data, other: Data) -> bool:
    """Return whether the open data *one* and *other* have the same bytes."""
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
    hint = " No component is registered there: a killed publish may have left the data."
    raise exception.LocationError(
        "There is data at {resource_identifier} already, which is not overwritten.{hint}",
        details={"resource_identifier": place, "hint": hint if is_abandoned else ""},
    )


def _refuse_changed(
    component: Component, source_place: str, measured: Optional[int], size: Optional[int]
) -> None:
    """Raise an error if *size* differs from the *measured* size of *component*; None is unknown."""
    if measured is None or size is None or size == measured:
        return
    raise exception.LocationError(
        "The source {resource_identifier} changed: it had {measured} bytes when component "
        "{component} was created and has {size} now. Create the component again, or set its "
        '"size" to {size} if the change is intended.',
        details={
            "resource_identifier": source_place,
            "component": component,
            "measured": measured,
            "size": size,
        },
    )


def _make_container(accessor: Accessor, resource_identifier: str) -> None:
    """Create the container of *resource_identifier*, if the accessor has containers."""
    try:
        container = accessor.get_container(resource_identifier)
    except (
        exception.AccessorParentResourceNotFoundError,
        exception.AccessorUnsupportedOperationError,
    ):
        return
    if container:
        accessor.make_container(container)  # The accessor ignores an existing container.


@contextlib.contextmanager
def undoing() -> Generator[list[tuple[Location, str]], None, None]:
    """Remove the data that was written inside the context if the context raises.

    Yield the list of the written data. The caller removes entries from the list to keep their data.
    Data that was found stays. Data that another session has registered since stays as well: that
    session found the same data.
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
    """Return whether a component is registered on the server at *identifier* of *location*."""
    try:
        # This finds only identifiers that the location does not encode: encoding needs a component.
        return bool(location.find_taken([identifier]))
    except Exception as error:
        logging.getLogger(__name__).debug("Could not query the data at %s: %s", identifier, error)
        return False


def _remove_stored(location: Location, identifier: str) -> None:
    """Remove the data at *identifier* of *location*; log a warning if that fails."""
    try:
        location.accessor.remove(identifier)
    except Exception as error:
        logging.getLogger(__name__).warning(
            L(
                "Could not remove data of a failed transfer at {0} in {1}: {2}",
                identifier,
                location,
                error,
            )
        )
