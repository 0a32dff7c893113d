"""One question and its answer: faults named, reads repeated, redirects watched."""

from __future__ import annotations

import itertools
import logging
import time
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

#: How often a request is sent that the server does not answer in time. A server that is silent
#: once is busy; one that is silent twice is gone, and each attempt takes the whole time-out.
MOST_TIMEOUTS = 2

#: How JSON that begins so ends.
_CLOSING = {"[": "]", "{": "}"}

DEFAULT_POLICY = RetryPolicy(attempts=9)


class Answer(NamedTuple):
    """What the server said: *status*, *reason*, its *text* and how many bytes came.

    *address* is where it came from and *retry_after* the wait in seconds that it asks for.
    *attempts* says how often it was asked, *elapsed* how many seconds that took.
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
    """A request is going to be sent again: the *attempt* that failed, and its *error*.

    *wait* is how many seconds pass before, *longest* how many all waits may take together, and
    *attempts* how often the request is sent at most, None without a bound.
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
    """Return what is told of the repetition under *policy* after *attempt* failed with *error*.

    *wait* is how many seconds pass before, *asked* what the server asked for, and *total* how
    many seconds one attempt may take, None without a bound.
    """
    if isinstance(error, exception.ServerTimeoutError):
        return Repetition(attempt, error, wait, wait + (total or 0.0), attempt + 1)
    longest = policy.longest() if asked is None else policy.total_time
    return Repetition(attempt, error, wait, longest, policy.attempts)


def warn_of_repetition(logger: logging.Logger, what: str, repetition: Repetition) -> None:
    """Log that *what* is repeated: a warning for the first repetition, else for debugging."""
    count = None if repetition.attempts is None else repetition.attempts - 1
    bound = {None: "as often as that has room", 1: "once"}.get(count, f"up to {count} times")
    logger.log(
        logging.WARNING if repetition.attempt == 1 else logging.DEBUG,
        "Repeating %s, which failed: %s\n"
        "That may take up to %.3g s, and is tried %s. The argument retry or the variable "
        "FTRACK_API_RETRY_SECONDS set other bounds.",
        what,
        repetition.error,
        repetition.longest,
        bound,
    )


class Exchange:
    """Send one request as often as it takes.

    *post* sends it to the address it is given and returns a ``requests.Response``; *route* says
    where it goes first. *repeatable* says that the server may be asked again when the answer was
    lost; *patient* that it may be asked again when it could not be reached at all, which nobody
    wants at the first try. *on_retry* is called before each wait. *budget* is what all calls
    together may spend on asking again, None for no end. *timeout* bounds single waits for the
    server and, by that, each attempt; *deadline*, in seconds, bounds all attempts together.
    Ending *connections* ends the exchange.
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
        """Return the answer; raise a :exc:`~ftrack_like.exception.ServerConnectionError` if none.

        An answer with an error status is returned as well, once repeating it did not help. Raise
        :exc:`~ftrack_like.exception.ConnectionClosedError` when the connections are ended.
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
        """Return the answer, the fault for which to ask again and the wait that it asked for.

        One of answer and fault may be None; both are there for an answer that says "not now".
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
        """Return how long to wait before asking again, None when it must not or need not be."""
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
        """Return whether *answer* is a fault of the moment, not the server's considered word."""
        if answer.status not in RETRIED_STATUSES:
            return False
        if answer.status != 500:
            return True
        try:
            return fault_of(parse_json(answer.text)) is None
        except ValueError:
            return True

    def _post_and_follow(self) -> Any:
        """Return the response, also after redirects that stay on the host."""
        address = self.address
        for _ in range(_MOST_REDIRECTS):
            response = self._post(address)
            target = response.headers.get("location")
            if response.status_code not in (301, 302, 303, 307, 308) or not target:
                return response
            response.close()
            if leaves_host(address, target):
                raise exception.ServerError(
                    f"{address} redirects to another place, {masked(urljoin(address, target))}.\n"
                    "The API key is not sent there. If the place is right, make it the server "
                    "address (FTRACK_SERVER)."
                )
            address = urljoin(address, target)
        raise exception.ServerError(f"{self.address} redirects in circles.")

    def _post(self, address: str) -> Any:
        """Return the response of *address*, any fault on the way as an error of ours."""
        try:
            return self.post(address)
        except (OSError, urllib3.exceptions.HTTPError, UnicodeError) as error:
            # Faults of requests are an OSError too, and so are missing files of certificates.
            raise connection_error(error, self.route) from error

    def _read(self, response: Any) -> Answer:
        """Return the answer in *response*; one that was cut short counts as lost."""
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
        """Raise an error when *text* begins as JSON and ends before its time."""
        begin, end = text.lstrip()[:1], text.rstrip()[-1:]
        if begin in _CLOSING and end != _CLOSING[begin]:
            raise exception.ServerConnectionError(
                f"The answer of {self.address} broke off after {len(text)} characters."
            )


def with_attempts(
    error: exception.ServerError, attempts: int, elapsed: float
) -> exception.ServerError:
    """Return *error* with the number of attempts and their time, when there were several."""
    if attempts > 1:
        error.message += f"\nGave up after {attempts} attempts in {elapsed:.1f} s."
        error.args = (error.message,)
    return error
