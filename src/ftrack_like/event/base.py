"""The event, under its public name; :mod:`ftrack_like.wire.events` defines it."""

from __future__ import annotations

from ftrack_like.wire.events import Event, EventData, new_id

__all__ = ["Event", "EventData", "new_id"]
