"""A sandbox in this process: a web server on a separate thread.

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
from urllib.parse import urlsplit

import uvicorn

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.auth import RequestCredentials
from ftrack_like.sandbox.http_app import create_app
from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.network.connections import Connections, most_files
from ftrack_like.sandbox.network.gate import Gate
from ftrack_like.sandbox.network.hosts import AllowedHosts, is_any_address, machine_name
from ftrack_like.sandbox.network.origins import AllowedOrigins
from ftrack_like.sandbox.network.protocols import NetworkConfig
from ftrack_like.sandbox.network.settings import Network
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.web.on_demand import pages_on_demand
from ftrack_like.sandbox.webhooks.service import Webhooks

__all__ = ["SandboxServer"]

#: Seconds to wait for the start or the stop of the server.
_PATIENCE = 20.0

#: Bytes that a connection may receive before the server reads them.
_RECEIVED = 64 * 1024

#: The number of connections that the system may queue until they are accepted, and the number that
#: the event loop accepts before it checks their limits.
_QUEUED = 2048
_ACCEPTED_AT_ONCE = 64

#: Turns of uvicorn's main loop per second.
_TICKS = 10


class SandboxServer:
    """A sandbox that listens on *host* and *port*; a context manager that starts and stops it.

    *data* is the folder for its data; with None, the data are lost at :meth:`stop`. *database* is
    the URL of a PostgreSQL database to use instead. *port* 0 picks a free port. *user* and *key*
    belong to the administrator. Without *key*, the sandbox uses the key that is stored with the
    data, or creates a random key. *demo* adds the demo project to a new site. *media* is the folder
    for files. By default, it is next to the data, or for a database, in the user's data folder.
    *limits* bound the work of requests; None means the defaults of
    :class:`~ftrack_like.sandbox.limits.Limits`. *network* contains names of the server and limits
    on connections, see :class:`~ftrack_like.sandbox.network.settings.Network`. With
    *loopback_webhooks*, webhooks may have addresses with ``http://`` that lead to this machine.

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
        network: Optional[Network] = None,
        limits: Optional[Limits] = None,
        loopback_webhooks: bool = False,
    ) -> None:
        """Nothing is opened before :meth:`start`."""
        self._network = network or Network()
        self._host = host
        self._port = port
        self._site_data = SiteData(data, user=user, key=key, demo=demo, url=database, media=media)
        self._limits = Limits() if limits is None else limits
        self._loopback_webhooks = loopback_webhooks
        self._api: Optional[Api] = None
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
        """Return address, user and state; the key never appears."""
        state = "running" if self._thread is not None else "stopped"
        return f"<{type(self).__name__} {self.server_url} user={self.api_user!r} {state}>"

    @property
    def server_url(self) -> str:
        """Return the address for clients; its port is only known after the start."""
        return self._address(self._host)

    @property
    def public_url(self) -> str:
        """Return the address for mails: the public one, if it is configured."""
        host = machine_name() if is_any_address(self._host) else self._host
        return self._network.public_url or self._address(host)

    def _address(self, host: str) -> str:
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def api_user(self) -> str:
        """Return the name of the administrator."""
        return self._site_data.user

    @property
    def api_key(self) -> str:
        """Return the key of the administrator."""
        return self._site_data.key

    def start(self) -> None:
        """Open the data and listen; return when the server answers requests.

        Raise :exc:`OSError` if the address is in use or does not belong to this machine,
        :exc:`~ftrack_like.sandbox.data_folder.SiteError` if the data cannot be used, and
        :exc:`RuntimeError` if the server does not answer in time or is running already.
        """
        if self._thread is not None:
            raise RuntimeError("The sandbox is running already.")
        listener = _listen(self._host, self._port)
        try:
            database = self._site_data.open()
            media = MediaService(self._site_data.media_folder(), self._limits)
            api = Api(
                database,
                media,
                self._network.public_url,
                self._limits,
                failed_logins=self._network.failed_logins,
                webhooks=Webhooks(database, self._loopback_webhooks),
            )
        except BaseException:
            listener.close()
            self._site_data.close()
            raise
        self._port = listener.getsockname()[1]
        self._site_data.announce(self.server_url)
        api.start(
            api.authenticate(RequestCredentials(self.api_user, self.api_key)), self.public_url
        )
        self._api = api
        self._server = _Server(api, self._network, self._host)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="ftrack-like-sandbox", daemon=True
        )
        self._thread.start()
        if not self._server.answers.wait(_PATIENCE) or self._server.failed:
            self.stop()
            raise RuntimeError("The sandbox did not start; its log contains the reason.")

    def stop(self) -> None:
        """Stop listening, let running requests finish, and close the data."""
        server, thread = self._server, self._thread
        self._server = self._thread = self._api = None
        if server is None or thread is None:
            return
        server.should_exit = True
        thread.join(_PATIENCE)
        self._site_data.close()

    def reset(self) -> None:
        """Replace all data by the data of a new site; user and key stay."""
        self._site_data.reset()
        if self._api is not None:
            self._api.media.store.clear()
            self._api.outbox.clear()
            for listener in self._api.reset_listeners:
                listener()


class _Server(uvicorn.Server):
    """A uvicorn server that reports when it answers, and enforces the limits of *network*."""

    def __init__(self, api: Api, network: Network, host: str) -> None:
        self._connections = Connections(network, most_files())
        names = [*network.allowed_hosts, urlsplit(network.public_url or "").hostname or host]
        app = Gate(
            create_app(api, [pages_on_demand()]),
            AllowedHosts(host, names),
            AllowedOrigins(network.allowed_origins),
        )
        config = NetworkConfig(
            app,
            network,
            self._connections,
            loop="asyncio",
            lifespan="on",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=3,
            backlog=_ACCEPTED_AT_ONCE,
        )
        super().__init__(config)
        self.answers = threading.Event()
        self.failed = False

    async def startup(self, sockets: Optional[list[socket.socket]] = None) -> None:
        """Start as uvicorn does, then set :attr:`answers`."""
        try:
            await super().startup(sockets=sockets)
            for listener in sockets or ():
                listener.listen(_QUEUED)
            self.failed = self.should_exit
        except BaseException:
            self.failed = True
            raise
        finally:
            self.answers.set()

    async def on_tick(self, counter: int) -> bool:
        """Close the connections that exceed a time limit, every second."""
        if counter % _TICKS == 0:
            self._connections.close_overdue()
        return await super().on_tick(counter)


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
    # Accepted connections inherit this option. asyncio sets it only on sockets that name their
    # protocol, which these do not. Without it, an answer in two pieces waits 40 ms for an
    # acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The server reads data as soon as they arrive. A longer queue would only take more memory,
    # several times for each part of an upload.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED)
    return listener
