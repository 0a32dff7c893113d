"""Send data over HTTP: streamed from its source, with a checksum and retries."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import requests
import urllib3

from ftrack_like._transport.body import read_body
from ftrack_like._transport.cancellation import check_cancelled
from ftrack_like._transport.limits import limited
from ftrack_like.accessor._tries import DownloadError, Tries, failed, judge, refused
from ftrack_like.symbol import CHUNK_SIZE

if TYPE_CHECKING:
    from requests import Response

    from ftrack_like._base.types import Content, Readable, Value

__all__ = [
    "Measured",
    "Sent",
    "UploadBody",
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
    """The *size* of a source in bytes, and its MD5 *checksum* as base64 text."""

    size: int
    checksum: str


class Sent(NamedTuple):
    """The MD5 *checksum* of the sent data in hexadecimal, and the *tag* from the storage."""

    checksum: str
    tag: str


class UploadBody:
    """The body of an upload: the *chunks* of a source, exactly *size* bytes.

    *tell* is called with the number of bytes sent so far.
    """

    def __init__(self, chunks: Iterable[bytes], size: int, tell: Callable[[int], object]) -> None:
        self._chunks = chunks
        self._size = size
        self._tell = tell

    def __len__(self) -> int:
        """Return the number of bytes, which requests sends as ``Content-Length``."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks; raise :class:`UploadError` if they do not have the measured size.

        The last chunk is sent only after the source has ended. When the storage has the announced
        number of bytes it accepts the upload, and then it is too late to report a longer source.
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
    """Return *content*, the result of a read, as bytes."""
    return content.encode("utf-8") if isinstance(content, str) else content


def chunks(source: Readable) -> Iterator[bytes]:
    """Read *source* to its end and yield the chunks as bytes."""
    while True:
        check_cancelled()
        chunk = source.read(CHUNK_SIZE)
        if not chunk:
            return
        yield as_bytes(chunk)


def measure(source: Readable) -> Measured:
    """Return the size and checksum of *source* from its current position to its end."""
    size, checksum = 0, hashlib.md5(usedforsecurity=False)  # the protocol requires MD5
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
    """Send *size* bytes of *source* from its current position.

    *begin* is called for each try and returns the address, ``{"url": str, "headers": {…}}``. *put*
    sends ``(url, data=…, headers=…)`` and returns a response. *tell* is called with the number of
    sent bytes. Raise :class:`UploadError` if retries do not help.
    """
    start = source.tell()

    def once() -> None:
        """Send all data once."""
        place = begin()
        source.seek(start)
        # requests sends an empty iterator with chunked encoding, which signed addresses reject.
        body: Any = UploadBody(chunks(source), size, tell) if size else b""
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
    """Send *size* bytes of *source* without reading it before; arguments as for :func:`upload`.

    It is retried only if *source* can be read again. Return the checksum and the tag.
    """
    start = position_of(source)

    def once() -> Sent:
        """Send all data once."""
        digest = hashlib.md5(usedforsecurity=False)

        def taken() -> Iterator[bytes]:
            for chunk in chunks(source):
                digest.update(chunk)
                yield chunk

        place = begin()
        if start is not None:
            source.seek(start)
        body: Any = UploadBody(taken(), size, tell) if size else b""
        try:
            response = send(put, tries, place["url"], data=body, headers=dict(place["headers"]))
        except UploadError as error:
            if start is None:
                error.is_passing = error.is_expired = False
            raise
        return Sent(digest.hexdigest(), str(response.headers.get("ETag") or "").strip('"'))

    return tries.repeat("an upload", once, renews=True)


def position_of(source: Readable) -> Optional[int]:
    """Return the current position of *source*; None if *source* cannot seek."""
    try:
        position: int = source.tell()
        source.seek(position)
    except (NotImplementedError, OSError, AttributeError):
        return None
    return position


def send(put: Callable[..., Any], tries: Tries, url: str, **options: Value) -> Response:
    """Call ``put(url, **options)`` within the time limit of *tries*; return the response.

    Raise :class:`UploadError` if the connection fails or the storage reports an error.
    """
    try:
        with limited(tries.limit()):
            response: Response = put(url, **options)
        if response.status_code >= 300:
            raise refused(response, "the storage", UploadError)
        said = read_body(response, _LONGEST_ANSWER).content[:2000].decode("utf-8", "replace")
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise failed(error, UploadError) from error
    # Some storages answer 200 before they are done, and report a failure in the body.
    if "<Error>" in said:
        text = " ".join(said.split())[:500]
        verdict = judge(response.status_code, said)
        raise UploadError(f"the storage reported an error: {text}", verdict.is_passing)
    return response
