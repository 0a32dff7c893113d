"""When to try again, and how long to wait before."""

from __future__ import annotations

import datetime
import email.utils
import random
import threading
import time
from collections.abc import Mapping
from typing import Callable, NamedTuple, Optional

__all__ = ["RETRIED_STATUSES", "RetryBudget", "RetryPolicy", "retry_after"]

#: Answers that say "not now": the server waited too long for the request, too many requests, and
#: what servers and proxies say when they fail.
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


class RetryPolicy(NamedTuple):
    """Bounds of repeating a request; all times are in seconds.

    *attempts* counts the first request too; None means as many as *total_time* has room for.
    *total_time* bounds the time from the begin of the first request to the begin of the last: 0
    repeats nothing. The waits between them double from *base* to *cap*, and are shortened at
    random by up to half, so that many clients do not return at once.
    """

    attempts: Optional[int] = None
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
        if self.attempts is not None and attempt >= self.attempts:
            return None
        wait = self._longest_wait(attempt) * (0.5 + chance() / 2)
        if asked is not None:
            wait = max(wait, asked)
        return None if elapsed + wait > self.total_time else wait

    def _longest_wait(self, attempt: int) -> float:
        """Return the longest wait after *attempt*; the first is 1."""
        # The exponent has a bound, since a float has one; the cap is reached long before.
        doubled: float = self.base * 2.0 ** min(attempt - 1, 64)
        return min(self.cap, doubled)

    def longest(self) -> float:
        """Return the seconds that all waits together may take."""
        if self.attempts is None:
            return self.total_time
        waits = sum(map(self._longest_wait, range(1, min(self.attempts, 10_000))))
        return min(self.total_time, waits)


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
    """Return the seconds that a ``Retry-After`` among *headers* asks for, None without one.

    A date is reckoned from the ``Date`` of the answer, since the clock here may be wrong; without
    one, from *now*.
    """
    text = str(headers.get("Retry-After") or "").strip()
    if not text:
        return None
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    moment = _moment(text)
    if moment is None:
        return None
    answered = _moment(str(headers.get("Date") or ""))
    return max(0.0, moment - (now() if answered is None else answered))


def _moment(text: str) -> Optional[float]:
    """Return the date *text* of a header in seconds since 1970, None if it is none."""
    try:
        moment = email.utils.parsedate_to_datetime(text.strip())
        if moment.tzinfo is None:  # It says "-0000": UTC without a place.
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return moment.timestamp()
    except (IndexError, OverflowError, TypeError, ValueError):
        return None
