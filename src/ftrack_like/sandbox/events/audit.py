"""The latest events, for administrators."""

from __future__ import annotations

import collections
import datetime
from typing import Any, Optional

from ftrack_like.wire import packets

__all__ = ["AUDITED_EVENTS", "Audit"]

#: The maximum number of events to keep, and the maximum size of their JSON in characters.
AUDITED_EVENTS = 1000
_SIZE = 32 * 1024 * 1024


class Audit:
    """The latest events as JSON, which takes less memory than the objects."""

    def __init__(self) -> None:
        self._entries: collections.deque[tuple[str, int, datetime.datetime]] = collections.deque()
        self._size = 0

    def add(self, text: str, recipients: int, sent: datetime.datetime) -> None:
        """Add the event *text*, sent to *recipients* clients at the time *sent* in UTC.

        Drop the oldest events beyond the limits.
        """
        self._entries.append((text, recipients, sent))
        self._size += len(text)
        while len(self._entries) > AUDITED_EVENTS or self._size > _SIZE:
            self._size -= len(self._entries.popleft()[0])

    def latest(self, limit: Optional[int] = None) -> list[dict[str, Any]]:
        """Return the latest *limit* events, all with None, the oldest first.

        Each is `{"event": {…}, "recipients": int, "sent": str}`.
        """
        entries = list(self._entries)
        if limit is not None:
            entries = entries[-limit:] if limit > 0 else []
        return [
            {"event": packets.loads(text), "recipients": count, "sent": _as_text(sent)}
            for text, count, sent in entries
        ]


def _as_text(now: datetime.datetime) -> str:
    """Return *now* with milliseconds."""
    return f"{now.isoformat(timespec='milliseconds')}Z"
