"""A sandbox in this process: a web server on a separate thread.

::

    with SandboxServer() as sandbox:
        print(sandbox.server_url, sandbox.api_user, sandbox.api_key)
"""

from __future__ import annotations

import asyncio
import functools
import math
import pathlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Optional, Union
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.clock import Clock
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.events.broker import Broker
from ftrack_like.sandbox.http_app import create_app
from ftrack_like.sandbox.interference.interceptor import Interceptor
from ftrack_like.sandbox.interference.switchboard import Switchboard
from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.media.jobs import EncodeSettings
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.network.connections import Connections, most_files
from ftrack_like.sandbox.network.farewell import Farewell
from ftrack_like.sandbox.network.gate import Gate
from ftrack_like.sandbox.network.hosts import AllowedHosts, is_any_address, machine_name
from ftrack_like.sandbox.network.listening import SharedListener, open_listener
from ftrack_like.sandbox.network.origins import AllowedOrigins
from ftrack_like.sandbox.network.protocols import NetworkConfig
from ftrack_like.sandbox.network.settings import Network
from ftrack_like.sandbox.operations.logs import continue_logs
from ftrack_like.sandbox.operations.shared_metrics import MetricsFolder
from ftrack_like.sandbox.operations.watch import Watch, metrics_networks
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.web.error_answers import ErrorAnswers
from ftrack_like.sandbox.web.on_demand import pages_on_demand
from ftrack_like.sandbox.webhooks.service import Webhooks

__all__ = ["SandboxServer"]

#: Seconds to wait for the start or the stop of the server.
_PATIENCE = 20.0

#: The number of connections that the event loop accepts before it checks their limits. Of a socket
#: that processes share, each takes one at a time, so that the others get their share.
_ACCEPTED_AT_ONCE = 64
_QUEUED = 2048

#: Seconds for which a process that is replaced waits for the next requests of its connections, so
#: that it can ask for new connections in the answers.
_LINGER = 3.0

