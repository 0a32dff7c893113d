"""Read data over HTTP as a stream, check its length and checksum, and resume after a failure.

A connection that breaks can look like the end of the data. The reader recognises the true end in
three ways: the length that the server announced, the end mark of a chunked or compressed body, or
a second request from that position which finds no more data.

After a failure the download continues at its position with a ``Range`` request. The data may have
changed on the server since the first request. So the entity tag (``ETag``), the total size and the
checksum are compared, and the download fails rather than mix two versions.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import requests
import urllib3

from ftrack_like._transport.body import Decompressor, UnreadableBodyError
from ftrack_like._transport.limits import limited
from ftrack_like.accessor._tries import DownloadError, Tries, failed, refused

if TYPE_CHECKING:
    from requests import Response

__all__ = ["Download"]

#: The most bytes to read from the connection at a time. A broken connection loses at most these.
_PIECE = 64 * 1024

_CONTENT_RANGE = r"bytes (\d+)-\d+/(\d+|\*)"  # compiled only at the first download

_Result = TypeVar("_Result")

#: The errors of a broken connection.
_FAULTS = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)


class Download:
    """A stream of the data at one address. One thread uses it.

    The first read sends the request.
    """

    def __init__(self, get: Callable[[Mapping[str, str]], Any], tries: Tries) -> None:
        """Initialise with *get*, which takes headers and returns a streaming response.

        *tries* limits how often an interrupted read is resumed without progress.
        """
        self._get = get
        self._tries = tries
        self._response: Any = None
        self._pieces: Iterator[bytes] = iter(())
        self._rest = b""
        self._amount = _PIECE
        #: Whether the body is compressed. Then positions in the body and in the data differ.
        self._is_encoded = False
        #: Whether the response marks its end, so that a broken connection is recognised.
        self._marks_its_end = True
        #: The position, in bytes, at which an unmarked response ended: the end, or a broken stream.
        self._unsure_end: Optional[int] = None
        self._total: Optional[int] = None
        self._tag: Optional[str] = None
        self._checksum: Any = None
        self._expected_checksum: Optional[str] = None
        self.position = 0

    def size(self) -> Optional[int]:
        """Return the size of the whole data in bytes; None if the server does not announce it."""
        if self._response is None and self._total is None:
            self._try(self._open)
        return self._total

    def read(self, limit: Optional[int] = None) -> bytes:
        """Return *limit* bytes from the current position, or the rest if *limit* is None.

        The result is shorter only at the end. Raise :class:`DownloadError` if retries do not help.
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
        """Continue reading at *position*, in bytes from the start."""
        if position != self.position:
            self.close()
            self.position = position
            self._expected_checksum = None  # It is the checksum of the whole data.

    def close(self) -> None:
        """Close the connection; the next read sends a new request from the current position."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def _try(self, action: Callable[[], _Result]) -> _Result:
        """Return the result of *action*; after a failure, retry it from the current position."""

        def once() -> _Result:
            try:
                return action()
            except UnreadableBodyError as error:
                self.close()
                raise DownloadError(f"the data cannot be read: {error}") from error
            except _FAULTS as error:
                self.close()
                raise failed(error) from error
            except DownloadError:
                self.close()
                raise

        return self._tries.repeat("a download", once, renews=True)

    def _read_piece(self, wanted: Optional[int]) -> bytes:
        """Return the next bytes, at most *wanted*; ``b""`` at the end."""
        if self._response is None:
            if self._total is not None and self.position >= self._total:
                return b""
            self._open()
        amount = _PIECE if wanted is None else min(wanted, _PIECE)
        piece = self._next_piece(amount)
        if not piece and not self._marks_its_end and self._unsure_end != self.position:
            # A broken connection looks the same as the end: request the data from here once more.
            self._unsure_end = self.position
            self.close()
            self._open()
            piece = b"" if self._response is None else self._next_piece(amount)
        self.position += len(piece)
        if self._checksum is not None:
            self._checksum.update(piece)
        if not piece:
            self._check_end()
        return piece

    def _next_piece(self, amount: int) -> bytes:
        """Return at most *amount* bytes of the decompressed body; ``b""`` at the end."""
        if not self._rest:
            self._amount = amount
            self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:amount], self._rest[amount:]
        return piece

    def _decompressed(self, response: Response, decompressor: Decompressor) -> Iterator[bytes]:
        """Yield the decompressed body of *response*, reading at most ``self._amount`` at a time."""
        while True:
            data = response.raw.read(self._amount, decode_content=False)
            if not data:
                break
            yield from decompressor.feed(data)
        if not decompressor.is_complete or (decompressor.is_empty and _length(response) != 0):
            raise urllib3.exceptions.ProtocolError("the compressed data broke off")

    def _check_end(self) -> None:
        """Raise :class:`DownloadError` if the data is too short or has another checksum."""
        if self._total is not None and self.position < self._total:
            raise DownloadError(
                f"the data broke off: only {self.position} of {self._total} bytes arrived",
                is_passing=True,
            )
        if self._expected_checksum is not None and self._checksum is not None:
            found = base64.b64encode(self._checksum.digest()).decode("ascii")
            if found != self._expected_checksum:
                raise DownloadError("the downloaded data does not have the announced checksum")

    def _open(self) -> None:
        """Request the data from the current position."""
        headers = {"Accept-Encoding": "identity"}
        # The range of a compressed body counts compressed bytes. So request the whole body.
        if self.position and not self._is_encoded:
            headers["Range"] = f"bytes={self.position}-"
            if self._tag:
                headers["If-Range"] = self._tag
        with limited(self._tries.limit()):
            response = self._get(headers)
        if response.status_code == 416 and self._unsure_end == self.position:
            response.close()
            self._total = self.position  # There is no more data: the end was the true end.
            return
        if response.status_code not in (200, 206):
            failure = refused(response, "the server")
            # A new request helps only if the server redirected to a storage: the signed address
            # may have expired. The server itself would reject the request again.
            failure.is_expired = failure.is_expired and bool(response.history)
            raise failure
        self._response = response
        self._begin(response)
        if response.status_code == 206:
            self._accept_part(response)
        else:
            self._accept_whole(response)

    def _begin(self, response: Response) -> None:
        """Read the following bytes from the body of *response*."""
        decompressor = Decompressor(response.headers.get("Content-Encoding"), most=None)
        self._is_encoded = not decompressor.is_plain
        self._marks_its_end = (
            self._is_encoded or bool(response.raw.chunked) or _length(response) is not None
        )
        self._pieces, self._rest = self._decompressed(response, decompressor), b""

    def _accept_part(self, response: Response) -> None:
        """Check the headers of *response*, a part that must begin at the current position."""
        found = re.match(_CONTENT_RANGE, response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != self.position or self._is_encoded:
            raise DownloadError("the server did not send the requested part of the data")
        if found[2] != "*":
            self._take_total(int(found[2]))

    def _take_total(self, total: Optional[int]) -> None:
        """Store *total*, the size of the whole data or None; raise an error if it has changed."""
        if self.position and None not in (total, self._total) and total != self._total:
            raise DownloadError("the data changed while it was read")
        self._total = total

    def _accept_whole(self, response: Response) -> None:
        """Check the headers of *response*, the whole data; skip to the current position."""
        tag = response.headers.get("ETag")
        if self.position and self._tag and tag != self._tag:
            raise DownloadError("the data changed while it was read")
        self._tag = tag
        self._take_total(None if self._is_encoded else _length(response))
        self._expected_checksum = response.headers.get("Content-MD5")
        self._checksum = hashlib.md5(usedforsecurity=False) if self._expected_checksum else None
        to_skip = self.position
        while to_skip:
            piece = self._next_piece(min(to_skip, _PIECE))
            if not piece:
                raise DownloadError("the data broke off earlier than before", is_passing=True)
            to_skip -= len(piece)
            if self._checksum is not None:
                self._checksum.update(piece)


def _length(response: Response) -> Optional[int]:
    """Return the announced length of the body of *response* in bytes, or None."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None
