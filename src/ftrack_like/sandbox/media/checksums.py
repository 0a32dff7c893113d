"""The checksums of files, stored in a separate folder; a thread computes the missing ones."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

from ftrack_like._base.renaming import put_into_place
from ftrack_like.sandbox.database.folders import share_with_group

__all__ = ["Checksums"]

_CHUNK_SIZE = 256 * 1024


class Checksums:
    """MD5 checksums of files by their names, each in a file of *folder*; threads may share it.

    An entry also records the size and time of its file. If the file changed, the entry is ignored.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        """*folder* must exist."""
        self._folder = folder
        self._reader: Optional[ThreadPoolExecutor] = None
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def find(self, path: pathlib.Path) -> Optional[str]:
        """Return the MD5 of the file at *path* as hexadecimal text, None while it is unknown."""
        try:
            state, _, digest = (self._folder / path.name).read_text("ascii").rpartition(" ")
            return digest if state == _state(path.stat()) else None
        except (OSError, ValueError):
            return None

    def keep(self, name: str, state: os.stat_result, digest: str) -> None:
        """Store the *digest* of the file *name*, which is in *state*."""
        with contextlib.suppress(OSError):  # a full disk, or a folder that was just removed
            handle, part = tempfile.mkstemp(prefix=f".{name}-", dir=self._folder)
            share_with_group(pathlib.Path(part))
            try:  # other processes read the entry, so it must appear whole
                with os.fdopen(handle, "w", encoding="ascii") as file:
                    file.write(f"{_state(state)} {digest}")
                put_into_place(pathlib.Path(part), self._folder / name)
            except OSError:
                pathlib.Path(part).unlink(missing_ok=True)
                raise

    def find_out(self, path: pathlib.Path) -> None:
        """Read the file at *path* in a thread, and store its checksum."""
        with self._lock:
            if self._closed.is_set():
                return
            if self._reader is None:
                self._reader = ThreadPoolExecutor(1, "sandbox-checksums")
            self._reader.submit(self._read, path)

    def forget(self, name: str) -> None:
        """Remove the checksum of the file *name*."""
        (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Stop reading files."""
        with self._lock:
            self._closed.set()
            reader = self._reader
        if reader is not None:
            reader.shutdown(cancel_futures=True)

    def _read(self, path: pathlib.Path) -> None:
        digest = hashlib.md5(usedforsecurity=False)
        with contextlib.suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            chunk = memoryview(bytearray(_CHUNK_SIZE))
            while not self._closed.is_set():
                length = file.readinto(chunk)
                if not length:
                    self.keep(path.name, os.fstat(file.fileno()), digest.hexdigest())
                    return
                digest.update(chunk[:length])


def _state(state: os.stat_result) -> str:
    return f"{state.st_size}-{state.st_mtime_ns}"
