"""Uploading: in parts, in one piece, or as the data comes."""

from __future__ import annotations

import base64
import contextlib
import functools
import os
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Optional

import requests

from ftrack_like import exception
from ftrack_like._collaborators import connection_settings_of, connections_of, remote_actions_of
from ftrack_like._seams import is_overridden
from ftrack_like._transport.body import ACCEPTED
from ftrack_like._transport.http import GuardedSession, PooledAdapter
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

    from ftrack_like._types import Readable, Timeout, Value
    from ftrack_like.session import Session

__all__ = ["Sending", "keeping_connections"]

#: The session of the transfer under way, and what its uploads are sent by.
_KEPT: ContextVar[Optional[tuple[Any, requests.Session]]] = ContextVar("_KEPT", default=None)


class Sending:
    """The upload of what *source* holds from its position on as one component's data."""

    def __init__(
        self, session: Session, component_id: str, source: Readable, timeout: Timeout, tries: Tries
    ) -> None:
        """Initialise; nothing is sent before :meth:`run`.

        Each request has the *timeout* and is repeated as *tries* says.
        """
        self._session = session
        self._tries = tries
        self._component_id = component_id
        self._timeout = timeout
        #: How many bytes were sent.
        self.size = 0
        #: Whether a request to join the parts may have arrived, though it was not answered.
        self._may_be_complete = False
        #: The checksum to compare with that of what was stored, None when there is no doubt.
        self._unsure: Optional[str] = None
        self._source = source = _collected(source)
        self._start = position_of(source) or 0
        self._expected = remaining_size(source)
        self._meter = current_meter()
        self._name = self._file_name(component_id)

    def run(self) -> Optional[str]:
        """Send everything.

        Return None if it is known to have arrived as it was, else the MD5 checksum, in
        hexadecimal, that is to be compared with that of what was stored.
        """
        with keeping_connections(self._session) as plain:
            put = functools.partial(_put, plain, self._timeout)
            if self._expected is not None and not isinstance(self._source, File):
                return self._in_passing(put, self._expected)
            size = self._tries.repeat(
                "an upload in parts", functools.partial(self._in_parts, put), renews=True
            )
            self.size = self._in_one(put) if size is None else size
            return self._unsure

    def _in_parts(self, put: Callable[..., Any]) -> Optional[int]:
        """Send in parts; return the number of bytes, None if that cannot be done."""
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
            return None  # An older server, which gave an address for the whole.
        self._announce(size)
        try:
            tags = PartedUpload(source, size, put, self._tries).run(place["urls"], self._tell)
        except OtherDataError:
            source.seek(self._start)
            return None
        except UploadError as error:
            source.seek(self._start)
            # Each part was repeated by itself; only new addresses are worth another try.
            error.is_passing = False
            raise
        if state_of(source) != state:
            raise UploadError("the source changed while it was sent")
        self._may_be_complete = False
        complete = functools.partial(self._complete, place["upload_id"], tags)
        self._tries.repeat("the end of an upload", complete)
        return size

    def _complete(self, upload_id: str, tags: list[dict[str, Any]]) -> None:
        """Have the parts joined; raise an :class:`UploadError` that says whether to repeat it."""
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
                # The request whose answer was lost may have joined them: compare what is stored.
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
        size, checksum = measure(self._source)
        self._source.seek(self._start)
        self._announce(size)
        begin = functools.partial(self._place, size, checksum=checksum)
        upload(self._source, size, begin, put, self._tries, self._tell)
        return size

    def _in_passing(self, put: Callable[..., Any], size: int) -> Optional[str]:
        """Send *size* bytes as they come; return what :meth:`run` does."""
        self._announce(size)
        begin = functools.partial(self._place, size, checksum=None)
        sent = pass_on(self._source, size, begin, put, self._tries, self._tell)
        self.size = size
        # Another tag says nothing: not every storage makes it of the data alone.
        return None if sent.tag == sent.checksum else sent.checksum

    def _place(self, size: int, **options: Value) -> dict[str, Any]:
        """Ask the server where to put *size* bytes."""
        return self._session.get_upload_metadata(
            component_id=self._component_id, file_name=self._name, file_size=size, **options
        )

    def _announce(self, size: int) -> None:
        """Compare the true *size* with what the source said, and tell the meter."""
        check_size(self._expected, size)
        if self._meter is not None:
            self._meter.set_size(size)

    def _tell(self, sent: int) -> None:
        """Tell the meter of the number of bytes sent."""
        if self._meter is not None:
            self._meter.move_to(sent)

    def _file_name(self, component_id: str) -> str:
        """Return the name under which the data is to be downloaded later."""
        component = self._session.get("FileComponent", component_id)
        if component is None:
            return component_id
        return f"{component['name']}{component['file_type'] or ''}"


@contextlib.contextmanager
def keeping_connections(session: Session) -> Generator[requests.Session, None, None]:
    """Yield what uploads of *session* are sent by; those within the context use the same.

    So the files of a sequence need not all connect anew.
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
    """Return whether the session can be asked for the addresses of parts.

    A program may have replaced the method by one of the older kind, which takes no *parts*.
    """
    if not is_overridden(session, "get_upload_metadata"):
        return True
    import inspect  # lazy: few programs replace the method

    # The signature of the replacement itself: a decorator shows that of the original.
    taken = inspect.signature(session.get_upload_metadata, follow_wrapped=False).parameters
    return "parts" in taken or any(each.kind is each.VAR_KEYWORD for each in taken.values())


def _put(plain: requests.Session, timeout: Timeout, url: str, **options: Value) -> Response:
    """Return the response to sending to *url*, which must not send us on."""
    return plain.put(url, timeout=timeout, allow_redirects=False, stream=True, **options)


def _plain_session(session: Session) -> requests.Session:
    """Return a request session without credentials, with the TLS and proxies of *session*.

    Upload addresses are signed and may lie on another host.
    """
    made = GuardedSession()
    made.headers["Accept-Encoding"] = ACCEPTED
    connection_settings_of(session).apply(made)
    made.auth = _no_authentication
    for prefix in ("https://", "http://"):
        made.mount(prefix, PooledAdapter(connections_of(session)))
    return made


def _no_authentication(request: PreparedRequest) -> PreparedRequest:
    """Return *request* as it is; without this, requests looks for a login in ``.netrc``."""
    return request


def _collected(source: Readable) -> Readable:
    """Return *source*, or what it holds if it neither tells its size nor can be read twice."""
    if remaining_size(source) is not None or position_of(source) is not None:
        return source
    collected = String(b"")
    for chunk in chunks(source):
        collected.write(chunk)
    collected.seek(0)
    return collected
