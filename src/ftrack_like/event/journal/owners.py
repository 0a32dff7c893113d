"""Names of processes, so that a journal gives up the claims of a process that has ended.

A claim has a lease, which other workers must wait for. On the same machine, waiting is not
necessary: the system knows whether the process still runs.
"""

from __future__ import annotations

import os
import socket
import sys

from ftrack_like.wire.events import new_id

__all__ = ["has_ended", "new_owner"]

#: The names that this process gave out. Another name with the number of this process belongs to an
#: earlier process with the same number, as in a container that was started again.
_own: set[str] = set()


def new_owner() -> str:
    """Return a new name for an owner of claims in this process."""
    owner = f"{_machine()}|{os.getpid()}|{new_id()}"
    _own.add(owner)
    return owner


def has_ended(owner: str) -> bool:
    """Return whether the process of *owner* has certainly ended.

    Return False for a process of another machine or container, and on Windows, where asking is not
    possible: the lease decides.
    """
    machine, _, rest = owner.partition("|")
    number = rest.partition("|")[0]
    if sys.platform == "win32" or machine != _machine() or not number.isdigit():
        return False
    if int(number) == os.getpid():
        return owner not in _own
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:  # a process of another user
        return False
    return _is_zombie(number)


def _is_zombie(number: str) -> bool:
    """Return whether the process has ended and its parent has not noticed yet."""
    try:
        with open(f"/proc/{number}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[:1] in (["Z"], ["X"])
    except OSError:
        return False


def _machine() -> str:
    """Return the name of this machine, and of the container, which numbers its processes."""
    try:
        container = os.readlink("/proc/self/ns/pid")
    except OSError:
        container = ""
    return f"{socket.gethostname()}{container}".replace("|", "")
