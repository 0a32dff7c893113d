"""The accessor for files on the disks of this machine."""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import stat
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception
from ftrack_like._base.paths import problem_of
from ftrack_like.accessor import _temporary
from ftrack_like.accessor.base import Accessor, check_size, copy
from ftrack_like.data import File

if TYPE_CHECKING:
    from ftrack_like._base.types import Readable, Value
    from ftrack_like.data import Data

__all__ = ["DiskAccessor", "error_handler"]


class DiskAccessor(Accessor):
    """Reads and writes files below the folder *prefix*, or anywhere without a prefix.

    Resource identifiers are paths, absolute or relative to the prefix.
    """

    is_thread_safe = True

    def __init__(self, prefix: Optional[str], *, confine_links: bool = False, **kw: Value) -> None:
        """Initialise with the folder *prefix*.

        Paths outside of *prefix* raise an error; with ``""`` or None all paths are allowed. With
        *confine_links*, symbolic links that lead out of the prefix raise an error as well.
        """
        if prefix:
            prefix = os.path.abspath(os.path.expanduser(os.path.expandvars(prefix)))
        self.prefix = prefix
        self.confine_links = confine_links
        super().__init__(**kw)

    def list(self, resource_identifier: str) -> builtins.list[str]:
        """Return the paths of the files and folders in the folder *resource_identifier*.

        They begin with *resource_identifier*. Temporary files of transfers are left out.
        """
        path = self.get_filesystem_path(resource_identifier)
        with error_handler(operation="list", resource_identifier=resource_identifier):
            return [
                os.path.join(resource_identifier, name)
                for name in sorted(os.listdir(path))
                if not _temporary.is_temporary(name)
            ]

    def exists(self, resource_identifier: str) -> bool:
        """Return whether there is a file or folder at *resource_identifier*."""
        return os.path.exists(self.get_filesystem_path(resource_identifier))

    def is_file(self, resource_identifier: str) -> bool:
        """Return whether *resource_identifier* is a file."""
        return os.path.isfile(self.get_filesystem_path(resource_identifier))

    def is_container(self, resource_identifier: str) -> bool:
        """Return whether *resource_identifier* is a folder."""
        return os.path.isdir(self.get_filesystem_path(resource_identifier))

    def is_sequence(self, resource_identifier: str) -> bool:
        """Raise :exc:`~ftrack_like.exception.AccessorUnsupportedOperationError`.

        A disk has only files and folders.
        """
        raise exception.AccessorUnsupportedOperationError(
            "is_sequence", resource_identifier=resource_identifier
        )

    def open(self, resource_identifier: str, mode: str = "rb") -> Data:
        """Return the :class:`~ftrack_like.data.File` at *resource_identifier*, opened in *mode*."""
        path = self.get_filesystem_path(resource_identifier)
        with error_handler(operation="open", resource_identifier=resource_identifier):
            _refuse_pipe(path, resource_identifier)
            return File(path, mode)

    def remove(self, resource_identifier: str) -> None:
        """Remove the file, link or empty folder *resource_identifier*."""
        path = self.get_filesystem_path(resource_identifier)
        with error_handler(operation="remove", resource_identifier=resource_identifier):
            if os.path.isdir(path) and not os.path.islink(path):
                _temporary.remove_abandoned(path)
                os.rmdir(path)
            else:
                os.remove(path)

    def make_container(self, resource_identifier: str, recursive: bool = True) -> None:
        """Create the folder *resource_identifier*, with its parent folders if *recursive*."""
        path = self.get_filesystem_path(resource_identifier)
        with error_handler(operation="make_container", resource_identifier=resource_identifier):
            if recursive:
                os.makedirs(path, exist_ok=True)
                return
            try:
                os.mkdir(path)
            except FileNotFoundError as error:
                raise exception.AccessorParentResourceNotFoundError(
                    "make_container", resource_identifier=resource_identifier, error=error
                ) from error
            except FileExistsError:
                if not os.path.isdir(path):
                    raise

    def get_container(self, resource_identifier: str) -> str:
        """Return the folder of *resource_identifier*, relative to the prefix if there is one.

        Raise :exc:`~ftrack_like.exception.AccessorParentResourceNotFoundError` if that is outside
        of the prefix.
        """
        path = self.get_filesystem_path(resource_identifier)
        if not self.prefix:
            return os.path.dirname(path)
        if _parts(path) == _parts(self.prefix):
            raise exception.AccessorParentResourceNotFoundError(
                resource_identifier=resource_identifier,
                message=(
                    "The container of {resource_identifier} falls outside of configured prefix."
                ),
            )
        container = os.path.relpath(os.path.dirname(path), self.prefix)
        return "" if container == os.curdir else container

    def get_filesystem_path(self, resource_identifier: str) -> str:
        """Return the path of *resource_identifier*, absolute if there is a prefix.

        Raise :exc:`~ftrack_like.exception.AccessorFilesystemPathError` if the path is outside of
        the prefix, or is not a valid path.
        """
        path = resource_identifier
        problem = problem_of(path) if path else None
        if problem is not None:
            raise exception.AccessorFilesystemPathError(
                resource_identifier=resource_identifier,
                message="No file can have the path {resource_identifier!r}: {problem}.",
                details={"problem": problem},
            )
        if path:
            path = os.path.normpath(path)
        if not self.prefix:
            return path
        path = os.path.normpath(os.path.join(self.prefix, path))
        self._refuse_outside(path, os.path.normpath(self.prefix), resource_identifier)
        if self.confine_links:
            self._refuse_outside(
                os.path.realpath(path), os.path.realpath(self.prefix), resource_identifier
            )
        return path

    def _refuse_outside(self, path: str, prefix: str, resource_identifier: str) -> None:
        """Raise an error unless the parts of *path* begin with all parts of *prefix*."""
        wanted = _parts(prefix)
        if _parts(path)[: len(wanted)] != wanted:
            raise exception.AccessorFilesystemPathError(
                resource_identifier=resource_identifier,
                message=(
                    "The resource identifier {resource_identifier} leads outside of the prefix of "
                    "the location (outside of configured prefix {prefix})."
                ),
                details={"prefix": self.prefix},
            )

    def receive(self, resource_identifier: str, source: Readable) -> int:
        """Copy the open data *source* to the file *resource_identifier*; return its size in bytes.

        The data goes to a temporary file in the same folder. The file gets its name only when it
        is complete and on the disk, so that readers never see a part of it. A temporary file of
        a killed transfer to the same place is reused.
        """
        path = self.get_filesystem_path(resource_identifier)
        with (
            error_handler(operation="receive", resource_identifier=resource_identifier),
            _temporary.beside(path) as temporary,
        ):
            size = self._write_temporary(resource_identifier, temporary.path, source)
            check_size(size, os.path.getsize(temporary.path))
            temporary.keep()
        return size

    def _write_temporary(self, resource_identifier: str, path: str, source: Readable) -> int:
        """Write *source* to the temporary file at *path*, next to *resource_identifier*."""
        folder = os.path.dirname(os.path.normpath(resource_identifier))
        # Open it through the method open and an identifier: a subclass may override that method.
        target = self.open(os.path.join(folder, os.path.basename(path)), "wb")
        try:
            return copy(source, target)
        finally:
            target.close()


