"""Compare the data of an event with the part that a test expects."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.suggest import did_you_mean
from ftrack_like.testing._listeners import ANSWER, QUESTION, shortened

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.wire.events import Event

__all__ = ["matcher", "near_misses"]

#: The maximum number of events in an error that differ only in their data.
_NEAR = 3

#: The maximum number of characters of a value in a difference.
_LENGTH = 80


def matcher(
    topic: str, expected: Mapping[str, Value], where: Optional[Callable[[Event], bool]]
) -> Callable[[Event], bool]:
    """Return the function that decides; see :meth:`EventRecorder.assert_published`."""

    def matches(event: Event) -> bool:
        return (
            fnmatch.fnmatchcase(event["topic"], topic)
            and event["topic"] not in (QUESTION, ANSWER)
            and _contains_part(event["data"], expected)
            and (where is None or where(event))
        )

    return matches


def near_misses(events: Iterable[Event], topic: str, expected: Mapping[str, Value]) -> list[str]:
    """Return a line for each event of *topic* with the fewest differences from *expected*."""
    of_topic = (one for one in events if fnmatch.fnmatchcase(one["topic"], topic))
    misses = [(one["topic"], _differences(one["data"], expected)) for one in of_topic]
    fewest = min((len(each) for _, each in misses if each), default=0)
    lines = [f"{name}: {'; '.join(each)}" for name, each in misses if len(each) == fewest > 0]
    return [f"Nearest: {line}" for line in dict.fromkeys(lines)][-_NEAR:]


def _contains_part(value: Value, part: Value) -> bool:
    """Return whether *value* contains *part*.

    Mappings do if they have all entries of *part*, and lists if each item of *part* matches one of
    their items. Other values must be equal.
    """
    if isinstance(part, Mapping):
        return isinstance(value, Mapping) and all(
            name in value and _contains_part(value[name], each) for name, each in part.items()
        )
    if isinstance(part, (list, tuple)):
        return isinstance(value, (list, tuple)) and all(
            any(_contains_part(one, each) for one in value) for each in part
        )
    return bool(value == part)


def _differences(value: Value, part: Value, place: str = "") -> list[str]:
    """Return why *value* does not contain *part*, one text for each key; *place* leads to it.

    For an item of a list, return the differences from the item that has the fewest.
    """
    if isinstance(part, Mapping) and isinstance(value, Mapping):
        found = []
        for name, each in part.items():
            inner = f"{place}.{name}" if place else str(name)
            if name in value:
                found += _differences(value[name], each, inner)
            else:
                hint = did_you_mean(str(name), [str(one) for one in value])
                found.append(f"{inner} is missing. {hint}".rstrip())
        return found
    if isinstance(part, (list, tuple)) and isinstance(value, (list, tuple)):
        found = []
        for each in part:
            tried = [_differences(one, each, f"{place}[{at}]") for at, one in enumerate(value)]
            missing = [f"{place} has no item {_as_json(each)}"]
            nearest: list[str] = min(tried or [missing], key=len)
            found += nearest
        return found
    return (
        [] if value == part else [f"{place or 'data'} is {_as_json(value)}, not {_as_json(part)}"]
    )


def _as_json(value: Value) -> str:
    return shortened(json.dumps(value, default=str), _LENGTH)
