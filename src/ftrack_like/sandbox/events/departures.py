"""What absent clients have received, for the process to which they return."""

from __future__ import annotations

from typing import Optional

from ftrack_like.sandbox.events.clients import Client, Position
from ftrack_like.sandbox.events.exchange import Left

__all__ = ["Departures"]


class Departures:
    """The position of this process in the outbox, and what each absent client has received.

    The broker calls it under its lock.
    """

    def __init__(self) -> None:
        self._left: dict[Client, Left] = {}
        #: What this process has routed: a snapshot of the outbox, and the numbers of later events.
        self._snapshot: Optional[str] = None
        self._further: list[int] = []

    def reached(self, snapshot: str) -> None:
        """Note that all events that *snapshot* of the outbox sees are routed."""
        self._snapshot = snapshot
        self._further = []

    def routed(self, number: int) -> None:
        """Note that the event *number* of the outbox is routed."""
        self._further.append(number)

    def note(self, client: Client) -> None:
        """Note what the absent *client* has received, unless that is known."""
        position = self._position()
        if client not in self._left and position is not None:
            self._left[client] = _left_at(client, position)

    def of(self, client: Client) -> Left:
        """Return what *client* has received; without a position if it is present."""
        return self._left.get(client) or _left_at(client, None)

    def take(self, client: Client) -> Left:
        """Forget *client*, and return what it has received until now."""
        return self._left.pop(client, None) or _left_at(client, self._position())

    def forget(self, client: Client) -> None:
        """Forget *client*, if it is known."""
        self._left.pop(client, None)

    def _position(self) -> Optional[Position]:
        """Return what this process has routed; None if it has no outbox."""
        if self._snapshot is None:
            return None
        return Position(self._snapshot, tuple(self._further))


def _left_at(client: Client, position: Optional[Position]) -> Left:
    """Return what *client* has received, if it leaves at *position*."""
    return Left(position, client.pending(), client.is_complete and not client.has_overflowed)
