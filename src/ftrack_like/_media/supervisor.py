"""Run a command that ends with its owner, within limits of memory and file size.

This program runs between its owner, a server or a client that encodes, and a media tool. It imports
nothing from the package, so that it starts within some milliseconds::

    python -I -S supervisor.py DESCRIPTOR OWNER MEMORY FILE_SIZE COMMAND...

*DESCRIPTOR* is the reading end of a pipe. Only the owner has the writing end. When the owner ends
for any reason, the kernel closes the writing end, and the supervisor kills the whole process group.
A program that the owner has forked may keep the writing end open. So the supervisor also checks
every second that its parent is still the process *OWNER*. *MEMORY* and *FILE_SIZE* are in bytes, 0
for no limit. The exit status is the status of the command, or 128 plus the number of the signal
that ended the command.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys

with contextlib.suppress(ImportError):  # Windows has none, and starts no supervisor.
    import resource

__all__: list[str] = []

_PR_SET_PDEATHSIG = 1

#: Seconds between two checks of the parent.
_INTERVAL = 1.0


def main() -> int:
    """Run the command of ``sys.argv`` and return its exit status."""
    watched, owner, memory, file_size = map(int, sys.argv[1:5])
    command = sys.argv[5:]
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    supervisor = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, supervisor, memory, file_size)
    _close_streams()
    while True:
        ready, _, _ = select.select([watched, reading], [], [], _INTERVAL)
        # Nothing is ever written to the first pipe, so the owner has ended.
        if watched in ready or os.getppid() != owner:
            os.killpg(0, signal.SIGKILL)
        if reading in ready:
            os.read(reading, 64)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _become(command: list[str], supervisor: int, memory: int, file_size: int) -> None:
    """Run *command* in this process; never return."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGXFSZ, signal.SIGPIPE):  # as a shell leaves them
            signal.signal(number, signal.SIG_DFL)
        _die_with_parent()
        if os.getppid() != supervisor:
            os._exit(1)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for kind, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, file_size)):
            if limit:
                _limit(kind, limit)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]} could not be started: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _limit(kind: int, limit: int) -> None:
    """Lower a limit of this process; ignore systems that refuse to set it."""
    try:
        _, highest = resource.getrlimit(kind)
        if highest != resource.RLIM_INFINITY:
            limit = min(limit, highest)
        resource.setrlimit(kind, (limit, limit))
    except (OSError, ValueError):
        pass


def _die_with_parent() -> None:
    """Let Linux kill this process with the supervisor; elsewhere, the pipe is enough."""
    if sys.platform != "linux":
        return
    try:
        # lazy: only Linux has this call, and some builds of Python have no ctypes.
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass


def _close_streams() -> None:
    """Leave the streams to the command, so that its output ends when the command ends."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)


if __name__ == "__main__":
    sys.exit(main())
