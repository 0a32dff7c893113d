"""Send one request until it is answered: explain failures, retry, and check redirects.

When a request fails, the client does not always know whether the server has processed it. So a
retry depends on the place of the failure:

- The client could not connect: the server has not seen the request. A retry is always safe. But at
  the first call of a session the address may be wrong, so the user should see the error at once.
  Only a *patient* request is retried. All requests after the first answer are patient.
- The connection broke after the client sent the request: the server may have processed it. Only a
  *repeatable* request is sent again: a batch that only reads. A write without an answer becomes an
  in-doubt batch, which the next commit resolves.
- The server answered with a status such as 503: the same rule as for a broken connection.

A retry must not make an outage worse. So the attempts of one request have limits (RetryPolicy,
deadline, two time-outs), and the retries of all requests of a session have a common limit
(RetryBudget).
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional
from urllib.parse import urljoin

import urllib3

from ftrack_like import exception
from ftrack_like._transport.answers import decode_text, fault_of, parse_json
from ftrack_like._transport.authentication import leaves_host
from ftrack_like._transport.body import UnreadableError, read_body
from ftrack_like._transport.faults import Route, connection_error
from ftrack_like._transport.interruption import raise_interruption
from ftrack_like._transport.limits import (
    EXTENDING_RATE,
    Deadline,
    OpenConnections,
    Timeout,
    limited,
    total_for,
)
from ftrack_like._transport.redaction import masked
from ftrack_like._transport.retry import RETRIED_STATUSES, RetryBudget, RetryPolicy, retry_after

__all__ = [
    "MOST_TIMEOUTS",
    "Answer",
    "Exchange",
    "Repetition",
    "repetition_of",
    "warn_of_repetition",
    "with_attempts",
]

_MOST_REDIRECTS = 5

#: A request is given up after this many time-outs. A server that is silent once may be busy. After
#: the second time it is probably down, and each further attempt would cost the whole time-out.
MOST_TIMEOUTS = 2

#: The last character of a JSON list or mapping, by its first character.
_CLOSING = {"[": "]", "{": "}"}

DEFAULT_POLICY = RetryPolicy(attempts=9)


class Answer(NamedTuple):
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


class Repetition(NamedTuple):
    """Report of a retry after the failed *attempt* (the first is 1), which raised *error*.

    The retry happens after *wait* seconds. All waits together take at most *longest* seconds. The
    request is sent at most *attempts* times, without a limit if that is None.
    """

    attempt: int
    error: Exception
    wait: float
    longest: float
    attempts: Optional[int]


def repetition_of(
    policy: RetryPolicy,
    attempt: int,
    error: Exception,
    wait: float,
    asked: Optional[float],
    total: Optional[float],
) -> Repetition:
    """Return the report of a retry under *policy* after *attempt* failed with *error*.

    All times are in seconds: *wait* is the time until the retry, *asked* the wait that the server
    asked for, and *total* the limit of one attempt. None means that there is no such limit.
    """
    if isinstance(error, exception.ServerTimeoutError):
        return Repetition(attempt, error, wait, wait + (total or 0.0), attempt + 1)
    longest = policy.longest() if asked is None else policy.total_time
    return Repetition(attempt, error, wait, longest, policy.attempts)


def warn_of_repetition(logger: logging.Logger, what: str, repetition: Repetition) -> None:
    """Log that *what* is repeated: the first time as a warning, later times for debugging."""
    count = None if repetition.attempts is None else repetition.attempts - 1
    bound = {None: "any number of retries", 1: "one retry"}.get(count, f"up to {count} retries")
    logger.log(
        logging.WARNING if repetition.attempt == 1 else logging.DEBUG,
        "Repeating %s, which failed: %s\n"
        "The retries may take up to %.3g s (%s). Change the limits with the argument retry or the "
        "variable FTRACK_API_RETRY_SECONDS.",
        what,
        repetition.error,
        repetition.longest,
        bound,
    )


class Exchange:
    """Send one request, and retry it while that is safe and within the limits.

    - *post* sends the request to a given address and returns a ``requests.Response``.
    - *route* has the first address, and the settings to name in errors.
    - *repeatable*: the request may be sent again if its answer was lost.
    - *patient*: the request may be sent again if the client could not connect.
    - *on_retry* is called before each wait.
    - *budget* limits the retries of all requests that share it.
    - *timeout* limits each wait for the server, in seconds. Without *deadline* an attempt may take
      twice that time, and longer while a large answer arrives.
    - *deadline* limits all attempts together, in seconds.
    - ``connections.end()`` from another thread ends the exchange.
    """

    def __init__(
        self,
        post: Callable[[str], Any],
        route: Route,
        repeatable: bool,
        patient: bool,
        policy: RetryPolicy = DEFAULT_POLICY,
        on_retry: Callable[[Repetition], None] = lambda repetition: None,
        budget: Optional[RetryBudget] = None,
        timeout: Timeout = None,
        deadline: Optional[float] = None,
        connections: Optional[OpenConnections] = None,
    ) -> None:
        """Initialise; nothing is sent before :meth:`run`."""
        self.post = post
        self.route = route
        self.address = route.address
        self.repeatable = repeatable
        self.patient = patient
        self.policy = policy
        self.on_retry = on_retry
        self.budget = budget or RetryBudget()
        self.connections = connections or OpenConnections()
        self._total = total_for(timeout)
        self._deadline = None if deadline is None else Deadline(deadline)
        self._timeouts = 0

    def run(self) -> Answer:
        """Return the answer. It has an error status if the retries did not change that.

        Raise a :exc:`~ftrack_like.exception.ServerConnectionError` if there is no answer, and
        :exc:`~ftrack_like.exception.ConnectionClosedError` if *connections* are ended.
        """
        begun = time.monotonic()
        for attempt in itertools.count(1):
            answer, error, asked = self._attempt()
            elapsed = time.monotonic() - begun
            wait = self._wait(error, attempt, elapsed, asked) if error else None
            if wait is None:
                break
            repetition = repetition_of(self.policy, attempt, error, wait, asked, self._total)
            if self._deadline is not None:
                longest = min(repetition.longest, self._deadline.left())
                repetition = repetition._replace(longest=longest)
            self.on_retry(repetition)
            if self.connections.wait(wait):
                raise exception.ConnectionClosedError()
        if error is None:
            self.budget.answered()
        if answer is None:
            raise with_attempts(error, attempt, elapsed)
        return answer._replace(attempts=attempt, elapsed=elapsed)

    def _attempt(self) -> tuple[Optional[Answer], Any, Optional[float]]:
        """Send the request once. Return the answer, an error, and a wait in seconds.

        The answer is None if none arrived. The error is the reason for a retry, None if the answer
        is final. After an answer such as 503 both are set, and the wait is its ``Retry-After``.
        """
        limit = self._deadline
        if limit is None and self._total is not None:
            limit = Deadline(self._total, EXTENDING_RATE)
        try:
            with limited(limit):
                response = self._post_and_follow()
                answer = self._read(response)
        except exception.ServerConnectionError as error:
            raise_interruption(error)
            if self.connections.ended:
                raise exception.ConnectionClosedError() from error
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

    def _is_passing(self, answer: Answer) -> bool:
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

    def _post_and_follow(self) -> Any:
        """Send the request, follow redirects on the same host, and return the response."""
        address = self.address
        for _ in range(_MOST_REDIRECTS):
            response = self._post(address)
            target = response.headers.get("location")
            if response.status_code not in (301, 302, 303, 307, 308) or not target:
                return response
            response.close()
            if leaves_host(address, target):
                raise exception.ServerError(
                    f"{address} redirects to another host, {masked(urljoin(address, target))}.\n"
                    "The API key is not sent there. If the host is right, make it the server "
                    "address (FTRACK_SERVER)."
                )
            address = urljoin(address, target)
        raise exception.ServerError(f"{self.address} redirects in circles.")

    def _post(self, address: str) -> Any:
        """Return the response of *address*; turn any failure into an error of this library."""
        try:
            return self.post(address)
        except (OSError, urllib3.exceptions.HTTPError, UnicodeError) as error:
            # OSError includes the errors of requests and missing certificate files.
            raise connection_error(error, self.route) from error

    def _read(self, response: Any) -> Answer:
        """Read the answer from *response*; raise an error if it is incomplete.

        An incomplete answer counts as a lost answer, so :meth:`run` may retry the request.
        """
        try:
            body = read_body(response)
        except UnreadableError as error:
            raise exception.ServerAnswerError(
                f"The answer of {self.address} cannot be read: {error}."
            ) from error
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise connection_error(error, self.route) from error
        promised = str(response.headers.get("content-length") or "")
        if promised.isdigit() and body.received < int(promised):
            raise exception.ServerConnectionError(
                f"The answer of {self.address} broke off: {body.received} of {promised} bytes came."
            )
        reason = getattr(response, "reason", "") or ""
        text = decode_text(body.content)
        if not text and response.status_code < 300 and not _has_length(response.headers):
            # The headers broke off, and the HTTP library does not notice that.
            raise exception.ServerConnectionError(
                f"The answer of {self.address} broke off: it is empty and does not say how long "
                "it should be."
            )
        self._require_whole(text)
        return Answer(
            status=response.status_code,
            reason=str(reason),
            text=text,
            received=body.received,
            address=self.address,
            retry_after=retry_after(response.headers),
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
