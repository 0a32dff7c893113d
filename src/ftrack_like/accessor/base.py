"""The interface of accessors, and how data gets from one to another."""

from __future__ import annotations

import abc
import contextlib
import logging
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like.accessor._progress import current_meter
from ftrack_like.data import Data
from ftrack_like.exception import AccessorOperationFailedError, AccessorUnsupportedOperationError
from ftrack_like.logging import LazyLogMessage as L
from ftrack_like.symbol import CHUNK_SIZE

if TYPE_CHECKING:
    from ftrack_like._types import Readable

__all__ = ["Accessor", "check_size", "copy", "receive", "remaining_size"]


class Accessor(abc.ABC):
    """A way to reach the data of a location.

    Resources are named by resource identifiers; a container holds other resources, as a folder
    does. All errors are subclasses of :exc:`~ftrack_like.exception.AccessorError`.
    """

    #: Whether several threads may use one object of this very class at once, each for a resource
    #: of its own: then the files of a sequence are moved several at a time. Subclasses do not
    #: inherit it, since what they change may not bear that: those that do say so again.
    is_thread_safe = False

    def __init__(self) -> None:
        """Initialise the accessor."""
        super().__init__()

    @abc.abstractmethod
    def list(self, resource_identifier: str) -> list[str]:
        """Return the identifiers of what is in the container *resource_identifier*.

        Each begins with *resource_identifier*. Raise
        :exc:`~ftrack_like.exception.AccessorResourceInvalidError` if it is no container and
        :exc:`~ftrack_like.exception.AccessorResourceNotFoundError` if it does not exist.
        """

    @abc.abstractmethod
    def exists(self, resource_identifier: str) -> bool:
        """Return whether there is a resource named *resource_identifier*."""

    @abc.abstractmethod
    def is_file(self, resource_identifier: str) -> bool:
        """Return whether *resource_identifier* names a file."""

    @abc.abstractmethod
    def is_container(self, resource_identifier: str) -> bool:
        """Return whether *resource_identifier* names a container."""

    @abc.abstractmethod
    def is_sequence(self, resource_identifier: str) -> bool:
        """Return whether *resource_identifier* names a sequence of files."""

    @abc.abstractmethod
    def open(self, resource_identifier: str, mode: str = "rb") -> Data:
        """Return the :class:`~ftrack_like.data.Data` of *resource_identifier*, opened in *mode*.

        Raise :exc:`~ftrack_like.exception.AccessorResourceNotFoundError` if it should be read and
        does not exist.
        """

    @abc.abstractmethod
    def remove(self, resource_identifier: str) -> None:
        """Remove the file or the empty container *resource_identifier*.

        Raise :exc:`~ftrack_like.exception.AccessorContainerNotEmptyError` for another container
        and :exc:`~ftrack_like.exception.AccessorResourceNotFoundError` if it does not exist.
        """

    @abc.abstractmethod
    def make_container(self, resource_identifier: str, recursive: bool = True) -> None:
        """Make the container *resource_identifier*; one that exists already is fine.

        With *recursive* the containers above it are made too; else raise
        :exc:`~ftrack_like.exception.AccessorParentResourceNotFoundError` if they are missing.
        """

    @abc.abstractmethod
    def get_container(self, resource_identifier: str) -> str:
        """Return the identifier of the container that holds *resource_identifier*.

        Raise :exc:`~ftrack_like.exception.AccessorParentResourceNotFoundError` if there is none.
        """

    def remove_container(self, resource_identifier: str) -> None:
        """Remove the empty container *resource_identifier*."""
        self.remove(resource_identifier)

    def get_filesystem_path(self, resource_identifier: str) -> str:
        """Return the path of *resource_identifier* in the file system of this machine.

        Raise :exc:`~ftrack_like.exception.AccessorUnsupportedOperationError` if the data is not
        in a file system, and :exc:`~ftrack_like.exception.AccessorFilesystemPathError` if this
        identifier has no path.
        """
        raise AccessorUnsupportedOperationError(
            "get_filesystem_path", resource_identifier=resource_identifier
        )

    def get_url(self, resource_identifier: str) -> str:
        """Return an address at which the data of *resource_identifier* can be read.

        Raise :exc:`~ftrack_like.exception.AccessorUnsupportedOperationError` if there is none.
        """
        raise AccessorUnsupportedOperationError("get_url", resource_identifier=resource_identifier)

    def receiving_several(self) -> AbstractContextManager[Any]:
        """Return a context within which :meth:`receive` is called for several files.

        Connections, for one, can be kept as long.
        """
        return contextlib.nullcontext()

    def receive(self, resource_identifier: str, source: Readable) -> int:
        """Store everything that the open data *source* holds as *resource_identifier*.

        When the transfer fails, nothing stays behind under that name, as far as the storage lets
        us remove it. Return the number of bytes moved. Raise
        :exc:`~ftrack_like.exception.AccessorOperationFailedError` if the source ends too early.
        """
        target = self.open(resource_identifier, "wb")
        try:
            try:
                return copy(source, target)
            finally:
                target.close()
        except BaseException:
            _remove_rest(self, resource_identifier)
            raise


def _remove_rest(accessor: Accessor, resource_identifier: str) -> None:
    """Remove what a failed transfer left; say so in the log if that fails as well."""
    try:
        accessor.remove(resource_identifier)
    except Exception as error:
        logging.getLogger(__name__).warning(
            L("A failed transfer may have left a part at {0}: {1}", resource_identifier, error)
        )


def receive(accessor: Accessor, resource_identifier: str, source: Readable) -> int:
    """Store the open data *source* as *resource_identifier* through *accessor*.

    As :meth:`Accessor.receive` does, also for accessors that only look like one.
    """
    if isinstance(accessor, Accessor):
        return accessor.receive(resource_identifier, source)
    return Accessor.receive(accessor, resource_identifier, source)


def copy(source: Readable, target: Data) -> int:
    """Write all that can be read from the open data *source* to *target*.

    At most one chunk is held in memory. Return the number of bytes moved. Raise
    :exc:`~ftrack_like.exception.AccessorOperationFailedError` if *source* gives less or more than
    it held when the transfer began.
    """
    expected = remaining_size(source)
    meter = current_meter()
    if meter is not None:
        meter.set_size(expected)
    size = 0
    while True:
        chunk = source.read(CHUNK_SIZE)
        if not chunk:
            break
        if isinstance(chunk, str):
            chunk = chunk.encode("utf-8")
        target.write(chunk)
        size += len(chunk)
        if meter is not None:
            meter.move_to(size)
    check_size(expected, size)
    return size


def remaining_size(source: object) -> Optional[int]:
    """Return how many bytes the open data *source* still holds; None if it cannot tell."""
    if not isinstance(source, Data):
        return None
    return source.remaining_size()


def check_size(expected: Optional[int], size: int) -> None:
    """Raise an error unless a transfer moved as many bytes (*size*) as *expected*, if known."""
    if expected is not None and size != expected:
        raise AccessorOperationFailedError(
            "transfer", error=f"{expected} bytes should have come, but {size} did"
        )
