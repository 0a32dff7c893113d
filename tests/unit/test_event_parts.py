"""The parts of the event hub that need no server: events, subscribers, routing, book-keeping."""

from __future__ import annotations

import os
import random
import threading
import uuid
from collections.abc import MutableMapping
from typing import Any

import pytest

from ftrack_like.event.base import Event, new_id
from ftrack_like.event.pending import (
    Arrivals,
    Outbox,
    OutgoingEvent,
    RecentlySeen,
    ReplyBook,
    back_off,
)
from ftrack_like.event.subscriber import Subscriber
from ftrack_like.event.subscription import Subscription
from ftrack_like.event.workers import WorkerPool


def _subscriber(subscription: str, identifier: str, priority: int = 100) -> Subscriber:
    return Subscriber(subscription, print, {"id": identifier}, priority)


def test_event_is_a_mapping_of_its_fields() -> None:
    """An event has the published fields, which can be changed, and is made again of them."""
    event = Event("topic", data={"a": 1}, source={"id": "s"}, target="id=1")
    assert isinstance(event, MutableMapping)
    assert list(event) == ["id", "data", "topic", "sent", "source", "target", "in_reply_to_event"]
    assert type(event._data) is dict
    assert Event(**event._data) == event
    event["more"] = 1
    del event["topic"]
    assert len(event) == 7
    assert "topic" not in event


def test_event_makes_its_id_and_prints_its_fields() -> None:
    """Each event has an id of its own, and prints class and fields."""
    first, second = Event("a"), Event("a")
    assert first["id"] != second["id"]
    assert str(first) == f"<Event {dict(first)}>"
    assert first["data"] == {}
    assert first["source"] == {}


