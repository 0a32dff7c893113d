"""A sandbox in this process: a web server on a thread of its own.

::

    with SandboxServer() as sandbox:
        print(sandbox.server_url, sandbox.api_user, sandbox.api_key)
"""

from __future__ import annotations

import pathlib
import socket
import threading
from types import TracebackType
from typing import Optional, Union

import uvicorn
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.utilities import LocalProtocolError

from ftrack_like.sandbox.app import create_app
from ftrack_like.sandbox.auth import Credentials
from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.service import Service
from ftrack_like.sandbox.site import Site
from ftrack_like.sandbox.web.on_demand import pages_on_demand

__all__ = ["SandboxServer"]

#: How long starting and stopping may take before they are given up, in seconds.
_PATIENCE = 20.0

#: Bytes that a connection may have received and not read yet.
_RECEIVED = 64 * 1024


class SandboxServer:
    """A sandbox that listens on *host* and *port*; a context manager that starts and stops it.

    *data* is the folder that keeps its data; None keeps nothing beyond :meth:`stop`. *database*
    is a URL to use instead, for PostgreSQL. *port* 0 picks a free one. *user* and *key* are the
    administrator's; a *key* of None is made up, or found beside the data. *demo* adds the demo
    project to fresh data. *media* is the folder for files; by default it is beside the data, or,
    for a database, a folder for it in the user's data folder. *limits* bound the work of
    requests; None takes the defaults of :class:`~ftrack_like.sandbox.limits.Limits`.

    Methods may be called from any thread.
    """

    def __init__(
        self,
        data: Union[str, pathlib.Path, None] = None,
        host: str = "127.0.0.1",
        port: int = 0,
        user: str = "admin",
        key: Optional[str] = None,
        demo: bool = False,
        *,
        database: Optional[str] = None,
        media: Union[str, pathlib.Path, None] = None,
        limits: Optional[Limits] = None,
    ) -> None:
        """Prepare a sandbox; nothing is opened before :meth:`start`."""
        self._host = host
        self._port = port
        self._site = Site(data, user=user, key=key, demo=demo, url=database, media=media)
        self._limits = Limits() if limits is None else limits
        self._service: Optional[Service] = None
        self._server: Optional[_Server] = None
        self._thread: Optional[threading.Thread] = None

    def __enter__(self) -> SandboxServer:
        """Start the sandbox and return it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Stop the sandbox."""
        self.stop()

    def __repr__(self) -> str:
        """Return address and user; the key never shows."""
        state = "running" if self._thread is not None else "stopped"
        return f"<{type(self).__name__} {self.server_url} user={self.api_user!r} {state}>"

    @property
    def server_url(self) -> str:
        """Return the address to give to clients; the port is known once started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def api_user(self) -> str:
        """Return the name of the administrator."""
        return self._site.user

    @property
    def api_key(self) -> str:
        """Return the key of the administrator."""
        return self._site.key

    def start(self) -> None:
        """Open the data and listen; return when requests are answered.

        Raise :exc:`OSError` if the address is taken or does not belong to this machine, and
        :exc:`~ftrack_like.sandbox.site.SiteError` if the data cannot be used.
        """
        if self._thread is not None:
            raise RuntimeError("The sandbox is running already.")
        listener = _listen(self._host, self._port)
        try:
            database = self._site.open()
            media = MediaService(self._site.media_folder(), self._limits)
            service = Service(database, media, limits=self._limits)
        except BaseException:
            listener.close()
            self._site.close()
            raise
        self._port = listener.getsockname()[1]
        self._site.announce(self.server_url)
        service.start(
            service.authenticate(Credentials(self.api_user, self.api_key)), self.server_url
        )
        self._service = service
        self._server = _Server(service)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="ftrack-like-sandbox", daemon=True
        )
        self._thread.start()
        if not self._server.answers.wait(_PATIENCE) or self._server.failed:
            self.stop()
            raise RuntimeError("The sandbox did not start; its log says why.")

    def stop(self) -> None:
        """Stop listening, let running requests finish, and close the data."""
        server, thread = self._server, self._thread
        self._server = self._thread = self._service = None
        if server is None or thread is None:
            return
        server.should_exit = True
        thread.join(_PATIENCE)
        self._site.close()

    def reset(self) -> None:
        """Bring the data back to those of a fresh site; user and key stay."""
        self._site.reset()
        if self._service is not None:
            self._service.media.store.clear()
            self._service.outbox.clear()
            for listener in self._service.reset_listeners:
                listener()


class _Server(uvicorn.Server):
    """A uvicorn server that tells when it answers."""

    def __init__(self, service: Service) -> None:
        config = uvicorn.Config(
            create_app(service, [pages_on_demand()]),
            http="h11",
            ws=_Websocket,
            loop="asyncio",
            lifespan="on",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=3,
        )
        super().__init__(config)
        self.answers = threading.Event()
        self.failed = False

    async def startup(self, sockets: Optional[list[socket.socket]] = None) -> None:
        """Start as uvicorn does, then say so."""
        try:
            await super().startup(sockets=sockets)
            self.failed = self.should_exit
        except BaseException:
            self.failed = True
            raise
        finally:
            self.answers.set()


class _Websocket(WSProtocol):
    """A websocket that may be closing by itself when the server stops."""

    def shutdown(self) -> None:
        """Say goodbye and close, as uvicorn does; there is nobody to tell once it is closed."""
        try:
            super().shutdown()
        except LocalProtocolError:  # it would keep the server from stopping the others
            self.transport.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise OSError(
            error.errno,
            f"The sandbox cannot listen on {host}:{port}: {error.strerror}. "
            f"Choose another port; 0 picks a free one.",
        ) from error
    # Connections inherit this. asyncio sets it only where a socket names its protocol, which these
    # do not, and without it an answer in two pieces waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # What comes is read as fast as it comes; a longer queue would only be a larger piece in memory,
    # several times over, for each of the parts of an upload.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED)
    return listener
