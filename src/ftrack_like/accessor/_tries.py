"""What storages answer for the moment, and how the requests of a transfer are repeated."""

from __future__ import annotations

import itertools
import logging
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Optional, TypeVar

from ftrack_like import exception
from ftrack_like._transport.body import excerpt
from ftrack_like._transport.faults import exhaustion, is_timeout
from ftrack_like._transport.interruption import raise_interruption
from ftrack_like._transport.limits import Limit, OpenConnections, SlowestRate, Timeout, total_for
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

#: How often a request of a transfer is sent, unless the session says otherwise.
POLICY = RetryPolicy(attempts=6, total_time=60.0)

#: How often a request is sent that the storage does not answer in time.
_MOST_TIMEOUTS = 2

#: Statuses of the moment besides those of 500 and above.
_PASSING_STATUSES = frozenset({408, 425, 429})

#: Statuses of 500 and above that the next try would meet again: not implemented, the wrong
#: version of HTTP, no space, a loop, an extension or a login that is missing.
_LASTING_STATUSES = frozenset({501, 505, 507, 508, 510, 511})

#: Statuses of an address, a token or an upload that is not valid any more.
_EXPIRED_STATUSES = frozenset({401, 403, 410})

#: Codes of the moment that come with another status: Amazon S3 ("Error responses"), Google Cloud
#: Storage, Azure Blob Storage and MinIO document them. Without regard to upper and lower case.
_PASSING_CODES = frozenset(
    {
        "backenderror",
        "baddigest",  # The data suffered on the way.
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

#: Codes of an address, a token or an upload that is not valid any more.
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
    """The data could not be read; *wait* is how long the server asks to wait, in seconds.

    *is_passing* says that asking again may help, *is_expired* that a new address may, and
    *is_late* that the server took too long.
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
    """Whether a refusal passes by itself, and whether the address has expired."""

    is_passing: bool
    is_expired: bool


def judge(status: int, text: str, code: str = "") -> Verdict:
    """Return what a storage means by *status*, the *text* of its answer and a *code* beside it.

    The code is looked for in *text* when it is empty.
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
    """Return what the *text* of an error means that passes on what a storage said."""
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", text)}
    passing = bool(words & _PASSING_CODES)
    return Verdict(passing, not passing and bool(words & _EXPIRED_CODES))


def refused(
    response: Response, who: str, kind: type[DownloadError] = DownloadError
) -> DownloadError:
    """Return the error of the class *kind* that the refusal *response* of *who* stands for.

    It is closed.
    """
    said = excerpt(response, 2000)
    code = str(response.headers.get("x-ms-error-code") or "")
    verdict = judge(response.status_code, said, code)
    return kind(
        f"{who} answered {response.status_code} {response.reason or ''}: {said[:500]}",
        verdict.is_passing,
        retry_after(response.headers),
        is_expired=verdict.is_expired,
    )


def failed(error: BaseException, kind: type[DownloadError] = DownloadError) -> DownloadError:
    """Return the error of the class *kind* for a connection that failed with *error*.

    Raise the exception of a signal handler that *error* was made of: it ends the transfer.
    """
    raise_interruption(error)
    is_passing = exhaustion(error) is None
    made = kind(problem(error), is_passing=is_passing, is_late=is_timeout(error))
    made.__cause__ = error
    return made


def problem(error: BaseException) -> str:
    """Return in words what *error* says of a connection; "timed out" if that is what happened."""
    if exhaustion(error) is not None:
        return str(exhaustion(error))
    if is_timeout(error):
        return f"it timed out: {error}"
    return f"the connection failed: {error}"


class Tries:
    """How the requests of one transfer are repeated and bounded. Threads may share it."""

    def __init__(
        self,
        policy: RetryPolicy = POLICY,
        timeout: Timeout = None,
        connections: Optional[OpenConnections] = None,
    ) -> None:
        """Initialise; ending *connections* ends the waits, *timeout* is that of the requests."""
        self._policy = policy
        self._window = total_for(timeout)
        self._connections = connections or OpenConnections()

    def limit(self) -> Optional[Limit]:
        """Return a new limit for one request; None for none."""
        return None if self._window is None else SlowestRate(self._window)

    def repeat(
        self,
        what: str,
        action: Callable[[], _Result],
        *,
        renews: bool = False,
        stopped: Optional[Callable[[float], object]] = None,
    ) -> _Result:
        """Return what *action* returns, tried again while its error is passing.

        An expired address is tried again once when *action* *renews* it. *what* names the action
        in the log. *stopped* waits for some seconds, instead of the connections of the session.

        Raise the last :class:`DownloadError`, and
        :exc:`~ftrack_like.exception.ConnectionClosedError` once the connections are ended.
        """
        begun = time.monotonic()
        timeouts = renewals = 0
        for attempt in itertools.count(1):
            try:
                return action()
            except DownloadError as error:
                failure = error
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
                "Repeating %s in %.2g s, since it failed: %s\nThat may take up to %.3g s. The "
                "argument retry of the session sets another bound.",
                what,
                wait,
                failure,
                self._policy.longest() if failure.wait is None else self._policy.total_time,
            )
            (stopped or self._connections.wait)(wait)
        raise AssertionError("counting ended")
