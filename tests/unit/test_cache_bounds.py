"""Caches that limit the age and the number of values, and that share a storage by prefixes."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ftrack_like import cache


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("value", ["text with blanks", 5, None, ("a", 1)])
def test_expiring_cache_forgets_after_its_time(value: Any) -> None:
    """A value of any type is there until its time is over, alone and among others."""
    time = Time()
    expiring = cache.ExpiringCache(cache.MemoryCache(), 10, clock=time)
    expiring.set("one", value)
    expiring.set_many({"two": value})
    time.now += 9
    assert expiring.get("one") == value
    assert expiring.get_many(["one", "two", "three"]) == {"one": value, "two": value}
    time.now += 2
    with pytest.raises(KeyError):
        expiring.get("one")
    assert expiring.get_many(["one", "two"]) == {}


def test_expiring_cache_stores_text_as_text(tmp_path: Any) -> None:
    """A cache that stores only text can be proxied, and another process sees the same time."""
    path = tmp_path / "cache.db"
    cache.ExpiringCache(cache.FileCache(path), 60).set("key", "value")
    assert cache.ExpiringCache(cache.FileCache(path), 60).get("key") == "value"


@pytest.mark.parametrize("stored", ["", "text", "12", "nan value", ("a", "b"), (1,), 5, None])
def test_expiring_cache_skips_values_of_other_programs(stored: Any) -> None:
    """A value without a valid time counts as missing."""
    below = cache.MemoryCache()
    below.set("key", stored)
    expiring = cache.ExpiringCache(below, 10)
    with pytest.raises(KeyError):
        expiring.get("key")
    assert expiring.get_many(["key"]) == {}


def test_expiring_cache_skips_values_from_the_future() -> None:
    """A value that was set while a clock was wrong does not stay for years."""
    time = Time()
    expiring = cache.ExpiringCache(cache.MemoryCache(), 10, clock=time)
    expiring.set("key", "value")
    time.now -= 1_000_000
    with pytest.raises(KeyError):
        expiring.get("key")


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan"), "5", None])
def test_expiring_cache_needs_a_positive_time(seconds: Any) -> None:
    """A life that is not a positive number is refused."""
    with pytest.raises(ValueError, match="positive"):
        cache.ExpiringCache(cache.MemoryCache(), seconds)


def test_lru_cache_removes_what_was_not_used_for_longest() -> None:
    """Reading and writing count as use; the oldest keys above the bound leave the storage."""
    below = cache.MemoryCache()
    bounded = cache.LRUCache(below, 3)
    for name in "abc":
        bounded.set(name, name)
    bounded.get("a")
    bounded.get_many(["b"])
    bounded.set("d", "d")
    assert sorted(below.keys()) == ["a", "b", "d"]
    bounded.set_many({"e": 1, "f": 2, "g": 3, "h": 4})
    assert sorted(below.keys()) == ["f", "g", "h"]
    bounded.remove("f")
    bounded.remove_many(["g", "absent"])
    with pytest.raises(KeyError):
        bounded.remove("f")
    bounded.set("i", 5)
    assert sorted(below.keys()) == ["h", "i"]
    bounded.clear()
    assert below.keys() == []


def test_lru_cache_counts_the_keys_of_an_earlier_process(tmp_path: Any) -> None:
    """Keys that the storage has at the start leave first."""
    storage = cache.FileCache(tmp_path / "cache.db")
    storage.set_many({str(number): "old" for number in range(5)})
    bounded = cache.LRUCache(storage, 3)
    bounded.set("new", "new")
    assert len(storage.keys()) == 3
    assert bounded.get("new") == "new"


def test_lru_cache_keeps_its_bound_with_threads() -> None:
    """Threads that write at once do not exceed the bound."""
    bounded = cache.LRUCache(cache.MemoryCache(), 50)

    def write(start: int) -> None:
        for number in range(500):
            bounded.set((start, number), number)
            bounded.get_many([(start, number), (start, number - 1)])

    threads = [threading.Thread(target=write, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bounded.set("last", 1)
    assert len(bounded.keys()) <= 50


@pytest.mark.parametrize("most", [0, -1, True, 2.5, "3", None])
def test_lru_cache_needs_a_whole_bound(most: Any) -> None:
    """A bound that is not a whole number of at least 1 is refused."""
    with pytest.raises(ValueError, match="whole number"):
        cache.LRUCache(cache.MemoryCache(), most)


def test_prefixed_caches_share_a_storage() -> None:
    """Each sees its own keys only, and clears only these."""
    storage = cache.MemoryCache()
    names = ["b:"]
    one = cache.PrefixedCache(storage, "a:")
    two = cache.PrefixedCache(storage, lambda: names[0])
    one.set_many({"key": 1, "other": 2})
    two.set("key", 3)
    assert one.get("key") == 1
    assert two.get_many(["key", "other"]) == {"key": 3}
    assert sorted(one.keys()) == ["key", "other"]
    assert one.keys_with("o") == ["other"]
    one.clear("^k")
    assert one.keys() == ["other"]
    with pytest.raises(KeyError, match="'key'"):
        one.get("key")
    with pytest.raises(KeyError, match="'key'"):
        one.remove("key")
    one.remove_many(["other", "absent"])
    names[0] = "c:"
    assert two.keys() == []
    assert storage.keys() == ["b:key"]


class Counting(cache.MemoryCache):
    """A memory cache that overrides only the methods for single keys."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def get(self, key: Any) -> Any:
        self.calls.append("get")
        return super().get(key)

    def remove(self, key: Any) -> None:
        self.calls.append("remove")
        super().remove(key)


def test_overridden_methods_are_called_for_each_key() -> None:
    """A subclass that overrides only the method for one key sees each key."""
    counting = Counting()
    cache.set_many(counting, {"a": 1, "b": 2})
    assert cache.get_many(counting, ["a", "b", "c"]) == {"a": 1, "b": 2}
    cache.remove_many(counting, ["a", "c"])
    assert counting.calls == ["get"] * 3 + ["remove"] * 2
    assert cache.get_many(cache.LayeredCache([counting]), ["b"]) == {"b": 2}


def test_layers_are_read_once_for_many_keys() -> None:
    """A layered cache takes each value from the first layer that has it, and copies it upwards."""
    upper, lower = cache.MemoryCache(), cache.MemoryCache()
    layered = cache.LayeredCache([upper, lower])
    upper.set("a", 1)
    lower.set_many({"a": 0, "b": 2})
    assert layered.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
    assert upper.get("b") == 2
    layered.remove_many(["a", "b"])
    assert layered.keys() == []


def test_serialised_cache_skips_damaged_values_among_many() -> None:
    """A value that cannot be decoded counts as missing."""
    below = cache.MemoryCache()
    below.set_many({"good": "5", "bad": "x"})
    assert cache.SerialisedCache(below, str, int).get_many(["good", "bad"]) == {"good": 5}


def test_file_cache_reads_and_removes_many_keys(tmp_path: Any) -> None:
    """One transaction reads or removes many keys; values of other programs are skipped."""
    file = cache.FileCache(tmp_path / "cache.db")
    file.set_many({"a": "1", "b": "2", "c": "3"})
    with file._database() as database:
        database["bytes"] = b"\xff"
    assert file.get_many(["a", "c", "bytes", "absent"]) == {"a": "1", "c": "3"}
    with pytest.raises(KeyError):
        file.get("bytes")
    file.remove_many(["a", "absent"])
    assert sorted(file.keys()) == ["b", "bytes", "c"]
