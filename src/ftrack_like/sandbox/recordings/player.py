"""Find the recorded answer to a request.

A recording is a sequence. Each recorded batch that writes begins a new *chapter*: after it, the
same query may have another answer. The player knows the chapter of the last write that it has
matched, and prefers answers to queries from that chapter.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional, Union

from ftrack_like.sandbox.recordings.file import Batch, Recording, batches
from ftrack_like.sandbox.recordings.meaning import (
    IDENTIFIER,
    Numbered,
    meaning,
    reads,
    shown,
    without_times,
)

__all__ = ["NotRecordedError", "Played", "Player"]


class NotRecordedError(Exception):
    """The recording has no answer to a request."""


class Played(NamedTuple):
    """The *status* and the decoded body of an answer."""

    status: int
    answer: Any


class _Place(NamedTuple):
    """A recorded answer: in the batch *batch* of *chapter*, to one *operation*.

    *operation* is its index, None for the answer to the whole batch. *ids* are those that the
    client made.
    """

    chapter: int
    batch: Batch
    operation: Optional[int]
    ids: tuple[str, ...]


@dataclasses.dataclass
class _Places:
    """The places of equal requests in their order, and how often each was used."""

    places: list[_Place] = dataclasses.field(default_factory=list)
    used: dict[int, int] = dataclasses.field(default_factory=dict)

    def take(self, chapter: int) -> _Place:
        """Return the next place of *chapter*; else the last one before it, else the first after.

        The last place of a chapter is repeated.
        """
        same = [place for place in self.places if place.chapter == chapter]
        if same:
            number = self.used.get(chapter, 0)
            self.used[chapter] = number + 1
            return same[min(number, len(same) - 1)]
        before = [place for place in self.places if place.chapter < chapter]
        return before[-1] if before else self.places[0]


class Player:
    """Answers requests from *recording*. Threads may share it."""

    def __init__(self, recording: Recording) -> None:
        self._lock = threading.Lock()
        self._chapter = 0
        #: The ids of this run by the recorded ids, and the other way around.
        self._current: dict[str, str] = {}
        self._recorded: dict[str, str] = {}
        #: The ids that a recorded client made, and those that the recorded server made.
        self._made: set[str] = set()
        self._served: set[str] = set()
        self._places: dict[str, _Places] = {}
        self.users: list[str] = []
        self._missing: list[str] = []
        for batch in batches(recording.exchanges):
            self._add(batch)
        self._chapter = 0

    @property
    def missing(self) -> list[str]:
        """The requests without a recording so far, as texts for people; each once."""
        with self._lock:
            return list(self._missing)

    # Reading the recording

    def _add(self, batch: Batch) -> None:
        """Index *batch*, the next one of the recording."""
        if batch.user not in self.users:
            self.users.append(batch.user)
        new = set(IDENTIFIER.findall(json.dumps(batch.request))) - self._served - self._made
        self._made |= new
        self._served |= set(IDENTIFIER.findall(json.dumps(batch.answer))) - self._made
        writes = not all(map(reads, batch.request))
        chapter = self._add_chapter() if writes else self._chapter
        self._index(batch, batch.request, None, chapter, new)
        count = len(batch.request)
        if count > 1 and isinstance(batch.answer, list) and len(batch.answer) == count:
            for index, operation in enumerate(batch.request):
                if reads(operation):
                    self._index(batch, [operation], index, self._chapter, new)

    def _add_chapter(self) -> int:
        """Begin a chapter, and return the one before, to which the writing batch belongs."""
        self._chapter += 1
        return self._chapter - 1

    def _index(
        self,
        batch: Batch,
        operations: list[Any],
        index: Optional[int],
        chapter: int,
        new: set[str],
    ) -> None:
        """Add the place of *operations*, of the whole *batch* or the one at *index*.

        *new* are the ids that no exchange before had.
        """
        numbered = Numbered(new.__contains__)
        for key in self._keys(batch.user, operations, numbered):
            places = self._places.setdefault(key, _Places())
            places.places.append(_Place(chapter, batch, index, tuple(numbered.ids)))

    @staticmethod
    def _keys(user: str, operations: list[Any], numbered: Numbered) -> Iterator[str]:
        """Yield the keys of *operations* of *user*: the exact one, and one without date-times."""
        changed = json.loads(numbered(json.dumps(operations)))
        text = "\n".join([user, *map(meaning, changed)])
        yield text
        loose = without_times(text)
        if loose != text:
            yield f"loose {loose}"

    # Answering

    def rewind(self) -> None:
        """Begin again, as if no request had come."""
        with self._lock:
            self._chapter = 0
            self._current.clear()
            self._recorded.clear()
            self._missing.clear()
            for places in self._places.values():
                places.used.clear()

    def play(self, user: str, request: Union[list[Any], dict[str, Any]]) -> Played:
        """Return the answer to *request* of *user*.

        Raise :exc:`NotRecordedError`, which names the request, if there is none.
        """
        operations = request if isinstance(request, list) else [request]
        actor = user if user in self.users else next(iter(self.users), user)
        with self._lock:
            asked = self._as_recorded(operations, user, actor)
            played = self._play(actor, asked)
            if played is None:
                lacking = self._first_without_answer(actor, asked)
                text = shown(operations[lacking])
                if text not in self._missing:
                    self._missing.append(text)
                raise NotRecordedError(text)
            answer = self._as_current(played.answer, user, actor)
        if isinstance(request, dict) and isinstance(answer, list) and len(answer) == 1:
            answer = answer[0]
        return Played(played.status, answer)

    def recorded_id(self, identifier: str) -> str:
        """Return the recorded id for *identifier* of this run."""
        with self._lock:
            return self._recorded.get(identifier, identifier)

    def _play(self, user: str, operations: list[Any]) -> Optional[Played]:
        """Return the recorded answer to *operations*, in the words of the recording."""
        whole = self._find(user, operations)
        if whole is not None:
            if not all(map(reads, operations)):
                self._chapter = whole.chapter + 1
            answer = whole.batch.answer
            if whole.operation is not None:
                answer = [answer[whole.operation]]
            return Played(whole.batch.status, answer)
        if not all(map(reads, operations)):
            return None
        answers = []
        for operation in operations:
            place = self._find(user, [operation])
            if place is None:
                return None
            if not isinstance(place.batch.answer, list):
                return Played(place.batch.status, place.batch.answer)  # an error
            answers.append(place.batch.answer[place.operation or 0])
        return Played(200, answers)

    def _find(self, user: str, operations: list[Any]) -> Optional[_Place]:
        """Return the place with the answer to *operations*, and learn the ids of the request."""
        numbered = Numbered(self._is_new)
        for key in self._keys(user, operations, numbered):
            places = self._places.get(key)
            if places is not None:
                place = places.take(self._chapter)
                for recorded, current in zip(place.ids, numbered.ids):
                    self._current[recorded] = current
                    self._recorded[current] = recorded
                return place
        return None

    def _is_new(self, identifier: str) -> bool:
        """Return whether *identifier*, in the words of the recording, has not come before."""
        return identifier not in self._served and identifier not in self._current

    def _first_without_answer(self, user: str, operations: list[Any]) -> int:
        """Return the index of the first of *operations* that the recording does not answer."""
        for index, operation in enumerate(operations):
            keys = self._keys(user, [operation], Numbered(self._is_new))
            if not reads(operation) or not any(key in self._places for key in keys):
                return index
        return 0

    def _as_recorded(self, operations: list[Any], user: str, actor: str) -> list[Any]:
        """Return *operations* of *user* with the ids and the user name of the recording."""
        text = _replace_ids(json.dumps(operations), self._recorded)
        found: list[Any] = json.loads(text)
        return found if user == actor else _rename(found, user, actor)

    def _as_current(self, answer: Any, user: str, actor: str) -> Any:
        """Return *answer* with the ids of this run and the name of *user*."""
        changed = json.loads(_replace_ids(json.dumps(answer), self._current))
        return changed if user == actor else _rename(changed, actor, user)


def _replace_ids(text: str, ids: dict[str, str]) -> str:
    """Return *text* with the values of *ids* in place of its keys."""
    return IDENTIFIER.sub(lambda found: ids.get(found.group(), found.group()), text)


def _rename(value: Any, old: str, new: str) -> Any:
    """Return *value* with the user name *new* in place of *old*, also in quotes in expressions."""
    if isinstance(value, str):
        if value == old:
            return new
        for quote in "\"'":
            value = value.replace(f"{quote}{old}{quote}", f"{quote}{new}{quote}")
        return value
    if isinstance(value, list):
        return [_rename(each, old, new) for each in value]
    if isinstance(value, dict):
        return {name: _rename(each, old, new) for name, each in value.items()}
    return value
