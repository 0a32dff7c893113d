"""Journals: entries are kept, claimed once, repeated, buried, and remembered."""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ftrack_like import exception
from ftrack_like.event.journal import Journal, entries, open_journal
from ftrack_like.event.journal.owners import has_ended, new_owner
from ftrack_like.event.journal.sqlite import SqliteJournal

Opener = Callable[..., Journal]


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def opener(request: Any, tmp_path: pathlib.Path) -> Iterator[Opener]:
    """Return a function that opens one journal, each time anew."""
    name = f"test-{uuid.uuid4().hex}"
    place = str(tmp_path / "journals")
    client: Any = None
    if request.param == "redis":
        redis = pytest.importorskip("redis", reason="the package redis is not installed")
        place = os.environ.get("FTRACK_LIKE_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
        client = redis.Redis.from_url(place)
        try:
            client.ping()
        except redis.exceptions.RedisError as error:
            pytest.skip(f"no Redis server: {error}")
    opened: list[Journal] = []

    def open_again() -> Journal:
        opened.append(open_journal(name, place))
        return opened[-1]

    yield open_again
    for each in opened:
        each.close()
    if client is not None:
        keys = client.keys(f"ftrack-like:journal:{{{name}}}:*")
        if keys:
            client.delete(*keys)
        client.close()


def _claim(journal: Journal) -> entries.JournalClaim:
    claim = journal.claim()
    assert claim is not None
    return claim


@pytest.mark.parametrize("rest", ["host/first", "host/0?databse=1", "host:port/0"])
def test_wrong_address_of_a_journal_is_refused(rest: str) -> None:
    """A mistake in the address of a server is an error when the journal is opened."""
    pytest.importorskip("redis", reason="the package redis is not installed")
    with pytest.raises(exception.EventJournalError, match="cannot be used"):
        open_journal("wrong", f"redis://{rest}")


def test_entries_come_in_order_and_once(opener: Opener) -> None:
    """Entries are claimed in the order in which they were added, each by one worker."""
    one, two = opener(), opener()
    assert [one.add(each, each.upper()) for each in "abc"] == [True] * 3
    claims = [_claim(one), _claim(two), _claim(one)]
    assert [each.event for each in claims] == ["A", "B", "C"]
    assert one.claim() is None
    assert two.claim() is None


def test_known_events_are_not_added_again(opener: Opener) -> None:
    """An event that waits, or was handled, is not added a second time."""
    journal = opener()
    assert journal.add("a", "A")
    assert not journal.add("a", "A")
    claim = _claim(journal)
    assert journal.begin(claim)
    journal.finish(claim)
    assert not journal.add("a", "A")
    assert journal.claim() is None
    assert journal.counts() == (0, 0, 0, 1)


def test_a_closed_journal_gives_claims_to_others(opener: Opener) -> None:
    """Claims of a worker that closes its journal are free at once."""
    one, two = opener(), opener()
    one.add("a", "A")
    assert _claim(one).identifier == "a"
    assert two.claim() is None
    one.close()
    assert _claim(two).identifier == "a"


def test_an_unrenewed_lease_ends(opener: Opener, monkeypatch: Any) -> None:
    """An entry whose lease is not renewed goes to another worker, and the first loses the claim."""
    monkeypatch.setattr(f"{entries.__package__}.sqlite.LEASE", 0.2)
    monkeypatch.setattr(f"{entries.__package__}.redis.LEASE", 0.2)
    one, two = opener(), opener()
    one.add("a", "A")
    lost = _claim(one)
    deadline = time.monotonic() + 10
    taken = None
    while taken is None:
        assert time.monotonic() < deadline
        taken = two.claim()
    assert not one.begin(lost)
    one.finish(lost)
    assert two.counts() == (0, 1, 0, 0)


def test_renewed_leases_last(opener: Opener, monkeypatch: Any) -> None:
    """A lease that is renewed outlasts its first end."""
    monkeypatch.setattr(f"{entries.__package__}.sqlite.LEASE", 0.01)
    monkeypatch.setattr(f"{entries.__package__}.redis.LEASE", 0.01)
    one, two = opener(), opener()
    one.add("a", "A")
    claim = _claim(one)
    monkeypatch.setattr(f"{entries.__package__}.sqlite.LEASE", 60.0)
    monkeypatch.setattr(f"{entries.__package__}.redis.LEASE", 60.0)
    one.renew([claim.identifier])
    time.sleep(0.05)  # longer than the first lease
    assert two.claim() is None


def test_retries_wait_and_dead_letters_stay(opener: Opener) -> None:
    """A failed entry waits for its pause; a buried one waits for a person."""
    journal = opener()
    journal.add("a", "A")
    claim = _claim(journal)
    assert journal.begin(claim)
    journal.retry(claim, ["one"], "broken", 3600)
    assert journal.claim() is None
    journal.add("b", "B")
    second = _claim(journal)
    assert second.identifier == "b"
    assert journal.begin(second)
    journal.bury(second, ["two"], "hopeless")
    (letter,) = journal.dead_letters()
    assert letter[:4] == ("b", "B", 1, "hopeless")
    assert abs(letter.moment - time.time()) < 60
    assert journal.counts() == (1, 0, 1, 0)


def test_dead_letters_are_repeated_and_dropped(opener: Opener) -> None:
    """A repeated dead letter has all its tries again; a dropped one never comes back."""
    journal = opener()
    for name in "ab":
        journal.add(name, name.upper())
        claim = _claim(journal)
        assert journal.begin(claim)
        journal.bury(claim, ["one"], "broken")
    assert journal.repeat(["a", "unknown"]) == 1
    claim = _claim(journal)
    assert (claim.identifier, claim.tries, list(claim.done)) == ("a", 0, ["one"])
    assert journal.drop(["b"]) == 1
    assert journal.dead_letters() == []
    assert not journal.add("b", "B")


def test_released_entries_keep_their_tries(opener: Opener) -> None:
    """A released entry is free at once, as if the try had not begun."""
    journal = opener()
    journal.add("a", "A")
    claim = _claim(journal)
    assert journal.begin(claim)
    journal.release(claim)
    assert _claim(journal).tries == 0


def test_a_full_journal_refuses_events(opener: Opener) -> None:
    """A journal has a bound; events beyond it are refused until others are handled."""
    journal: Any = opener()
    journal._waiting_limit = 2
    journal.add("a", "A")
    journal.add("b", "B")
    with pytest.raises(exception.EventJournalBusyError, match="is full: 2 events wait"):
        journal.add("c", "C")
    assert not journal.add("a", "A")
    claim = _claim(journal)
    journal.begin(claim)
    journal.finish(claim)
    assert journal.add("c", "C")


def test_handled_ids_are_bounded(opener: Opener, monkeypatch: Any) -> None:
    """A journal forgets the ids of the events that were handled longest ago."""
    for module in ("sqlite", "redis"):
        monkeypatch.setattr(f"{entries.__package__}.{module}.DONE_LIMIT", 3)
    monkeypatch.setattr(f"{entries.__package__}.sqlite.TRIMMED_AT_ONCE", 1)
    journal = opener()
    for number in range(10):
        journal.add(str(number), "event")
        claim = _claim(journal)
        journal.begin(claim)
        journal.finish(claim)
    assert journal.counts().done == 3
    assert not journal.add("9", "event")
    assert journal.add("0", "event")


def test_subscriber_ids_pass_to_the_next_worker(opener: Opener) -> None:
    """Workers that run have different ids; a later worker gets the id of one that ended."""
    one, two = opener(), opener()
    first, second = one.subscriber_id("updates"), two.subscriber_id("updates")
    assert first != second
    assert one.subscriber_id("others") not in (first, second)
    one.close()
    assert opener().subscriber_id("updates") == first


def test_a_closed_journal_keeps_no_ids(opener: Opener) -> None:
    """A renewal that comes after the end does not keep the id from the next worker."""
    journal = opener()
    first = journal.subscriber_id("updates")
    journal.close()
    with contextlib.suppress(exception.EventJournalError):
        journal.renew([])
    assert opener().subscriber_id("updates") == first


def test_a_journal_belongs_to_one_server(opener: Opener) -> None:
    """Events of two servers do not mix in a journal."""
    journal = opener()
    journal.belong_to("https://one")
    journal.belong_to("https://one")
    with pytest.raises(exception.EventJournalError, match="of the server https://one, not of"):
        opener().belong_to("https://two")


def test_positions_are_kept(opener: Opener) -> None:
    """The position in the activity survives the journal object."""
    journal = opener()
    assert journal.position() is None
    journal.set_position("12")
    journal.set_position("13")
    assert opener().position() == "13"


def test_threads_share_a_journal(opener: Opener) -> None:
    """Entries that four threads claim from two objects are each claimed once."""
    journals = [opener(), opener()]
    for number in range(100):
        journals[0].add(str(number), "event")
    claimed: list[str] = []

    def work(journal: Journal) -> None:
        while (claim := journal.claim()) is not None:
            assert journal.begin(claim)
            claimed.append(claim.identifier)
            journal.finish(claim)

    threads = [threading.Thread(target=work, args=(journals[each % 2],)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(claimed, key=int) == [str(number) for number in range(100)]


def test_the_file_is_private(tmp_path: pathlib.Path) -> None:
    """Only the owner may read the file of a journal and its folder."""
    path = tmp_path / "folder" / "a.journal"
    SqliteJournal(str(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_large_journal_refuses_events(tmp_path: pathlib.Path) -> None:
    """A file has a bound for its size."""
    journal = SqliteJournal(str(tmp_path / "a.journal"), size_limit=200_000)
    added = 0
    with contextlib.suppress(exception.EventJournalBusyError):
        while added < 100 and journal.add(str(added), "x" * 10_000):
            added += 1
    assert 5 < added < 20
    with pytest.raises(exception.EventJournalBusyError, match="is full: it takes 200,000 bytes"):
        journal.add("more", "x" * 10_000)
    journal.close()


def test_a_foreign_file_is_refused(tmp_path: pathlib.Path) -> None:
    """A file that is not a journal is not touched, and the error names it."""
    path = tmp_path / "a.journal"
    path.write_text("my notes " * 100)
    with pytest.raises(exception.EventJournalError, match=r"a\.journal cannot be used"):
        SqliteJournal(str(path))
    assert path.read_text() == "my notes " * 100


def test_wrong_names_and_places_are_refused(tmp_path: pathlib.Path) -> None:
    """Names that are no file names, and addresses of other servers, are errors."""
    for name in ("", "../a", "a/b", "-a", "x" * 101):
        with pytest.raises(ValueError, match="durable name"):
            open_journal(name, str(tmp_path))
    with pytest.raises(ValueError, match=r"place 'http://\*+@host' is invalid"):
        open_journal("a", "http://user:word@host")


def test_an_unreachable_redis_is_named_without_its_password() -> None:
    """An error about a server masks the password in its address."""
    pytest.importorskip("redis", reason="the package redis is not installed")
    journal = open_journal("a", "redis://user:word-of-pass@127.0.0.1:1/0")
    with pytest.raises(exception.EventJournalBusyError) as caught:
        journal.add("a", "A")
    assert "127.0.0.1:1" in str(caught.value)
    assert "word-of-pass" not in str(caught.value)


def test_processes_that_ended_are_known() -> None:
    """The owner of an ended process has ended, that of this process has not."""
    code = "from ftrack_like.event.journal.owners import new_owner; print(new_owner())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert has_ended(found.stdout.strip())
    assert not has_ended(new_owner())
    unnoticed = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert unnoticed.stdout is not None
    owner = unnoticed.stdout.read().strip()
    deadline = time.monotonic() + 10
    while not has_ended(owner):  # although this process has not asked for its status
        assert time.monotonic() < deadline
    unnoticed.wait()
    unnoticed.stdout.close()
    machine = new_owner().partition("|")[0]
    assert has_ended(f"{machine}|{os.getpid()}|an-earlier-process")
    assert not has_ended(f"elsewhere|{os.getpid()}|another-machine")
