"""Settings of a session that each thread has for itself."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["ThreadFlag", "thread_flag"]


class ThreadFlag(threading.local):
    """A flag that each thread sees and sets for itself; *value* begins as the default.

    A new thread starts from the default, whatever a thread before it with the same number did.
    """

    def __init__(self, default: bool) -> None:
        """Initialise with *default*, in each thread anew."""
        self.value = default


def thread_flag(session: Session, name: str) -> ThreadFlag:
    """Return the flag that *session* keeps under *name*, making one that begins as True.

    A constructor that was copied from elsewhere puts a mapping of thread numbers to values
    there, or a plain value: the flag takes over what it says of the calling thread and, where
    it has one, its default for others.
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
    """Return the value for threads that *kept*, a mapping or a plain value, does not name."""
    if kept is None:
        return True
    if not isinstance(kept, Mapping):
        return bool(kept)
    factory = getattr(kept, "default_factory", None)
    return bool(factory()) if callable(factory) else True
