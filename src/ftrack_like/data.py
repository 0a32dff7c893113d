"""Data that accessors hand out: file-like objects with one small interface."""

from __future__ import annotations

import abc
import os
import stat
import tempfile
from typing import IO, TYPE_CHECKING, Any, Optional, TypeVar, Union

if TYPE_CHECKING:
    from ftrack_like._types import Content

__all__ = ["Data", "File", "FileWrapper", "String"]

_Data = TypeVar("_Data", bound="Data")

#: Bytes that a String keeps in memory; what is longer goes to a temporary file.
_MEMORY_LIMIT = 8 * 1024 * 1024

#: Bytes that one character takes in UTF-8, at most.
_LONGEST_CHARACTER = 4


class Data(abc.ABC):
    """Something to read from and write to; a context manager that closes it at the end."""

    def __init__(self) -> None:
        """Initialise as open."""
        super().__init__()
        self.closed: bool = False

    def __enter__(self: _Data) -> _Data:
        """Return this object."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the data."""
        self.close()

    @abc.abstractmethod
    def read(self, limit: Optional[int] = None) -> Content:
        """Return content from the current position on.

        At most *limit* bytes (characters of text), all that is left when it is None.
        """

    @abc.abstractmethod
    def write(self, content: Content) -> None:
        """Write *content* at the current position."""

    def flush(self) -> None:  # noqa: B027  # Nothing to do where nothing is held back.
        """Hand what was written on to where it is stored, as far as it was held back."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Move the position by *offset*, counted from *whence* (as for ``io.IOBase.seek``).

        Raise :exc:`NotImplementedError` if the data has no position that can be moved.
        """
        raise NotImplementedError(
            f"Seek not supported: {type(self).__name__} does not support seek."
        )

    def tell(self) -> int:
        """Return the current position, in bytes from the start.

        Raise :exc:`NotImplementedError` if the data cannot tell it.
        """
        raise NotImplementedError(
            f"Tell not supported: {type(self).__name__} does not support tell."
        )

    def close(self) -> None:
        """Flush and close the data; nothing can be read or written afterwards."""
        try:
            self.flush()  # What a subclass holds back until then is not lost.
        finally:
            self.closed = True

    def remaining_size(self) -> Optional[int]:
        """Return how many bytes can be read from the current position on; None if unknown.

        Transfers compare what they moved with it.
        """
        return None


class FileWrapper(Data):
    """Data in an open file of Python's own kind."""

    def __init__(self, wrapped_file: IO[Any]) -> None:
        """Initialise with the open file *wrapped_file*, which is closed with this object."""
        super().__init__()
        self.wrapped_file = wrapped_file

    def read(self, limit: Optional[int] = None) -> Content:
        """Return content from the current position on, at most *limit* bytes if given."""
        return self.wrapped_file.read(-1 if limit is None else limit)

    def write(self, content: Content) -> None:
        """Write *content* at the current position."""
        self.wrapped_file.write(content)

    def flush(self) -> None:
        """Flush the file's buffers, if it has any."""
        if hasattr(self.wrapped_file, "flush"):
            self.wrapped_file.flush()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Move the position by *offset*, counted from *whence*."""
        self.wrapped_file.seek(offset, whence)

    def tell(self) -> int:
        """Return the current position."""
        position: int = self.wrapped_file.tell()
        return position

    def close(self) -> None:
        """Flush and close the file; closing again does nothing."""
        if self.closed:
            return
        try:
            super().close()
        finally:
            if hasattr(self.wrapped_file, "close"):
                self.wrapped_file.close()


class File(FileWrapper):
    """Data in a file on disk."""

    def remaining_size(self) -> Optional[int]:
        """Return how many bytes the file has after the current position."""
        status = os.fstat(self.wrapped_file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        return max(status.st_size - self.tell(), 0)

    def __init__(self, path: Union[str, os.PathLike[str]], mode: str = "rb") -> None:
        """Initialise by opening the file at *path* in *mode* (as for :func:`open`).

        Text modes read and write UTF-8.
        """
        encoding = None if "b" in mode else "utf-8"
        super().__init__(open(path, mode, encoding=encoding))  # noqa: SIM115  # close() ends it


class String(FileWrapper):
    """Data that starts as a text or bytes and lives in memory (on disk when it gets long).

    Both text and bytes may be written; text counts as UTF-8. :attr:`is_binary` says what reading
    gives: bytes, or text once *content* was text or a text has been written.
    """

    def __init__(self, content: Union[str, bytes, None] = None) -> None:
        """Initialise with *content*, the position at its start; empty and binary if it is None."""
        self.is_binary: bool = True
        spooled = tempfile.SpooledTemporaryFile(max_size=_MEMORY_LIMIT)  # noqa: SIM115  # likewise
        super().__init__(spooled)
        if content is not None:
            self.write(content)
            self.seek(0)

    def read(self, limit: Optional[int] = None) -> Content:
        """Return content from the current position on, at most *limit* bytes if given.

        A character that begins within the limit is read to its end.
        """
        content = super().read(limit)
        if self.is_binary:
            return content
        for _ in range(_LONGEST_CHARACTER - 1):
            try:
                return content.decode("utf-8")
            except UnicodeDecodeError:
                content += super().read(1)
        return content.decode("utf-8")

    def write(self, content: Union[str, bytes]) -> None:
        """Write *content*, text or bytes, at the current position."""
        if isinstance(content, str):
            self.is_binary = False
            content = content.encode("utf-8")
        super().write(content)
