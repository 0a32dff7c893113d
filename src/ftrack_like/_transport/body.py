"""Bodies of answers, read with a bound on what they decompress to.

A kilobyte of gzip may stand for a megabyte. So bodies are taken from the connection as they come
and decompressed here, a bounded piece at a time, whatever the version of urllib3 does.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import urllib3

__all__ = [
    "ACCEPTED",
    "MOST_BYTES",
    "Body",
    "Decompressor",
    "UnreadableError",
    "excerpt",
    "read_body",
]

#: What to send as ``Accept-Encoding``: the compressions that are decompressed here.
ACCEPTED = "gzip, deflate"

#: The longest answer, in bytes after decompression.
MOST_BYTES = 512 * 1024 * 1024

#: A body that decompresses to more than so many times its size is refused, once it is long. JSON
#: with ids compresses to a tenth, text seldom to less than a fiftieth, zeros to a thousandth.
MOST_RATIO = 200
LONG = 16 * 1024 * 1024

#: Bytes taken from the connection, and from the decompressor, at a time.
_PIECE = 64 * 1024


class UnreadableError(urllib3.exceptions.HTTPError):
    """A body is too long or encoded in an unknown way, and would be so again."""


class Body(NamedTuple):
    """The *content* of an answer, and how many bytes were *received* for it."""

    content: bytes
    received: int


class Decompressor:
    """Decompresses a body that comes in pieces. *encoding* is its ``Content-Encoding``."""

    def __init__(self, encoding: Optional[str], most: Optional[int] = MOST_BYTES) -> None:
        """Initialise; the body may have *most* bytes in the end, any number when it is None.

        Raise :class:`UnreadableError` for an encoding that was not asked for.
        """
        self._encoding = (encoding or "").strip().lower()
        self._most = most
        self._inner: Any = None
        self._taken = 0
        self._given = 0
        if self._encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise UnreadableError(
                f"the body is encoded as {self._encoding[:50]!r}, which was not asked for"
            )

    @property
    def is_plain(self) -> bool:
        """Whether the body is not compressed."""
        return self._encoding in ("", "identity")

    @property
    def is_empty(self) -> bool:
        """Whether the body is to be compressed and nothing of it has come."""
        return not self.is_plain and not self._taken

    @property
    def is_complete(self) -> bool:
        """Whether the compressed data has come to its end, or is not compressed."""
        return self._inner is None or bool(self._inner.eof)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what *data* decompresses to, in pieces of 64 KiB at most.

        Raise :class:`UnreadableError` beyond the bound and :exc:`urllib3.exceptions.DecodeError`
        for data that is not compressed as announced.
        """
        self._taken += len(data)
        if self.is_plain:
            self._count(len(data))
            yield data
            return
        piece = b""
        # A full piece may have left more inside the decompressor, even without further data.
        while data or len(piece) == _PIECE:
            if self._inner is None or (self._inner.eof and data):
                if self._inner is not None and self._encoding == "deflate":
                    return  # What follows the end belongs to nothing.
                self._inner = zlib.decompressobj(self._window(data))
            try:
                piece = self._inner.decompress(data, _PIECE)
            except zlib.error as error:
                raise urllib3.exceptions.DecodeError(
                    f"the body is not {self._encoding} as announced: {error}"
                ) from error
            if piece:
                self._count(len(piece))
                yield piece
            data = self._inner.unconsumed_tail or self._inner.unused_data

    def _window(self, data: bytes) -> int:
        """Return what tells zlib the format of what begins with *data*."""
        if self._encoding != "deflate":
            return 16 + zlib.MAX_WBITS
        # "deflate" means zlib's format, but some servers send the bare stream.
        has_header = data[0] & 0x0F == 8 and (len(data) < 2 or (data[0] * 256 + data[1]) % 31 == 0)
        return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS

    def _count(self, more: int) -> None:
        """Count *more* bytes given; raise :class:`UnreadableError` beyond the bound."""
        self._given += more
        is_long = self._most is not None and self._given > self._most
        if is_long or (
            not self.is_plain and self._given > LONG and self._given > MOST_RATIO * self._taken
        ):
            raise UnreadableError(
                f"the body is too long: {self._taken} bytes came, which stand for {self._given} "
                "bytes or more"
            )


def read_body(response: Any, most: int = MOST_BYTES) -> Body:
    """Return the body of *response*, a ``requests.Response`` that was asked for as a stream.

    Raise :class:`UnreadableError` if it has more than *most* bytes or an unknown encoding, and
    another error of urllib3 if the connection breaks.
    """
    raw: Any = getattr(response, "raw", None)
    if not isinstance(raw, urllib3.HTTPResponse):
        return _given_body(response)
    decompressor = Decompressor(response.headers.get("content-encoding"), most)
    pieces: list[bytes] = []
    received = 0
    try:
        while True:
            data = raw.read(_PIECE, decode_content=False)
            if not data:
                break
            received += len(data)
            pieces.extend(decompressor.feed(data))
    except BaseException:
        response.close()
        raise
    if not received:
        return _given_body(response)
    if not decompressor.is_complete:
        raise urllib3.exceptions.ProtocolError("the compressed body broke off")
    return Body(pieces[0] if len(pieces) == 1 else b"".join(pieces), received)


def _given_body(response: Any) -> Body:
    """Return the body that *response* holds already, as stand-ins and hooks leave it."""
    content = response.content
    if not isinstance(content, (bytes, bytearray, str)):
        content = response.text  # A stand-in of a test may know only this.
    data = content.encode("utf-8") if isinstance(content, str) else bytes(content)
    return Body(data, len(data))


def excerpt(response: Any, most: int) -> str:
    """Return the first *most* bytes of a streamed *response* as text of one line; close it."""
    try:
        raw: Any = getattr(response, "raw", None)
        if not isinstance(raw, urllib3.HTTPResponse):
            return " ".join(str(response.text)[:most].split())
        decompressor = Decompressor(response.headers.get("content-encoding"))
        data = raw.read(most, decode_content=False)
        content = next(decompressor.feed(data), b"") if data else response.content
        return " ".join(content[:most].decode("utf-8", "replace").split())
    except (urllib3.exceptions.HTTPError, OSError):
        return ""  # The status says enough.
    finally:
        response.close()
