"""The accessor for data in the storage of the server."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlencode

import requests

from ftrack_like._base.collaborators import (
    calls_of,
    connection_settings_of,
    connections_of,
    observers_of,
    request_session_of,
    retry_policy_of,
)
from ftrack_like._transport.limits import limited
from ftrack_like._transport.redaction import masked
from ftrack_like.accessor._download import Download
from ftrack_like.accessor._tries import POLICY, DownloadError, Tries, problem
from ftrack_like.accessor.base import Accessor, Incoming
from ftrack_like.data import String
from ftrack_like.exception import AccessorOperationFailedError, ConnectionClosedError

if TYPE_CHECKING:
    from requests import Response

    from ftrack_like._base.types import Content, Readable, Value
    from ftrack_like.session import Session

__all__ = ["ServerFile"]


class ServerFile(String):
    """The data of one component in the storage of the server.

    Opened for reading, it streams the data. Opened for writing, it collects the data in memory,
    later on disk, and :meth:`flush` or :meth:`close` sends the data if it has changed.
    """

    def __init__(self, resource_identifier: str, session: Session, mode: str = "rb") -> None:
        """Initialise for the component with the id *resource_identifier*.

        *mode* begins with ``"r"`` or ``"w"``. The content is always bytes.
        """
        super().__init__()
        self.mode = mode
        self.resource_identifier = resource_identifier
        self._session = session
        self._is_changed = not self._reads
        self._download: Optional[Download] = None

    @property
    def _reads(self) -> bool:
        """Whether the file was opened for reading."""
        return "r" in self.mode

    def _incoming(self) -> Download:
        """Return the download; create it at the first read."""
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if self._download is None:
            transport = _Transport(self._session)
            self._download = Download(
                lambda headers: transport.get(self.resource_identifier, headers), transport.tries
            )
        return self._download

    def read(self, limit: Optional[int] = None) -> bytes:
        """Return at most *limit* bytes from the current position, or the rest if it is None.

        Raise :exc:`~ftrack_like.exception.AccessorOperationFailedError` if the download fails or
        is incomplete.
        """
        if not self._reads:
            content: bytes = super().read(limit)
            return content
        try:
            return self._incoming().read(None if limit is None or limit < 0 else limit)
        except DownloadError as error:
            raise self._error("read", error) from error

    def write(self, content: Content) -> None:
        """Write *content* at the current position.

        Raise :exc:`io.UnsupportedOperation` if the file was opened for reading.
        """
        if self._reads:
            raise io.UnsupportedOperation("not writable")
        self._is_changed = True
        super().write(content)
        self.is_binary = True

    def flush(self) -> None:
        """Send the written data to the server if it has changed since the last flush.

        Raise :exc:`~ftrack_like.exception.AccessorOperationFailedError` if the upload fails.
        """
        super().flush()
        if not self._is_changed:
            return
        position = self.tell()
        self.seek(0)
        try:
            _Transport(self._session).put(self.resource_identifier, self)
        finally:
            self.seek(position)
        self._is_changed = False

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Move to *offset* bytes from *whence*, one of the constants ``os.SEEK_*``.

        Raise :exc:`NotImplementedError` for ``os.SEEK_END`` if the size is unknown.
        """
        if not self._reads:
            super().seek(offset, whence)
            return
        download = self._incoming()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: download.position}.get(whence)
        if base is None:
            base = self._size()
            if base is None:
                raise NotImplementedError("The server does not send the size of the data.")
        download.seek(max(base + offset, 0))

    def tell(self) -> int:
        """Return the current position, in bytes from the start."""
        return self._incoming().position if self._reads else super().tell()

    def remaining_size(self) -> Optional[int]:
        """Return the number of bytes left from the current position; None if unknown."""
        if not self._reads:
            return None
        size = self._size()
        return None if size is None else max(size - self.tell(), 0)

    def _size(self) -> Optional[int]:
        """Return the size of the data on the server in bytes; None if unknown."""
        try:
            return self._incoming().size()
        except DownloadError as error:
            raise self._error("read", error) from error

    def __exit__(self, *error: object) -> None:
        """Close the file. After an exception, do not send the incomplete data."""
        if error and error[0] is not None:
            self._is_changed = False
        super().__exit__(*error)

    def close(self) -> None:
        """Send unsent changes and close the file."""
        if self.closed:
            return
        try:
            super().close()
        finally:
            if self._download is not None:
                self._download.close()

    def _error(self, operation: str, error: Exception) -> AccessorOperationFailedError:
        """Return the error of the accessor for *error*."""
        return _failure(operation, self.resource_identifier, error, self._session)


