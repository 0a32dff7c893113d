"""The subjects of events. Worker threads handle events with a common subject in order.

Everything in this module is pure.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from ftrack_like.wire.events import Event

__all__ = ["subjects"]

#: The entries of event data that list entities, each with its id as ``entityId``.
_LISTS = ("entities", "selection")
#: The entries of event data that are an entity id.
_FIELDS = ("entityId", "component_id")


def subjects(event: object) -> list[Hashable]:
    """Return the subjects of *event*, at least one.

    The subjects are the ids of the entities in the data. Without them, the subject of a reply is
    the event that it answers, and the subject of another event is its publisher. An object that
    is not an event has the subject None.
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


def _entity_ids(data: object) -> Iterator[Hashable]:
    """Yield the ids of the entities in *data*, if it is a mapping."""
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


def _is_id(value: object) -> bool:
    """Return whether *value* can be an id."""
    return isinstance(value, (str, int)) and value != ""
