"""The folder of scaled images, which keeps those that were asked for last."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import threading
from typing import Optional

__all__ = ["Thumbnails"]


class Thumbnails:
    """Scaled images in *folder*, of *most* bytes in all; threads may share it.

    Whoever writes an image calls :meth:`keep`. Beyond *most* bytes, that removes the images that
    nobody asked for longest, until a quarter of the room is free. The server makes them again when
    they are asked for.
    """

    def __init__(self, folder: pathlib.Path, most: int) -> None:
        """Prepare; the folder is looked through when the first image was written."""
        self.folder = folder
        self._most = most
        self._size: Optional[int] = None
        self._lock = threading.Lock()

    def path(self, component_id: str, size: int) -> pathlib.Path:
        """Return where the image of *component_id* of *size* pixels is, if it was made."""
        return self.folder / component_id / f"{size}.jpg"

    def use(self, path: pathlib.Path) -> bool:
        """Return whether there is an image at *path*, which is asked for now."""
        try:
            os.utime(path)
        except OSError:
            return False
        return True

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
        """Remove images but *new* until there is room, and return the bytes of those that stay."""
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
        """Return when each image was asked for, its size in bytes, and where it is."""
        found = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):
                state = path.stat()
                found.append((state.st_mtime, state.st_size, path))
        return found
