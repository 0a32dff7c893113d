"""Settings of a session that have a separate value in each thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from types import TracebackType

    from ftrack_like.session import Session

__all__ = [
    "AutoPopulatingContext",
    "OperationRecordingContext",
    "ThreadFlag",
    "thread_flag",
]


class ThreadFlag(threading.local):
    """A flag with a separate *value* in each thread.

    It starts from the default in a new thread, even if an earlier thread had the same number.
    """

    def __init__(self, default: bool) -> None:
        """Set the *default*; Python calls this again in each thread."""
        self.value = default


def thread_flag(session: Session, name: str) -> ThreadFlag:
    """Return the flag *name* of *session*; create it with the value True if it is missing.

    A subclass may have copied the constructor of another client library. It then stores a mapping
    of thread numbers to values, or a plain value. The flag takes over the value of the calling
    thread, and the default of the mapping for other threads.
    """
    kept = session.__dict__.get(name)
    if isinstance(kept, ThreadFlag):
        return kept
    flag = ThreadFlag(_default_of(kept))
    if isinstance(kept, Mapping):
        flag.value = bool(kept.get(threading.get_ident(), flag.value))
    session.__dict__[name] = flag
    return flag


def _default_of(kept: object) -> bool:
    """Return the value of *kept*, a mapping or a plain value, for threads that it does not name."""
    if kept is None:
        return True
    if not isinstance(kept, Mapping):
        return bool(kept)
    factory = getattr(kept, "default_factory", None)
    return bool(factory()) if callable(factory) else True


class _FlagContext:
    """Set a flag of the calling thread for a block."""

    def __init__(self, session: Session, name: str, value: bool) -> None:
        """Prepare to set the attribute *name* of *session* to *value*."""
        super().__init__()
        self._session = session
        self._name = name
        self._value = value
        self._before: list[bool] = []

    def __enter__(self) -> None:
        """Set the value and remember the old one."""
        self._before.append(getattr(self._session, self._name))
        setattr(self._session, self._name, self._value)

    def __exit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Restore the old value."""
        setattr(self._session, self._name, self._before.pop())


class AutoPopulatingContext(_FlagContext):
    """Set ``auto_populate`` of the calling thread for a block."""

    def __init__(self, session: Session, auto_populate: bool) -> None:
        """Prepare to set it on *session*."""
        super().__init__(session, "auto_populate", auto_populate)


class OperationRecordingContext(_FlagContext):
    """Set ``record_operations`` of the calling thread for a block."""

    def __init__(self, session: Session, record_operations: bool) -> None:
        """Prepare to set it on *session*."""
        super().__init__(session, "record_operations", record_operations)
