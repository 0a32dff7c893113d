"""The program of a process: answers requests until the supervisor tells it to end, or ends."""

from __future__ import annotations

import gc
import os
import pathlib
import signal
import socket
import sys
import threading
import time
from typing import Any, Optional

from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.console import in_words, share_interpreter
from ftrack_like.sandbox.network.listening import SharedListener
from ftrack_like.sandbox.operations.shared_metrics import MetricsFolder
from ftrack_like.sandbox.processes.messages import (
    ALIVE,
    LEAVE,
    READY,
    Lines,
    WorkerSettings,
    failure,
    line,
)
from ftrack_like.sandbox.server import SandboxServer
from ftrack_like.sandbox.site_data import storage_errors

__all__ = ["FINISHING", "REPLACED", "main"]

#: Seconds that running requests may take after the sandbox was told to stop, and after a process
#: was told to make room for another one.
FINISHING = 10.0
REPLACED = 120.0

#: Seconds between two signs of life.
_BEAT = 1.0

#: Seconds after these until the process ends anyway.
_GRACE = 20.0


class _Channel:
    """The worker's end of the pair of sockets."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        # Programs that the worker starts must not keep the pair open.
        self._socket.set_inheritable(False)
        self._lines = Lines()
        self._read: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        """Send *message*, unless the supervisor has ended."""
        try:
            self._socket.sendall(line(message))
        except OSError:
            pass

    def receive(self) -> Optional[dict[str, Any]]:
        """Return the next message, None at the end; wait for it."""
        while not self._read:
            try:
                data = self._socket.recv(65536)
            except OSError:
                return None
            if not data:
                return None
            self._read += self._lines.feed(data)
        return self._read.pop(0)

    def end(self) -> None:
        """Let :meth:`receive` return None, from a signal handler too."""
        try:
            self._socket.shutdown(socket.SHUT_RD)
        except OSError:
            pass


def main(descriptor: int) -> int:
    """Answer requests with the settings that arrive at *descriptor*; return the exit status."""
    channel = _Channel(descriptor)
    supervisor = os.getppid()
    # A terminal sends these to all its processes; the supervisor decides what they mean.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: channel.end())
    sent = channel.receive()
    if sent is None:
        return 0
    settings = WorkerSettings.from_json(sent)
    share_interpreter()
    try:
        gc.disable()
        metrics = MetricsFolder(pathlib.Path(settings.metrics))
        server = _start(settings, metrics)
        gc.freeze()  # as in a sandbox of one process: these objects live until the end
        gc.enable()
    except (OSError, RuntimeError) as error:
        channel.send(failure(in_words(error)))
        return 1
    channel.send(READY)
    threading.Thread(target=_show_life, args=[channel], name="life", daemon=True).start()
    is_replaced = channel.receive() == LEAVE
    finishing = REPLACED if is_replaced else FINISHING
    _end_after(finishing + _GRACE)
    server.leave(finishing, linger=is_replaced)
    if os.getppid() == supervisor:
        metrics.write()
    else:  # it was killed, and cannot remove its folder
        metrics.leave()
    return 0


def _start(settings: WorkerSettings, metrics: MetricsFolder) -> SandboxServer:
    """Return a server that answers requests; raise :exc:`OSError` or :exc:`RuntimeError`."""
    listener = SharedListener(fileno=settings.listener)
    listener.set_inheritable(False)
    server = SandboxServer(
        host=settings.host,
        port=listener.getsockname()[1],
        user=settings.user,
        database=settings.database,
        media=settings.media,
        network=settings.network,
        limits=settings.limits,
        loopback_webhooks=settings.loopback_webhooks,
        encoders=settings.encoders,
    )
    administrator = RequestUser(settings.administrator_id, settings.user, unrestricted=True)
    with storage_errors("The database"):
        server.join(listener, administrator)
    server.share_metrics(metrics)
    return server


def _show_life(channel: _Channel) -> None:
    """Send signs of life, until the process ends.

    They stop if the process is stopped, or if a thread never lets go of the interpreter. A long
    request does not stop them.
    """
    while True:
        time.sleep(_BEAT)
        channel.send(ALIVE)


def _end_after(seconds: float) -> None:
    """End the process after *seconds*, even if a thread never returns."""
    timer = threading.Timer(seconds, os._exit, [1])
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
