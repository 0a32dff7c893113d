"""Make components of files and sequences of files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Mapping
from typing import Any, Optional

from ftrack_like._session.sequences import parse_sequence as _parse_sequence
from ftrack_like.event.base import Event
from ftrack_like.exception import ServerConnectionError
from ftrack_like.symbol import ORIGIN_LOCATION_ID, REVIEW_LOCATION_ID

__all__ = ["create_component"]

#: Components of these names are for the review player: "auto" leaves them where it finds them.
_REVIEW_NAMES = frozenset({"ftrackreview-mp4", "ftrackreview-webm", "ftrackreview-image"})


def create_component(
    session: Any,
    path: str,
    data: Optional[Mapping[str, Any]] = None,
    location: Any = "auto",
    progress: Optional[Callable[[int, int], object]] = None,
) -> Any:
    """Return a new component for the data at *path*.

    *path* is that of a file, or an expression for a sequence such as
    ``"/path/to/file.%04d.exr [1-5, 7, 8]"``. A file that exists under exactly this name is a file.
    *data* are values of the component; where they do not say otherwise, the name is ``"main"``,
    and file type and size are found out.

    The component is added to the origin location, then to *location*, with which everything
    recorded is committed. ``"auto"`` stands for the location that
    :meth:`Session.pick_location <ftrack_like.session.Session.pick_location>` gives; None adds to
    no further location and commits nothing. When the data cannot be added, the component is taken
    back, and the error comes out. *progress* is that of
    :meth:`Location.add_components <ftrack_like.entity.location.Location.add_components>`.

    Raise :exc:`ValueError` for an expression that has a mistake.
    """
    path = os.fspath(path)
    values = dict(data or {})
    values.setdefault("name", "main")
    collection = _parse_sequence(path)
    if isinstance(location, str) and location == "auto":
        location = _pick(session, values["name"])
    if collection is None:
        component = _create_file(session, path, values)
    else:
        component = _create_sequence(session, collection, values)
    if location is not None:
        origin = session.get("Location", ORIGIN_LOCATION_ID)
        # Only where it is asked for: classes of studios override the method without it.
        more = {} if progress is None else {"progress": progress}
        with _undoing(session, component):
            location.add_component(component, origin, recursive=collection is not None, **more)
    return component


@contextlib.contextmanager
def _undoing(session: Any, component: Any) -> Generator[None, None, None]:
    """Take back what is recorded of the new *component* if the context ends with an exception.

    Else a later commit would make a component that has no data anywhere.
    """
    try:
        yield
    except BaseException as error:
        # Where the answer to the registration was lost, the server may know the component.
        if not isinstance(error.__cause__, ServerConnectionError):
            _forget(session, component)
        raise


def _forget(session: Any, component: Any) -> None:
    """Forget *component* and its members, as far as they are not committed."""
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
            session._identity_map.discard(entity)


def _pick(session: Any, name: str) -> Any:
    """Return the location that a new component called *name* goes to."""
    if name in _REVIEW_NAMES:
        return session.get("Location", REVIEW_LOCATION_ID)
    return session.pick_location()


def _create_file(session: Any, path: str, values: dict[str, Any]) -> Any:
    """Return the component for the file at *path*, in the origin location."""
    if "size" not in values:
        values["size"] = _size(path)
    if "file_type" not in values:
        values["file_type"] = _file_type(session, path)
    component = session.create("FileComponent", data=values)
    origin = session.get("Location", ORIGIN_LOCATION_ID)
    origin.add_component(component, path, recursive=False)
    return component


def _create_sequence(session: Any, collection: Any, values: dict[str, Any]) -> Any:
    """Return the component for the *collection* of files, with a member for each of them."""
    paths = list(collection)
    sizes = _member_sizes(paths, values.get("size"))
    values.setdefault("size", sum(sizes))
    values.setdefault("padding", collection.padding)
    expression = collection.format("{head}{padding}{tail}")
    if "file_type" not in values:
        values["file_type"] = _file_type(session, expression)
    container = session.create("SequenceComponent", data=values)
    origin = session.get("Location", ORIGIN_LOCATION_ID)
    origin.add_component(container, expression, recursive=False)
    members = []
    for path, index, size in zip(paths, collection.indexes, sizes):
        member = {
            "name": f"{index:0{collection.padding}d}" if collection.padding else str(index),
            "container": container,
            "size": size,
            "file_type": os.path.splitext(path)[1],
        }
        members.append(session.create("FileComponent", data=member))
        origin.add_component(members[-1], path, recursive=False)
    if members:
        container["members"] = members
    return container


def _size(path: str) -> int:
    """Return the size of the file at *path* in bytes; 0 if it cannot be told."""
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _member_sizes(paths: list[str], total: Optional[int]) -> list[int]:
    """Return the sizes of the files at *paths*; even shares of *total* if that is given."""
    if total is None:
        return [_size(path) for path in paths]
    return [int(total / len(paths))] * len(paths) if paths else []


def _file_type(session: Any, path: str) -> str:
    """Return the file type of *path*, with its dot: what a plugin says, or else its suffix.

    Plugins are asked by the event ``ftrack.api.session.get-file-type-from-string`` with the data
    ``{"file_path": str}``; the first one that returns something decides.
    """
    answers = session.event_hub.publish(
        Event(topic="ftrack.api.session.get-file-type-from-string", data={"file_path": path}),
        synchronous=True,
    )
    for answer in answers or ():
        if answer:
            return str(answer)
    return os.path.splitext(path)[1]
