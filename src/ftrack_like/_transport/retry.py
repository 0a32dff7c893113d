"""When to try again, and how long to wait before."""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Mapping
from typing import Callable, NamedTuple, Optional

__all__ = ["RETRIED_STATUSES", "RetryBudget", "RetryPolicy", "retry_after"]

#: Answers that say "not now": too many requests, and what servers and proxies say when they fail.
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})


class RetryPolicy(NamedTuple):
    """Bounds of trying again; all times are in seconds.

    *attempts* counts the first one; *total_time* bounds the time from the first attempt to the
    begin of the last; waits grow from *base* to *cap* and are shortened at random by up to half,
    so that many clients do not return at once.
    """

    attempts: int = 9
    total_time: float = 60.0
    base: float = 0.1
    cap: float = 8.0

    def delay(
        self,
        attempt: int,
        elapsed: float,
        asked: Optional[float] = None,
        chance: Callable[[], float] = random.random,
    ) -> Optional[float]:
        """Return how long to wait after the failed *attempt* (the first is 1), None to give up.

        *elapsed* is the time since the first attempt began, *asked* what the server asked for.
        """
        if attempt >= self.attempts:
            return None
        wait = min(self.cap, self.base * 2 ** (attempt - 1)) * (0.5 + chance() / 2)
        if asked is not None:
            wait = max(wait, asked)
        return None if elapsed + wait > self.total_time else wait


class RetryBudget:
    """What the calls of a session together may spend on trying again; it may be shared by threads.

    It keeps an outage from being multiplied by the calls that meet it: once one of them has
    given up, the others give up at their first failure, until the server has answered again.
    """

    def __init__(self, capacity: int = 200, refund: int = 10) -> None:
        """Initialise with *capacity* repetitions; each answer brings *refund* of them back."""
        self._capacity = capacity
        self._refund = refund
        self._left = capacity
        self.renew_lock()

    def renew_lock(self) -> None:
        """Take a new lock, in a process that was forked while somebody held the old one."""
        self._lock = threading.RLock()  # A signal handler may make a call inside a call.

    def take(self) -> bool:
        """Spend one repetition; return False, spending nothing, when there is none left."""
        with self._lock:
            if self._left == 0:
                return False
            self._left -= 1
            return True

    def answered(self) -> None:
        """Tell that the server has answered."""
        with self._lock:
            self._left = min(self._capacity, self._left + self._refund)

    def gave_up(self) -> None:
        """Tell that a call has tried for as long as it may."""
        with self._lock:
            self._left = 0


def retry_after(
    headers: Mapping[str, str], now: Callable[[], float] = time.time
) -> Optional[float]:
    """Return the seconds that a ``Retry-After`` among *headers* asks for, None without one."""
    text = str(headers.get("Retry-After") or "").strip()
    if not text:
        return None
    if text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, moment.timestamp() - now())
