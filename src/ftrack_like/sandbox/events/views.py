"""The part of an event that each user may see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional

from ftrack_like.sandbox.events.clients import Client, UnsentEvent
from ftrack_like.sandbox.events.exchange import Parcel
from ftrack_like.wire import packets

__all__ = ["View", "Views"]

#: Returns the part of an event that a user may see, given the user's name; None for nothing.
View = Callable[[str, Mapping[str, Any]], Optional[Mapping[str, Any]]]


class Views:
    """Makes the copies of events for users. Users who see the same get the same copy."""

    def __init__(self, view: Optional[View]) -> None:
        """Reduce restricted events with *view*; without it, users see whole events."""
        self._view = view

    def copies(self, parcel: Parcel, recipients: list[Client]) -> dict[str, Optional[UnsentEvent]]:
        """Return what each user of *recipients* gets of *parcel*, None for nothing."""
        copies: dict[str, Optional[UnsentEvent]] = {}
        for client in recipients:
            if client.username not in copies:
                copies[client.username] = self.seen_by(client.username, parcel, copies.values())
        return copies

    def seen_by(
        self, username: str, parcel: Parcel, known: Iterable[Optional[UnsentEvent]] = ()
    ) -> Optional[UnsentEvent]:
        """Return the part of *parcel* that a user may see, one of *known* if it is the same."""
        event = parcel.event
        view = self._view if parcel.restricted else None
        seen = event if view is None else view(username, event)
        if seen is None:
            return None
        for waiting in known:
            if waiting is not None and waiting.event is seen:
                return waiting
        text = parcel.text if seen is event else packets.dumps(seen)
        return UnsentEvent(seen, packets.event_text(text), parcel.number)
