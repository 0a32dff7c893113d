"""Data in the file system of this machine."""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import stat
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception
from ftrack_like._paths import problem_of
from ftrack_like.accessor import _temporary
from ftrack_like.accessor.base import Accessor, check_size, copy
from ftrack_like.data import File

if TYPE_CHECKING:
    from ftrack_like._types import Readable, Value
    from ftrack_like.data import Data

__all__ = ["DiskAccessor", "error_handler"]


class DiskAccessor(Accessor):
    """Reach files under a folder, or anywhere if there is no such folder.

    Resource identifiers are paths, absolute or relative to the prefix.
    """

    is_thread_safe = True

    def __init__(self, prefix: Optional[str], *, confine_links: bool = False, **kw: Value) -> None:
        """Initialise with the folder *prefix*.

        Everything outside of *prefix* is refused; ``""`` or None refuses nothing. With
        *confine_links* symbolic links below the prefix must not lead out of it either.
        """
        if prefix:
            prefix = os.path.abspath(os.path.expanduser(os.path.expandvars(prefix)))
        self.prefix = prefix
        self.confine_links = confine_links
        super().__init__(**kw)

    def list(self, resource_identifier: str) -> builtins.list[str]:
        """Return the paths of what is in the folder *resource_identifier*.

        They begin with *resource_identifier*. Transfers under way are left out.
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
        """Raise an error: a disk knows files only.

        It is :exc:`~ftrack_like.exception.AccessorUnsupportedOperationError`.
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
        """Make the folder *resource_identifier*, with those above it if *recursive*."""
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

        Raise :exc:`~ftrack_like.exception.AccessorFilesystemPathError` if it is outside of the
        prefix, or if no file can have it.
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
        """Store everything that *source* holds as the file *resource_identifier*.

        It is written beside its place and appears there only when it is complete and on the
        disk, so that readers never see a part of it. What a killed transfer to the same place
        left is used up. Return the number of bytes moved.
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
        """Write *source* to the temporary file at *path*, beside *resource_identifier*."""
        folder = os.path.dirname(os.path.normpath(resource_identifier))
        # Opened by identifier, so that a subclass which opens in another way is asked.
        target = self.open(os.path.join(folder, os.path.basename(path)), "wb")
        try:
            return copy(source, target)
        finally:
            target.close()


def _refuse_pipe(path: str, resource_identifier: str) -> None:
    """Raise an error if *path* is a named pipe: opening it may wait for ever for the other end."""
    try:
        is_pipe = stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return  # Opening says what is wrong, or makes the file.
    if is_pipe:
        raise exception.AccessorResourceInvalidError(
            "open",
            resource_identifier=resource_identifier,
            message="{resource_identifier} is a named pipe, not a file. Copy what it gives to a "
            "file first.",
        )


def _parts(path: str) -> builtins.list[str]:
    """Return the parts of a normal *path*, as the file system compares them."""
    parts = os.path.normcase(path).split(os.sep)
    return [parts[0], *(part for part in parts[1:] if part)]


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
    """Raise :exc:`OSError` as the fitting :exc:`~ftrack_like.exception.AccessorError`.

    *kw* are the arguments of the error: *operation*, a verb, and *resource_identifier*.
    """
    try:
        yield
    except OSError as error:
        error_class = _ERRORS.get(error.errno, exception.AccessorOperationFailedError)
        options: dict[str, Any] = {"operation": "", **kw, "error": error}
        raise error_class(**options) from error
