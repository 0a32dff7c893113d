"""Events as they travel: a mapping with the field `inReplyToEvent`.

Inside a program the field is called `in_reply_to_event`; everything else bears one name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ftrack_like.wire import packets

__all__ = ["FIELDS", "decode", "from_wire", "to_wire"]

#: The fields of an event inside a program.
FIELDS = ("topic", "id", "data", "sent", "source", "target", "in_reply_to_event")


def to_wire(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping that travels for *event*."""
    return {
        "inReplyToEvent" if field == "in_reply_to_event" else field: value
        for field, value in event.items()
    }


def from_wire(mapping: Any) -> dict[str, Any]:
    """Return the fields of the event that *mapping*, fresh from JSON, stands for.

    Unknown fields are left out, and empty ones take the form that readers expect: `data` and
    `source` mappings, `target` a text.

    Raise :exc:`ValueError` if this is no event: it must be a mapping with a topic.
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


def decode(string: str, rename: Callable[[dict[str, Any]], Any]) -> Any:
    """Return the value of the JSON text *string*, with each mapping as *rename* returns it.

    *rename* need only be called with mappings that have `inReplyToEvent`. Raise
    :exc:`ValueError` if *string* is not JSON.
    """
    count = string.count('"inReplyToEvent"')
    value = packets.loads(string)
    arguments = value.get("args") if isinstance(value, dict) else None
    if count == 1 and isinstance(arguments, list) and len(arguments) == 1:
        # One event, as nearly always: a look at each mapping of its data is spared.
        (event,) = arguments
        if isinstance(event, dict) and "inReplyToEvent" in event:
            arguments[0] = rename(event)
            return value
    return packets.loads(string, rename) if count else value
