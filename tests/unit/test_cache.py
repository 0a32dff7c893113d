"""The cache interface, and the caches and memoisers that work in memory."""

from __future__ import annotations

import json
import os
import uuid

import pytest

from ftrack_like import cache


class _Listed(cache.Cache):
    """A backend that implements no more than it must, and lists what it was told to do."""

    def __init__(self):
        super().__init__()
        self.stored = {}
        self.written = []

    def get(self, key):
        return self.stored[key]

    def set(self, key, value):
        self.written.append(key)
        self.stored[key] = value

    def remove(self, key):
        del self.stored[key]


def test_memory_cache_stores_and_removes():
    """A memory cache gives back the very object that was set, until it is removed."""
    memory = cache.MemoryCache()
    value = object()
    memory.set("key", value)
    assert memory.get("key") is value
    assert memory.keys() == ["key"]
    assert memory.values() == [value]
    memory.remove("key")
    assert memory.keys() == []


@pytest.mark.parametrize(
    "empty",
    [
        cache.MemoryCache(),
        cache.ProxyCache(cache.MemoryCache()),
        cache.SerialisedCache(cache.MemoryCache(), json.dumps, json.loads),
        cache.LayeredCache([cache.MemoryCache(), cache.MemoryCache()]),
        cache.LayeredCache([]),
    ],
    ids=lambda empty: type(empty).__name__,
)
def test_missing_key_is_a_key_error(empty):
    """Every cache raises KeyError for a key that it does not have."""
    with pytest.raises(KeyError, match="absent"):
        empty.get("absent")
    with pytest.raises(KeyError, match="absent"):
        empty.remove("absent")


def test_clear_removes_keys_that_match():
    """A pattern may be found anywhere in a key; without one everything goes."""
    memory = cache.MemoryCache()
    memory.set_many({"('Task', ['1'])": 1, "('Shot', ['2'])": 2, "x('Task', ['3'])": 3})
    held = memory._cache
    memory.clear("Task")
    assert memory.keys() == ["('Shot', ['2'])"]
    memory.clear()
    assert memory.keys() == []
    assert memory._cache is held


def test_backend_without_keys_says_so():
    """Listing, and what is built on it, needs the backend's keys."""
    with pytest.raises(NotImplementedError, match="_Listed"):
        _Listed().values()


def test_values_pass_over_what_was_removed_meanwhile():
    """A key that goes between listing and reading is no error."""

    class Vanishing(cache.MemoryCache):
        values = cache.Cache.values
        clear = cache.Cache.clear

        def keys(self):
            return [*super().keys(), "gone"]

    vanishing = Vanishing()
    vanishing.set("key", 1)
    assert vanishing.values() == [1]
    vanishing.clear()
    assert vanishing._cache == {}


def test_layers_are_asked_in_order_and_promoted():
    """A hit in a lower layer is copied into the layers above it."""
    top, middle, bottom = (cache.MemoryCache() for _ in range(3))
    layered = cache.LayeredCache([top, middle, bottom])
    bottom.set("key", "value")
    assert layered.get("key") == "value"
    assert top.get("key") == middle.get("key") == "value"


def test_layers_are_all_written_and_removed():
    """A value goes to each layer; removing takes it from those that have it."""
    top, bottom = cache.MemoryCache(), cache.MemoryCache()
    layered = cache.LayeredCache([top, bottom])
    layered.set("both", 1)
    bottom.set("below", 2)
    assert top.keys() == ["both"]
    assert layered.keys() == ["both", "below"]
    assert layered.values() == [1, 2]
    layered.remove("below")
    layered.clear("both")
    assert layered.keys() == bottom.keys() == []


def test_layers_may_be_changed_later():
    """The list of layers is public."""
    layered = cache.LayeredCache([cache.MemoryCache()])
    added = cache.MemoryCache()
    layered.caches.append(added)
    layered.set("key", 1)
    assert added.get("key") == 1


def test_many_are_set_one_by_one_where_set_is_overridden():
    """A studio's own set is honoured when a page is written."""
    own = _Listed()
    wrapped = cache.ProxyCache(own)
    cache.LayeredCache([wrapped]).set_many({"a": 1, "b": 2})
    assert own.written == ["a", "b"]

    class Upper(cache.MemoryCache):
        def set(self, key, value):
            super().set(key.upper(), value)

    upper = Upper()
    cache.set_many(upper, {"a": 1})
    assert upper.keys() == ["A"]


