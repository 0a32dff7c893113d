"""The classes of the cache module, used by themselves."""

from __future__ import annotations

from typing import Any

from book import Stage, step


def use(cache: Any, first: Any = "one", second: Any = "two") -> Any:
    """Return what a cache shows of being set, read, removed from and cleared."""
    cache.set("a", first)
    cache.set("b", second)
    cache.set("ab", first)
    shown = [sorted(cache.keys()), cache.get("b"), sorted(map(str, cache.values()))]
    cache.remove("a")
    try:
        cache.get("a")
    except KeyError as error:
        shown.append(type(error).__name__)
    cache.clear("^a")
    shown.append(sorted(cache.keys()))
    cache.clear()
    return [*shown, sorted(cache.keys())]


@step()
def memory(stage: Stage) -> Any:
    """A cache in memory."""
    return use(stage.module("cache").MemoryCache())


@step()
def proxy(stage: Stage) -> Any:
    """A cache before another one."""
    caches = stage.module("cache")
    return use(caches.ProxyCache(caches.MemoryCache()))


@step()
def layers(stage: Stage) -> Any:
    """Two layers: written to both, read from the first that has it, promoted."""
    caches = stage.module("cache")
    upper, lower = caches.MemoryCache(), caches.MemoryCache()
    layered = caches.LayeredCache([upper, lower])
    lower.set("deep", "found")
    return [layered.get("deep"), sorted(upper.keys()), use(layered), sorted(lower.keys())]


@step()
def serialised(stage: Stage) -> Any:
    """A cache of texts."""
    caches = stage.module("cache")
    inner = caches.MemoryCache()
    outer = caches.SerialisedCache(inner, encode=lambda value: value.upper(), decode=str.lower)
    outer.set("a", "text")
    return [inner.get("a"), outer.get("a"), use(outer)]


@step()
def file(stage: Stage) -> Any:
    """A cache in a file."""
    caches = stage.module("cache")
    path = stage.file("cache.dbm")
    __import__("os").remove(path)
    return use(
        caches.SerialisedCache(caches.FileCache(path), encode=lambda value: value, decode=as_text)
    )


def as_text(value: Any) -> str:
    """Return *value* as text; the published cache gives bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


@step()
def memoise(stage: Stage) -> Any:
    """A function that is called once for the same arguments."""
    caches = stage.module("cache")
    memoiser = caches.Memoiser(caches.MemoryCache())
    calls: list[Any] = []

    def double(value: Any, times: int = 2) -> Any:
        calls.append(value)
        return [value] * times

    first = memoiser.call(double, (1,), {})
    first.append("changed")
    second = memoiser.call(double, (), {"value": 1, "times": 2})
    third = memoiser.call(double, (1, 3))
    return [first, second, third, calls]


@step()
def memoise_by_decorator(stage: Stage) -> Any:
    """The same by a decorator, and of a method."""
    caches = stage.module("cache")
    memoiser = caches.Memoiser(caches.MemoryCache(), return_copies=False)
    calls: list[Any] = []

    @caches.memoise_decorator(memoiser)
    def add(left: int, right: int = 1) -> int:
        calls.append((left, right))
        return left + right

    return [add(1), add(1, 1), add(left=1, right=1), add(2), calls]


@step()
def text_keys(stage: Stage) -> Any:
    """Keys as text."""
    maker = stage.module("cache").StringKeyMaker()
    return [maker.key("a"), maker.key(("Task", ["1"])), maker.key(1, 2)]


@step()
def object_keys(stage: Stage) -> Any:
    """Keys of plain values, mappings, lists, functions and classes, as bytes."""
    maker = stage.module("cache").ObjectKeyMaker()
    values = ["text", 1, None, [1, "a"], {"b": 1, "a": [2]}, len, dict]
    return [maker.key(value).hex() for value in values] + [maker.key("a", "b").hex()]


@step(24, "a tuple and a list have two keys")
def keys_of_iterables(stage: Stage) -> Any:
    """A tuple and a list of the same values."""
    maker = stage.module("cache").ObjectKeyMaker()
    return maker.key((1, 2)) == maker.key([1, 2])
