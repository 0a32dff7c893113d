"""The file with the profiles of a user: where it is, reading it, and replacing it as a whole.

Other programs never see a partial file: a temporary file is written and renamed. Only its owner can
read it, since it may contain API keys.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Optional

from ftrack_like import exception
from ftrack_like._base.file_locks import unlock
from ftrack_like._base.renaming import put_into_place

__all__ = [
    "CONFIG_VARIABLE",
    "profile_path",
    "read_profile_text",
    "replace_profile_text",
    "warn_if_readable_by_others",
    "writing_profiles",
]

#: The environment variable with the path of the file.
CONFIG_VARIABLE = "FTRACK_CONFIG_FILE"
#: How long a program waits for another one that writes the file, in seconds.
LOCK_PATIENCE = 10.0
_PAUSE = 0.02
_logger = logging.getLogger(__name__)
#: The files whose permissions this process has warned about.
_warned_paths: set[str] = set()
_writing = threading.RLock()


def profile_path(environment: Optional[Mapping[str, str]] = None) -> Optional[str]:
    """Return the path of the file with the profiles; None if the user has no home.

    The file need not exist. The variable FTRACK_CONFIG_FILE overrides the usual path.
    """
    variables = os.environ if environment is None else environment
    chosen = variables.get(CONFIG_VARIABLE)
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    # lazy: most sessions have their settings as arguments or variables.
    import platformdirs

    try:
        folder = platformdirs.user_config_dir("ftrack-like", appauthor=False)
    except (KeyError, OSError, RuntimeError):
        return None
    # Without a home the path still starts with "~", and would be relative to the current folder.
    return os.path.join(folder, "config.toml") if os.path.isabs(folder) else None


def read_profile_text(path: str) -> Optional[str]:
    """Return the text of the file at *path*; None if there is no such file.

    Raise :exc:`OSError` if it cannot be read, and
    :exc:`~ftrack_like.exception.ConfigurationError` if it is not UTF-8.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise exception.ConfigurationError(
            f"The profile file {path} is not UTF-8 text (line {line}).\nSave it as UTF-8."
        ) from None


def warn_if_readable_by_others(path: str) -> Optional[str]:
    """Log a warning, once per process, if other users may read the file at *path*; return it."""
    if os.name == "nt":  # The mode says nothing about the access rights of Windows.
        return None
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return None
    if not mode & 0o077:
        return None
    text = (
        f"Other users of this machine may read the API keys in {path} (mode {mode:04o}). "
        f"Run: chmod 600 {path}"
    )
    if path not in _warned_paths:
        _warned_paths.add(path)
        _logger.warning("%s", text)
    return text


@contextlib.contextmanager
def writing_profiles(path: str) -> Iterator[None]:
    """Return a context in which no other thread or process changes the file at *path*.

    Create its folder. Raise :exc:`~ftrack_like.exception.ConfigurationError` if that fails, or if
    another process does not finish within ten seconds.
    """
    target = os.path.realpath(path)
    with _writing, contextlib.ExitStack() as stack:
        try:
            _make_folder(os.path.dirname(target), private=not os.path.islink(path))
            handle = os.open(target + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
            file = stack.enter_context(os.fdopen(handle, "r+b", buffering=0))
        except OSError as error:
            raise _unwritable(path, error) from error
        _wait_for_lock(file, path)
        stack.callback(unlock, file)
        yield


def replace_profile_text(path: str, text: str) -> None:
    """Replace the file at *path* by *text*, with mode 0600.

    Raise :exc:`~ftrack_like.exception.ConfigurationError` if it cannot be written.
    """
    target = os.path.realpath(path)  # A link to a file elsewhere stays a link.
    try:
        # ``mkstemp`` creates the file with mode 0600.
        handle, temporary = tempfile.mkstemp(".tmp", ".config-", os.path.dirname(target))
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
            put_into_place(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: str, error: OSError) -> exception.ConfigurationError:
    """Return the error for the file at *path*, which cannot be written because of *error*."""
    return exception.ConfigurationError(
        f"The profile file {path} cannot be written: {error.strerror or error}.\n"
        f"Set {CONFIG_VARIABLE} to a file that you can write."
    )


def _make_folder(folder: str, private: bool) -> None:
    """Create *folder* with mode 0700. If it exists and is our own, take others' access away."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if private and os.name != "nt" and os.path.basename(folder) == "ftrack-like":
        with contextlib.suppress(OSError):  # A folder of another owner: the file is still private.
            if stat.S_IMODE(os.stat(folder).st_mode) & 0o077:
                os.chmod(folder, 0o700)


def _wait_for_lock(file: BinaryIO, path: str) -> None:
    """Lock *file*, the lock of *path*, until it is closed."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while not _has_locked(file):
        if time.monotonic() > deadline:
            raise exception.ConfigurationError(
                f"Another process has been writing the profile file {path} for "
                f"{LOCK_PATIENCE:.0f} seconds. Try again when it has ended."
            )
        time.sleep(_PAUSE)


def _has_locked(file: BinaryIO) -> bool:
    """Try to lock *file*; return False if another process has locked it.

    Return True on systems and file systems without locks: files still appear as a whole.
    """
    try:
        import fcntl  # lazy: not on Windows
    except ImportError:
        return _has_locked_on_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # Some network file systems have no locks.
        pass
    return True


def _has_locked_on_windows(file: BinaryIO) -> bool:
    """Do the same as :func:`_has_locked` with the functions of Windows."""
    try:
        import msvcrt  # lazy: only on Windows
    except ImportError:
        return True
    file.seek(0)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except PermissionError:
        return False
    except OSError:
        pass
    return True
