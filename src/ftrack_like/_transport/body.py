"""Read the bodies of answers with a limit on their decompressed size.

A kilobyte of gzip can decompress to a megabyte, so a small answer could fill the memory of the
client. Some versions of urllib3 decompress without a limit. Therefore this module reads the raw
bytes from the connection and decompresses them itself, in pieces of limited size.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Optional

import urllib3

from ftrack_like._base.named_tuples import NamedTuple

__all__ = [
    "ACCEPTED",
    "LONGEST_BODY",
    "Decompressor",
    "ReceivedBody",
    "UnreadableBodyError",
    "answer_excerpt",
    "read_body",
]

#: The value of ``Accept-Encoding``: the compressions that :class:`Decompressor` supports.
ACCEPTED = "gzip, deflate"

#: The longest answer, in bytes after decompression.
LONGEST_BODY = 512 * 1024 * 1024

#: The largest accepted ratio of decompressed to received bytes. JSON with ids compresses to a
#: tenth, text seldom to less than a fiftieth, zeros to a thousandth.
MOST_RATIO = 200

#: The ratio is checked only for bodies of more than this many decompressed bytes.
LONG = 16 * 1024 * 1024

#: The most bytes to read at a time from the connection, and from the decompressor.
_PIECE = 64 * 1024


class UnreadableBodyError(urllib3.exceptions.HTTPError):
    """A body is too long or has an unknown encoding. A retry would not help."""


class ReceivedBody(NamedTuple):
    """The decompressed *content* of an answer, and the number of bytes *received* for it."""

    content: bytes
    received: int


class Decompressor:
    """Decompresses a body that arrives in pieces. *encoding* is its ``Content-Encoding``."""

    def __init__(self, encoding: Optional[str], most: Optional[int] = LONGEST_BODY) -> None:
        """Initialise with the *most* bytes that the body may have when decompressed.

        None as *most* means no limit. Raise :class:`UnreadableBodyError` for an encoding that is
        not in :data:`ACCEPTED`.
        """
        self._encoding = (encoding or "").strip().lower()
        self._most = most
        self._inner: Any = None
        self._taken = 0
        self._given = 0
        if self._encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise UnreadableBodyError(
                f"the body is encoded as {self._encoding[:50]!r}, which was not asked for"
            )

    @property
    def is_plain(self) -> bool:
        """Whether the body is not compressed."""
        return self._encoding in ("", "identity")

    @property
    def is_empty(self) -> bool:
        """Whether the headers announced a compressed body and none of its bytes has arrived."""
        return not self.is_plain and not self._taken

    @property
    def is_complete(self) -> bool:
        """Whether the compressed data is complete, or the body is not compressed."""
        return self._inner is None or bool(self._inner.eof)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decompress *data*, the next piece of the body; yield pieces of at most 64 KiB.

        Raise :class:`UnreadableBodyError` if the decompressed body becomes too long, and
        :exc:`urllib3.exceptions.DecodeError` if *data* is not compressed as announced.
        """
        self._taken += len(data)
        if self.is_plain:
            self._count(len(data))
            yield data
            return
        piece = b""
        # After a full piece, the decompressor may contain more output, even without input.
        while data or len(piece) == _PIECE:
            if self._inner is None or (self._inner.eof and data):
                if self._inner is not None and self._encoding == "deflate":
                    return  # Only gzip may have several members. Ignore bytes after the end.
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
        """Return the argument *wbits* of zlib for a body that begins with *data*."""
        if self._encoding != "deflate":
            return 16 + zlib.MAX_WBITS
        # "deflate" means zlib's format, but some servers send the bare stream.
        has_header = data[0] & 0x0F == 8 and (len(data) < 2 or (data[0] * 256 + data[1]) % 31 == 0)
        return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS

    def _count(self, more: int) -> None:
        """Count *more* decompressed bytes; raise :class:`UnreadableBodyError` for too many."""
        self._given += more
        is_long = self._most is not None and self._given > self._most
        if is_long or (
            not self.is_plain and self._given > LONG and self._given > MOST_RATIO * self._taken
        ):
            raise UnreadableBodyError(
                f"the body is too long: the {self._taken} bytes received so far decompress to "
                f"{self._given} bytes or more"
            )


def read_body(response: Any, most: int = LONGEST_BODY) -> ReceivedBody:
    """Return the body of *response*, a ``requests.Response`` of a request with ``stream=True``.

    Raise :class:`UnreadableBodyError` if the body has more than *most* bytes after decompression or
    an unknown encoding. Raise another error of urllib3 if the connection breaks.
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
    return ReceivedBody(pieces[0] if len(pieces) == 1 else b"".join(pieces), received)


def _given_body(response: Any) -> ReceivedBody:
    """Return the body that *response* has already read, as in fake responses and after hooks."""
    content = response.content
    if not isinstance(content, (bytes, bytearray, str)):
        content = response.text  # A fake response of a test may have only this attribute.
    data = content.encode("utf-8") if isinstance(content, str) else bytes(content)
    return ReceivedBody(data, len(data))


def answer_excerpt(response: Any, most: int) -> str:
    """Return the first *most* bytes of a streamed *response* as one line; close *response*."""
    try:
        raw: Any = getattr(response, "raw", None)
        if not isinstance(raw, urllib3.HTTPResponse):
            return " ".join(str(response.text)[:most].split())
        decompressor = Decompressor(response.headers.get("content-encoding"))
        data = raw.read(most, decode_content=False)
        content = next(decompressor.feed(data), b"") if data else response.content
        return " ".join(content[:most].decode("utf-8", "replace").split())
    except (urllib3.exceptions.HTTPError, OSError):
        return ""  # The caller's error message also has the status; that is enough.
    finally:
        response.close()