def test_many_are_set_in_anything_that_looks_like_a_cache():
    """A backend need not derive from Cache."""

    class Duck:
        def __init__(self):
            self.stored = {}

        def set(self, key, value):
            self.stored[key] = value

    duck = Duck()
    cache.set_many(duck, {"a": 1})
    assert duck.stored == {"a": 1}


def test_serialised_cache_encodes_and_decodes():
    """The proxied cache sees encoded values only."""
    memory = cache.MemoryCache()
    serialised = cache.SerialisedCache(memory, encode=json.dumps, decode=json.loads)
    serialised.set("one", {"x": 1})
    serialised.set_many({"two": [2]})
    assert memory.values() == ['{"x": 1}', "[2]"]
    assert serialised.values() == [{"x": 1}, [2]]


def test_serialised_cache_without_functions_passes_values():
    """The functions may come later; until then values pass as they are."""
    serialised = cache.SerialisedCache(cache.MemoryCache())
    serialised.set("key", [1])
    assert serialised.get("key") == [1]
    serialised.encode, serialised.decode = json.dumps, json.loads
    serialised.set("key", [2])
    assert serialised.proxied.get("key") == "[2]"


def test_redis_cache_without_the_package_says_what_to_install(monkeypatch):
    """The extra is named when the package is missing."""
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    with pytest.raises(ImportError, match="Install the extra 'redis' of ftrack-like"):
        cache.RedisCache()


class _Memory:
    """The part of a Redis client that RedisCache uses, on a dictionary."""

    def __init__(self):
        self.stored = {}
        self.expiries = set()

    def get(self, name):
        return self.stored.get(name)

    def set(self, name, value, ex=None):
        self.stored[name] = value
        self.expiries.add(ex)

    def delete(self, name):
        return int(self.stored.pop(name, None) is not None)

    def scan_iter(self, match, count):
        assert match == b"studio\\*:*"
        return iter([*self.stored, *self.stored])

    def pipeline(self, transaction):
        return self

    def execute(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.mark.parametrize("expire", [0, -1, 1.5, True, "60", 10**12])
def test_redis_cache_refuses_an_impossible_expiry(expire):
    """A life that a server would refuse with each value is an error at once."""
    pytest.importorskip("redis", reason="the extra 'redis' is not installed")
    with pytest.raises(ValueError, match="whole number of seconds"):
        cache.RedisCache(expire=expire)


def test_redis_cache_keeps_text_under_its_prefix():
    """Keys carry the prefix on the server only, and any text survives."""
    client = _Memory()
    redis = cache.RedisCache(client=client, prefix="studio*:", expire=60)
    redis.set("('Task', ['ü'])", "wért \ud800")
    redis.set_many({"two": "2"})
    assert redis.get("('Task', ['ü'])") == "wért \ud800"
    assert redis.keys() == ["('Task', ['ü'])", "two"]
    assert b"studio*:two" in client.stored
    assert client.expiries == {60}
    redis.clear("Task")
    assert redis.keys() == ["two"]
    with pytest.raises(KeyError):
        redis.remove("absent")
    with pytest.raises(TypeError, match="SerialisedCache"):
        redis.set("key", {"not": "text"})


@pytest.mark.redis
def test_redis_cache_on_a_server():
    """The same holds on a real server."""
    pytest.importorskip("redis", reason="the extra 'redis' is not installed")
    url = os.environ.get("FTRACK_LIKE_TEST_REDIS_URL")
    if not url:
        pytest.skip("FTRACK_LIKE_TEST_REDIS_URL names no server")
    shared = cache.RedisCache(url, prefix=f"ftrack-test-{uuid.uuid4().hex}:")
    try:
        shared.set_many({"a": "ä", "b": "\ud800"})
        assert sorted(shared.keys()) == ["a", "b"]
        assert shared.values() == [shared.get(key) for key in shared.keys()]
    finally:
        shared.clear()
    assert shared.keys() == []
