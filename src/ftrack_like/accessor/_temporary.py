"""Temporary files that are moved to their final place when they are complete.

A reader must never see a part of a file. So a transfer writes to a hidden file in the same folder
and then renames it, which is atomic. A killed transfer leaves its hidden file behind. The next
transfer to the same place should reuse it, but must never touch a file that a running transfer
still writes, perhaps on another machine that shares the folder.

So each process *claims* its temporary file with a lock on the open descriptor. The operating
system releases the lock when the process ends, even if it is killed. A file without a lock was
left behind, and a file with a lock is in use: then the claim fails, and the transfer uses a random
name. Between opening and locking, the owner may rename or remove the file. Therefore
the claim is valid only if the path still leads to the locked file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Generator
from typing import Optional

from ftrack_like._base.file_locks import unlock
from ftrack_like._base.renaming import put_into_place

__all__ = ["Temporary", "beside", "claim_existing", "claim_new", "is_temporary", "remove_abandoned"]

_SUFFIX = ".ftrack-part"

#: The longest name in bytes: the limit of file systems minus the characters that are added here.
_LONGEST_NAME = 255 - len(_SUFFIX) - 10


#: Open for reading and writing, create the file if it is missing, do not follow a link.
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class Temporary:
    """A temporary file that this process has claimed: its open descriptor has the lock."""

    def __init__(self, path: str, final_path: str, descriptor: int) -> None:
        """Initialise with the *path*, the *final_path* and the open *descriptor* of the file."""
        self.path = path
        self._final_path = final_path
        self._descriptor: Optional[int] = descriptor

    def keep(self) -> None:
        """Flush the file to the disk and move it to its final place."""
        if self._descriptor is None:
            return
        os.fsync(self._descriptor)
        if os.name == "nt":
            self._release()  # Windows does not rename open files.
        put_into_place(self.path, self._final_path)
        self._release()

    def discard(self) -> None:
        """Remove the file, unless :meth:`keep` has moved it."""
        if self._descriptor is None:
            return
        if os.name == "nt":
            self._release()
        try:
            os.remove(self.path)
        except FileNotFoundError:
            pass
        except PermissionError:
            if os.name != "nt":
                raise  # On Windows, another transfer has claimed the file after the release.
        self._release()

    def leave(self) -> None:
        """Release the claim and leave the file, as if the process had ended."""
        self._release()

    def _release(self) -> None:
        """Release the claim and close the descriptor."""
        if self._descriptor is not None:
            unlock(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


@contextlib.contextmanager
def beside(path: str) -> Generator[Temporary, None, None]:
    """Yield a temporary file in the folder of *path*; remove it at the end unless it was kept.

    It reuses the file of a killed transfer to *path*. While another transfer to *path* is running,
    it has a random name.
    """
    temporary = _claim(path)
    try:
        yield temporary
    finally:
        temporary.discard()


def claim_existing(path: str) -> Optional[Temporary]:
    """Claim the file at *path* and return it; return None if another process has claimed it."""
    return _try_claim(path, "")


def claim_new(path: str) -> Optional[Temporary]:
    """Create and claim the file at *path*; return None if that fails.

    Only this process knows *path*, so there is no competing claim.
    """
    with contextlib.suppress(OSError):
        return _try_claim(path, "")
    return None


def is_temporary(name: str) -> bool:
    """Return whether *name* is the name of a temporary file of a transfer."""
    return name.startswith(".") and name.endswith(_SUFFIX)


def remove_abandoned(folder: str) -> None:
    """Remove the temporary files in *folder* that no running process has claimed."""
    for name in os.listdir(folder):
        if is_temporary(name):
            temporary = _try_claim(os.path.join(folder, name), "")
            if temporary is not None:
                temporary.discard()


def _claim(path: str) -> Temporary:
    """Return a claimed temporary file for *path*, under a random name if necessary."""
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
    """Claim the file at *path*, created if it is missing; return None if it is in use."""
    try:
        descriptor = os.open(path, _OPEN, 0o666)
    except PermissionError:
        if os.path.exists(path):
            return None  # The file belongs to another user.
        raise
    except OSError as error:
        if error.errno == errno.ELOOP and os.path.islink(path):
            return None  # Transfers create no links. The target may be an unrelated file.
        raise
    if _lock(descriptor) and _is_at(path, descriptor):
        return Temporary(path, final_path, descriptor)
    unlock(descriptor)
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    """Lock *descriptor* without waiting; return False if another process has the lock."""
    try:
        import fcntl  # lazy: not on Windows
    except ImportError:
        import msvcrt  # lazy: only on Windows

        try:
            # Lock a byte far beyond the end: on Windows, other handles cannot write locked bytes.
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
        pass  # Some network shares have no locks. Transfer without a lock there.
    return True


def _is_at(path: str, descriptor: int) -> bool:
    """Return whether *path* still leads to the file of *descriptor*."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
