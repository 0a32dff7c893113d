"""Sending data over HTTP: streamed from its source, checked, and tried again."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import requests
import urllib3

from ftrack_like._transport.body import read_body
from ftrack_like._transport.limits import limited
from ftrack_like.accessor._tries import DownloadError, Tries, failed, judge, refused
from ftrack_like.symbol import CHUNK_SIZE

if TYPE_CHECKING:
    from requests import Response

    from ftrack_like._types import Content, Readable, Value

__all__ = [
    "Body",
    "Measured",
    "Sent",
    "UploadError",
    "as_bytes",
    "measure",
    "pass_on",
    "position_of",
    "send",
    "upload",
]

#: The longest answer to an upload, in bytes.
_LONGEST_ANSWER = 1024 * 1024


class UploadError(DownloadError):
    """The data could not be sent."""


class Measured(NamedTuple):
    """What a source holds: *size* in bytes, and the MD5 *checksum* as base64 text."""

    size: int
    checksum: str


class Sent(NamedTuple):
    """What was sent: its MD5 *checksum* in hexadecimal, and the *tag* that the storage gave it."""

    checksum: str
    tag: str


class Body:
    """The body of an upload: chunks of a source, no more and no fewer bytes than announced.

    *tell* is called with the number of bytes that were handed on so far.
    """

    def __init__(self, chunks: Iterable[bytes], size: int, tell: Callable[[int], object]) -> None:
        self._chunks = chunks
        self._size = size
        self._tell = tell

    def __len__(self) -> int:
        """Return the number of bytes, which becomes the length of the body."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks; raise :class:`UploadError` if they are not what was measured.

        The last one is held back until the source has ended: once the body is whole, the storage
        takes it, and it would be too late to say that there is more.
        """
        read, held = 0, b""
        for chunk in self._chunks:
            if read + len(chunk) > self._size:
                read += len(chunk)
                break
            if held:
                yield held
                self._tell(read)
            read, held = read + len(chunk), chunk
        if read != self._size:
            raise UploadError("the source changed while it was sent")
        yield held
        self._tell(read)


def as_bytes(content: Content) -> bytes:
    """Return *content*, which a source gave, as bytes."""
    return content.encode("utf-8") if isinstance(content, str) else content


def chunks(source: Readable) -> Iterator[bytes]:
    """Yield what can be read from *source* as bytes, a chunk at a time."""
    while True:
        chunk = source.read(CHUNK_SIZE)
        if not chunk:
            return
        yield as_bytes(chunk)


def measure(source: Readable) -> Measured:
    """Return the size and checksum of what *source* holds from its position to its end."""
    size, checksum = 0, hashlib.md5(usedforsecurity=False)  # what the protocol asks for
    for chunk in chunks(source):
        size += len(chunk)
        checksum.update(chunk)
    return Measured(size, base64.b64encode(checksum.digest()).decode("ascii"))


def upload(
    source: Readable,
    size: int,
    begin: Callable[[], Mapping[str, Any]],
    put: Callable[..., Any],
    tries: Tries,
    tell: Callable[[int], object],
) -> None:
    """Send the *size* bytes that *source* holds from its position on.

    *begin* returns where to, ``{"url": str, "headers": {…}}``, and is asked anew for each try;
    *put* sends ``(url, data=…, headers=…)`` and returns a response; *tell* is called with the
    number of bytes sent. Raise :class:`UploadError`.
    """
    start = source.tell()

    def once() -> None:
        """Send everything once."""
        place = begin()
        source.seek(start)
        # An empty body of unknown kind would go in chunks, which signed addresses refuse.
        body: Any = Body(chunks(source), size, tell) if size else b""
        send(put, tries, place["url"], data=body, headers=dict(place["headers"]))

    tries.repeat("an upload", once, renews=True)


def pass_on(
    source: Readable,
    size: int,
    begin: Callable[[], Mapping[str, Any]],
    put: Callable[..., Any],
    tries: Tries,
    tell: Callable[[int], object],
) -> Sent:
    """Send the *size* bytes of *source* as they come, as :func:`upload` does, unmeasured.

    It is tried again only if *source* can be read again. Return what was sent.
    """
    start = position_of(source)

    def once() -> Sent:
        """Send everything once."""
        digest = hashlib.md5(usedforsecurity=False)

        def taken() -> Iterator[bytes]:
            for chunk in chunks(source):
                digest.update(chunk)
                yield chunk

        place = begin()
        if start is not None:
            source.seek(start)
        body: Any = Body(taken(), size, tell) if size else b""
        try:
            response = send(put, tries, place["url"], data=body, headers=dict(place["headers"]))
        except UploadError as error:
            if start is None:
                error.is_passing = error.is_expired = False
            raise
        return Sent(digest.hexdigest(), str(response.headers.get("ETag") or "").strip('"'))

    return tries.repeat("an upload", once, renews=True)


def position_of(source: Readable) -> Optional[int]:
    """Return the position of *source*; None if it cannot be read again from there."""
    try:
        position: int = source.tell()
        source.seek(position)
    except (NotImplementedError, OSError, AttributeError):
        return None
    return position


def send(put: Callable[..., Any], tries: Tries, url: str, **options: Value) -> Response:
    """Return the response to ``put(url, **options)``, a good one, bounded as *tries* says.

    Raise :class:`UploadError`.
    """
    try:
        with limited(tries.limit()):
            response: Response = put(url, **options)
        if response.status_code >= 300:
            raise refused(response, "the storage", UploadError)
        said = read_body(response, _LONGEST_ANSWER).content[:2000].decode("utf-8", "replace")
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise failed(error, UploadError) from error
    # Some storages begin a good answer before they are done, and report the fault in it.
    if "<Error>" in said:
        text = " ".join(said.split())[:500]
        verdict = judge(response.status_code, said)
        raise UploadError(f"the storage answered an error: {text}", verdict.is_passing)
    return response