def _refuse_pipe(path: str, resource_identifier: str) -> None:
    """Raise an error if *path* is a named pipe: opening it could wait forever."""
    try:
        is_pipe = stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return  # Opening the file raises the error, or creates the file.
    if is_pipe:
        raise exception.AccessorResourceInvalidError(
            "open",
            resource_identifier=resource_identifier,
            message="{resource_identifier} is a named pipe, not a file. Copy its data to a file "
            "first.",
        )


def _parts(path: str) -> builtins.list[str]:
    """Return the parts of a normalised *path*, in lower case on Windows."""
    parts = os.path.normcase(path).split(os.sep)
    return [parts[0], *filter(None, parts[1:])]


_ERRORS: dict[Optional[int], type[exception.AccessorError]] = {
    errno.ENOENT: exception.AccessorResourceNotFoundError,
    errno.EACCES: exception.AccessorPermissionDeniedError,
    errno.EPERM: exception.AccessorPermissionDeniedError,
    errno.ENOTEMPTY: exception.AccessorContainerNotEmptyError,
    errno.ENOTDIR: exception.AccessorResourceInvalidError,
    errno.EISDIR: exception.AccessorResourceInvalidError,
    errno.EINVAL: exception.AccessorResourceInvalidError,
}


@contextlib.contextmanager
def error_handler(**kw: str) -> Generator[None, None, None]:
    """Turn an :exc:`OSError` into the matching :exc:`~ftrack_like.exception.AccessorError`.

    *kw* are the arguments of the error: *operation*, a verb, and *resource_identifier*.
    """
    try:
        yield
    except OSError as error:
        error_class = _ERRORS.get(error.errno, exception.AccessorOperationFailedError)
        options: dict[str, Any] = {"operation": "", **kw, "error": error}
        raise error_class(**options) from error
