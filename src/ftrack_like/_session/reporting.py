"""Make the reports of requests and commits, and their spans."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Protocol

from ftrack_like._session.tracing import TracedSpan, is_traced, start_span
from ftrack_like._transport.reports import RequestReport, Stopwatch

if TYPE_CHECKING:
    import requests

    from ftrack_like._base.types import Json
    from ftrack_like._session.observing import Observers
    from ftrack_like._session.payloads import OperationPayload
    from ftrack_like._transport.exchange import Reply

__all__ = [
    "BatchObserver",
    "CommitReport",
    "CommitTally",
    "SupportsCommit",
    "reported_commit",
    "reported_transfer",
]

#: The entity type of a query, by its position in the expression. No value can match.
_QUERIED = re.compile(r"\s*(?:select\s.*?\sfrom\s+)?([A-Za-z]\w*)", re.IGNORECASE | re.DOTALL)


class CommitReport(NamedTuple):
    """The report of one commit that sent something, or failed.

    - *created*, *updated* and *deleted* are the numbers of operations that the commit sent, and
      *entity_types* the names of their types, sorted.
    - *requests* is the number of requests, retries included.
    - *bytes_sent* and *bytes_received* are the sizes of the bodies, compressed if they were.
    - *error* is the name of the exception that the commit raised, None for success.
    - *started* is the time in seconds since the epoch, *duration* is in seconds.
    """

    created: int
    updated: int
    deleted: int
    entity_types: tuple[str, ...]
    requests: int
    bytes_sent: int
    bytes_received: int
    error: Optional[str]
    started: float
    duration: float

    @property
    def operations(self) -> int:
        """The number of operations that the commit sent."""
        return self.created + self.updated + self.deleted


class CommitTally:
    """Counts what a commit sends."""

    def __init__(self) -> None:
        """Start the time and all counts at zero."""
        self._sent: Counter[tuple[str, str]] = Counter()
        self._refused: Counter[tuple[str, str]] = Counter()
        self._requests = self._bytes_sent = self._bytes_received = 0
        self._started, self._begun = time.time(), time.perf_counter()

    def note(self, payloads: Iterable[OperationPayload], is_applied: bool) -> None:
        """Count *payloads*, which the server has applied if *is_applied*."""
        counts = self._sent if is_applied else self._refused
        for payload in payloads:
            counts[str(payload.get("action")), str(payload.get("entity_type"))] += 1

    def count_request(self, report: RequestReport) -> None:
        """Count one request of the commit."""
        self._requests += 1
        self._bytes_sent += report.bytes_sent
        self._bytes_received += report.bytes_received

    def report(self, error: Optional[BaseException]) -> CommitReport:
        """Return the report of the commit, which raised *error* or None."""
        counts = self._sent if error is None else self._sent + self._refused
        by_action: Counter[str] = Counter()
        for (action, _), count in counts.items():
            by_action[action] += count
        return CommitReport(
            by_action["create"],
            by_action["update"],
            by_action["delete"],
            tuple(sorted({entity_type for _, entity_type in counts})),
            self._requests,
            self._bytes_sent,
            self._bytes_received,
            None if error is None else type(error).__name__,
            self._started,
            time.perf_counter() - self._begun,
        )


class SupportsCommit(Protocol):
    """An object that commits, and counts what it sends."""

    def commit(self, tally: Optional[CommitTally] = None) -> None:
        """Commit, and count with *tally*."""


class BatchObserver:
    """Observes the requests with one batch, the retries too."""

    def __init__(self, observers: Observers, data: Json, size: int) -> None:
        """Initialise for the batch *data* of *size* bytes."""
        self._observers = observers
        self._actions, self._entity_types = _contents(data)
        self._size = size
        self._attempt = 0

    def __call__(self, address: str) -> Callable[[Optional[Reply], Optional[BaseException]], None]:
        """Start observing a request to *address*. Return a function for its reply or its error."""
        self._attempt += 1
        watch = Stopwatch(
            "POST", address, self._actions, self._entity_types, self._attempt, self._size
        )
        span = _request_span(watch)

        def finish(reply: Optional[Reply], error: Optional[BaseException]) -> None:
            if reply is not None:
                _end_request(self._observers, watch.answered(reply), span)
            elif error is not None:
                _end_request(self._observers, watch.failed(error), span)

        return finish


def _contents(data: Json) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the actions of the batch *data* with their numbers, and its entity types, sorted."""
    actions: Counter[str] = Counter()
    types: set[str] = set()
    operations: Any = [data] if isinstance(data, Mapping) else data
    for operation in operations if isinstance(operations, (list, tuple)) else ():
        if not isinstance(operation, Mapping):
            continue
        actions[re.sub(r"\W", "", str(operation.get("action")))[:80]] += 1
        entity_type, expression = operation.get("entity_type"), operation.get("expression")
        if isinstance(entity_type, str):
            types.add(re.sub(r"\W", "", entity_type)[:80])
        elif isinstance(expression, str):
            found = _QUERIED.match(expression)
            if found:
                types.add(found[1])
    return dict(actions), tuple(sorted(types))


def _request_span(watch: Stopwatch) -> Optional[TracedSpan]:
    """Start the span of the request that *watch* measures, if the program collects traces."""
    if not is_traced():
        return None
    parts = watch.parts
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    retry = {"http.request.resend_count": watch.attempt - 1} if watch.attempt > 1 else {}
    return start_span(
        f"ftrack {' '.join(watch.actions) or watch.method}",
        {
            "http.request.method": watch.method,
            "server.address": parts.hostname or "",
            "server.port": port,
            "url.path": parts.path,
            "ftrack.request_id": watch.request_id,
            "ftrack.entity_types": list(watch.entity_types),
            "ftrack.operations": sum(watch.actions.values()),
            **retry,
        },
    )


def _end_request(observers: Observers, report: RequestReport, span: Optional[TracedSpan]) -> None:
    """End *span*, and pass *report* on."""
    if span is not None:
        attributes = {
            "http.response.status_code": report.status,
            "http.request.body.size": report.bytes_sent,
            "http.response.body.size": report.bytes_received,
        }
        span.end(attributes, report.error)
    observers.tell_request(report)


def reported_transfer(
    observers: Observers, method: str, address: str, send: Callable[[], requests.Response]
) -> requests.Response:
    """Return the response of *send*, an upload to or a download from *address*; report it."""
    watch = Stopwatch(method, address)
    span = _request_span(watch)
    try:
        response = send()
    except BaseException as error:
        _end_request(observers, watch.failed(error), span)
        raise
    _end_request(observers, watch.responded(response), span)
    return response


def reported_commit(observers: Observers, work: SupportsCommit) -> None:
    """Commit *work*, and report it if it sent something or failed."""
    outer, tally = observers.tally, CommitTally()
    observers.tally = tally
    span = start_span("ftrack commit", {}) if is_traced() else None
    failure: Optional[BaseException] = None
    try:
        work.commit(tally)
    except BaseException as error:
        failure = error
        raise
    finally:
        observers.tally = outer
        report = tally.report(failure)
        if span is not None:
            counts = {
                "ftrack.operations": report.operations,
                "ftrack.entity_types": list(report.entity_types),
            }
            span.end(counts, report.error)
        if report.requests or report.error:
            observers.tell_commit(report)
