"""Decide whether a failed request of a transfer is sent again, and repeat it.

Storages (Amazon S3, Google Cloud Storage, Azure, MinIO) report temporary failures by status or by
a code in the answer, sometimes only one of them. A failure has one of three kinds:

- *passing*: the same request may succeed later, such as 503 or ``SlowDown``;
- *expired*: the signed address is no longer valid; a new address from the server may help, once;
- lasting: a retry does not help.
"""

from __future__ import annotations

import itertools
import logging
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Optional, TypeVar

from ftrack_like import exception
from ftrack_like._transport.body import answer_excerpt
from ftrack_like._transport.cancellation import check_cancelled
from ftrack_like._transport.faults import exhaustion, is_timeout
from ftrack_like._transport.interruption import raise_interruption
from ftrack_like._transport.limits import (
    HttpTimeout,
    Limit,
    OpenConnections,
    SlowestRate,
    total_for,
)
from ftrack_like._transport.retry import RetryPolicy, retry_after

if TYPE_CHECKING:
    from requests import Response

__all__ = [
    "DownloadError",
    "Tries",
    "Verdict",
    "failed",
    "judge",
    "judge_words",
    "problem",
    "refused",
]

_Result = TypeVar("_Result")

_logger = logging.getLogger(__name__)

#: The limits of retries of a transfer, unless the session has its own.
POLICY = RetryPolicy(attempts=6, total_time=60.0)

#: A request is given up after this many time-outs.
_MOST_TIMEOUTS = 2

#: The temporary failures with a status below 500.
_PASSING_STATUSES = frozenset({408, 425, 429})

#: The statuses from 500 on that a retry would get again: not implemented, wrong version of HTTP,
#: no space, a loop, a missing extension, a missing login.
_LASTING_STATUSES = frozenset({501, 505, 507, 508, 510, 511})

#: The statuses of an address, token or upload that is no longer valid.
_EXPIRED_STATUSES = frozenset({401, 403, 410})

#: Codes of temporary failures, in lower case. They also come with other statuses. Source: the
#: documentation of Amazon S3 ("Error responses"), Google Cloud Storage, Azure Blob Storage, MinIO.
_PASSING_CODES = frozenset(
    {
        "backenderror",
        "baddigest",  # The data was damaged on the way.
        "bandwidthlimitexceeded",
        "conditionalrequestconflict",
        "incompletebody",
        "internalerror",
        "operationaborted",
        "operationtimedout",
        "priorrequestnotcomplete",
        "ratelimitexceeded",
        "requestlimitexceeded",
        "requestthrottled",
        "requesttimeout",
        "serverbusy",
        "serviceunavailable",
        "slowdown",
        "slowdownread",
        "slowdownwrite",
        "throttled",
        "throttling",
        "throttlingexception",
        "toomanyrequests",
        "userratelimitexceeded",
        "xminioservernotinitialized",
    }
)

#: Codes of an address, token or upload that is no longer valid, in lower case.
_EXPIRED_CODES = frozenset(
    {
        "accessdenied",
        "authenticationfailed",
        "expiredtoken",
        "invalidtoken",
        "nosuchupload",
        "requestexpired",
        "requesttimetooskewed",
        "signaturedoesnotmatch",
        "tokenrefreshrequired",
    }
)

#: Where storages write their code: ``<Code>`` in XML, ``code`` or ``reason`` in JSON.
_CODE = r"<Code>\s*([A-Za-z]+)\s*</Code>|\"(?:code|reason|Code)\"\s*:\s*\"([A-Za-z]+)\""


class DownloadError(Exception):
    """The data could not be read; the server asks to *wait* this many seconds.

    *is_passing*: a retry may help. *is_expired*: a new address may help. *is_late*: the request
    timed out.
    """

    def __init__(
        self,
        text: str,
        is_passing: bool = False,
        wait: Optional[float] = None,
        *,
        is_expired: bool = False,
        is_late: bool = False,
    ) -> None:
        super().__init__(text)
        self.is_passing = is_passing
        self.wait = wait
        self.is_expired = is_expired
        self.is_late = is_late


class Verdict(NamedTuple):
    """Whether a failure is temporary, and whether the address has expired."""

    is_passing: bool
    is_expired: bool


