"""One question and its answer: faults named, reads repeated, redirects watched."""

from __future__ import annotations

import itertools
import time
from typing import Any, Callable, NamedTuple, Optional
from urllib.parse import urljoin

import requests
import urllib3

from ftrack_like import exception
from ftrack_like._transport.answers import decode_text, fault_of, parse_json
from ftrack_like._transport.authentication import leaves_host
from ftrack_like._transport.interruption import raise_interruption
from ftrack_like._transport.redaction import masked
from ftrack_like._transport.retry import RETRIED_STATUSES, RetryBudget, RetryPolicy, retry_after

__all__ = ["Answer", "Exchange"]

_MOST_REDIRECTS = 5

#: How JSON that begins so ends.
_CLOSING = {"[": "]", "{": "}"}

DEFAULT_POLICY = RetryPolicy()


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


class Exchange:
    """Send one request as often as it takes.

    *post* sends it to the address it is given and returns a ``requests.Response``; *address* is
    where it goes first. *repeatable* says that the server may be asked again when the answer was
    lost; *patient* that it may be asked again when it could not be reached at all, which nobody
    wants at the first try. *on_retry* is called with the seconds before each wait. *budget* is
    what all calls together may spend on asking again, None for no end.
    """

    def __init__(
        self,
        post: Callable[[str], Any],
        address: str,
        repeatable: bool,
        patient: bool,
        secret: Optional[str] = None,
        policy: RetryPolicy = DEFAULT_POLICY,
        on_retry: Callable[[float, Exception], None] = lambda wait, error: None,
        budget: Optional[RetryBudget] = None,
    ) -> None:
        """Initialise with all of it; *secret* is masked in errors."""
        self.post = post
        self.address = address
        self.repeatable = repeatable
        self.patient = patient
        self.secret = secret
        self.policy = policy
        self.on_retry = on_retry
        self.budget = budget or RetryBudget()

    def run(self) -> Answer:
        """Return the answer; raise a :exc:`~ftrack_like.exception.ServerConnectionError` if none.

        An answer with an error status is returned as well, once repeating it did not help.
        """
        begun = time.monotonic()
        for attempt in itertools.count(1):
            answer, error, asked = self._attempt()
            elapsed = time.monotonic() - begun
            wait = self._wait(error, attempt, elapsed, asked) if error else None
            if wait is None:
                break
            self.on_retry(wait, error)
            time.sleep(wait)
        if error is None:
            self.budget.answered()
        if answer is None:
            raise _final(error, attempt, elapsed)
        return answer._replace(attempts=attempt, elapsed=elapsed)

    def _attempt(self) -> tuple[Optional[Answer], Any, Optional[float]]:
        """Return the answer, the fault for which to ask again and the wait that it asked for.

        One of answer and fault may be None; both are there for an answer that says "not now".
        """
        try:
            response = self._post_and_follow()
            answer = self._read(response)
        except exception.ServerConnectionError as error:
            raise_interruption(error)
            return None, error, None
        if not self._is_passing(answer):
            return answer, None, None
        refused = exception.ServerError(f"status {answer.status}")
        return answer, refused, answer.retry_after

    def _wait(
        self, error: Exception, attempt: int, elapsed: float, asked: Optional[float]
    ) -> Optional[float]:
        """Return how long to wait before asking again, None when it must not or need not be."""
        arrived = getattr(error, "request_sent", True)
        if not (self.repeatable if arrived else self.patient):
            return None
        wait = self.policy.delay(attempt, elapsed, asked)
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
        except requests.exceptions.Timeout as error:
            raise self._timeout(error) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._unreachable(error) from error

    def _read(self, response: Any) -> Answer:
        """Return the answer in *response*; one that was cut short counts as lost."""
        try:
            body = response.content
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._unreachable(error) from error
        if not isinstance(body, (bytes, bytearray, str)):
            body = response.text  # A stand-in of a test may know only this.
        received = _received(response, body)
        promised = str(response.headers.get("content-length") or "")
        if promised.isdigit() and received < int(promised):
            raise exception.ServerConnectionError(
                f"The answer of {self.address} broke off: {received} of {promised} bytes came."
            )
        reason = getattr(response, "reason", "") or ""
        text = decode_text(body)
        self._require_whole(text)
        return Answer(
            status=response.status_code,
            reason=str(reason),
            text=text,
            received=received,
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

    def _timeout(self, error: Exception) -> exception.ServerTimeoutError:
        """Return the error for a server that took too long."""
        made = exception.ServerTimeoutError(
            f"{self.address} did not answer in time: {self._words(error)}"
        )
        made.request_sent = not isinstance(error, requests.exceptions.ConnectTimeout)
        return made

    def _unreachable(self, error: Exception) -> exception.ServerConnectionError:
        """Return the error for a server that cannot be reached or broke the connection."""
        cause = _innermost(error)
        arrived = not isinstance(cause, urllib3.exceptions.NewConnectionError) and not isinstance(
            error, (requests.exceptions.SSLError, requests.exceptions.ProxyError)
        )
        made = exception.ServerConnectionError(self._explanation(error, cause, arrived))
        made.request_sent = arrived
        return made

    def _explanation(self, error: Exception, cause: BaseException, arrived: bool) -> str:
        """Return what to tell about *error*, whose innermost *cause* decides the advice."""
        words = self._words(error)
        if isinstance(error, requests.exceptions.SSLError):
            return self._explanation_of_tls(words)
        if isinstance(error, requests.exceptions.ProxyError):
            return f"The proxy on the way to {self.address} does not work: {words}"
        if arrived:
            return f"The connection to {self.address} broke before the answer came: {words}"
        return (
            f"Nothing answers at {self.address}: {masked(cause, self.secret)}\n"
            "Is the server running, and is its address (argument server_url, variable "
            "FTRACK_SERVER) right?"
        )

    def _explanation_of_tls(self, words: str) -> str:
        """Return what to tell about a connection that could not be encrypted, for *words*."""
        if "WRONG_VERSION_NUMBER" in words or "record layer failure" in words.lower():
            return (
                f"What answers at {self.address} does not speak https: {words}\n"
                "Does the server address (FTRACK_SERVER) begin with http:// instead?"
            )
        if "certificate" not in words.lower():
            return f"No encrypted connection to {self.address} can be made: {words}"
        return (
            f"The certificate of {self.address} cannot be verified: {words}\n"
            "Pass verify='/path/to/ca.pem' or set REQUESTS_CA_BUNDLE if the server has a "
            "certificate of your own."
        )

    def _words(self, error: BaseException) -> str:
        """Return the text of *error* in one line, without the key."""
        return " ".join(masked(error, self.secret).split())[:500]


def _final(error: exception.ServerError, attempts: int, elapsed: float) -> exception.ServerError:
    """Return *error* with the number of attempts and their time, when there were several."""
    if attempts > 1:
        error.message += f"\nGave up after {attempts} attempts in {elapsed:.1f} s."
        error.args = (error.message,)
    return error


def _innermost(error: BaseException) -> BaseException:
    """Return the fault of urllib3 inside *error*, or *error* itself."""
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", None)
    if isinstance(reason, BaseException):
        return reason
    return inner if isinstance(inner, BaseException) else error


def _received(response: Any, body: Any) -> int:
    """Return how many bytes came over the wire, before any decompression."""
    try:
        return max(int(response.raw.tell()), 0) or len(body)
    except (AttributeError, TypeError, ValueError, OSError):
        return len(body)
