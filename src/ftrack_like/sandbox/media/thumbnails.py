"""The folder of scaled images. It has a limit, and keeps the images of the latest requests."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import threading
from typing import Optional

__all__ = ["IMAGE_TYPES", "Thumbnails"]

#: The file types of scaled images, with their media types.
IMAGE_TYPES = {".jpg": "image/jpeg", ".png": "image/png"}


class Thumbnails:
    """Scaled images in *folder*, of *most* bytes in all; threads may share it.

    Call :meth:`keep` after writing an image, and :meth:`use` before sending one. Beyond *most*
    bytes, :meth:`keep` removes the least recently used images until a quarter of the room is free.
    The server scales the pictures again on request.
    """

    def __init__(self, folder: pathlib.Path, most: int) -> None:
        """Prepare; the first :meth:`keep` reads the folder."""
        self.folder = folder
        self._most = most
        self._size: Optional[int] = None
        self._lock = threading.Lock()

    def path(self, component_id: str, size: int) -> pathlib.Path:
        """Return where the image of *component_id* of *size* pixels is, without its file type."""
        return self.folder / component_id / str(size)

    def use(self, path: pathlib.Path) -> Optional[pathlib.Path]:
        """Mark the image at *path* as used now; return it with its file type, None if not there."""
        for file_type in IMAGE_TYPES:
            image = path.with_suffix(file_type)
            with contextlib.suppress(OSError):
                os.utime(image)
                return image
        return None

    def keep(self, path: pathlib.Path) -> None:
        """Count the new image at *path*, and make room."""
        with self._lock, contextlib.suppress(OSError):  # another request may have removed it
            if self._size is None:
                self._size = sum(size for _, size, _ in self._images())
            else:
                self._size += path.stat().st_size
            if self._size > self._most:
                self._size = self._remove_oldest(path)

    def forget(self, component_id: str) -> None:
        """Remove the images of *component_id*."""
        shutil.rmtree(self.folder / component_id, ignore_errors=True)

    def _remove_oldest(self, new: pathlib.Path) -> int:
        """Remove old images, never *new*, to make room; return the bytes of the others."""
        images = sorted(self._images())
        left = sum(size for _, size, _ in images)
        for _, size, path in images:
            if left <= self._most * 3 // 4:
                break
            if path == new:
                continue
            with contextlib.suppress(OSError):
                path.unlink()
                left -= size
            with contextlib.suppress(OSError):  # it holds another image
                path.parent.rmdir()
        return left

    def _images(self) -> list[tuple[float, int, pathlib.Path]]:
        """Return the time of the last use, the size in bytes and the path of each image."""
        found = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):
                state = path.stat()
                found.append((state.st_mtime, state.st_size, path))
        return found
