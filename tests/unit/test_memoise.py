"""Memoisation."""

from __future__ import annotations

import inspect

import pytest

from ftrack_like import cache


@pytest.fixture
def calls():
    """A list that memoised functions append their calls to."""
    return []


def test_function_is_called_once_for_equal_arguments(calls):
    """By position, by name or by default: the same arguments give one call."""

    def add(a, b=2):
        calls.append((a, b))
        return a + b

    memoiser = cache.Memoiser()
    results = [
        memoiser.call(add, (1,)),
        memoiser.call(add, [1, 2]),
        memoiser.call(add, (), {"b": 2, "a": 1}),
    ]
    assert results == [3, 3, 3]
    assert calls == [(1, 2)]


def test_results_are_copies_unless_told_otherwise():
    """A caller who changes a result does not change what others get."""
    memoiser = cache.Memoiser()
    make = lambda: [[1]]  # noqa: E731
    memoiser.call(make)[0].append(2)
    assert memoiser.call(make) == [[1]]
    sharing = cache.Memoiser(return_copies=False)
    assert sharing.call(make) is sharing.call(make)


def test_none_is_remembered_and_errors_are_not(calls):
    """None is a result like others; a call that raised is made again."""

    def nothing():
        calls.append("nothing")

    def fail():
        calls.append("fail")
        raise ValueError

    memoiser = cache.Memoiser()
    assert memoiser.call(nothing) is memoiser.call(nothing) is None
    for _ in range(2):
        with pytest.raises(ValueError):
            memoiser.call(fail)
    assert calls == ["nothing", "fail", "fail"]


def test_key_is_made_of_function_and_arguments():
    """A key maker sees the function and the mapping of parameters to values."""
    seen = []

    class Recording(cache.StringKeyMaker):
        def key(self, *items):
            seen.extend(items)
            return super().key(*items)

    def function(a, b=2, *rest, **options):
        return a

    memory = cache.MemoryCache()
    cache.Memoiser(memory, Recording()).call(function, (1,), {"c": 3})
    assert seen == [function, {"a": 1, "b": 2, "rest": (), "options": {"c": 3}}]
    assert memory.values() == [1]


def test_methods_of_two_instances_are_remembered_apart(calls):
    """The instance is an argument of its methods, decorated or passed bound."""
    memoiser = cache.Memoiser()

    class Item:
        def __init__(self, name):
            self.name = name

        def __reduce__(self):
            return (str, (self.name,))

        @cache.memoise_decorator(memoiser)
        def decorated(self):
            calls.append(self.name)
            return self.name

        def plain(self):
            return self.name

    one, two = Item("one"), Item("two")
    assert [one.decorated(), two.decorated(), one.decorated()] == ["one", "two", "one"]
    assert calls == ["one", "two"]
    assert [memoiser.call(one.plain), memoiser.call(two.plain)] == ["one", "two"]


def test_decorated_function_keeps_its_face():
    """Name, documentation and signature are those of the function."""

    @cache.memoise
    def function(a, *, b=1):
        """Say something."""
        return a

    assert function.__name__ == "function"
    assert function.__doc__ == "Say something."
    assert str(inspect.signature(function)) == "(a, *, b=1)"
    assert function(1) == 1
    assert cache.memoiser.cache.values() == [1]
    cache.memoiser.cache.clear()


def test_function_without_signature_can_be_called():
    """Functions written in C that tell no signature are memoised as well."""
    assert cache.Memoiser().call(dict, ([("a", 1)],)) == {"a": 1}


def test_wrong_arguments_are_a_type_error():
    """What the function would refuse is refused."""
    with pytest.raises(TypeError):
        cache.Memoiser().call(lambda: 1, (1,))
