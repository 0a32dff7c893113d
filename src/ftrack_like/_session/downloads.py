"""Copy the data of a component to a file, which appears when it is complete."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Optional

from ftrack_like import exception
from ftrack_like._base.paths import check_path
from ftrack_like.accessor._progress import Meter, measuring
from ftrack_like.accessor.base import receive
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.entity.component import is_container

if TYPE_CHECKING:
    from ftrack_like._base.types import PathText, Progress
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = ["download_component"]


def download_component(
    session: Session,
    component: Component,
    path: PathText,
    location: Optional[Location] = None,
    progress: Optional[Progress] = None,
) -> int:
    """Copy the data of *component* to the file at *path*, and return the number of bytes.

    *location* is where the data are, by default the location that the session picks. The data go to
    a hidden file beside *path* first, so that *path* has all data or does not change. A file at
    *path* is replaced. *progress* receives ``(done, total)`` in bytes.

    Raise :exc:`~ftrack_like.exception.ComponentNotInAnyLocationError` if no accessible location has
    the data, and :exc:`~ftrack_like.exception.LocationError` for a component with members.
    """
    target = os.path.abspath(os.fsdecode(path))
    check_path(target)
    if is_container(component):
        raise exception.LocationError(
            "{component} has no data of its own. Download its members.",
            details={"component": component},
        )
    chosen = session.pick_location(component) if location is None else location
    if chosen is None:
        raise exception.ComponentNotInAnyLocationError()
    identifier = chosen.get_resource_identifier(component)
    expected = int(component["size"] or 0)
    meter = None if progress is None else Meter(progress, expected)
    with measuring(meter), contextlib.closing(chosen.accessor.open(identifier, "rb")) as data:
        if meter is not None:
            meter.begin(expected)
        return receive(DiskAccessor(prefix=""), target, data)
