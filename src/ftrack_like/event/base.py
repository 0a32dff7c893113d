"""The event: a mutable mapping with a fixed set of fields."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Optional

__all__ = ["Event", "new_id"]

#: The bits of a random UUID that say that it is one.
_FIXED_BITS = 0xF000_C000_0000_0000_0000
_VERSION_BITS = 0x4000_8000_0000_0000_0000

# Of its own, so that nobody's `random.seed` makes ids come twice. It begins with all the
# randomness that the system gives; to ask for more for each event would let other threads run.
_dice = random.Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_dice.seed)


def new_id() -> str:
    """Return a new random UUID as 32 hexadecimal digits."""
    # `uuid.uuid4().hex`, at a fifth of the time: every event has one.
    return f"{_dice.getrandbits(128) & ~_FIXED_BITS | _VERSION_BITS:032x}"


class Event(MutableMapping[str, Any]):
    """Represent one event.

    The fields are items: `id`, `data`, `topic`, `sent`, `source`, `target` and
    `in_reply_to_event`. Nothing here is locked: an event belongs to the thread that handles it.
    """

    __hash__ = None  # type: ignore[assignment]  # a mutable mapping, compared by its items

    def __init__(
        self,
        topic: str,
        id: Optional[str] = None,
        data: Optional[Mapping[str, Any]] = None,
        sent: Any = None,
        source: Optional[Mapping[str, Any]] = None,
        target: str = "",
        in_reply_to_event: Optional[str] = None,
    ) -> None:
        """Initialise an event about *topic*.

        *id* is a text that no other event bears; None makes one. *data* is a mapping that JSON
        can hold; None means empty.

        *sent* is the moment the server passed the event on and is the server's to fill.

        *source* describes the sender: `{"id": str, "user": {"username": str}, "host": str, …}`.
        A hub fills what is missing when it publishes the event.

        *target* is an expression over the metadata of subscribers, such as `"id=abc"`; only
        subscribers that match it are told. Empty text means all of them.

        *in_reply_to_event* is the id of the event that this one answers.
        """
        self._data: dict[str, Any] = {
            "id": id or new_id(),
            "data": {} if data is None else data,
            "topic": topic,
            "sent": sent,
            "source": {} if source is None else source,
            "target": target,
            "in_reply_to_event": in_reply_to_event,
        }
        self._stopped = False

    def stop(self) -> None:
        """Keep the event from subscribers that were not called yet."""
        self._stopped = True

    def is_stopped(self) -> bool:
        """Return whether a subscriber stopped the event."""
        return self._stopped

    def __str__(self) -> str:
        """Return the event's class and fields as text."""
        return f"<{self.__class__.__name__} {self._data}>"

    def __getitem__(self, key: str) -> Any:
        """Return the value of the field *key*."""
        return self._data[key]

    def __setitem__(self, key: str, value: Any) -> None:
        """Set the field *key* to *value*."""
        self._data[key] = value

    def __delitem__(self, key: str) -> None:
        """Remove the field *key*."""
        del self._data[key]

    def __iter__(self) -> Iterator[str]:
        """Return an iterator over the names of the fields."""
        return iter(self._data)

    def __len__(self) -> int:
        """Return how many fields the event has."""
        return len(self._data)