def test_ids_of_events_do_not_repeat_for_a_seed_of_the_program() -> None:
    """A program that seeds its own randomness, twice the same, gets ids of events all the same."""
    ids = set()
    for _ in range(2):
        random.seed(1)
        ids.add(new_id())
    assert len(ids) == 2
    assert {uuid.UUID(identifier).version for identifier in ids} == {4}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_ids_of_events_differ_between_parent_and_child() -> None:
    """A forked child does not make the ids that its parent makes."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100).decode() != new_id()
    os.close(reading)
    os.close(writing)


def test_event_keeps_the_mappings_it_is_given() -> None:
    """What is put into the data of an event afterwards is in the event."""
    data: dict[str, Any] = {}
    event = Event("a", data=data)
    data["late"] = True
    assert event["data"] == {"late": True}


def test_event_stops() -> None:
    """A stopped event says so."""
    event = Event("a")
    assert not event.is_stopped()
    event.stop()
    assert event.is_stopped()


def test_subscription_prints_and_includes() -> None:
    """A subscription prints as it was written and includes the events it asks for."""
    subscription = Subscription("topic=a and data.x>1")
    assert str(subscription) == "topic=a and data.x>1"
    assert subscription.includes(Event("a", data={"x": 2}))
    assert not subscription.includes(Event("a"))


def test_subscriber_prints_metadata_and_subscription() -> None:
    """A subscriber prints who it is and what it wants."""
    entry = _subscriber("topic=a", "1")
    assert str(entry) == "<Subscriber metadata={'id': '1'} subscription=\"topic=a\">"
    assert entry.interested_in({"topic": "a"})


def test_outbox_gives_back_what_was_not_acknowledged_in_order() -> None:
    """Events without an acknowledgement are given back in the order of sending, once."""
    outbox = Outbox(limit=10)
    for number in range(5):
        outbox.add(number, OutgoingEvent(f"event {number}"))
    outbox.acknowledge(1)
    outbox.acknowledge(99)
    assert [sending.event for sending in outbox.take_all()] == [
        "event 0",
        "event 2",
        "event 3",
        "event 4",
    ]
    assert len(outbox) == 0


def test_outbox_forgets_the_oldest_beyond_its_limit_and_says_so() -> None:
    """An outbox is bounded, and tells when it had to forget."""
    outbox = Outbox(limit=2)
    assert [outbox.add(number, OutgoingEvent(number)) for number in range(3)] == [True, True, False]
    assert outbox.forgotten == 1
    assert [sending.event for sending in outbox.take_all()] == [1, 2]


def test_arrivals_are_acknowledged_together_and_in_time() -> None:
    """The latest packet is acknowledged when there are enough, or when the first waited enough."""
    arrivals = Arrivals(count=3, patience=1.0)
    assert arrivals.left(now=0.0) is None
    assert [arrivals.add(text, now=0.25) for text in ("1+", "2+", "3+")] == [False, False, True]
    assert arrivals.take() == "3+"
    assert arrivals.take() == ""
    arrivals.add("4+", now=5.0)
    arrivals.add("5+", now=5.5)
    assert arrivals.left(now=5.5) == 0.5
    assert arrivals.left(now=7.0) == 0
    assert arrivals.take() == "5+"
    assert arrivals.left(now=7.0) is None


def test_recently_seen_knows_repeats_within_its_limit() -> None:
    """A repeat is recognised until too many others came."""
    seen = RecentlySeen(limit=2)
    assert [seen.is_repeat(text) for text in "aabba"] == [False, True, False, True, True]
    assert not seen.is_repeat("c")
    assert not seen.is_repeat("a")


def test_reply_book_lets_go_after_a_time_and_beyond_its_limit() -> None:
    """Nobody is kept waiting for replies for ever, nor are too many."""
    book: ReplyBook[str] = ReplyBook(limit=3)
    book.add("a", "first", now=0, lifetime=10)
    book.add("b", "second", now=5, lifetime=10)
    book.release(now=11)
    assert book.get("a") is None
    assert book.get("b") == "second"
    for identifier in "cdef":
        book.add(identifier, identifier, now=11, lifetime=10)
    assert list(book) == ["d", "e", "f"]


def test_back_off_grows_with_the_outage_within_bounds() -> None:
    """A server is looked for within less than half the time it was away, and at most 20 s."""
    for outage in (0, 0.3, 1, 3, 10, 100, 10_000):
        waits = [back_off(outage) for _ in range(50)]
        assert min(waits) >= 0.1
        assert max(waits) <= min(20, max(0.2, 0.4 * outage))
        assert len(set(waits)) > 1


def test_worker_pool_keeps_the_order_of_each_key() -> None:
    """Items of one key are handled in order, whatever the other threads do."""
    handled: list[tuple[int, int]] = []
    done = threading.Event()

    def handle(item: tuple[int, int]) -> None:
        handled.append(item)
        if len(handled) == 400:
            done.set()

    with WorkerPool(handle, workers=4) as pool:
        for number in range(400):
            assert pool.has_room(5)
            pool.put(number % 7, (number % 7, number))
        assert done.wait(10)
    for key in range(7):
        numbers = [number for other, number in handled if other == key]
        assert numbers == sorted(numbers)


def test_worker_pool_handles_keys_side_by_side() -> None:
    """A slow item holds up its own key only."""
    release, other = threading.Event(), threading.Event()

    def handle(item: str) -> None:
        if item == "slow":
            assert release.wait(10)
        else:
            other.set()

    with WorkerPool(handle, workers=2) as pool:
        pool.put("a", "slow")
        pool.put("b", "fast")
        assert other.wait(10)
        release.set()


def test_worker_pool_gives_back_what_it_did_not_begin() -> None:
    """What no thread has begun when the pool ends is given back in order."""
    begun, release = threading.Event(), threading.Event()

    def handle(item: int) -> None:
        begun.set()
        assert release.wait(10)

    pool = WorkerPool(handle, workers=1)
    with pool:
        for number in range(5):
            pool.put(number % 2, number)
        assert begun.wait(10)
        threading.Timer(0.05, release.set).start()
    assert pool.leftover == [1, 2, 3, 4]


def test_worker_pool_needs_workers() -> None:
    """A pool without workers is refused."""
    with pytest.raises(ValueError, match="at least one worker"):
        WorkerPool(print, 0)
