"""The interface of accessors, and functions that copy data between them."""

from __future__ import annotations

import abc
import contextlib
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like._transport.cancellation import check_cancelled
from ftrack_like.accessor._progress import current_meter
from ftrack_like.data import Data
from ftrack_like.exception import AccessorOperationFailedError, AccessorUnsupportedOperationError
from ftrack_like.logging import LazyLogMessage as L
from ftrack_like.symbol import CHUNK_SIZE

if TYPE_CHECKING:
    from ftrack_like._base.types import Readable

__all__ = ["Accessor", "check_size", "copy", "receive", "remaining_size"]


class Accessor(abc.ABC):
    """The interface through which a location reads and writes data.

    A resource identifier names a resource: a file, or a container of resources, such as a folder.
    All errors are subclasses of :exc:`~ftrack_like.exception.AccessorError`.
    """

    #: Whether several threads may use one object of this class at once, each for another resource.
    #: Then the files of a sequence are moved in parallel. Subclasses do not inherit the value,
    #: since their changes may not be safe for threads: a safe subclass must set it again.
    is_thread_safe = False

    def __init__(self) -> None:
        """Initialise the accessor."""
        super().__init__()

    @abc.abstractmethod
    def list(self, resource_identifier: str) -> list[str]:
        """Return the identifiers of the resources in the container *resource_identifier*.

        Each begins with *resource_identifier*. Raise
        :exc:`~ftrack_like.exception.AccessorResourceInvalidError` if it is not a container and
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

        Raise :exc:`~ftrack_like.exception.AccessorResourceNotFoundError` if *mode* is a mode for
        reading and the resource does not exist.
        """

    @abc.abstractmethod
    def remove(self, resource_identifier: str) -> None:
        """Remove the file or the empty container *resource_identifier*.

        Raise :exc:`~ftrack_like.exception.AccessorContainerNotEmptyError` if the container is not
        empty, and :exc:`~ftrack_like.exception.AccessorResourceNotFoundError` if the resource does
        not exist.
        """

    @abc.abstractmethod
    def make_container(self, resource_identifier: str, recursive: bool = True) -> None:
        """Create the container *resource_identifier*; do nothing if it exists.

        With *recursive*, create missing parent containers as well. Otherwise raise
        :exc:`~ftrack_like.exception.AccessorParentResourceNotFoundError` if they are missing.
        """

    @abc.abstractmethod
    def get_container(self, resource_identifier: str) -> str:
        """Return the identifier of the container of *resource_identifier*.

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

    def receiving_several(self, files: Sequence[Incoming] = ()) -> AbstractContextManager[Any]:
        """Return a context manager for several calls of :meth:`receive`, for *files*.

        A subclass may, for example, keep connections open inside it.
        """
        return contextlib.nullcontext()

    def receive(self, resource_identifier: str, source: Readable) -> int:
        """Copy the open data *source* to *resource_identifier*; return the number of bytes.

        If the transfer fails, the accessor tries to remove the incomplete resource. Raise
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


class Incoming(NamedTuple):
    """A file that an accessor is about to receive as *resource_identifier*.

    Its data is at *source_identifier* of the accessor *source*. *size* is expected, in bytes.
    """

    resource_identifier: str
    source: Accessor
    source_identifier: str
    size: int


def _remove_rest(accessor: Accessor, resource_identifier: str) -> None:
    """Remove the incomplete resource of a failed transfer; log a warning if that fails."""
    try:
        accessor.remove(resource_identifier)
    except Exception as error:
        logging.getLogger(__name__).warning(
            L(
                "Could not remove the incomplete file of a failed transfer at {0}: {1}",
                resource_identifier,
                error,
            )
        )


def receive(accessor: Accessor, resource_identifier: str, source: Readable) -> int:
    """Store the open data *source* as *resource_identifier* through *accessor*.

    It does the same as :meth:`Accessor.receive`, also for an accessor of another class with the
    same methods.
    """
    if isinstance(accessor, Accessor):
        return accessor.receive(resource_identifier, source)
    return Accessor.receive(accessor, resource_identifier, source)


def copy(source: Readable, target: Data) -> int:
    """Copy the open data *source* to *target*; return the number of bytes.

    At most one chunk is in memory. Raise
    :exc:`~ftrack_like.exception.AccessorOperationFailedError` if the number of bytes differs from
    the size of *source* at the start.
    """
    expected = remaining_size(source)
    meter = current_meter()
    if meter is not None:
        meter.set_size(expected)
    size = 0
    while True:
        check_cancelled()
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
    """Return the number of bytes left in the open data *source*; None if it is unknown."""
    if not isinstance(source, Data):
        return None
    return source.remaining_size()


def check_size(expected: Optional[int], size: int) -> None:
    """Raise an error if a transfer moved *size* bytes instead of *expected*; None is unknown."""
    if expected is not None and size != expected:
        raise AccessorOperationFailedError(
            "transfer", error=f"{expected} bytes were expected, but {size} arrived"
        )
