"""The only socket of the event hub, and the thread that keeps it open.

The first half opens, reads and closes one websocket. It takes whatever
`websocket.create_connection` returns and asks of it no more than `send`, `recv` and `close`; what
more a real websocket can do is used when it is there.

The second half, :class:`Link`, stays connected over as many websockets as it takes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional, Union
from urllib.parse import urlsplit

import requests.utils

from ftrack_like import exception
from ftrack_like._transport.settings import ConnectionSettings, ca_bundle
from ftrack_like.event.delivery import back_off
from ftrack_like.wire.states import LINK, advance

__all__ = ["SEND_TIMEOUT", "Link", "LinkHooks", "faults", "open_websocket", "weakly"]

#: How long sending may stall, in seconds, before the websocket counts as broken.
SEND_TIMEOUT = 2.0
#: How long closing waits for the thread to end, in seconds.
JOIN_TIMEOUT = 0.3
#: How often a link that waits to connect again looks whether its owner is still there, in seconds.
LOOK = 0.5
#: How much is read before something is sent again, however much there is to read.
READ_AT_ONCE = 100
#: How long a websocket may be silent, counted in heartbeats, before it counts as broken.
SILENT_HEARTBEATS = 1.4


def faults() -> tuple[type[BaseException], ...]:
    """Return the errors that say that a websocket is broken."""
    import websocket  # lazy: only who connects pays for it

    return (websocket.WebSocketException, OSError)


def open_websocket(
    address: str,
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    settings: ConnectionSettings,
    timeout: float,
) -> Any:
    """Return a websocket to *address*, opened within *timeout* seconds for each step of it.

    TLS and proxies are passed on explicitly, since the websocket library does not know the
    settings of requests. Raise one of :func:`faults` if it cannot be opened.
    """
    import websocket  # lazy: only who connects pays for it

    from ftrack_like.event.swift_websocket import SwiftWebSocket  # lazy: imports the library

    connection = websocket.create_connection(
        address,
        timeout=timeout,
        class_=SwiftWebSocket,
        header=[f"{name}: {value}" for name, value in headers.items()],
        cookie="; ".join(f"{name}={value}" for name, value in cookies.items()) or None,
        enable_multithread=True,
        sslopt=tls_options(settings),
        **proxy_options(address, settings),
    )
    if hasattr(connection, "settimeout"):
        connection.settimeout(SEND_TIMEOUT)
    return connection


def tls_options(settings: ConnectionSettings) -> dict[str, Any]:
    """Return *settings* as the TLS options of the websocket library."""
    import ssl  # lazy: only who connects pays for it

    if settings.verify is False:
        options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    else:
        bundle = settings.verify if isinstance(settings.verify, str) else ca_bundle()
        bundle = bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH
        place = "ca_cert_path" if os.path.isdir(bundle) else "ca_certs"
        options = {"cert_reqs": ssl.CERT_REQUIRED, place: bundle}
    if isinstance(settings.cert, str):
        options["certfile"] = settings.cert
    elif settings.cert:
        options["certfile"], options["keyfile"] = settings.cert
    return options


def proxy_options(address: str, settings: ConnectionSettings) -> dict[str, Any]:
    """Return the proxy for *address* as options of the websocket library.

    The proxy is chosen as requests chooses it: from *settings*, or from the environment.
    """
    plain = address.replace("ws", "http", 1)
    proxies = dict(settings.proxies or ())
    if not proxies and not requests.utils.should_bypass_proxies(plain, no_proxy=None):
        proxies = requests.utils.get_environ_proxies(plain)
    chosen = requests.utils.select_proxy(plain, proxies)
    if not chosen:
        return {"http_no_proxy": ["*"]}
    parts = urlsplit(chosen if "://" in chosen else f"http://{chosen}")
    options: dict[str, Any] = {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or 80,
        "proxy_type": "http" if parts.scheme == "https" else parts.scheme,
        # Whether to pass the proxy by was decided above; an empty list would ask again.
        "http_no_proxy": ["no-such-host.invalid"],
    }
    user, password = requests.utils.get_auth_from_url(parts.geturl())
    if user:
        options["http_proxy_auth"] = (user, password)
    return options


class Readiness:
    """Tells whether there is something to read on a connection; a context.

    A look-alike without a socket always has something.
    """

    def __init__(self, connection: Any) -> None:
        """Initialise for *connection*."""
        sock = getattr(connection, "sock", None)
        self._sock = sock if isinstance(sock, socket.socket) else None
        # A selector that is no open file itself, where there is one: connections may be many.
        kind = getattr(selectors, "PollSelector", selectors.DefaultSelector)
        self._selector = kind() if self._sock is not None else None
        #: What was read from the socket already.
        self._waiting = getattr(connection, "waiting", ()) if self._sock is not None else ()

    @property
    def can_tell(self) -> bool:
        """Return whether this knows of the connection what it says."""
        return self._sock is not None

    def __enter__(self) -> Readiness:
        """Begin to watch and return this."""
        if self._selector is not None and self._sock is not None:
            with contextlib.suppress(ValueError):  # closed meanwhile: reading will tell
                self._selector.register(self._sock, selectors.EVENT_READ)
        return self

    def __exit__(self, *error: object) -> None:
        """Watch no longer."""
        if self._selector is not None:
            self._selector.close()

    def wait(self, timeout: float) -> bool:
        """Return whether there is something to read within *timeout* seconds."""
        if self._waiting or self._sock is None or self._selector is None:
            return True
        if self._sock.fileno() < 0:
            return True
        pending = getattr(self._sock, "pending", None)
        if pending is not None and pending():  # read from the network, but still within TLS
            return True
        return bool(self._selector.select(timeout))


def break_off(connection: Any, politely: bool = True) -> None:
    """End the conversation on *connection* without waiting for the other end.

    *politely* says goodbye first, which may take a moment. A thread that reads or writes wakes
    up; it is the one to call :func:`close_websocket` afterwards, since a socket that is closed
    under its reader would let it sleep.
    """
    with contextlib.suppress(*faults()):
        if politely and hasattr(connection, "send_close"):
            connection.send_close()
    sock = getattr(connection, "sock", None)
    with contextlib.suppress(*faults()):
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)
        else:
            connection.close()


def close_websocket(connection: Any) -> None:
    """Close *connection* at once, whatever state it is in."""
    break_off(connection, politely=False)
    with contextlib.suppress(*faults()):
        finish = getattr(connection, "shutdown", None) or connection.close
        finish()


class LinkHooks(NamedTuple):
    """What a link asks of its owner. All are called on the thread that opens or reads.

    An owner may have parted from the link that calls, and have another one by now.

    * *open* returns a websocket and its heartbeat in seconds, or raises
      :exc:`~ftrack_like.exception.EventHubConnectionError`.
    * *opened* is told of the link, the websocket, and for how many seconds there was none; None
      on the first one.
    * *idle* is called when nothing is to be read, and now and then otherwise: it sends a little
      of what waits, and returns after how many seconds it wants to be called again, 0 when more
      waits, None when nothing does. It is told whether reading may take for ever after that.
    * *received* is given what was read, text or bytes; it must not raise.
    * *lost* is told of the link and why its websocket is gone.
    """

    open: Callable[[], tuple[Any, float]]
    opened: Callable[[Link, Any, Optional[float]], None]
    idle: Callable[[bool], Optional[float]]
    received: Callable[[Union[str, bytes]], None]
    lost: Callable[[Link, str], None]


def weakly(hooks: LinkHooks) -> LinkHooks:
    """Return *hooks*, methods of one object, without keeping that object alive.

    Once it is gone, they do nothing, and ``open`` raises EventHubConnectionError. Otherwise the
    thread of a link would keep a hub, with its session and all entities of that, for ever.
    """

    def hooked(hook: Callable[..., Any], gone: Optional[str] = None) -> Callable[..., Any]:
        method = weakref.WeakMethod(hook)

        def call(*arguments: Any) -> Any:
            target = method()
            if target is not None:
                return target(*arguments)
            if gone is not None:
                raise exception.EventHubConnectionError(gone)
            return None

        return call

    return LinkHooks(
        hooked(hooks.open, "The event hub is not in use any more."),
        hooked(hooks.opened),
        hooked(hooks.idle),
        hooked(hooks.received),
        hooked(hooks.lost),
    )


class Link:
    """Keeps a websocket open, opening a new one whenever it breaks, until it is closed.

    The thread keeps the link alive, and the link its *hooks*. Hooks that hold their owner
    :func:`weakly` let a program drop the owner; see :meth:`end_with`.

    Methods may be called from any thread. After :meth:`close` nothing opens it again: whoever
    wants to connect anew makes another link.
    """

    def __init__(self, hooks: LinkHooks, logger: logging.Logger) -> None:
        """Initialise a link that serves *hooks* and tells *logger* what happens."""
        self.connection: Any = None
        self._hooks = hooks
        self._logger = logger
        self._state = "new"
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._abandoned = False
        self._finaliser: Optional[weakref.finalize[Any, Any]] = None
        self._process = os.getpid()
        self._heartbeat = 0.0
        self._lost_at: Optional[float] = None
        self._thread = threading.Thread(target=self._run, name="ftrack-event-hub", daemon=True)

    @property
    def closed(self) -> bool:
        """Return whether the link was closed, or abandoned."""
        return self._abandoned or self._closing.is_set()

    def start(self) -> None:
        """Begin to read, or to connect where :meth:`open` did not, on a thread of its own."""
        self._thread.start()

    def open(self) -> None:
        """Open a websocket now.

        Raise :exc:`~ftrack_like.exception.EventHubConnectionError` if that fails or if the link
        was closed meanwhile.
        """
        self._step("connect")
        if self._state == "closed":
            raise exception.EventHubConnectionError("The event hub was closed.")
        try:
            connection, heartbeat = self._hooks.open()
        except exception.EventHubConnectionError:
            self._step("failed")
            raise
        with self._guard:
            self._state = advance(LINK, self._state, "opened")
            if self._state == "connected":
                self.connection, self._heartbeat = connection, heartbeat
        if self._state == "closed":
            close_websocket(connection)
            raise exception.EventHubConnectionError("The event hub was closed while connecting.")
        gap = None if self._lost_at is None else time.monotonic() - self._lost_at
        self._hooks.opened(self, connection, gap)

    def suspect(self, connection: Any) -> None:
        """Give up *connection*, on which sending failed; the thread will open another."""
        if connection is self.connection:
            break_off(connection, politely=False)

    def break_off(self) -> None:
        """End the conversation on the websocket of now, if there is one, without a word."""
        connection = self.connection
        if connection is not None:
            break_off(connection, politely=False)

    def close(self, politely: bool = True) -> None:
        """Close for good; *politely* says goodbye to the server first.

        A moment later the thread has ended, unless it is busy opening a websocket: that it will
        close again as soon as it has it.
        """
        self._step("close")
        self._closing.set()
        if self._finaliser is not None:
            self._finaliser.detach()
        connection = self.connection
        if connection is not None:
            break_off(connection, politely)
        if not self._thread.is_alive():
            if connection is not None:
                close_websocket(connection)
        elif threading.current_thread() is not self._thread:
            self._thread.join(JOIN_TIMEOUT)

    def end_with(self, owner: object) -> None:
        """End when *owner* is collected, if it is not closed before."""
        self._finaliser = weakref.finalize(owner, self._abandon)
        self._finaliser.atexit = False

    def _abandon(self) -> None:
        """Let the thread close the websocket and end, since the owner is gone.

        This takes no lock, as the garbage collector may call it at any moment. In a forked child
        it does nothing: the websocket belongs to the parent.
        """
        if os.getpid() != self._process:
            return
        self._abandoned = True
        connection = self.connection
        if connection is not None:
            break_off(connection, politely=False)

    def _step(self, happening: str) -> None:
        with self._guard:
            self._state = advance(LINK, self._state, happening)

    def _run(self) -> None:
        while not self.closed:
            if self.connection is None and not self._reopen():
                return
            reason = self._read_safely()
            connection, self.connection = self.connection, None
            close_websocket(connection)
            self._lost_at = time.monotonic()
            self._step("lost")
            if not self.closed:
                self._logger.info("The connection to the event server was lost: %s", reason)
                self._hooks.lost(self, reason)
        if self._abandoned and self.connection is not None:
            close_websocket(self.connection)

    def _reopen(self) -> bool:
        """Return True when there is a websocket again, False when the link was closed first."""
        begin = self._lost_at or time.monotonic()
        failures = 0
        while not self.closed:
            try:
                self.open()
                return True
            except exception.EventHubConnectionError as error:
                failures += 1
                # The first failure is news, the rest of an outage is not.
                level = logging.WARNING if failures == 1 else logging.DEBUG
                if not self.closed:
                    # As text: a record that is kept would keep the owner by the error's trace.
                    self._logger.log(level, "%s Trying again.", str(error))
            self._pause(back_off(time.monotonic() - begin))
        return False

    def _pause(self, seconds: float) -> None:
        """Wait for *seconds*, or until the link is closed or abandoned."""
        end = time.monotonic() + seconds
        while not self.closed and (left := end - time.monotonic()) > 0:
            self._closing.wait(min(left, LOOK))

    def _read_safely(self) -> str:
        """Read; a fault that nobody thought of costs the websocket, but not the thread."""
        try:
            return self._read()
        except Exception as error:
            self._logger.exception("Reading from the event server failed.")
            return str(error)

    def _read(self) -> str:
        """Read until the websocket breaks or is closed, and return why it is gone."""
        patience = self._heartbeat * SILENT_HEARTBEATS
        heard = self._note_life(patience)
        progress = getattr(self.connection, "progress", None)
        received = 0
        with Readiness(self.connection) as readiness:
            while not self.closed:
                if not readiness.can_tell:
                    # Reading may take for ever, so all that waits is sent first.
                    while self._hooks.idle(True) == 0:
                        pass
                elif received % READ_AT_ONCE == 0:
                    self._hooks.idle(False)
                if not readiness.wait(0):
                    left = heard + patience - time.monotonic()
                    if left <= 0:
                        return f"it was silent for {patience:.1f} seconds"
                    pause = self._hooks.idle(False)
                    if not readiness.wait(left if pause is None else min(left, pause)):
                        continue
                try:
                    payload = receive(self.connection)
                except faults() as error:
                    return str(error)
                if payload is None:
                    return "it was closed by the server"
                # A look-alike does not say whether the server is alive or sends bit by bit.
                if progress is None or self.connection.progress != progress:
                    heard = self._note_life(patience)
                    progress = getattr(self.connection, "progress", None)
                self._hooks.received(payload)
                received += 1
        return "it was closed here"

    def _note_life(self, patience: float) -> float:
        """Take note that the server is alive, for the next *patience* seconds; return the time."""
        now = time.monotonic()
        if hasattr(self.connection, "silent_at"):
            self.connection.silent_at = now + patience
        return now


def receive(connection: Any) -> Union[str, bytes, None]:
    """Return what *connection* received, or None if it is at its end.

    The payload is empty when it is not complete yet, or cannot be read. Raise one of
    :func:`faults` if the websocket is broken.
    """
    import websocket  # lazy: only who connects pays for it

    try:
        payload = connection.recv()
    except websocket.WebSocketTimeoutException:  # part of a frame; the rest is still to come
        return ""
    except UnicodeDecodeError:
        return b""
    if not isinstance(payload, (str, bytes)):
        return None
    if not payload and not getattr(connection, "connected", True):
        return None
    return payload
