"""The body of an answer to a download: decoded, and known to be whole or not."""

from __future__ import annotations

import zlib
from typing import Any

__all__ = ["Body", "BrokenBodyError"]

#: Bytes of a compressed body that are taken from the connection at a time.
_PIECE = 64 * 1024

_PLAIN = frozenset({"", "identity"})

#: What zlib calls the formats of the encodings.
_FORMATS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class BrokenBodyError(Exception):
    """The body ends before its time or cannot be decoded; *is_passing* if that may change."""

    def __init__(self, text: str, is_passing: bool = True) -> None:
        super().__init__(text)
        self.is_passing = is_passing


class Body:
    """What the streaming *response* brings, in pieces of a bounded size.

    We ask for the data as it is, but a server or a proxy may compress it all the same.
    """

    def __init__(self, response: Any) -> None:
        """Raise :class:`BrokenBodyError` if the encoding of *response* is not known."""
        self._raw = response.raw
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        #: Whether positions in the body are others than those in the data.
        self.is_encoded = encoding not in _PLAIN
        if self.is_encoded and encoding not in _FORMATS:
            raise BrokenBodyError(
                f"the server sent it as {encoding!r}, which was not asked for", False
            )
        self._format = _FORMATS.get(encoding, 0)
        self._decoder = self._new_decoder()
        self._waiting = b""
        length = response.headers.get("Content-Length", "")
        is_chunked = bool(response.raw.chunked)
        #: How many bytes the data has, None if that is not said.
        self.length = int(length) if length.isdigit() and not self.is_encoded else None
        #: Whether an end that comes early cannot be taken for the true one.
        self.marks_its_end = self.is_encoded or is_chunked or self.length is not None
        self._is_empty = length == "0"

    def _new_decoder(self) -> Any:
        """Return what decodes one compressed stream; None where nothing is compressed."""
        return zlib.decompressobj(self._format) if self.is_encoded else None

    def read(self, amount: int) -> bytes:
        """Return the next bytes, at most *amount*; none at the end.

        Raise :class:`BrokenBodyError` if a compressed body ends within.
        """
        if not self.is_encoded:
            plain: bytes = self._raw.read(amount, decode_content=False)
            return plain
        while True:
            if self._decoder.eof:
                # Several streams in a row are one.
                self._waiting += self._decoder.unused_data
                self._waiting = self._waiting or self._raw.read(_PIECE, decode_content=False)
                if not self._waiting:
                    return b""
                self._decoder = self._new_decoder()
            elif not self._waiting:
                self._waiting = self._raw.read(_PIECE, decode_content=False)
                if not self._waiting and not self._is_empty:
                    raise BrokenBodyError("the compressed data broke off")
                if not self._waiting:
                    return b""
            piece = self._decode(amount)
            if piece:
                return piece

    def _decode(self, amount: int) -> bytes:
        """Return at most *amount* bytes of what is waiting, decoded."""
        try:
            piece: bytes = self._decoder.decompress(self._waiting, amount)
        except zlib.error as error:
            raise BrokenBodyError(f"the compressed data cannot be read: {error}") from error
        self._waiting = self._decoder.unconsumed_tail
        return piece
