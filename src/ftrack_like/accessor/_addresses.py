"""Request the upload addresses for several files together.

An upload needs an address from the server, and the address depends on the size and the checksum of
the file. Asking for each file doubles the requests of a sequence. So the first upload of a group of
files measures all files of the group, and asks for all addresses in one batch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like._base.collaborators import remote_actions_of
from ftrack_like._base.seams import is_overridden
from ftrack_like._transport.interruption import raise_interruption
from ftrack_like.accessor._parts import count_parts, state_of
from ftrack_like.accessor._upload import Measured, measure
from ftrack_like.data import File

if TYPE_CHECKING:
    from ftrack_like._base.types import Readable
    from ftrack_like.accessor.base import Accessor, Incoming
    from ftrack_like.session import Session

__all__ = ["Addresses", "Prepared", "download_name"]

#: The limits of a group. All files of a group are read before the first one is sent, so a group
#: should fit into the cache of the operating system.
_MOST_FILES = 50
_MOST_BYTES = 256 * 1024 * 1024


class Prepared(NamedTuple):
    """What an upload needs: the size and checksum of the file, and where to send the data.

    *state* is that of the file when it was measured, see
    :func:`~ftrack_like.accessor._parts.state_of`.
    """

    measured: Measured
    state: Optional[tuple[int, ...]]
    place: dict[str, Any]


class _Group:
    """Files whose addresses are requested together."""

    def __init__(self, files: Sequence[Incoming]) -> None:
        self.files = files
        self.lock = threading.Lock()
        self.prepared: Optional[dict[str, Prepared]] = None


class Addresses:
    """The upload addresses for several files. Threads may share this object."""

    def __init__(self, session: Session, files: Iterable[Incoming]) -> None:
        """Initialise for *files*, which *session* will send in about this order."""
        self._session = session
        self._groups = {
            file.resource_identifier: group for group in _groups(files) for file in group.files
        }

    def take(self, component_id: str, source: Readable) -> Optional[Prepared]:
        """Return the address for *source*, the data of *component_id*, and forget it.

        Return None if this upload must ask for its own address: its address was taken before, the
        file has changed since it was measured, or the server refused the batch.
        """
        group = self._groups.get(component_id)
        if group is None:
            return None
        with group.lock:
            if group.prepared is None:
                group.prepared = _prepare(self._session, group.files)
            prepared = group.prepared.pop(component_id, None)
        return prepared if prepared is not None and prepared.state == state_of(source) else None


def download_name(session: Session, component_id: str) -> str:
    """Return the name of the file for later downloads of the component's data."""
    component = session.get("FileComponent", component_id)
    if component is None:
        return component_id
    return f"{component['name']}{component['file_type'] or ''}"


def _groups(files: Iterable[Incoming]) -> list[_Group]:
    """Return *files* in groups; leave out the files that are sent in parts or are no files here."""
    groups: list[list[Incoming]] = [[]]
    size = 0
    for file in files:
        if count_parts(file.size) > 1:
            continue
        if len(groups[-1]) >= _MOST_FILES or size + file.size > _MOST_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.size
    return [_Group(group) for group in groups if len(group) > 1]


def _prepare(session: Session, files: Sequence[Incoming]) -> dict[str, Prepared]:
    """Return the addresses for *files* by component id; without those that cannot be measured.

    If the server refuses the batch, return none: then the upload of the faulty file fails with the
    server's error, and the others do not.
    """
    if is_overridden(session, "get_upload_metadata"):
        return {}
    measured: dict[str, tuple[Measured, Optional[tuple[int, ...]]]] = {}
    for file in files:
        found = _measured(file.source, file.source_identifier)
        if found is not None:
            measured[file.resource_identifier] = found
    wanted = [
        {
            "component_id": component_id,
            "file_name": download_name(session, component_id),
            "file_size": one.size,
            "checksum": one.checksum,
        }
        for component_id, (one, _) in measured.items()
    ]
    try:
        places = remote_actions_of(session).get_upload_places(wanted)
    except Exception as error:
        raise_interruption(error)
        return {}
    return {
        component_id: Prepared(one, state, place)
        for (component_id, (one, state)), place in zip(measured.items(), places)
    }


def _measured(
    accessor: Accessor, identifier: str
) -> Optional[tuple[Measured, Optional[tuple[int, ...]]]]:
    """Return the size, checksum and state of a file; None if *accessor* has no plain file there.

    Other data, such as a download, would be transferred twice.
    """
    try:
        with accessor.open(identifier, "rb") as data:
            if type(data) is not File:
                return None
            state = state_of(data)
            measured = measure(data)
            return (measured, state) if state_of(data) == state else None
    except Exception as error:  # the upload of this file fails with the fitting error
        raise_interruption(error)
        return None
