"""Sending data over HTTP: streamed from its source, checked, and tried again."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import requests
import urllib3

from ftrack_like._transport.retry import RETRIED_STATUSES, RetryPolicy, retry_after
from ftrack_like.accessor._download import DownloadError, problem
from ftrack_like.symbol import CHUNK_SIZE

__all__ = ["Measured", "UploadError", "measure", "upload"]


class UploadError(DownloadError):
    """The data could not be sent."""


class Measured(NamedTuple):
    """What a source holds: *size* in bytes, and the MD5 *checksum* as base64 text."""

    size: int
    checksum: str


class _Body:
    """The body of an upload: the chunks of a source, no more and no fewer than announced."""

    def __init__(self, source: Any, size: int) -> None:
        self._source = source
        self._size = size

    def __len__(self) -> int:
        """Return the number of bytes, which becomes the length of the body."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks; raise :class:`UploadError` if they are not what was measured."""
        sent = 0
        for chunk in chunks(self._source):
            sent += len(chunk)
            if sent > self._size:
                break
            yield chunk
        if sent != self._size:
            raise UploadError("the source changed while it was sent")


def chunks(source: Any) -> Iterator[bytes]:
    """Yield what can be read from *source* as bytes, a chunk at a time."""
    while True:
        chunk = source.read(CHUNK_SIZE)
        if not chunk:
            return
        yield chunk.encode("utf-8") if isinstance(chunk, str) else chunk


def measure(source: Any) -> Measured:
    """Return the size and checksum of what *source* holds from its position to its end."""
    size, checksum = 0, hashlib.md5(usedforsecurity=False)  # what the protocol asks for
    for chunk in chunks(source):
        size += len(chunk)
        checksum.update(chunk)
    return Measured(size, base64.b64encode(checksum.digest()).decode("ascii"))


def upload(
    source: Any,
    size: int,
    begin: Callable[[], Mapping[str, Any]],
    put: Callable[..., Any],
    policy: RetryPolicy,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send the *size* bytes that *source* holds from its position on.

    *begin* returns where to, ``{"url": str, "headers": {…}}``, and is asked anew for each try;
    *put* sends ``(url, data=…, headers=…)`` and returns a response. Raise :class:`UploadError`.
    """
    start = source.tell()
    begun = time.monotonic()
    attempt = 1
    while True:
        place = begin()
        failure = _try(source, size, place, put)
        if failure is None:
            return
        wait = None
        if failure.is_passing:
            wait = policy.delay(attempt, time.monotonic() - begun, failure.wait)
        if wait is None:
            raise failure
        sleep(wait)
        source.seek(start)
        attempt += 1


def _try(
    source: Any, size: int, place: Mapping[str, Any], put: Callable[..., Any]
) -> UploadError | None:
    """Send once; return what went wrong, None if nothing did."""
    # An empty body of unknown kind would go in chunks, which signed addresses refuse.
    body: Any = _Body(source, size) if size else b""
    try:
        response = put(place["url"], data=body, headers=dict(place["headers"]))
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        failure = UploadError(problem(error), is_passing=True)
        failure.__cause__ = error
        return failure
    if response.status_code < 300:
        return None
    said = " ".join(response.text[:2000].split())[:500]
    return UploadError(
        f"the storage answered {response.status_code} {response.reason or ''}: {said}",
        is_passing=response.status_code in RETRIED_STATUSES,
        wait=retry_after(response.headers),
    )
