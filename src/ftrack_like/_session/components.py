"""Create components from files and sequences of files."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from ftrack_like._base.callers import warn_at_caller
from ftrack_like._base.collaborators import identity_map_of
from ftrack_like._base.paths import check_path
from ftrack_like._base.value_errors import InvalidValueError, shown
from ftrack_like._session.sequences import parse_sequence as _parse_sequence
from ftrack_like.entity.location import find_location
from ftrack_like.exception import PathError
from ftrack_like.logging import LazyLogMessage as L
from ftrack_like.symbol import ORIGIN_LOCATION_ID, REVIEW_LOCATION_ID
from ftrack_like.wire.events import Event

if TYPE_CHECKING:
    from ftrack_like._base.types import Progress
    from ftrack_like._session.sequences import FileSequence
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = ["create_component", "files_of", "sequence_of"]

#: Errors of the operating system for paths at which a file can never exist.
_HOPELESS = frozenset({errno.ENAMETOOLONG, errno.ELOOP})

#: Names of components for the review player. The location "auto" is the review location for them.
_REVIEW_NAMES = frozenset({"ftrackreview-mp4", "ftrackreview-webm", "ftrackreview-image"})


def create_component(
    session: Session,
    path: str,
    data: Optional[Mapping[str, Any]] = None,
    location: Union[Location, str, None] = "auto",
    progress: Optional[Progress] = None,
) -> Component:
    """Return a new component for the data at *path*.

    *path* is the path of a file, or an expression for a sequence such as
    ``"/path/to/file.%04d.exr [1-5, 7, 8]"``. An existing file with exactly this name counts as a
    file. *data* contains attribute values of the component. By default the name is ``"main"``, and
    the file type and the size in bytes come from the files.

    The function adds the component to the origin location, and then to *location*, which commits
    all pending operations. ``"auto"`` means the location that
    :meth:`Session.pick_location <ftrack_like.session.Session.pick_location>` returns. With None the
    component stays in the origin location, and nothing is committed. If adding fails, the function
    discards the component and raises the error. An empty file causes a warning in the log, and a
    file that does not exist a :exc:`RuntimeWarning` if *location* accepts it without reading it.
    *progress* is passed to
    :meth:`Location.add_components <ftrack_like.entity.location.Location.add_components>`.

    Raise :exc:`ValueError` for a malformed expression, and
    :exc:`~ftrack_like.exception.InvalidValueError` if *path* is not a path, *data* not a mapping,
    or *location* a text other than ``"auto"``.
    """
    _refuse_mistakes(data, location)
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise InvalidValueError(
            f"A component is created from the path of a file, not from {shown(path)}."
        )
    path = os.fsdecode(path)
    check_path(path)
    values = dict(data or {})
    values.setdefault("name", "main")
    collection = _parse_sequence(path)
    chosen = _pick(session, values["name"]) if location == "auto" else location
    if collection is None:
        component = _create_file(session, path, values)
    else:
        component = _create_sequence(session, collection, values)
    if chosen is not None:
        origin = find_location(session, ORIGIN_LOCATION_ID)
        # Pass it only if the caller gave it: studios override the method without this parameter.
        more = {} if progress is None else {"progress": progress}
        with _undoing(session, component):
            cast("Location", chosen).add_component(
                component, origin, recursive=collection is not None, **more
            )
        if "size" not in (data or {}):
            _warn_of_missing(component, [path] if collection is None else list(collection))
    return component


def _refuse_mistakes(
    data: Optional[Mapping[str, Any]], location: Union[Location, str, None]
) -> None:
    """Raise InvalidValueError unless these are arguments of :func:`create_component`."""
    if data is not None and not isinstance(data, Mapping):
        hint = f" For the name, pass {{'name': {data!r}}}." if isinstance(data, str) else ""
        raise InvalidValueError(
            f"The data of a component are a mapping of attribute names to values, not "
            f"{shown(data)}.{hint}"
        )
    if isinstance(location, str) and location != "auto":
        raise InvalidValueError(
            f"location takes a Location, 'auto' or None, not {shown(location)}. Find the location "
            f"by its name: session.query('Location where name is \"{location}\"').one()"
        )


def _warn_of_missing(component: Component, paths: list[str]) -> None:
    """Warn if none of the files at *paths*, those of *component*, or only some of them exist.

    A file of other machines is no error: the published client registers it too.
    """
    members = component["members"] if component.entity_type == "SequenceComponent" else [component]
    missing = [
        path
        for path, member in zip(paths, members)
        if not member["size"] and not os.path.lexists(path)
    ]
    if missing:
        more = f", nor do {len(missing) - 1} other files of it" if len(missing) > 1 else ""
        warn_at_caller(
            f"{missing[0]} does not exist on this machine{more}. The component was created all the "
            "same, with no size. Pass its size in data if only other machines see the file.",
            RuntimeWarning,
        )


@contextlib.contextmanager
def _undoing(session: Session, component: Component) -> Generator[None, None, None]:
    """Discard the pending operations of the new *component* if the context raises.

    Otherwise a later commit would create a component without data in any location.
    """
    try:
        yield
    except BaseException:
        # After a lost answer to the registration, the server may have the component.
        if not session.in_doubt:
            _forget(session, component)
        raise


def _forget(session: Session, component: Component) -> None:
    """Remove *component* and its members from the session if they are not yet committed."""
    entities = [component]
    if component.entity_type == "SequenceComponent":
        entities += component["members"]
    ids = {entity["id"] for entity in entities}
    operations = [
        each
        for each in session.recorded_operations
        if any(value in ids for value in each.entity_key.values())
    ]
    if operations:
        session.recorded_operations.discard(operations)
        for entity in entities:
            identity_map_of(session).discard(entity)


def files_of(path: str) -> list[str]:
    """Return the paths of the files of which a component for *path* would consist."""
    collection = sequence_of(path)
    return [path] if collection is None else list(collection)


def sequence_of(path: str) -> Optional[FileSequence]:
    """Return the sequence of files that the expression *path* names, or None for a plain path."""
    return _parse_sequence(path)


def _pick(session: Session, name: str) -> Optional[Location]:
    """Return the location for a new component with this *name*."""
    if name in _REVIEW_NAMES:
        return find_location(session, REVIEW_LOCATION_ID)
    return session.pick_location()


def _create_file(session: Session, path: str, values: dict[str, Any]) -> Component:
    """Return the component for the file at *path*, in the origin location."""
    size, measured = (0, None) if "size" in values else _look_at(path)
    values.setdefault("size", size)
    _warn_of_empty(session, path, [measured])
    if "file_type" not in values:
        values["file_type"] = _file_type(session, path)
    component = _new(session, "FileComponent", values)
    _remember(component, path, measured)
    origin = find_location(session, ORIGIN_LOCATION_ID)
    origin.add_component(component, path, recursive=False)
    return component


def _create_sequence(
    session: Session, collection: FileSequence, values: dict[str, Any]
) -> Component:
    """Return the component for *collection*, with one member for each file."""
    paths = list(collection)
    found = _look_at_members(paths, values.get("size"))
    values.setdefault("size", sum(size for size, _ in found))
    _warn_of_empty(session, collection.format(), [measured for _, measured in found])
    values.setdefault("padding", collection.padding)
    expression = collection.format("{head}{padding}{tail}")
    if "file_type" not in values:
        values["file_type"] = _file_type(session, expression)
    container = _new(session, "SequenceComponent", values)
    origin = find_location(session, ORIGIN_LOCATION_ID)
    origin.add_component(container, expression, recursive=False)
    members = []
    for path, index, (size, measured) in zip(paths, collection.indexes, found):
        member = {
            "name": f"{index:0{collection.padding}d}" if collection.padding else str(index),
            "container": container,
            "size": size,
            "file_type": os.path.splitext(path)[1],
        }
        members.append(_new(session, "FileComponent", member))
        _remember(members[-1], path, measured)
        origin.add_component(members[-1], path, recursive=False)
    if members:
        container["members"] = members
    return container


def _new(session: Session, entity_type: str, values: dict[str, Any]) -> Component:
    """Return a new component of *entity_type* with *values*."""
    return cast("Component", session.create(entity_type, data=values))


def _look_at(path: str) -> tuple[int, Optional[int]]:
    """Return the size in bytes of the file at *path*, and again if it is a regular file, else None.

    The size is 0 if the file does not exist. Raise :exc:`~ftrack_like.exception.PathError` if no
    file can have this path.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno in _HOPELESS:
            raise PathError(path, error.strerror) from error
        return 0, None  # A program may write the file later.
    size = status.st_size
    return size, size if stat.S_ISREG(status.st_mode) else None