def judge(status: int, text: str, code: str = "") -> Verdict:
    """Return the verdict about an answer with *status*, *text* and *code*.

    If *code* is empty, it is searched in *text*.
    """
    found = re.search(_CODE, text)
    code = (code or (found and (found[1] or found[2])) or "").lower()
    passing = (
        status in _PASSING_STATUSES
        or (status >= 500 and status not in _LASTING_STATUSES)
        or code in _PASSING_CODES
    )
    if passing:
        return Verdict(True, False)
    expired = status in _EXPIRED_STATUSES or (
        status >= 400 and (code in _EXPIRED_CODES or "expired" in text.lower())
    )
    return Verdict(False, expired)


def judge_words(text: str) -> Verdict:
    """Return the verdict about the *text* of an error that quotes the answer of a storage."""
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", text)}
    passing = bool(words & _PASSING_CODES)
    return Verdict(passing, not passing and bool(words & _EXPIRED_CODES))


def refused(
    response: Response, who: str, kind: type[DownloadError] = DownloadError
) -> DownloadError:
    """Return the error of class *kind* for *response*, a failure that *who* answered.

    Close *response*.
    """
    said = answer_excerpt(response, 2000)
    code = str(response.headers.get("x-ms-error-code") or "")
    verdict = judge(response.status_code, said, code)
    return kind(
        f"{who} answered {response.status_code} {response.reason or ''}: {said[:500]}",
        verdict.is_passing,
        retry_after(response.headers),
        is_expired=verdict.is_expired,
    )


def failed(error: BaseException, kind: type[DownloadError] = DownloadError) -> DownloadError:
    """Return the error of class *kind* for a connection that failed with *error*.

    If a signal handler raised the original exception, raise that: it ends the transfer.
    """
    raise_interruption(error)
    is_passing = exhaustion(error) is None
    made = kind(problem(error), is_passing=is_passing, is_late=is_timeout(error))
    made.__cause__ = error
    return made


def problem(error: BaseException) -> str:
    """Return a text about the failed connection; it contains "timed out" after a time-out."""
    if exhaustion(error) is not None:
        return str(exhaustion(error))
    if is_timeout(error):
        return f"it timed out: {error}"
    return f"the connection failed: {error}"


class Tries:
    """The retries and time limits of the requests of one transfer. Threads may share it."""

    def __init__(
        self,
        policy: RetryPolicy = POLICY,
        timeout: HttpTimeout = None,
        connections: Optional[OpenConnections] = None,
    ) -> None:
        """Initialise with the *timeout* of the requests; ``connections.end()`` ends all waits."""
        self._policy = policy
        self._window = total_for(timeout)
        self._connections = connections or OpenConnections()

    def limit(self) -> Optional[Limit]:
        """Return a new limit for one request; None without a limit."""
        return None if self._window is None else SlowestRate(self._window)

    def repeat(
        self,
        what: str,
        action: Callable[[], _Result],
        *,
        renews: bool = False,
        stopped: Optional[Callable[[float], object]] = None,
    ) -> _Result:
        """Return the result of *action*; retry it while its error is passing.

        *what* names the action in the log. If *renews* is true, *action* requests a new address
        each time, so an expired address leads to one retry. *stopped* replaces the function that
        waits between two tries; it takes seconds.

        Raise the last :class:`DownloadError`, or
        :exc:`~ftrack_like.exception.ConnectionClosedError` if the connections are ended.
        """
        begun = time.monotonic()
        timeouts = renewals = 0
        for attempt in itertools.count(1):
            check_cancelled()
            try:
                return action()
            except DownloadError as error:
                failure = error
            check_cancelled()
            if self._connections.ended:
                raise exception.ConnectionClosedError() from failure
            timeouts += failure.is_late
            wait: Optional[float] = None
            if failure.is_expired and renews and not renewals:
                renewals, wait = 1, 0.0
            elif failure.is_passing and timeouts < _MOST_TIMEOUTS:
                wait = self._policy.delay(attempt, time.monotonic() - begun, failure.wait)
            if wait is None:
                raise failure
            _logger.log(
                logging.WARNING if attempt == 1 else logging.DEBUG,
                "Repeating %s in %.2g s, since it failed: %s\nThe retries may take up to %.3g s. "
                "Change the limit with the argument retry of the session.",
                what,
                wait,
                failure,
                self._policy.longest() if failure.wait is None else self._policy.total_time,
            )
            (stopped or self._connections.wait)(wait)
        raise AssertionError("counting ended")
