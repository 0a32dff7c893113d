"""Reading data over HTTP: streamed, checked against its own length, and resumed when cut."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Optional

import requests
import urllib3

from ftrack_like._transport.retry import RETRIED_STATUSES, RetryPolicy, retry_after
from ftrack_like.accessor._body import Body, BrokenBodyError

__all__ = ["POLICY", "Download", "DownloadError", "problem"]

#: How often a transfer that is cut off or refused for the moment is tried.
POLICY = RetryPolicy(attempts=6, total_time=60.0)

#: Bytes taken from the connection at a time: what is lost, and asked for again, when it is cut.
_PIECE = 64 * 1024

_CONTENT_RANGE = r"bytes (\d+)-\d+/(\d+|\*)"  # compiled only for who downloads

#: What can go wrong on the way.
_FAULTS = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)


class DownloadError(Exception):
    """The data could not be read; *wait* is how long the server asks to wait, in seconds.

    *is_passing* says that asking again may help.
    """

    def __init__(self, text: str, is_passing: bool = False, wait: Optional[float] = None) -> None:
        super().__init__(text)
        self.is_passing = is_passing
        self.wait = wait


class Download:
    """The data behind one address, read from front to back in pieces of any size.

    Nothing is asked before the first read. It belongs to one thread.
    """

    def __init__(
        self,
        get: Callable[[Mapping[str, str]], Any],
        policy: RetryPolicy,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Initialise with *get*, which takes headers and returns a streaming response.

        *policy* bounds how often an interrupted read is resumed without any progress.
        """
        self._get = get
        self._policy = policy
        self._sleep = sleep
        self._response: Any = None
        self._body: Any = None
        #: Where the data seemed to end although nothing marked that, in bytes from the start.
        self._unsure_end: Optional[int] = None
        self._is_encoded = False
        self._total: Optional[int] = None
        self._tag: Optional[str] = None
        self._checksum: Any = None
        self._expected_checksum: Optional[str] = None
        self.position = 0

    def size(self) -> Optional[int]:
        """Return the size of the whole data in bytes; None if the server does not say."""
        if self._response is None and self._total is None:
            self._try(self._open)
        return self._total

    def read(self, limit: Optional[int] = None) -> bytes:
        """Return at most *limit* bytes from the position on, all that is left when it is None.

        Fewer come only at the end. Raise :class:`DownloadError`.
        """
        pieces = []
        wanted = limit
        while wanted is None or wanted > 0:
            piece: bytes = self._try(functools.partial(self._read_piece, wanted))
            if not piece:
                break
            pieces.append(piece)
            if wanted is not None:
                wanted -= len(piece)
        return b"".join(pieces)

    def seek(self, position: int) -> None:
        """Continue to read at *position*, in bytes from the start."""
        if position != self.position:
            self.close()
            self.position = position
            self._expected_checksum = None  # It is that of the whole.

    def close(self) -> None:
        """End the connection; the next read asks anew, from the position on."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def _try(self, action: Callable[[], Any]) -> Any:
        """Return what *action* returns, tried again from the position on when it is cut off."""
        begun = time.monotonic()
        attempt = 1
        while True:
            try:
                return action()
            except _FAULTS as error:
                failure = DownloadError(problem(error), is_passing=True)
                failure.__cause__ = error
            except BrokenBodyError as error:
                failure = DownloadError(str(error), error.is_passing)
            except DownloadError as error:
                failure = error
            self.close()
            wait = None
            if failure.is_passing:
                wait = self._policy.delay(attempt, time.monotonic() - begun, failure.wait)
            if wait is None:
                raise failure
            self._sleep(wait)
            attempt += 1

    def _read_piece(self, wanted: Optional[int]) -> bytes:
        """Return the next bytes, at most *wanted* of them; none at the end."""
        if self._response is None:
            if self._total is not None and self.position >= self._total:
                return b""
            self._open()
        amount = _PIECE if wanted is None else min(wanted, _PIECE)
        piece: bytes = self._body.read(amount)
        if not piece and not self._body.marks_its_end and self._unsure_end != self.position:
            # A connection that is cut looks the same: ask whether there is more.
            self._unsure_end = self.position
            self.close()
            self._open()
            piece = b"" if self._response is None else self._body.read(amount)
        self.position += len(piece)
        if self._checksum is not None:
            self._checksum.update(piece)
        if not piece:
            self._check_end()
        return piece

    def _check_end(self) -> None:
        """Raise an error if the data ends before its time or is not what was stored."""
        if self._total is not None and self.position < self._total:
            raise DownloadError(
                f"the data broke off: {self.position} of {self._total} bytes came", is_passing=True
            )
        if self._expected_checksum is not None and self._checksum is not None:
            found = base64.b64encode(self._checksum.digest()).decode("ascii")
            if found != self._expected_checksum:
                raise DownloadError("the data that came does not have the checksum of the whole")

    def _open(self) -> None:
        """Ask for the data from the position on."""
        headers = {"Accept-Encoding": "identity"}
        # A range of compressed data is one of other bytes.
        if self.position and not self._is_encoded:
            headers["Range"] = f"bytes={self.position}-"
            if self._tag:
                headers["If-Range"] = self._tag
        response = self._get(headers)
        if response.status_code == 416 and self._unsure_end == self.position:
            response.close()
            self._total = self.position  # There is nothing behind it.
            return
        if response.status_code not in (200, 206):
            failure = _refusal(response)
            response.close()
            raise failure
        self._response = response
        self._body = Body(response)
        if response.status_code == 206:
            self._accept_part(response)
        else:
            self._accept_whole(response)

    def _accept_part(self, response: Any) -> None:
        """Take note of what *response*, which begins at the position, says."""
        found = re.match(_CONTENT_RANGE, response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != self.position or self._body.is_encoded:
            raise DownloadError("the server answered another part of the data than asked for")
        if found[2] != "*":
            self._total = int(found[2])

    def _accept_whole(self, response: Any) -> None:
        """Take note of what *response* says and pass over what was read before."""
        tag = response.headers.get("ETag")
        if self.position and self._tag and tag != self._tag:
            raise DownloadError("the data changed while it was read")
        self._tag = tag
        self._total = self._body.length
        self._is_encoded = self._body.is_encoded
        self._expected_checksum = response.headers.get("Content-MD5")
        self._checksum = hashlib.md5(usedforsecurity=False) if self._expected_checksum else None
        to_skip = self.position
        while to_skip:
            piece = self._body.read(min(to_skip, _PIECE))
            if not piece:
                raise DownloadError("the data broke off earlier than before", is_passing=True)
            to_skip -= len(piece)
            if self._checksum is not None:
                self._checksum.update(piece)


def _refusal(response: Any) -> DownloadError:
    """Return the error that a *response* without data stands for."""
    said = " ".join(response.raw.read(2000, decode_content=True).decode("utf-8", "replace").split())
    return DownloadError(
        f"the server answered {response.status_code} {response.reason or ''}: {said[:500]}",
        is_passing=response.status_code in RETRIED_STATUSES,
        wait=retry_after(response.headers),
    )


def problem(error: BaseException) -> str:
    """Return in words what *error* says of a connection; "timed out" if that is what happened."""
    timed_out = (
        requests.exceptions.Timeout,
        urllib3.exceptions.TimeoutError,
        TimeoutError,
    )
    inner = error.args[0] if error.args else None
    if isinstance(error, timed_out) or isinstance(inner, timed_out):
        return f"it timed out: {error}"
    return f"the connection failed: {error}"
