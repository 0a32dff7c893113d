"""The file-like objects that accessors open."""

from __future__ import annotations

import abc
import os
import stat
import tempfile
from typing import IO, TYPE_CHECKING, Any, Optional, TypeVar, Union

if TYPE_CHECKING:
    from ftrack_like._base.types import Content

__all__ = ["Data", "File", "FileWrapper", "String"]

_Data = TypeVar("_Data", bound="Data")

#: A String keeps at most this many bytes in memory; longer data goes to a temporary file.
_MEMORY_LIMIT = 8 * 1024 * 1024

#: The most bytes of one character in UTF-8.
_LONGEST_CHARACTER = 4


class Data(abc.ABC):
    """A file-like object for reading and writing; as a context manager it closes at the end."""

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
        """Return content from the current position.

        Return at most *limit* bytes, or characters of text; None means all remaining content.
        """

    @abc.abstractmethod
    def write(self, content: Content) -> None:
        """Write *content* at the current position."""

    def flush(self) -> None:  # noqa: B027  # Only subclasses with a buffer override it.
        """Write buffered content to the storage."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Move to *offset* from *whence*, as for ``io.IOBase.seek``.

        Raise :exc:`NotImplementedError` if the data does not support it.
        """
        raise NotImplementedError(
            f"Seek not supported: {type(self).__name__} does not support seek."
        )

    def tell(self) -> int:
        """Return the current position, in bytes from the start.

        Raise :exc:`NotImplementedError` if the data does not support it.
        """
        raise NotImplementedError(
            f"Tell not supported: {type(self).__name__} does not support tell."
        )

    def close(self) -> None:
        """Flush and close the data. After that, it cannot be read or written."""
        try:
            self.flush()  # Write the buffer of a subclass.
        finally:
            self.closed = True

    def remaining_size(self) -> Optional[int]:
        """Return the number of bytes left from the current position; None if unknown.

        Transfers compare it with the number of bytes that they have copied.
        """
        return None


class FileWrapper(Data):
    """Data in an open Python file object."""

    def __init__(self, wrapped_file: IO[Any]) -> None:
        """Initialise with the open file *wrapped_file*; :meth:`close` closes it."""
        super().__init__()
        self.wrapped_file = wrapped_file

    def read(self, limit: Optional[int] = None) -> Content:
        """Return content from the current position, at most *limit* bytes if given."""
        return self.wrapped_file.read(-1 if limit is None else limit)

    def write(self, content: Content) -> None:
        """Write *content* at the current position."""
        self.wrapped_file.write(content)

    def flush(self) -> None:
        """Flush the file's buffers, if it has any."""
        if hasattr(self.wrapped_file, "flush"):
            self.wrapped_file.flush()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Move to *offset* from *whence*."""
        self.wrapped_file.seek(offset, whence)

    def tell(self) -> int:
        """Return the current position."""
        position: int = self.wrapped_file.tell()
        return position

    def close(self) -> None:
        """Flush and close the file; a second call does nothing."""
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
        """Return the number of bytes after the current position; None if it is not a file."""
        status = os.fstat(self.wrapped_file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        return max(status.st_size - self.tell(), 0)

    def __init__(self, path: Union[str, os.PathLike[str]], mode: str = "rb") -> None:
        """Open the file at *path* in *mode*, as for :func:`open`.

        Text modes read and write UTF-8.
        """
        encoding = None if "b" in mode else "utf-8"
        super().__init__(open(path, mode, encoding=encoding))  # noqa: SIM115  # close() ends it


class String(FileWrapper):
    """Data from a text or bytes, in memory; long data is in a temporary file.

    Both text and bytes may be written; text is encoded as UTF-8. Reading returns bytes if
    :attr:`is_binary` is true. It becomes false if *content* is text, or when text is written.
    """

    def __init__(self, content: Union[str, bytes, None] = None) -> None:
        """Initialise with *content* at position 0; None means empty and binary."""
        self.is_binary: bool = True
        spooled = tempfile.SpooledTemporaryFile(max_size=_MEMORY_LIMIT)  # noqa: SIM115  # close() ends it
        super().__init__(spooled)
        if content is not None:
            self.write(content)
            self.seek(0)

    def read(self, limit: Optional[int] = None) -> Content:
        """Return content from the current position, at most *limit* bytes if given.

        In text, a character that begins within the limit is read completely.
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
