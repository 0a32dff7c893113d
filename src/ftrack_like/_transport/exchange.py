"""Decide how one request is sent: when it is retried, and where a redirect may lead.

When a request fails, the client does not always know whether the server has processed it. So a
retry depends on the place of the failure:

- The client could not connect: the server has not seen the request. A retry is always safe. But at
  the first call of a session the address may be wrong, so the user should see the error at once.
  Only a *patient* request is retried. All requests after the first answer are patient.
- The connection broke after the client sent the request: the server may have processed it. Only a
  *repeatable* request is sent again: a batch that only reads. A write without an answer becomes an
  in-doubt batch, which the next commit resolves.
- The server answered with a status such as 503: the same rule as for a broken connection, even if
  the answer contains an error report.

A retry must not make an outage worse. So the attempts of one request have limits (RetryPolicy,
deadline, two time-outs), and the retries of all requests of a session have a common limit
(RetryBudget).
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Generator, Mapping
from typing import Optional, Union
from urllib.parse import urljoin

from ftrack_like import exception
from ftrack_like._base.named_tuples import NamedTuple
from ftrack_like._transport.answers import decode_text, fault_of, parse_json
from ftrack_like._transport.authentication import leaves_host
from ftrack_like._transport.body import ReceivedBody
from ftrack_like._transport.interruption import raise_interruption
from ftrack_like._transport.limits import (
    EXTENDING_RATE,
    HttpTimeout,
    Limit,
    RequestDeadline,
    total_for,
)
from ftrack_like._transport.redaction import masked
from ftrack_like._transport.retry import RETRIED_STATUSES, RetryBudget, RetryPolicy, retry_after

__all__ = [
    "MOST_TIMEOUTS",
    "Exchange",
    "HttpAnswer",
    "Pause",
    "Reply",
    "RetryReport",
    "Send",
    "Steps",
    "redirect_of",
    "retry_report",
    "warn_of_retry",
    "with_attempts",
]

_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

#: A request is given up after this many time-outs. A server that is silent once may be busy. After
#: the second time it is probably down, and each further attempt would cost the whole time-out.
MOST_TIMEOUTS = 2

#: The last character of a JSON list or mapping, by its first character.
_CLOSING = {"[": "]", "{": "}"}

DEFAULT_POLICY = RetryPolicy(attempts=9)


class HttpAnswer(NamedTuple):
    """An answer of the server: *status*, *reason*, *text* and the number of bytes *received*.

    *address* is the address of the request. *retry_after* is the value of the ``Retry-After``
    header in seconds. The request took *attempts* attempts and *elapsed* seconds.
    """

    status: int
    reason: str
    text: str
    received: int
    address: str
    retry_after: Optional[float] = None
    attempts: int = 1
    elapsed: float = 0.0


class RetryReport(NamedTuple):
    """Report of a retry after the failed *attempt* (the first is 1), which raised *error*.

    The retry happens after *wait* seconds. All waits together take at most *longest* seconds. The
    request is sent at most *attempts* times, without a limit if that is None.
    """

    attempt: int
    error: Exception
    wait: float
    longest: float
    attempts: Optional[int]


def retry_report(
    policy: RetryPolicy,
    attempt: int,
    error: Exception,
    wait: float,
    asked: Optional[float],
    total: Optional[float],
) -> RetryReport:
    """Return the report of a retry under *policy* after *attempt* failed with *error*.

    All times are in seconds: *wait* is the time until the retry, *asked* the wait that the server
    asked for, and *total* the limit of one attempt. None means that there is no such limit.
    """
    if isinstance(error, exception.ServerTimeoutError):
        return RetryReport(attempt, error, wait, wait + (total or 0.0), attempt + 1)
    longest = policy.longest() if asked is None else policy.total_time
    return RetryReport(attempt, error, wait, longest, policy.attempts)


def warn_of_retry(logger: logging.Logger, what: str, report: RetryReport) -> None:
    """Log that *what* is repeated: the first time as a warning, later times for debugging."""
    count = None if report.attempts is None else report.attempts - 1
    bound = {None: "any number of retries", 1: "one retry"}.get(count, f"up to {count} retries")
    logger.log(
        logging.WARNING if report.attempt == 1 else logging.DEBUG,
        "Repeating %s, which failed: %s\n"
        "The retries may take up to %.3g s (%s). Change the limits with the argument retry or the "
        "variable FTRACK_API_RETRY_SECONDS.",
        what,
        report.error,
        report.longest,
        bound,
    )


class Send(NamedTuple):
    """A step: send the request to *address* within *limit*, and return a :class:`Reply`."""

    address: str
    limit: Optional[Limit]


class Pause(NamedTuple):
    """A step: pass *report* on, then wait *seconds*."""

    seconds: float
    report: RetryReport


class Reply(NamedTuple):
    """What the server sent for one :class:`Send`: *status*, *reason*, *headers* and *body*."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: ReceivedBody


