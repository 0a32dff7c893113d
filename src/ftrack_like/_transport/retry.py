"""Decide when to retry a request, and how long to wait before the retry.

The waits double (exponential backoff) and have a random part, so that the clients of a render farm
do not all return at the same moment after an outage. Two limits keep retries from making an outage
worse: a :class:`RetryPolicy` for each request, and a :class:`RetryBudget` for a whole session.
"""

from __future__ import annotations

import datetime
import email.utils
import random
import threading
import time
from collections.abc import Mapping
from typing import Callable, Optional

from ftrack_like._base.named_tuples import NamedTuple

__all__ = ["OUTAGE_STATUSES", "RETRIED_STATUSES", "RetryBudget", "RetryPolicy", "retry_after"]

#: The statuses that may be temporary: the request arrived too slowly (408), there were too many
#: requests (429), or a server or proxy failed (5xx).
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
#: Statuses that leave the outcome of a write unknown, even if the answer contains an error report.
#: The database of the server may have been lost during the commit.
OUTAGE_STATUSES = frozenset({502, 503, 504})


class RetryPolicy(NamedTuple):
    """The limits of retrying one request; all times are in seconds.

    *attempts* is the maximal number of attempts, including the first. None means no limit.
    *total_time* limits the time from the start of the first attempt to the start of the last; 0
    switches retries off. The waits double from *base* to *cap*. Each wait is shortened at random
    by up to half.
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
        """Return the seconds to wait after the failed *attempt* (the first is 1); None to give up.

        *elapsed* is the time in seconds since the first attempt began. *asked* is the shortest
        wait that the server accepts, from its ``Retry-After`` header.
        """
        if self.attempts is not None and attempt >= self.attempts:
            return None
        wait = self._longest_wait(attempt) * (0.5 + chance() / 2)
        if asked is not None:
            wait = max(wait, asked)
        return None if elapsed + wait > self.total_time else wait

    def _longest_wait(self, attempt: int) -> float:
        """Return the longest wait after *attempt*; the first is 1."""
        # Limit the exponent: a float overflows at 2 ** 1024. The cap is reached long before.
        doubled: float = self.base * 2.0 ** min(attempt - 1, 64)
        return min(self.cap, doubled)

    def longest(self) -> float:
        """Return the maximal sum of all waits in seconds."""
        if self.attempts is None:
            return self.total_time
        waits = sum(map(self._longest_wait, range(1, min(self.attempts, 10_000))))
        return min(self.total_time, waits)


class RetryBudget:
    """The number of retries that all calls of a session may use together. Threads may share it.

    Without a budget, every call during an outage would retry for its whole *total_time*. With a
    budget, one call that gives up uses all retries. The other calls then give up at their first
    failure, until the server answers again.
    """

    def __init__(self, capacity: int = 200, refund: int = 10) -> None:
        """Initialise with *capacity* retries; each answer of the server adds *refund* retries."""
        self._capacity = capacity
        self._refund = refund
        self._left = capacity
        self.renew_lock()

    def renew_lock(self) -> None:
        """Create a new lock, for a forked process: a thread of the parent may own the old one."""
        self._lock = threading.RLock()  # A signal handler may make a call inside a call.

    def take(self) -> bool:
        """Use one retry and return True; return False if no retry is left."""
        with self._lock:
            if self._left == 0:
                return False
            self._left -= 1
            return True

    def answered(self) -> None:
        """Add retries, because the server has answered."""
        with self._lock:
            self._left = min(self._capacity, self._left + self._refund)

    def gave_up(self) -> None:
        """Remove all retries, because a call has used up its attempts or its time."""
        with self._lock:
            self._left = 0


def retry_after(
    headers: Mapping[str, str], now: Callable[[], float] = time.time
) -> Optional[float]:
    """Return the wait in seconds of the ``Retry-After`` header in *headers*, None without it.

    A date is compared with the ``Date`` header of the answer, since the local clock may be wrong.
    Without that header it is compared with *now*.
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
    """Return the date *text* of a header in seconds since 1970, None if it is not a date."""
    try:
        moment = email.utils.parsedate_to_datetime(text.strip())
        if moment.tzinfo is None:  # The text ends in "-0000": UTC, place unknown (RFC 5322).
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return moment.timestamp()
    except (IndexError, OverflowError, TypeError, ValueError):
        return None
