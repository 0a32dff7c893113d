"""Send data in parts: several at once, each with its own retries.

Several threads read parts from one source, so a lock guards each seek and read. Only the source of
a local file or of bytes in memory allows this. Another program may write to the file during the
upload; the caller compares :func:`state_of` the source before and after.
"""

from __future__ import annotations

import hashlib
import os
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like._transport.cancellation import check_cancelled
from ftrack_like.accessor._parallel import is_among_others, next_of
from ftrack_like.accessor._tries import Tries
from ftrack_like.accessor._upload import UploadBody, UploadError, as_bytes, send
from ftrack_like.data import File, String
from ftrack_like.symbol import CHUNK_SIZE

if TYPE_CHECKING:
    from concurrent.futures import Future

    from requests import Response

    from ftrack_like._base.types import Readable

__all__ = [
    "PART_SIZE",
    "OtherDataError",
    "PartedUpload",
    "count_parts",
    "size_of_parts",
    "state_of",
]

#: The bytes in a part. A broken connection loses at most one part, and 10,000 parts make 80 GB.
#: Data that fits into one part is sent in one piece.
PART_SIZE = 8 * 1024 * 1024

#: The most parts of an upload. Longer data has larger parts.
_MAXIMUM_PARTS = 10_000

#: The most parts to send at the same time, each with one or two chunks in memory.
_THREADS = 4

#: A part is sent at most this often if its tag is not its MD5 checksum.
_TAG_TRIES = 2

_MD5 = re.compile(r"\A[0-9a-f]{32}\Z")


class OtherDataError(UploadError):
    """The storage returned another checksum for a part than the checksum of the sent bytes.

    Either the data was damaged on the way, or this storage computes its tags differently. The
    client cannot decide which. So it sends the data again in one piece with its checksum.
    """


def size_of_parts(size: int) -> int:
    """Return the length in bytes of each part but the last, for *size* bytes of data."""
    return max(PART_SIZE, -(-size // _MAXIMUM_PARTS))


def count_parts(size: int) -> int:
    """Return the number of parts for *size* bytes of data, at least 1."""
    return max(1, -(-size // size_of_parts(size)))


def state_of(source: Readable) -> Optional[tuple[int, ...]]:
    """Return a value that changes when a program writes to *source*: file size and time.

    Return None if no other program can write to *source*, and ``()`` if *source* does not allow
    reading at arbitrary positions.
    """
    if isinstance(source, File):
        status = os.fstat(source.wrapped_file.fileno())
        return (status.st_size, status.st_mtime_ns)
    return None if type(source) is String and source.is_binary else ()


class PartedUpload:
    """The upload of *size* bytes of *source* from its current position.

    *put* sends ``(url, data=…, headers=…)`` from any thread and returns a response. Only a few
    chunks are in memory at a time.
    """

    def __init__(self, source: Readable, size: int, put: Callable[..., Any], tries: Tries) -> None:
        """Initialise; nothing is sent before :meth:`run`."""
        self._source = source
        self._start = source.tell()
        self._size = size
        self._put = put
        self._tries = tries
        self._reading = threading.Lock()
        self._stop = threading.Event()
        self._news: queue.SimpleQueue[Union[int, Future[dict[str, Any]]]] = queue.SimpleQueue()

    def run(
        self, places: Sequence[Mapping[str, Any]], tell: Callable[[int], object]
    ) -> list[dict[str, Any]]:
        """Send the parts to *places*, ``[{"part_number": int, "signed_url": str}]``.

        *tell* is called on this thread with the number of bytes sent so far, which never
        decreases. Return ``[{"part_number": int, "e_tag": str}]`` in the order of the parts. Raise
        :class:`UploadError` if a part fails. An exception of *tell* ends the upload; the other
        threads stop at their next chunk.
        """
        # lazy: needed only for long data.
        from concurrent.futures import ThreadPoolExecutor

        threads = 1 if is_among_others() else _THREADS
        pool = ThreadPoolExecutor(min(threads, len(places)), "ftrack-like-upload")
        try:
            futures = [
                pool.submit(copy_context().run, self._send_part, index, each)
                for index, each in enumerate(places)
            ]
            for future in futures:
                future.add_done_callback(self._news.put)
            self._follow(len(futures), tell)
            return [future.result() for future in futures]
        except UploadError as error:
            if error.is_expired or isinstance(error, OtherDataError):
                # The caller reads the source again, so wait until no thread seeks in it.
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            self._stop.set()
            # Do not wait for a stalled connection: the caller needs the error now.
            pool.shutdown(wait=False, cancel_futures=True)

    def _follow(self, left: int, tell: Callable[[int], object]) -> None:
        """Report the progress until *left* parts are done; raise the error of a failed part."""
        sent = 0
        while left:
            news = next_of(self._news)
            if isinstance(news, int):
                sent += news
                tell(sent)
            else:
                news.result()
                left -= 1

    def _send_part(self, index: int, place: Mapping[str, Any]) -> dict[str, Any]:
        """Send one part and return its number and tag. Runs in a thread of the pool."""
        length = size_of_parts(self._size)
        start = index * length
        length = min(length, self._size - start)
        told = tries = 0

        def tell(sent: int) -> None:
            """Report the bytes that no earlier try has reported."""
            nonlocal told
            if sent > told:
                self._news.put(sent - told)
                told = sent

        def once() -> str:
            """Send the part once and return its tag."""
            nonlocal tries
            tries += 1
            digest = hashlib.md5(usedforsecurity=False)
            body = UploadBody(self._chunks(start, length, digest), length, tell)
            response = send(self._put, self._tries, place["signed_url"], data=body)
            return _checked_tag(response, digest.hexdigest(), tries < _TAG_TRIES)

        number = place["part_number"]
        tag = self._tries.repeat(f"part {number} of an upload", once, stopped=self._stop.wait)
        return {"part_number": place["part_number"], "e_tag": tag}

    def _chunks(self, start: int, length: int, digest: hashlib._Hash) -> Iterator[bytes]:
        """Yield *length* bytes from *start* on and add them to *digest*."""
        end = start + length
        while start < end:
            check_cancelled()
            if self._stop.is_set():
                raise UploadError("the upload was stopped")
            with self._reading:
                self._source.seek(self._start + start)
                chunk = as_bytes(self._source.read(min(CHUNK_SIZE, end - start)))
            if not chunk:
                return
            start += len(chunk)
            digest.update(chunk)
            yield chunk


def _checked_tag(response: Response, checksum: str, is_passing: bool) -> str:
    """Return the tag in *response* for a part with the MD5 *checksum*.

    Raise :class:`UploadError` if there is no tag. Raise :class:`OtherDataError` if the tag looks
    like another MD5 checksum; *is_passing* says whether a retry may help.
    """
    tag = str(response.headers.get("ETag") or "").strip('"')
    if not tag:
        raise UploadError("the storage did not return the tag (ETag) of a part")
    if _MD5.match(tag) and tag != checksum:
        raise OtherDataError(
            "the storage returned another checksum for a part than that of the sent data",
            is_passing,
        )
    return tag
