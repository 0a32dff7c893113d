"""Ask a function of the program for credentials, and again when the server refuses them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Optional

from ftrack_like._transport.redaction import MASK

__all__ = ["Renewal"]


class Renewal:
    """The credentials that a *function* returns, as user and key. Threads may share it.

    *check* returns a valid result of the function, and raises an error for another one.
    """

    def __init__(
        self,
        function: Callable[[], tuple[str, str]],
        check: Callable[[object], tuple[str, str]],
    ) -> None:
        """Initialise without calling *function*."""
        self._function = function
        self._check = check
        self._current: Optional[tuple[str, str]] = None
        self.renew_lock()

    def renew_lock(self) -> None:
        """Replace the lock in a forked process: a thread of the parent may have held it."""
        # Reentrant, because the function itself may use a session whose key is refused.
        self._asking = threading.RLock()
        self._is_asking = False

    def __repr__(self) -> str:
        """Return the class and the user, never the key."""
        user = None if self._current is None else self._current[0]
        return f"<{type(self).__name__} api_user={user!r} api_key={MASK!r}>"

    def first(self) -> tuple[str, str]:
        """Call the function for the first time, and return user and key."""
        self._current = self._check(self._function())
        return self._current

    def after(self, refused: tuple[str, str]) -> Optional[tuple[str, str]]:
        """Return other credentials than *refused*, user and key; None if there are none.

        Call the function only if no other thread has done that since *refused* was in use. Errors
        of the function pass through.
        """
        with self._asking:
            if self._current != refused:
                return self._current
            if self._is_asking:
                return None
            self._is_asking = True
            try:
                answer = self._check(self._function())
            finally:
                self._is_asking = False
            self._current = answer
            return None if answer == refused else answer
