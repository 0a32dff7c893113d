"""The data of components on disk.

A file appears under its final name only when it is complete: the server writes to a temporary file,
checks it, flushes it to the disk and renames it. The next start removes the temporary files that a
killed server left.
"""

from __future__ import annotations

import base64
import errno
import os
import pathlib
import platform
import re
import shutil
from collections.abc import Iterable
from typing import Optional

from ftrack_like._media.scratch import ScratchFolder
from ftrack_like.sandbox.database.folders import make_folder, share_with_group
from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.media.checksums import Checksums
from ftrack_like.sandbox.media.incoming import Incoming, IncomingFile, TransferError
from ftrack_like.sandbox.media.parts import PartStore, Place
from ftrack_like.sandbox.media.thumbnails import Thumbnails

__all__ = ["ComponentStore", "Incoming", "IncomingFile", "Place", "TransferError"]

_IDENTIFIER = re.compile(r"\A[0-9A-Za-z_-]{1,64}\Z")


class ComponentStore:
    """The files under *folder*; threads may share it, and processes the folder.

    ::

        data/ab/<component id>         the data of a component
        checksums/<component id>       the checksum of the data
        parts/<upload id>/             parts of a large upload, until they are joined
        thumbnails/<component id>/     scaled images, made on the first request
        incoming/server-at-…/          incomplete files of a process; the name of its machine
    """

    def __init__(self, folder: pathlib.Path, thumbnail_bytes: int = Limits.thumbnail_bytes) -> None:
        """Create the folders, and remove the remains of interrupted writes."""
        self.folder = folder
        self._data = folder / "data"
        self._parts = folder / "parts"
        self.thumbnails: Thumbnails = Thumbnails(folder / "thumbnails", thumbnail_bytes)
        self._known = folder / "checksums"
        for each in self._kept():
            make_folder(each)
        machine = re.sub(r"[^0-9A-Za-z.]+", "_", platform.node()) or "unnamed"
        self._scratch = ScratchFolder(folder / "incoming", machine=machine)
        self._incoming = self._scratch.path
        for each in (self._incoming.parent, self._incoming):
            share_with_group(each)
        _check_writable(self._incoming)
        self._checksums = Checksums(self._known)
        self._uploads = PartStore(self._parts, self._incoming)
        self._uploads.remove_old()

    def close(self) -> None:
        """Stop the background work; call this when the store is no longer used."""
        self._checksums.close()
        self._scratch.close()

    def path(self, component_id: str) -> pathlib.Path:
        """Return the path of the data of *component_id*, whether it exists or not.

        Raise :exc:`ValueError` for text that cannot be an id, so that no path leaves the folder.
        """
        _check_identifier(component_id)
        return self._data / component_id[:2] / component_id

    def exists(self, component_id: str) -> bool:
        """Return whether there is data for *component_id*."""
        return bool(_IDENTIFIER.match(component_id)) and self.path(component_id).is_file()

    def size(self, component_id: str) -> int:
        """Return the size of the data of *component_id* in bytes."""
        return self.path(component_id).stat().st_size

    def checksum(self, component_id: str) -> Optional[str]:
        """Return the MD5 of the data of *component_id* as base64 text, None while unknown."""
        digest = self._checksums.find(self.path(component_id))
        return None if digest is None else base64.b64encode(bytes.fromhex(digest)).decode("ascii")

    def receive(self, component_id: str, size: int = 0) -> IncomingFile:
        """Return a writer for the data of *component_id*.

        Raise :exc:`OSError` if the disk has no room for *size* bytes.
        """
        path = self.path(component_id)
        # A machine to which the lock does not reach may have taken an idle process for a dead one.
        make_folder(self._incoming)
        if shutil.disk_usage(self._incoming).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def appeared(incoming: IncomingFile, state: os.stat_result) -> None:
            self._forget_thumbnails(component_id)
            self._checksums.keep(path.name, state, incoming.checksum)

        return IncomingFile(self._incoming, lambda incoming: path, appeared)

    def receive_part(self, upload_id: str, number: int, place: Optional[Place] = None) -> Incoming:
        """Return a writer for part *number* (from 1) of the upload *upload_id*.

        *place* is the place of the part in the whole. Raise :exc:`OSError` if the disk has no room
        for the whole.
        """
        _check_identifier(upload_id)
        return self._uploads.receive(upload_id, number, place)

    def remove_parts(self, upload_id: str) -> None:
        """Remove the parts of an abandoned upload."""
        _check_identifier(upload_id)
        self._uploads.remove(upload_id)

    def join(self, component_id: str, upload_id: str, parts: Iterable[tuple[int, str]]) -> int:
        """Join *parts* to the data of *component_id*; return the size in bytes.

        *parts* are numbers with the checksums of the received parts, in any order. Raise
        :exc:`TransferError` and keep the parts if a part is missing or has another checksum.
        """
        _check_identifier(upload_id)
        path = self.path(component_id)
        size = self._uploads.join(upload_id, parts, path)
        self._forget_thumbnails(component_id)
        self._checksums.find_out(path)
        return size

    def remove_old_parts(self) -> None:
        """Remove the parts of uploads that were not finished within a day."""
        self._uploads.remove_old()

    def remove(self, component_id: str) -> bool:
        """Remove the data of *component_id*; return whether there were any."""
        self._forget_thumbnails(component_id)
        self._checksums.forget(component_id)
        try:
            self.path(component_id).unlink()
        except FileNotFoundError:
            return False
        return True

    def thumbnail(self, component_id: str, size: int) -> pathlib.Path:
        """Return the path of the image of *component_id*, scaled to *size* pixels."""
        _check_identifier(component_id)
        return self.thumbnails.path(component_id, size)

    def clear(self) -> None:
        """Remove the data of all components."""
        for each in self._kept():
            make_folder(each)
            if any(each.iterdir()):
                shutil.rmtree(each, ignore_errors=True)
                make_folder(each)

    def _kept(self) -> Iterable[pathlib.Path]:
        return (self._data, self._known, self._parts, self.thumbnails.folder)

    def _forget_thumbnails(self, component_id: str) -> None:
        _check_identifier(component_id)
        self.thumbnails.forget(component_id)


def _check_writable(folder: pathlib.Path) -> None:
    """Raise :exc:`OSError`, naming *folder*, if no file can be written there."""
    path = folder / f"check-{os.getpid()}"
    path.write_bytes(b"ftrack-like")
    path.unlink()


def _check_identifier(text: str) -> None:
    if not _IDENTIFIER.match(text):
        raise ValueError(f"{text!r} is not an id of letters, digits, '-' and '_'.")