class _ServerAccessor(Accessor):
    """Reads and writes the storage of the server. Resource identifiers are component ids."""

    is_thread_safe = True

    def __init__(self, session: Session, **kw: Value) -> None:
        """Initialise for the server of *session*."""
        super().__init__(**kw)
        self._session = session

    def open(self, resource_identifier: str, mode: str = "rb") -> ServerFile:
        """Return the :class:`ServerFile` of *resource_identifier*, opened in *mode*."""
        return ServerFile(resource_identifier, session=self._session, mode=mode)

    def receiving_several(self, files: Sequence[Incoming] = ()) -> AbstractContextManager[Any]:
        """Return a context manager; uploads of *files* inside it share connections and requests."""
        # lazy: most sessions send no data
        from ftrack_like.accessor._sending import sending_several

        return sending_several(self._session, files)

    def receive(self, resource_identifier: str, source: Readable) -> int:
        """Upload the open data *source* as a stream; return the number of bytes.

        The data is visible on the server only when it is complete.
        """
        return _Transport(self._session).put(resource_identifier, source)

    def remove(self, resource_identifier: str) -> None:
        """Remove the data of *resource_identifier*.

        Raise :exc:`~ftrack_like.exception.AccessorOperationFailedError` if that fails.
        """
        _Transport(self._session).remove(resource_identifier)

    def get_container(self, resource_identifier: str) -> Optional[str]:  # type: ignore[override]
        """Return None, since there are no containers."""
        return None

    def make_container(self, resource_identifier: str, recursive: bool = True) -> None:
        """Do nothing, since there are no containers."""

    def list(self, resource_identifier: str) -> list[str]:
        """Raise :exc:`NotImplementedError`: the server does not list its data."""
        raise NotImplementedError("The server's storage cannot be listed.")

    def exists(self, resource_identifier: str) -> bool:
        """Return False: an upload replaces existing data, so it never conflicts."""
        return False

    def is_file(self, resource_identifier: str) -> bool:
        """Raise :exc:`NotImplementedError`: the server does not report kinds of resources."""
        raise NotImplementedError("The server's storage does not report whether data is a file.")

    def is_container(self, resource_identifier: str) -> bool:
        """Raise :exc:`NotImplementedError`: there are no containers."""
        raise NotImplementedError("The server's storage has no containers.")

    def is_sequence(self, resource_identifier: str) -> bool:
        """Raise :exc:`NotImplementedError`: there are no sequences."""
        raise NotImplementedError("The server's storage has no sequences.")

    def get_url(self, resource_identifier: str) -> str:
        """Return the address of the data of *resource_identifier*.

        It contains the API key, since it must work without headers. Treat it as a secret.
        """
        return self._address("get", resource_identifier)

    def get_thumbnail_url(self, resource_identifier: str, size: Optional[int] = None) -> str:
        """Return the address of a scaled image of *resource_identifier*.

        Its longer side has *size* pixels; the server chooses the size if that is None. The address
        contains the API key. Treat it as a secret.
        """
        more = {} if size is None else {"size": str(size)}
        return self._address("thumbnail", resource_identifier, more)

    def _address(
        self, action: str, resource_identifier: str, more: Optional[Mapping[str, str]] = None
    ) -> str:
        """Return the address of *action* on the data of *resource_identifier*."""
        session = self._session
        parameters = {
            "id": resource_identifier,
            "username": session.api_user,
            "apiKey": session.api_key,
            **(more or {}),
        }
        return f"{session.server_url}/component/{action}?{urlencode(parameters)}"


class _Transport:
    """Uploads and downloads with the connection settings of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._timeout = connection_settings_of(session).timeout(session.request_timeout)
        self.tries = Tries(
            retry_policy_of(session) or POLICY, self._timeout, connections_of(session)
        )

    def get(self, resource_identifier: str, headers: Mapping[str, str]) -> Response:
        """Return the streaming response with the data of *resource_identifier*.

        The credentials are headers, and a redirect to another host does not carry them.
        """
        return self._request("get", resource_identifier, headers)

    def _request(
        self, action: str, resource_identifier: str, headers: Optional[Mapping[str, str]] = None
    ) -> Response:
        """Return the streaming response to *action* on the data of *resource_identifier*.

        If the server refuses the key and the program has a function for credentials, ask again.
        """
        session = self._session
        used = (session.api_user, session.api_key)

        address = f"{session.server_url}/component/{action}"

        def get() -> Response:
            return request_session_of(session).get(
                address,
                params={"id": resource_identifier},
                headers=dict(headers or {}),
                stream=True,
                timeout=self._timeout,
            )

        def send() -> Response:
            return observers_of(session).transfer("GET", address, get)

        response = send()
        # Not 403: a storage answers with it when its signed address has expired.
        if response.status_code != 401 or calls_of(session).renew(used) is None:
            return response
        response.close()
        return send()

    def remove(self, resource_identifier: str) -> None:
        """Remove the data of *resource_identifier* from the server."""
        try:
            with limited(self.tries.limit()):
                response = self._request("remove", resource_identifier)
            response.close()
            response.raise_for_status()
        except requests.exceptions.RequestException as error:
            text = DownloadError(problem(error)) if error.response is None else error
            raise _failure("remove", resource_identifier, text, self._session) from error

    def put(self, resource_identifier: str, source: Readable) -> int:
        """Upload *source* from its current position; return the number of bytes.

        The module :mod:`ftrack_like.accessor._sending` describes the ways. If the storage did not
        confirm the checksum, read the stored data back and compare it. The data is visible on the
        server only when it is complete.
        """
        # lazy: most sessions send no data
        from ftrack_like.accessor._sending import ComponentUpload

        sending = ComponentUpload(
            self._session, resource_identifier, source, self._timeout, self.tries
        )
        try:
            unsure = sending.run()
            if unsure is not None:
                self._compare(resource_identifier, unsure)
            return sending.size
        except (AccessorOperationFailedError, ConnectionClosedError):
            raise
        except Exception as error:
            raise _failure("upload", resource_identifier, error, self._session) from error

    def _compare(self, resource_identifier: str, checksum: str) -> None:
        """Read the stored data back; if it has another *checksum*, remove it and raise an error."""
        # lazy: most sessions send no data
        from ftrack_like.accessor._upload import chunks

        digest = hashlib.md5(usedforsecurity=False)
        with ServerFile(resource_identifier, self._session) as stored:
            for chunk in chunks(stored):
                digest.update(chunk)
        if digest.hexdigest() != checksum:
            self.remove(resource_identifier)
            raise DownloadError("the stored data does not have the checksum of the sent data")


def _failure(
    operation: str, resource_identifier: str, error: Exception, session: Session
) -> AccessorOperationFailedError:
    """Return the error that *operation* failed, without the API key in its text."""
    text = masked(str(error), session.api_key)
    return AccessorOperationFailedError(
        operation, resource_identifier=resource_identifier, error=text
    )
