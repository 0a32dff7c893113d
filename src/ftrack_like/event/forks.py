"""Renewal of the parts of hubs in a forked child.

The threads that read connections exist in the parent only. If such a thread has locked a lock at
the time of the fork, the lock stays locked in the child for ever. The sockets belong to the parent.
So each part replaces its locks and forgets its connection.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["renew_after_fork"]


class Renewable(Protocol):
    """A part of a hub."""

    def renew(self) -> None:
        """Create new locks, and forget the connection."""


_parts: weakref.WeakSet[Renewable] = weakref.WeakSet()


def renew_after_fork(*parts: Renewable) -> None:
    """Renew *parts* in each forked child, as long as they exist."""
    _parts.update(parts)


def _renew_all() -> None:
    for part in list(_parts):
        part.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
