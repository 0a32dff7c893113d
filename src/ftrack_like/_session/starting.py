"""The start of a session: a list of steps, each of which succeeds once.

A session starts in its constructor, or with ``connect="lazy"`` when a program first uses something
that only a started session has. Several threads may do that at the same time. One of them runs the
steps, and the others wait. A step may itself use the session: its thread goes on at once.

If a step fails, the error reaches the caller. The next use runs the same step again. So plugins are
registered only once, however often the server was out of reach before.

A plugin must not wait, while it registers, for another thread that uses a lazy session: that thread
waits for the end of the start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ftrack_like import exception
from ftrack_like._base.collaborators import start_of

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["Start", "begin"]


class Start:
    """The start of a session. Threads may share it."""

    def __init__(self, steps: Sequence[Callable[[], None]], is_lazy: bool) -> None:
        """Initialise with the *steps*, functions without arguments; nothing runs yet.

        *is_lazy* says whether using the session starts it.
        """
        self._left = list(steps)
        self.is_lazy = is_lazy
        self.renew_lock()

    def renew_lock(self) -> None:
        """Replace the lock in a forked process: a thread of the parent may have held it."""
        # Reentrant: a step, or a signal handler during a step, may use the session.
        self._lock = threading.RLock()
        self._is_running = False

    @property
    def is_over(self) -> bool:
        """Whether all steps have succeeded."""
        return not self._left

    def run(self) -> None:
        """Run the steps that have not succeeded yet. Wait for another thread that runs them.

        Raise the error of the first step that fails.
        """
        if not self._left:
            return
        with self._lock:
            if self._is_running:
                return
            self._is_running = True
            try:
                while self._left:
                    self._left[0]()
                    del self._left[0]
            finally:
                self._is_running = False


def begin(session: Session) -> None:
    """Start *session* if it is lazy and has not started yet.

    Raise the error of the step that fails; the next call tries again. Raise
    :exc:`~ftrack_like.exception.ConnectionClosedError` if the session was closed before.
    """
    start = start_of(session)
    if start is None or start.is_over or not start.is_lazy:
        return
    if session.closed:
        raise exception.ConnectionClosedError()
    start.run()
