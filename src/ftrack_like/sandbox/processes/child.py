"""A worker as the supervisor sees it: a program, and the pair of sockets to talk to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import Any, Optional

from ftrack_like.sandbox.processes.messages import (
    ALIVE,
    LEAVE,
    READY,
    Lines,
    WorkerSettings,
    line,
)

__all__ = ["WorkerProcess"]

#: The standard error stream, to which workers write their log.
_STDERR = 2


class WorkerProcess:
    """A started worker. Use it from one thread."""

    def __init__(self, settings: WorkerSettings, now: float) -> None:
        """Start the program with *settings*; *now* is the time of the supervisor's clock."""
        #: When the worker was started, and when it became ready.
        self.started_at: float = now
        self.ready_at: Optional[float] = None
        #: How many seconds the supervisor has waited since the last message.
        self.silence: float = 0.0
        #: Whether the worker was told to end.
        self.is_leaving: bool = False
        #: Why the worker could not start, "" if it did not say.
        self.reason: str = ""
        self._channel, theirs = socket.socketpair()
        self._lines = Lines()
        with theirs:
            self._program = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(), settings.listener),
                stdin=subprocess.DEVNULL,
                stdout=_STDERR,
                env=_environment(),
            )
        self._send(settings.to_json())

    @property
    def number(self) -> int:
        """Return the id of the process."""
        return self._program.pid

    @property
    def is_ready(self) -> bool:
        """Return whether the worker answers requests and goes on."""
        return self.ready_at is not None and not self.is_leaving

    def fileno(self) -> int:
        """Return the descriptor that can be read when the worker has said something or ended."""
        return self._channel.fileno()

    def read(self, now: float) -> bool:
        """Read what the worker has said by *now*; return False if it has ended."""
        try:
            data = self._channel.recv(65536)
        except OSError:
            data = b""
        self.silence = 0.0
        for message in self._lines.feed(data):
            if message == READY:
                self.ready_at = now
            elif message != ALIVE:
                self.reason = str(message.get("reason", ""))
        return bool(data)

    def leave(self) -> None:
        """Tell the worker to end when its clients have gone to another one."""
        self.is_leaving = True
        self._send(LEAVE)

    def terminate(self) -> None:
        """Tell the worker to finish its requests and end."""
        self.is_leaving = True
        self._program.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once."""
        self._program.kill()

    def wait(self) -> int:
        """Return the exit status of a worker that has ended, negative for a signal."""
        self._channel.close()
        try:
            return self._program.wait(timeout=5)
        except subprocess.TimeoutExpired:  # it closed its side, but goes on
            self._program.kill()
            return self._program.wait()

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._channel.sendall(line(message))
        except OSError:
            pass  # the worker has ended, which read() reports


def _environment() -> dict[str, str]:
    """Return the environment in which a worker imports the same packages as this process."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return {**os.environ, "PYTHONPATH": paths}