def _look_at_members(paths: list[str], total: Optional[int]) -> list[tuple[int, Optional[int]]]:
    """Return the result of :func:`_look_at` for each path.

    If *total* is given, do not look at the files; return an equal share of *total* bytes for each.
    """
    if total is None:
        return [_look_at(path) for path in paths]
    return [(int(total / len(paths)), None) for _ in paths]


def _remember(component: Component, path: str, size: Optional[int]) -> None:
    """Keep *size* in bytes, so that transfers notice a change of the file at *path*."""
    if size is not None:
        component.measured = (path, size)


def _warn_of_empty(session: Session, path: str, measured: list[Optional[int]]) -> None:
    """Log a warning if files at *path* are empty; *measured* are their sizes in bytes."""
    empty = measured.count(0)
    if empty:
        what = "is empty" if len(measured) == 1 else f"has {empty} empty files"
        session.logger.warning(
            L("{0} {1}: the component has no data to show. Was it written completely?", path, what)
        )


def _file_type(session: Session, path: str) -> str:
    """Return the file type of *path*, with its dot: a plugin's answer, or else the suffix.

    Plugins subscribe to the event ``ftrack.api.session.get-file-type-from-string`` with the data
    ``{"file_path": str}``. The first result that is not empty counts.
    """
    answers = session.event_hub.publish(
        Event(topic="ftrack.api.session.get-file-type-from-string", data={"file_path": path}),
        synchronous=True,
    )
    for answer in answers or ():
        if answer:
            return str(answer)
    return os.path.splitext(path)[1]