#: The steps of one request, in order. A :class:`Send` is answered with a :class:`Reply`, or with a
#: :exc:`~ftrack_like.exception.ServerError` that is thrown in; a :class:`Pause` with None.
Steps = Generator[Union[Send, Pause], Optional[Reply], HttpAnswer]


#: An answer, the reason for a retry, and the wait in seconds that the server asked for.
_Attempt = tuple[Optional[HttpAnswer], Optional[exception.ServerError], Optional[float]]


class Exchange:
    """Decide how to send one request, and retry it while that is safe and within the limits.

    It does no input and output: :meth:`steps` yields what is to be done, and its caller does it
    (see :mod:`ftrack_like._transport.driver`). So the same decisions can serve threads and an event
    loop.

    - *address* is the first address of the request.
    - *repeatable*: the request may be sent again if its answer was lost.
    - *patient*: the request may be sent again if the client could not connect.
    - *budget* limits the retries of all requests that share it.
    - *timeout* limits each wait for the server, in seconds. Without *deadline* an attempt may take
      twice that time, and longer while a large answer arrives.
    - *deadline* limits all attempts together, in seconds.
    """

    def __init__(
        self,
        address: str,
        repeatable: bool,
        patient: bool,
        policy: RetryPolicy = DEFAULT_POLICY,
        budget: Optional[RetryBudget] = None,
        timeout: HttpTimeout = None,
        deadline: Optional[float] = None,
    ) -> None:
        """Initialise; the time of *deadline* begins now."""
        self.address = address
        self.repeatable = repeatable
        self.patient = patient
        self.policy = policy
        self.budget = budget or RetryBudget()
        self._total = total_for(timeout)
        self._deadline = None if deadline is None else RequestDeadline(deadline)
        self._timeouts = 0

    def steps(self) -> Steps:
        """Yield the steps, and return the answer. It has an error status if the retries failed.

        Raise a :exc:`~ftrack_like.exception.ServerConnectionError` if there is no answer.
        """
        begun = time.monotonic()
        for attempt in itertools.count(1):
            answer, error, asked = yield from self._attempt()
            elapsed = time.monotonic() - begun
            wait = self._wait(error, attempt, elapsed, asked) if error else None
            if error is None or wait is None:
                break
            report = retry_report(self.policy, attempt, error, wait, asked, self._total)
            if self._deadline is not None:
                longest = min(report.longest, self._deadline.left())
                report = report._replace(longest=longest)
            yield Pause(wait, report)
        if error is None:
            self.budget.answered()
        if answer is None:
            assert error is not None
            raise with_attempts(error, attempt, elapsed)
        return answer._replace(attempts=attempt, elapsed=elapsed)

    def _attempt(self) -> Generator[Send, Optional[Reply], _Attempt]:
        """Send the request once. Return the answer, an error, and a wait in seconds.

        The answer is None if none arrived. The error is the reason for a retry, None if the answer
        is final. After an answer such as 503 both are set, and the wait is its ``Retry-After``.
        """
        limit: Optional[Limit] = self._deadline
        if limit is None and self._total is not None:
            limit = RequestDeadline(self._total, EXTENDING_RATE)
        try:
            answer = self._read((yield from self._follow(limit)))
        except exception.ServerConnectionError as error:
            raise_interruption(error)
            self._timeouts += isinstance(error, exception.ServerTimeoutError)
            return None, error, None
        if not self._is_passing(answer):
            return answer, None, None
        refused = exception.ServerError(f"status {answer.status} {answer.reason}".strip())
        return answer, refused, answer.retry_after

    def _wait(
        self, error: Exception, attempt: int, elapsed: float, asked: Optional[float]
    ) -> Optional[float]:
        """Return the seconds to wait before the retry; None to give up.

        *asked* is the wait that the server asked for, None if it did not.
        """
        if getattr(error, "is_lasting", False):
            return None
        arrived = getattr(error, "request_sent", True)
        if not (self.repeatable if arrived else self.patient):
            return None
        wait = self.policy.delay(attempt, elapsed, asked)
        if self._timeouts >= MOST_TIMEOUTS or (
            wait is not None and self._deadline is not None and self._deadline.left() <= wait
        ):
            wait = None
        if wait is None and attempt > 1:
            self.budget.gave_up()
        return wait if wait is not None and self.budget.take() else None

    def _is_passing(self, answer: HttpAnswer) -> bool:
        """Return whether *answer* reports a temporary failure, so that a retry may help.

        A status 500 with an error report comes from the API itself and is final. Without a report
        it comes from a proxy or from a server that is starting.
        """
        if answer.status not in RETRIED_STATUSES:
            return False
        if answer.status != 500:
            return True
        try:
            return fault_of(parse_json(answer.text)) is None
        except ValueError:
            return True

    def _follow(self, limit: Optional[Limit]) -> Generator[Send, Optional[Reply], Reply]:
        """Send the request, follow redirects on the same host, and return the last reply."""
        address = self.address
        for _ in range(_MOST_REDIRECTS):
            reply = yield Send(address, limit)
            assert reply is not None
            target = redirect_of(reply.status, reply.headers)
            if target is None:
                return reply
            if leaves_host(address, target):
                raise exception.ServerError(
                    f"{address} redirects to another host, {masked(urljoin(address, target))}.\n"
                    "The API key is not sent there. If the host is right, make it the server "
                    "address (FTRACK_SERVER)."
                )
            address = urljoin(address, target)
        raise exception.ServerError(f"{self.address} redirects in circles.")

    def _read(self, reply: Reply) -> HttpAnswer:
        """Return the answer in *reply*; raise an error if it is incomplete.

        An incomplete answer counts as a lost answer, so :meth:`steps` may retry the request.
        """
        body = reply.body
        promised = str(reply.headers.get("content-length") or "")
        if promised.isdigit() and body.received < int(promised):
            raise exception.ServerConnectionError(
                f"The answer of {self.address} broke off: {body.received} of {promised} bytes came."
            )
        text = decode_text(body.content)
        if not text and reply.status < 300 and not _has_length(reply.headers):
            # The headers broke off, and the HTTP library does not notice that.
            raise exception.ServerConnectionError(
                f"The answer of {self.address} broke off: it is empty and does not say how long "
                "it should be."
            )
        self._require_whole(text)
        return HttpAnswer(
            status=reply.status,
            reason=reply.reason,
            text=text,
            received=body.received,
            address=self.address,
            retry_after=retry_after(reply.headers),
        )

    def _require_whole(self, text: str) -> None:
        """Raise an error if *text* begins like JSON and does not end like JSON.

        Answers without ``Content-Length`` can break off without an error of the connection.
        """
        begin, end = text.lstrip()[:1], text.rstrip()[-1:]
        if begin in _CLOSING and end != _CLOSING[begin]:
            raise exception.ServerConnectionError(
                f"The answer of {self.address} broke off after {len(text)} characters."
            )


def redirect_of(status: int, headers: Mapping[str, str]) -> Optional[str]:
    """Return the address to which a reply with *status* and *headers* redirects, else None."""
    return headers.get("location") or None if status in _REDIRECTS else None


def _has_length(headers: Mapping[str, str]) -> bool:
    """Return whether *headers* tell where the body ends."""
    return any(name in headers for name in ("content-length", "transfer-encoding"))


def with_attempts(
    error: exception.ServerError, attempts: int, elapsed: float
) -> exception.ServerError:
    """Return *error*; after several attempts, add their number and time to its message."""
    if attempts > 1:
        error.message += f"\nGave up after {attempts} attempts in {elapsed:.1f} s."
        error.args = (error.message,)
    return error
