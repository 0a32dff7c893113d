"""Watch events as soon as they arrive, also while no thread handles events."""

from __future__ import annotations

import contextlib
from typing import Callable

from ftrack_like import exception
from ftrack_like.event.inbox import Inbox
from ftrack_like.event.subscriber import Metadata
from ftrack_like.wire.events import Event, new_id

__all__ = ["watch_inbox"]


def watch_inbox(
    inbox: Inbox,
    watcher: Callable[[Event], object],
    subscribe: Callable[[Metadata], object],
    unsubscribe: Callable[[str], None],
) -> Callable[[], None]:
    """Pass each event that reaches *inbox* to *watcher*; return a function that ends this.

    *subscribe* subscribes with the metadata that it receives, so that the server sends the events.
    *unsubscribe* removes the subscriber with an id.
    """
    identifier = new_id()
    inbox.watching.add(identifier)
    inbox.watchers.append(watcher)

    def end() -> None:
        """Stop watching."""
        inbox.watchers.remove(watcher)
        with contextlib.suppress(exception.NotFoundError):
            unsubscribe(identifier)
        inbox.watching.discard(identifier)

    try:
        subscribe({"id": identifier})
    except BaseException:
        end()
        raise
    return end
