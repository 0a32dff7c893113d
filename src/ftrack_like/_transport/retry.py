"""When to try again, and how long to wait before."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Mapping
from typing import Callable, NamedTuple, Optional

__all__ = ["RETRIED_STATUSES", "RetryPolicy", "retry_after"]

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
