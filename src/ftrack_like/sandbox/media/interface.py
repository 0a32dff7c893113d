"""What the sandbox requires of a store for the data of components.

:class:`~ftrack_like.sandbox.media.store.ComponentStore` keeps the data in a folder, which processes
on several machines may share. A store that keeps them elsewhere, such as in an object store,
implements the same methods.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import Optional, Protocol

from ftrack_like.sandbox.media.incoming import Incoming, IncomingFile
from ftrack_like.sandbox.media.parts import Place
from ftrack_like.sandbox.media.thumbnails import Thumbnails

__all__ = ["MediaStore"]


class MediaStore(Protocol):
    """The data of components by their ids. Threads share a store, and processes its data.

    Ids are texts of at most 64 letters, digits, ``-`` and ``_``; all methods raise
    :exc:`ValueError` for others, apart from :meth:`exists`. Data appear whole, or not at all.
    """

    @property
    def thumbnails(self) -> Thumbnails:
        """Return the scaled images, which the store removes with the data of their component."""

    def path(self, component_id: str) -> pathlib.Path:
        """Return where programs on this machine read the data, whether there are any or not.

        ffmpeg and the web server read files. A store without files returns the path of a local
        copy, which it makes first.
        """

    def exists(self, component_id: str) -> bool:
        """Return whether there is data for *component_id*."""

    def size(self, component_id: str) -> int:
        """Return the size of the data of *component_id* in bytes."""

    def checksum(self, component_id: str) -> Optional[str]:
        """Return the MD5 of the data of *component_id* as base64 text, None while unknown."""

    def receive(self, component_id: str, size: int = 0) -> IncomingFile:
        """Return a writer for the data of *component_id*.

        Raise :exc:`OSError` if there is no room for *size* bytes.
        """

    def receive_part(self, upload_id: str, number: int, place: Optional[Place] = None) -> Incoming:
        """Return a writer for part *number* (from 1) of an upload.

        The parts of an upload may arrive at different processes. *place* is the place of the part
        in the whole. Raise :exc:`OSError` if there is no room for the whole.
        """

    def join(self, component_id: str, upload_id: str, parts: Iterable[tuple[int, str]]) -> int:
        """Join *parts*, numbers with checksums, to the data of *component_id*; return their size.

        Raise :exc:`~ftrack_like.sandbox.media.incoming.TransferError` and keep the parts if a part
        is missing or has another checksum.
        """

    def remove_parts(self, upload_id: str) -> None:
        """Remove the parts of an abandoned upload."""

    def remove_old_parts(self) -> None:
        """Remove the parts of uploads that were not finished within a day."""

    def thumbnail(self, component_id: str, size: int) -> pathlib.Path:
        """Return the path of the image of *component_id*, scaled to *size* pixels."""

    def remove(self, component_id: str) -> bool:
        """Remove the data of *component_id*; return whether there were any."""

    def clear(self) -> None:
        """Remove the data of all components."""

    def close(self) -> None:
        """Stop the background work; call this when the store is no longer used."""
