"""Events: a mutable mapping with a fixed set of fields, and its form on the wire.

On the wire the field `in_reply_to_event` is called `inReplyToEvent`; all other names are equal.
"""

from __future__ import annotations

import os
import random
from collections.abc import ItemsView, Iterator, Mapping, MutableMapping
from typing import Any, Optional

__all__ = ["FIELDS", "Event", "EventData", "from_wire", "new_id", "to_wire"]

#: The data of an event or a reply: usually a mapping, and always a JSON value.
EventData = Any
#: The value of a field of an event. The type depends on the field.
FieldValue = Any

#: The fields of an event inside a program.
FIELDS = ("topic", "id", "data", "sent", "source", "target", "in_reply_to_event")

#: The bits that mark a random UUID as such (version 4).
_FIXED_BITS = 0xF000_C000_0000_0000_0000
_VERSION_BITS = 0x4000_8000_0000_0000_0000

# A separate generator: `random.seed` in a program must not make ids repeat. The system seeds it
# once; asking the system for each event would release the interpreter lock each time.
_dice = random.Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_dice.seed)


def new_id() -> str:
    """Return a new random UUID as 32 hexadecimal digits."""
    # Equal to `uuid.uuid4().hex`, in a fifth of the time: every event needs an id.
    return f"{_dice.getrandbits(128) & ~_FIXED_BITS | _VERSION_BITS:032x}"


class Event(MutableMapping[str, FieldValue]):
    """Represent one event.

    The fields are items: `id`, `data`, `topic`, `sent`, `source`, `target` and
    `in_reply_to_event`. An event has no lock: only the thread that handles it may change it.
    """

    __hash__ = None  # type: ignore[assignment]  # a mutable mapping, compared by its items

    def __init__(
        self,
        topic: str,
        id: Optional[str] = None,
        data: Optional[EventData] = None,
        sent: Optional[FieldValue] = None,
        source: Optional[Mapping[str, FieldValue]] = None,
        target: str = "",
        in_reply_to_event: Optional[str] = None,
    ) -> None:
        """Initialise an event about *topic*.

        *id* must be unique; None creates one. *data* is a mapping of JSON values; None means empty.

        The server sets *sent* to the time at which it passes the event on.

        *source* describes the sender: `{"id": str, "user": {"username": str}, "host": str, …}`.
        The hub adds missing entries when it publishes the event.

        *target* is an expression over the metadata of subscribers, such as `"id=abc"`. Only
        matching subscribers get the event. Empty text means all subscribers.

        *in_reply_to_event* is the id of the event that this event answers.
        """
        self._data: dict[str, FieldValue] = {
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
        """Keep the event from the subscribers that were not called yet."""
        self._stopped = True

    def is_stopped(self) -> bool:
        """Return whether a subscriber stopped the event."""
        return self._stopped

    def __str__(self) -> str:
        """Return the class and the fields as text."""
        return f"<{self.__class__.__name__} {self._data}>"

    def __getitem__(self, key: str) -> FieldValue:
        """Return the value of the field *key*."""
        return self._data[key]

    def __setitem__(self, key: str, value: FieldValue) -> None:
        """Set the field *key* to *value*."""
        self._data[key] = value

    def __delitem__(self, key: str) -> None:
        """Remove the field *key*."""
        del self._data[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the fields."""
        return iter(self._data)

    def __len__(self) -> int:
        """Return the number of fields."""
        return len(self._data)

    def items(self) -> ItemsView[str, FieldValue]:
        """Return the names and values of the fields."""
        return self._data.items()  # the inherited view looks each field up again


def to_wire(event: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """Return the fields of *event* under their names on the wire."""
    return {
        "inReplyToEvent" if field == "in_reply_to_event" else field: value
        for field, value in event.items()
    }


def from_wire(mapping: EventData) -> dict[str, FieldValue]:
    """Return the fields of the event that *mapping*, fresh from JSON, describes.

    Drop unknown fields. Replace missing values by empty ones: `data` and `source` become mappings,
    `target` becomes text.

    Raise :exc:`ValueError` if *mapping* is not a mapping with a topic.
    """
    if not isinstance(mapping, Mapping):
        raise ValueError(f"an event must be a mapping, not {type(mapping).__name__}")
    fields = {field: mapping[field] for field in FIELDS if field in mapping}
    if mapping.get("inReplyToEvent") is not None:
        fields["in_reply_to_event"] = mapping["inReplyToEvent"]
    topic, identifier = fields.get("topic"), fields.get("id")
    if not (isinstance(topic, str) and topic):
        raise ValueError("an event must have a topic, as text")
    if not (identifier is None or isinstance(identifier, str)):
        raise ValueError("the id of an event must be text")
    if not isinstance(fields.get("source"), dict):
        fields["source"] = {}
    if not isinstance(fields.get("target"), str):
        fields["target"] = ""
    if fields.get("data") is None:
        fields["data"] = {}
    return fields
