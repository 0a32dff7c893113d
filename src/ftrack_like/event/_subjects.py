"""What an event is about: events with a subject in common are handled in order.

Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from ftrack_like.wire.events import Event

__all__ = ["subjects"]

#: The lists of entities in the data of events, each entity with its id as ``entityId``.
_LISTS = ("entities", "selection")
#: The fields of the data of events that are the id of one entity.
_FIELDS = ("entityId", "component_id")


def subjects(event: Any) -> list[Hashable]:
    """Return the subjects of *event*, at least one.

    They are the ids of the entities in its data. A reply without such ids is about the event that
    it answers, any other event about its publisher. What is no event is about nothing.
    """
    if not isinstance(event, Event):
        return [None]
    found = list(dict.fromkeys(_entity_ids(event.get("data"))))
    if found:
        return found
    answered = event.get("in_reply_to_event")
    if _is_id(answered):
        return [("reply", answered)]
    source = event.get("source")
    publisher = source.get("id") if isinstance(source, Mapping) else None
    return [("publisher", publisher if _is_id(publisher) else None)]


def _entity_ids(data: Any) -> Iterator[Hashable]:
    """Yield the ids of the entities in *data*, whatever it is."""
    if not isinstance(data, Mapping):
        return
    for name in _LISTS:
        entries = data.get(name)
        for entry in entries if isinstance(entries, (list, tuple)) else ():
            if isinstance(entry, Mapping) and _is_id(entry.get("entityId")):
                yield entry["entityId"]
    for name in _FIELDS:
        if _is_id(data.get(name)):
            yield data[name]


def _is_id(value: Any) -> bool:
    """Return whether *value* can be the id of something."""
    return isinstance(value, (str, int)) and value != ""
