"""Upload data to the server: in parts, in one piece, or as a stream.

The way depends on the source:

- A file or bytes in memory that is longer than one part is sent *in parts*: each part has its own
  retries, and its tag is compared with its checksum.
- A shorter one, or with an older server, is sent *in one piece*: the request contains the MD5
  checksum, so the storage rejects damaged data. Computing it means reading the source twice.
- Another source whose size is known, such as a download from another location, is sent *in
  passing*: it is read only once, and its checksum is known only at the end. If the tag of the
  storage is not that checksum, the stored data is read back and compared.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import os
from collections.abc import Callable, Generator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Optional

import requests

from ftrack_like import exception
from ftrack_like._base.collaborators import (
    connection_settings_of,
    connections_of,
    observers_of,
    remote_actions_of,
)
from ftrack_like._base.seams import is_overridden
from ftrack_like._transport.body import ACCEPTED
from ftrack_like._transport.http import GuardedSession, PooledAdapter
from ftrack_like.accessor._addresses import Addresses, Prepared, download_name
from ftrack_like.accessor._parts import OtherDataError, PartedUpload, count_parts, state_of
from ftrack_like.accessor._progress import current_meter
from ftrack_like.accessor._tries import Tries, Verdict, judge_words
from ftrack_like.accessor._upload import (
    UploadError,
    chunks,
    measure,
    pass_on,
    position_of,
    upload,
)
from ftrack_like.accessor.base import check_size, remaining_size
from ftrack_like.data import File, String

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from ftrack_like._base.types import Readable, Timeout, Value
    from ftrack_like._session.observing import Observers
    from ftrack_like.accessor.base import Incoming
    from ftrack_like.session import Session

__all__ = ["ComponentUpload", "keeping_connections", "sending_several"]

#: The session of the current transfer, and the request session that sends its uploads.
_KEPT: ContextVar[Optional[tuple[Any, requests.Session]]] = ContextVar("_KEPT", default=None)


#: The addresses for the files of the current transfer.
_ADDRESSES: ContextVar[Optional[Addresses]] = ContextVar("_ADDRESSES", default=None)


class ComponentUpload:
    """The upload of *source*, from its current position, as the data of one component."""

    def __init__(
        self, session: Session, component_id: str, source: Readable, timeout: Timeout, tries: Tries
    ) -> None:
        """Initialise; nothing is sent before :meth:`run`.

        Each request has the time-out *timeout*; *tries* limits its retries.
        """
        self._session = session
        self._tries = tries
        self._component_id = component_id
        self._timeout = timeout
        #: The number of sent bytes.
        self.size = 0
        #: Whether a request to join the parts was sent and its answer was lost.
        self._may_be_complete = False
        #: The checksum to compare with the stored data; None if the storage has confirmed it.
        self._unsure: Optional[str] = None
        self._source = source = _collected(source)
        self._start = position_of(source) or 0
        self._expected = remaining_size(source)
        self._meter = current_meter()
        self._name = download_name(session, component_id)

    def run(self) -> Optional[str]:
        """Send the data.

        Return None if the storage has confirmed the checksum. Otherwise return the MD5 checksum in
        hexadecimal; the caller must compare the stored data with it.
        """
        with keeping_connections(self._session) as plain:
            put = functools.partial(_put, observers_of(self._session), plain, self._timeout)
            if self._expected is not None and not isinstance(self._source, File):
                return self._in_passing(put, self._expected)
            size = self._tries.repeat(
                "an upload in parts", functools.partial(self._in_parts, put), renews=True
            )
            self.size = self._in_one(put) if size is None else size
            return self._unsure

    def _in_parts(self, put: Callable[..., Any]) -> Optional[int]:
        """Send in parts and return the number of bytes; return None if that is impossible."""
        source, state = self._source, state_of(self._source)
        if state == ():
            return None
        source.seek(0, os.SEEK_END)
        size: int = source.tell() - self._start
        source.seek(self._start)
        count = count_parts(size)
        if count < 2 or not _knows_parts(self._session):
            return None
        place = self._place(size, parts=count)
        if "urls" not in place:
            return None  # An older server: it returned one address for the whole data.
        self._announce(size)
        try:
            tags = PartedUpload(source, size, put, self._tries).run(place["urls"], self._tell)
        except OtherDataError:
            source.seek(self._start)
            return None
        except UploadError as error:
            source.seek(self._start)
            # Each part has already used its own retries. Retry only with new addresses.
            error.is_passing = False
            raise
        if state_of(source) != state:
            raise UploadError("the source changed while it was sent")
        self._may_be_complete = False
        complete = functools.partial(self._complete, place["upload_id"], tags)
        self._tries.repeat("the end of an upload", complete)
        return size

    def _complete(self, upload_id: str, tags: list[dict[str, Any]]) -> None:
        """Ask the server to join the parts.

        Raise :class:`UploadError` if a retry or new addresses may help, else the error itself.
        """
        try:
            remote_actions_of(self._session).complete_multipart_upload(
                self._component_id, upload_id, tags
            )
        except exception.ServerConnectionError as error:
            self._may_be_complete = self._may_be_complete or error.request_sent
            raise UploadError(str(error), is_passing=True, wait=error.retry_after) from error
        except exception.ServerError as error:
            verdict = judge_words(str(error))
            if self._may_be_complete and not verdict.is_passing:
                # An earlier request, whose answer was lost, may have joined the parts. Then this
                # error only says that the upload no longer exists. So compare the stored data.
                self._source.seek(self._start)
                self._unsure = base64.b64decode(measure(self._source).checksum).hex()
                return
            if verdict == Verdict(False, False):
                raise
            raise UploadError(
                str(error), verdict.is_passing, is_expired=verdict.is_expired
            ) from error

    def _in_one(self, put: Callable[..., Any]) -> int:
        """Send in one piece; return the number of bytes."""
        prepared = self._prepared()
        size, checksum = measure(self._source) if prepared is None else prepared.measured
        self._source.seek(self._start)
        self._announce(size)
        places = [] if prepared is None else [prepared.place]

        def begin() -> dict[str, Any]:
            """Return the prepared address at the first call, and new ones later."""
            return places.pop() if places else self._place(size, checksum=checksum)

        upload(self._source, size, begin, put, self._tries, self._tell)
        return size

    def _prepared(self) -> Optional[Prepared]:
        """Return what :class:`Addresses` has prepared for this upload, or None."""
        addresses = _ADDRESSES.get()
        if addresses is None or self._start:
            return None
        return addresses.take(self._component_id, self._source)

    def _in_passing(self, put: Callable[..., Any], size: int) -> Optional[str]:
        """Send *size* bytes as they are read; return the result of :meth:`run`."""
        self._announce(size)
        begin = functools.partial(self._place, size, checksum=None)
        sent = pass_on(self._source, size, begin, put, self._tries, self._tell)
        self.size = size
        # Another tag does not prove damage: some storages compute their tags differently.
        return None if sent.tag == sent.checksum else sent.checksum

    def _place(self, size: int, **options: Value) -> dict[str, Any]:
        """Request the upload address for *size* bytes from the server."""
        return self._session.get_upload_metadata(
            component_id=self._component_id, file_name=self._name, file_size=size, **options
        )

    def _announce(self, size: int) -> None:
        """Compare the true *size* with the size that the source announced; set the meter to it."""
        check_size(self._expected, size)
        if self._meter is not None:
            self._meter.set_size(size)

    def _tell(self, sent: int) -> None:
        """Report the number of *sent* bytes to the meter."""
        if self._meter is not None:
            self._meter.move_to(sent)


@contextlib.contextmanager
def sending_several(session: Session, files: Sequence[Incoming]) -> Generator[None, None, None]:
    """Let the uploads of *files* inside the context share connections and requests."""
    token = _ADDRESSES.set(Addresses(session, files))
    try:
        with keeping_connections(session):
            yield
    finally:
        _ADDRESSES.reset(token)


@contextlib.contextmanager
def keeping_connections(session: Session) -> Generator[requests.Session, None, None]:
    """Yield the request session for uploads of *session*, and reuse it inside the context.

    So the files of a sequence share connections.
    """
    kept = _KEPT.get()
    if kept is not None and kept[0] is session:
        yield kept[1]
        return
    with _plain_session(session) as plain:
        token = _KEPT.set((session, plain))
        try:
            yield plain
        finally:
            _KEPT.reset(token)


def _knows_parts(session: Session) -> bool:
    """Return whether ``session.get_upload_metadata`` accepts the argument *parts*.

    A program may have replaced this method by a method with the published signature, without it.
    """
    if not is_overridden(session, "get_upload_metadata"):
        return True
    import inspect  # lazy: few programs replace the method

    # Read the signature of the replacement itself: functools.wraps shows that of the original.
    taken = inspect.signature(session.get_upload_metadata, follow_wrapped=False).parameters
    return "parts" in taken or any(each.kind is each.VAR_KEYWORD for each in taken.values())


def _put(
    observers: Observers, plain: requests.Session, timeout: Timeout, url: str, **options: Value
) -> Response:
    """Send a PUT request to *url* and return the response; do not follow redirects."""

    def put() -> Response:
        return plain.put(url, timeout=timeout, allow_redirects=False, stream=True, **options)

    return observers.transfer("PUT", url, put)


def _plain_session(session: Session) -> requests.Session:
    """Return a request session without credentials, with the TLS and proxies of *session*.

    Upload addresses are signed, and may be on another host that must not see the API key.
    """
    made = GuardedSession()
    made.headers["Accept-Encoding"] = ACCEPTED
    connection_settings_of(session).apply(made)
    made.auth = _no_authentication
    for prefix in ("https://", "http://"):
        made.mount(prefix, PooledAdapter(connections_of(session)))
    return made


def _no_authentication(request: PreparedRequest) -> PreparedRequest:
    """Return *request* unchanged. Without this function, requests reads ``.netrc``."""
    return request


def _collected(source: Readable) -> Readable:
    """Return *source*; copy it to a temporary file if it has no size and cannot be read twice."""
    if remaining_size(source) is not None or position_of(source) is not None:
        return source
    collected = String(b"")
    for chunk in chunks(source):
        collected.write(chunk)
    collected.seek(0)
    return collected
