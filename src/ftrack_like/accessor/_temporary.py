"""Files that are written beside their place and moved there when they are complete."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Generator
from typing import Optional

__all__ = ["Temporary", "beside", "claim_existing", "claim_new", "is_temporary", "remove_abandoned"]

_SUFFIX = ".ftrack-part"

#: Bytes that a file system allows for a name, less what we add to it.
_LONGEST_NAME = 255 - len(_SUFFIX) - 10


#: Opened as it is, made if it is missing; a link in its place is not followed.
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class Temporary:
    """A temporary file that this process has claimed.

    Its descriptor carries a lock, which ends with the process: a file of that name without a lock
    was left behind by a process that was killed.
    """

    def __init__(self, path: str, final_path: str, descriptor: int) -> None:
        """Initialise with the *path*, the *final_path* and the open *descriptor* of the file."""
        self.path = path
        self._final_path = final_path
        self._descriptor: Optional[int] = descriptor

    def keep(self) -> None:
        """Bring the file to the disk and move it to its place."""
        if self._descriptor is None:
            return
        os.fsync(self._descriptor)
        if os.name == "nt":
            self._release()  # An open file cannot be moved there.
        os.replace(self.path, self._final_path)
        self._release()

    def discard(self) -> None:
        """Remove the file, unless it was kept."""
        if self._descriptor is None:
            return
        if os.name == "nt":
            self._release()
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path)
        self._release()

    def leave(self) -> None:
        """Leave the file as it is and give up the claim, as if the process had ended."""
        self._release()

    def _release(self) -> None:
        """Close the descriptor, which ends the claim."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextlib.contextmanager
def beside(path: str) -> Generator[Temporary, None, None]:
    """Yield a temporary file beside *path*, removed at the end unless it was kept.

    What an earlier transfer to *path* left there is taken over; while another one is under way,
    the name is a different one.
    """
    temporary = _claim(path)
    try:
        yield temporary
    finally:
        temporary.discard()


def claim_existing(path: str) -> Optional[Temporary]:
    """Return the file at *path*, claimed; None while another process has claimed it."""
    return _try_claim(path, "")


def claim_new(path: str) -> Optional[Temporary]:
    """Return the new file at *path*, which only this process knows, claimed; None without one."""
    with contextlib.suppress(OSError):
        return _try_claim(path, "")
    return None


def is_temporary(name: str) -> bool:
    """Return whether a file of this *name* is a transfer under way, or what is left of one."""
    return name.startswith(".") and name.endswith(_SUFFIX)


def remove_abandoned(folder: str) -> None:
    """Remove the temporary files in *folder* that no living process has claimed."""
    for name in os.listdir(folder):
        if is_temporary(name):
            temporary = _try_claim(os.path.join(folder, name), "")
            if temporary is not None:
                temporary.discard()


def _claim(path: str) -> Temporary:
    """Return a claimed temporary file for *path*."""
    folder, name = os.path.split(path)
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    temporary = None
    token = ""
    while temporary is None:
        temporary = _try_claim(os.path.join(folder, f".{name}{token}{_SUFFIX}"), path)
        token = f"-{os.urandom(4).hex()}"
    return temporary


def _try_claim(path: str, final_path: str) -> Optional[Temporary]:
    """Return the claimed file at *path*, made if it is missing; None if it is taken."""
    try:
        descriptor = os.open(path, _OPEN, 0o666)
    except PermissionError:
        if os.path.exists(path):
            return None  # Left, or being written, by another user.
        raise
    except OSError as error:
        if error.errno == errno.ELOOP and os.path.islink(path):
            return None  # A link is none of ours, and what it leads to may be somebody's.
        raise
    if _lock(descriptor) and _is_at(path, descriptor):
        return Temporary(path, final_path, descriptor)
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    """Return whether *descriptor* could be locked for this process."""
    try:
        import fcntl  # lazy: not on Windows
    except ImportError:
        import msvcrt  # lazy: only on Windows

        try:
            # Far beyond the end, since a locked part could not be written by another handle.
            os.lseek(descriptor, 1 << 40, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # Some network shares have no locks; a name of its own is better than no transfer.
    return True


def _is_at(path: str, descriptor: int) -> bool:
    """Return whether the file of *descriptor* is still the one at *path*."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
