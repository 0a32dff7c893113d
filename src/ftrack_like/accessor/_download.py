"""Reading data over HTTP: streamed, checked against its own length, and resumed when cut."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import requests
import urllib3

from ftrack_like._transport.body import Decompressor, UnreadableError
from ftrack_like._transport.limits import limited
from ftrack_like.accessor._tries import DownloadError, Tries, failed, refused

if TYPE_CHECKING:
    from requests import Response

__all__ = ["Download"]

#: Bytes taken from the connection at a time: what is lost, and asked for again, when it is cut.
_PIECE = 64 * 1024

_CONTENT_RANGE = r"bytes (\d+)-\d+/(\d+|\*)"  # compiled only for who downloads

_Result = TypeVar("_Result")

#: What can go wrong on the way.
_FAULTS = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)


class Download:
    """The data behind one address, read from front to back in pieces of any size.

    Nothing is asked before the first read. It belongs to one thread.
    """

    def __init__(self, get: Callable[[Mapping[str, str]], Any], tries: Tries) -> None:
        """Initialise with *get*, which takes headers and returns a streaming response.

        *tries* bounds how often an interrupted read is resumed without any progress.
        """
        self._get = get
        self._tries = tries
        self._response: Any = None
        self._pieces: Iterator[bytes] = iter(())
        self._rest = b""
        self._amount = _PIECE
        #: Whether the body is compressed: then positions in it are others than those in the data.
        self._is_encoded = False
        #: Whether an end that comes early cannot be taken for the true one.
        self._marks_its_end = True
        #: Where the data seemed to end although nothing marked that, in bytes from the start.
        self._unsure_end: Optional[int] = None
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

    def _try(self, action: Callable[[], _Result]) -> _Result:
        """Return what *action* returns, tried again from the position on when it is cut off."""

        def once() -> _Result:
            try:
                return action()
            except UnreadableError as error:
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
        """Return the next bytes, at most *wanted* of them; none at the end."""
        if self._response is None:
            if self._total is not None and self.position >= self._total:
                return b""
            self._open()
        amount = _PIECE if wanted is None else min(wanted, _PIECE)
        piece = self._next_piece(amount)
        if not piece and not self._marks_its_end and self._unsure_end != self.position:
            # A connection that is cut looks the same: ask whether there is more.
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
        """Return the next bytes of the body, decompressed, at most *amount*; none at the end."""
        if not self._rest:
            self._amount = amount
            self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:amount], self._rest[amount:]
        return piece

    def _decompressed(self, response: Response, decompressor: Decompressor) -> Iterator[bytes]:
        """Yield the body of *response* in pieces; take no more than is wanted from the network."""
        while True:
            data = response.raw.read(self._amount, decode_content=False)
            if not data:
                break
            yield from decompressor.feed(data)
        if not decompressor.is_complete or (decompressor.is_empty and _length(response) != 0):
            raise urllib3.exceptions.ProtocolError("the compressed data broke off")

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
        with limited(self._tries.limit()):
            response = self._get(headers)
        if response.status_code == 416 and self._unsure_end == self.position:
            response.close()
            self._total = self.position  # There is nothing behind it.
            return
        if response.status_code not in (200, 206):
            failure = refused(response, "the server")
            # What the server itself refuses it refuses again; a storage it led to may have
            # been asked too late.
            failure.is_expired = failure.is_expired and bool(response.history)
            raise failure
        self._response = response
        self._begin(response)
        if response.status_code == 206:
            self._accept_part(response)
        else:
            self._accept_whole(response)

    def _begin(self, response: Response) -> None:
        """Take the body of *response* as what is read next."""
        decompressor = Decompressor(response.headers.get("Content-Encoding"), most=None)
        self._is_encoded = not decompressor.is_plain
        self._marks_its_end = (
            self._is_encoded or bool(response.raw.chunked) or _length(response) is not None
        )
        self._pieces, self._rest = self._decompressed(response, decompressor), b""

    def _accept_part(self, response: Response) -> None:
        """Take note of what *response*, which begins at the position, says."""
        found = re.match(_CONTENT_RANGE, response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != self.position or self._is_encoded:
            raise DownloadError("the server answered another part of the data than asked for")
        if found[2] != "*":
            self._take_total(int(found[2]))

    def _take_total(self, total: Optional[int]) -> None:
        """Take note that the whole data has *total* bytes, None when that is not known."""
        if self.position and None not in (total, self._total) and total != self._total:
            raise DownloadError("the data changed while it was read")
        self._total = total

    def _accept_whole(self, response: Response) -> None:
        """Take note of what *response* says and pass over what was read before."""
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
    """Return how many bytes the body of *response* is to have, None if that is not said."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None
