"""An index from topics to subscribers. The hub and the sandbox use it."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import Generic, NamedTuple, Optional, TypeVar

__all__ = ["TopicIndex", "Topics"]

Entry = TypeVar("Entry")

#: The number of topics with a cached tuple of candidates.
CACHED_TOPICS = 1024


class Topics(NamedTuple):
    """The topics of a subscriber: *exact* topics, and *prefixes* of topics."""

    exact: frozenset[str]
    prefixes: frozenset[str]


class TopicIndex(Generic[Entry]):
    """Finds the entries for a topic, in order, without visiting the others.

    Entries are compared by identity. Threads that share an index must hold a lock around its
    methods. The returned tuples need no lock.
    """

    def __init__(self) -> None:
        """Initialise an empty index."""
        self._everything: _Bucket[Entry] = _Bucket()
        self._exact: dict[str, _Bucket[Entry]] = {}
        self._prefixes: dict[str, _Bucket[Entry]] = {}
        self._candidates: dict[str, tuple[Entry, ...]] = {}
        self._sequence = 0

    def add(self, entry: Entry, topics: Optional[Topics], priority: float = 0) -> None:
        """Add *entry* under *topics*, after the entries with the same *priority*.

        None as *topics* means all topics. Lower priorities come first.
        """
        key = (priority, self._sequence)
        self._sequence += 1
        if topics is None:
            self._everything.add(key, entry)
        else:
            for topic in topics.exact:
                self._exact.setdefault(topic, _Bucket()).add(key, entry)
            for prefix in topics.prefixes:
                self._prefixes.setdefault(prefix, _Bucket()).add(key, entry)
        self._candidates.clear()

    def remove(self, entry: Entry, topics: Optional[Topics]) -> None:
        """Remove *entry*, which was added under *topics*. Ignore an unknown entry."""
        if topics is None:
            self._everything.remove(entry)
        else:
            _remove_everywhere(entry, self._exact, topics.exact)
            _remove_everywhere(entry, self._prefixes, topics.prefixes)
        self._candidates.clear()

    def candidates(self, topic: object) -> tuple[Entry, ...]:
        """Return the entries whose topics include *topic*, in order.

        A topic that is not text comes from a faulty event. It concerns only the entries for all
        topics.
        """
        if not isinstance(topic, str):
            return tuple(entry for _, entry in self._everything.items())
        found = self._candidates.get(topic)
        if found is None:
            if len(self._candidates) >= CACHED_TOPICS:
                self._candidates.clear()
            found = self._candidates[topic] = self._merge(topic)
        return found

    def _merge(self, topic: str) -> tuple[Entry, ...]:
        buckets = [self._everything]
        if topic in self._exact:
            buckets.append(self._exact[topic])
        buckets += [bucket for prefix, bucket in self._prefixes.items() if topic.startswith(prefix)]
        merged = {key: entry for bucket in buckets for key, entry in bucket.items()}
        return tuple(merged[key] for key in sorted(merged))


class _Bucket(Generic[Entry]):
    """Entries in the order of their keys."""

    def __init__(self) -> None:
        self._keys: list[tuple[float, int]] = []
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, key: tuple[float, int], entry: Entry) -> None:
        index = bisect.bisect(self._keys, key)
        self._keys.insert(index, key)
        self._entries.insert(index, entry)

    def remove(self, entry: Entry) -> None:
        for index, other in enumerate(self._entries):
            if other is entry:
                del self._keys[index], self._entries[index]
                return

    def items(self) -> Iterable[tuple[tuple[float, int], Entry]]:
        return zip(self._keys, self._entries)


def _remove_everywhere(
    entry: Entry, buckets: dict[str, _Bucket[Entry]], names: Iterable[str]
) -> None:
    for name in names:
        bucket = buckets.get(name)
        if bucket is not None:
            bucket.remove(entry)
            if not len(bucket):
                del buckets[name]