#: Seconds to finish running requests at :meth:`SandboxServer.stop`.
_FINISHING = 3

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
    *switchboard* disturbs and watches requests; without it, they do not pass through that layer.
    *encoders* is the number of media that this process encodes at a time. With 0, it leaves them to
    other processes of the database, see :class:`~ftrack_like.sandbox.worker.EncodeWorker`.

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
        switchboard: Optional[Switchboard] = None,
        encoders: int = 1,
    ) -> None:
        """Nothing is opened before :meth:`start`."""
        self._network = network or Network()
        self._host = host
        self._port = port
        self._site_data = SiteData(data, user=user, key=key, demo=demo, url=database, media=media)
        self._limits = Limits() if limits is None else limits
        self._loopback_webhooks = loopback_webhooks
        self._encoding = EncodeSettings(workers=encoders)
        self._switchboard = switchboard
        #: The time that the server stamps. It stays the same object over several starts.
        self.clock: Clock = Clock()
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

    @property
    def lacks_demo(self) -> bool:
        """Return whether *demo* had no effect: the site existed, without the demo project."""
        return self._site_data.lacks_demo

    def start(self) -> None:
        """Open the data and listen; return when the server answers requests.

        Raise :exc:`OSError` if the address is in use or does not belong to this machine,
        :exc:`~ftrack_like.sandbox.data_folder.SiteError` if the data cannot be used, and
        :exc:`RuntimeError` if the server does not answer in time or is running already.
        """
        if self._thread is not None:
            raise RuntimeError("The sandbox is running already.")
        self._open_on(open_listener(self._host, self._port), self._site_data.open)

    def join(self, listener: SharedListener, administrator: RequestUser) -> None:
        """Start as one of the processes that share *listener* and the database.

        One process must have opened the site before. *administrator* is its user. Raise the errors
        of :meth:`start`.
        """
        if self._thread is not None:
            raise RuntimeError("The sandbox is running already.")
        self._open_on(listener, functools.partial(self._site_data.attach, administrator))

    def _open_on(self, listener: socket.socket, open_data: Callable[[], Database]) -> None:
        """Open the data and answer the requests that arrive at *listener*."""
        try:
            database = open_data()
            media = MediaService(
                database, self._site_data.media_folder(), self._limits, self._encoding
            )
            api = Api(
                database,
                media,
                self._network.public_url,
                self._limits,
                failed_logins=self._network.failed_logins,
                webhooks=Webhooks(database, self._loopback_webhooks, self.clock),
                clock=self.clock,
            )
        except BaseException:
            listener.close()
            self._site_data.close()
            raise
        self._port = listener.getsockname()[1]
        self._site_data.announce(self.server_url)
        api.start(self._site_data.administrator, self.public_url)
        self._api = api
        self._server = _Server(
            api,
            self._network,
            self._host,
            self._switchboard,
            accepted_at_once=1 if isinstance(listener, SharedListener) else _ACCEPTED_AT_ONCE,
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="ftrack-like-sandbox", daemon=True
        )
        self._thread.start()
        if not self._server.answers.wait(_PATIENCE) or self._server.failed:
            self.stop()
            raise RuntimeError("The sandbox did not start; its log contains the reason.")

    def share_metrics(self, folder: MetricsFolder) -> None:
        """Answer requests for metrics with those of all processes that share *folder*."""
        if self._server is None:
            raise RuntimeError("The sandbox is not running. Start it first.")
        self._server.watch.share_metrics(folder)

    def stop(self) -> None:
        """Stop listening, let running requests finish, and close the data."""
        self._stop(_PATIENCE)

    def leave(self, finishing: float, linger: bool = False) -> None:
        """Stop as :meth:`stop` does, but let requests run for up to *finishing* seconds.

        With *linger*, other processes continue to listen. Then the server asks its clients to open
        new connections, before it closes the idle ones.
        """
        if self._server is not None:
            self._server.leave(finishing, _LINGER if linger else 0.0)
        self._stop(finishing + _LINGER + _PATIENCE)

    def _stop(self, patience: float) -> None:
        """Stop the server, and wait up to *patience* seconds for its end."""
        server, thread = self._server, self._thread
        self._server = self._thread = self._api = None
        if server is None or thread is None:
            return
        if not server.is_leaving:
            server.should_exit = True
        thread.join(patience)
        self._site_data.close()

    @property
    def broker(self) -> Broker:
        """Return the broker of events; raise :exc:`RuntimeError` if the sandbox is not running."""
        if self._server is None:
            raise RuntimeError("The sandbox is not running. Start it first.")
        return self._server.broker

    def drop_connections(self) -> None:
        """Close the connections of all clients, as a network failure would.

        A session connects again with its next request, and an event hub in the background.
        """
        if self._server is not None:
            self._server.drop_connections()

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

    def __init__(
        self,
        api: Api,
        network: Network,
        host: str,
        switchboard: Optional[Switchboard],
        accepted_at_once: int,
    ) -> None:
        self._connections = Connections(network, most_files())
        names = [*network.allowed_hosts, urlsplit(network.public_url or "").hostname or host]
        application = create_app(api, [pages_on_demand()])
        self.broker: Broker = application.state.broker
        self._farewell = Farewell(
            Gate(
                ErrorAnswers(application),
                AllowedHosts(host, names),
                AllowedOrigins(network.allowed_origins),
            )
        )
        app: ASGIApp = self._farewell
        if switchboard is not None:
            app = Interceptor(app, switchboard, self._connections)
        app = self.watch = Watch(app, api, self.broker, metrics_networks(network.metrics_from))
        config = NetworkConfig(
            app,
            network,
            self._connections,
            loop="asyncio",
            lifespan="on",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_FINISHING,
            backlog=accepted_at_once,
        )
        super().__init__(config)
        continue_logs()
        #: The end of the time to linger, None before :meth:`leave`.
        self._leave_at: Optional[float] = None
        self.answers = threading.Event()
        self.failed = False

    def drop_connections(self) -> None:
        """Close all connections from any thread, and return when they are closed."""
        asyncio.run_coroutine_threadsafe(self._drop_connections(), self._loop).result(_PATIENCE)

    async def _drop_connections(self) -> None:
        self._connections.abort_all()
        deadline = time.monotonic() + _PATIENCE
        while len(self._connections) and time.monotonic() < deadline:
            await asyncio.sleep(0)

    async def startup(self, sockets: Optional[list[socket.socket]] = None) -> None:
        """Start as uvicorn does, then set :attr:`answers`."""
        self._loop = asyncio.get_running_loop()
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

    @property
    def is_leaving(self) -> bool:
        """Return whether the server ends by itself, after :meth:`leave`."""
        return self._leave_at is not None

    def leave(self, finishing: float, linger: float) -> None:
        """Stop accepting connections, linger for some seconds, then stop; from any thread.

        Running requests have *finishing* seconds from then on.
        """
        self.config.timeout_graceful_shutdown = math.ceil(finishing)
        self._leave_at = time.monotonic() + linger

    async def on_tick(self, counter: int) -> bool:
        """Close the connections that exceed a time limit, every second."""
        if self._leave_at is not None:
            if not self._farewell.said:
                self._farewell.said = True
                for one in self.servers:
                    one.close()
            if not len(self._connections) or time.monotonic() >= self._leave_at:
                self.should_exit = True
        if counter % _TICKS == 0:
            self._connections.close_overdue()
        return await super().on_tick(counter)
