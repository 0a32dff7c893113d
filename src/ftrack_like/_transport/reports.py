"""The report of one request: for the callbacks of programs, for the log, and for traces."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Optional
from urllib.parse import urlsplit

from ftrack_like._transport.answers import fault_of

if TYPE_CHECKING:
    import requests

    from ftrack_like._transport.exchange import Reply

__all__ = ["RequestReport", "Stopwatch"]

#: Headers in which servers and proxies name a request.
_ID_HEADERS = ("x-request-id", "x-correlation-id", "x-amzn-trace-id", "cf-ray")
_LONGEST_ID = 64
#: Error reports of the server are short. Only these are parsed.
_LONGEST_FAULT = 64 * 1024


class RequestReport(NamedTuple):
    """The report of one request, without keys, headers and bodies. A retry has its own report.

    - *request_id* identifies the request in the log of this process, and *server_request_id* in
      that of the server, None if it sent no id.
    - *method*, *host* and *path* are those of the request; the path has no parameters.
    - *actions* maps each action of a batch to the number of its operations, such as
      ``{"query": 2}``. It is empty for uploads, downloads and handshakes.
    - *entity_types* are the names of the entity types in the batch, sorted.
    - *status* is the HTTP status, None without an answer.
    - *error* is the name of an exception: the server's, or the client's without an answer. None
      means success.
    - *attempt* is 1 for the first request, 2 for the first retry.
    - *bytes_sent* and *bytes_received* are the sizes of the bodies, compressed if they were. For a
      download, *bytes_received* is the size that the server announced.
    - *started* is the time in seconds since the epoch, *duration* is in seconds. It ends with the
      last byte of an answer; for uploads and downloads, with the headers of the answer.
    """

    request_id: str
    method: str
    host: str
    path: str
    actions: Mapping[str, int]
    entity_types: tuple[str, ...]
    status: Optional[int]
    error: Optional[str]
    attempt: int
    bytes_sent: int
    bytes_received: int
    started: float
    duration: float
    server_request_id: Optional[str] = None

    @property
    def operations(self) -> int:
        """The number of operations in the batch."""
        return sum(self.actions.values())

    def line(self) -> str:
        """Return the report as one line for a log."""
        actions = ",".join(f"{name}*{count}" for name, count in self.actions.items())
        parts = [
            f"{self.method} {self.host}{self.path}",
            actions,
            ",".join(self.entity_types),
            f"status={'-' if self.status is None else self.status}",
            f"error={self.error}" if self.error else "",
            f"attempt={self.attempt}" if self.attempt > 1 else "",
            f"sent={self.bytes_sent}B received={self.bytes_received}B",
            f"{self.duration * 1000:.1f}ms id={self.request_id}",
            f"server_id={self.server_request_id}" if self.server_request_id else "",
        ]
        return " ".join(part for part in parts if part)


class Stopwatch:
    """Measures one request to *address*, and makes its report.

    *actions*, *entity_types*, *attempt* and *size*, the bytes sent, are as in the report.
    """

    def __init__(
        self,
        method: str,
        address: str,
        actions: Optional[Mapping[str, int]] = None,
        entity_types: tuple[str, ...] = (),
        attempt: int = 1,
        size: int = 0,
    ) -> None:
        """Start the measurement."""
        self.request_id = os.urandom(4).hex()
        self.method = method
        self.parts = urlsplit(address)
        self.actions = dict(actions or {})
        self.entity_types = entity_types
        self.attempt = attempt
        self.size = size
        self._started = time.time()
        self._begun = time.perf_counter()

    def answered(self, reply: Reply) -> RequestReport:
        """Return the report for *reply*, which was read to its end."""
        body = reply.body
        fault = _fault_name(body.content)
        if fault is None and reply.status >= 400:
            fault = f"HTTP{reply.status}"
        return self._report(reply.status, fault, body.received, reply.headers)

    def responded(self, response: requests.Response) -> RequestReport:
        """Return the report for *response*, whose body was not read."""
        length = str(response.headers.get("Content-Length", ""))
        sent = str(response.request.headers.get("Content-Length", ""))
        self.size = int(sent) if sent.isdigit() else self.size
        status = response.status_code
        error = f"HTTP{status}" if status >= 400 else None
        return self._report(status, error, int(length) if length.isdigit() else 0, response.headers)

    def failed(self, error: BaseException) -> RequestReport:
        """Return the report for a request that ended with *error*."""
        return self._report(None, type(error).__name__, 0, {})

    def _report(
        self, status: Optional[int], error: Optional[str], received: int, headers: Mapping[str, str]
    ) -> RequestReport:
        return RequestReport(
            self.request_id,
            self.method,
            # Without a user name and password, which ``netloc`` may contain.
            self.parts.netloc.rpartition("@")[2],
            self.parts.path,
            self.actions,
            self.entity_types,
            status,
            error,
            self.attempt,
            self.size,
            received,
            self._started,
            time.perf_counter() - self._begun,
            _server_id(headers),
        )


def _server_id(headers: Mapping[str, str]) -> Optional[str]:
    """Return the id of the request in *headers* of an answer, or None."""
    for name in _ID_HEADERS:
        value = headers.get(name)
        if value:
            return re.sub(r"[^\w.:=;/+-]", "", str(value))[:_LONGEST_ID] or None
    return None


def _fault_name(content: object) -> Optional[str]:
    """Return the name of the exception in *content* if it is an error report, else None."""
    if not isinstance(content, (bytes, bytearray)) or content[:1] != b"{":
        return None
    if len(content) > _LONGEST_FAULT:
        return None
    try:
        fault = fault_of(json.loads(content))
    except (ValueError, RecursionError):
        return None
    return None if fault is None else re.sub(r"\W", "", str(fault["exception"]))[:80]
