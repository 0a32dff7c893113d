"""Makers of cache keys."""

from __future__ import annotations

import cmath
import collections
import functools
import math
import subprocess
import sys

import pytest

from ftrack_like import cache


def top_level():
    """A function with an importable name."""


def returning(value):
    """Return a function with a value of its own."""
    return lambda: value


class Owner:
    """A class with methods of each kind."""

    def method(self):
        """Say nothing."""

    @classmethod
    def of_class(cls):
        """Say nothing."""

    @staticmethod
    def static():
        """Say nothing."""

    class Inner:
        """A class in a class."""


class Other:
    """A class with methods of the same names."""

    of_class = classmethod(Owner.of_class.__func__)

    def method(self):
        """Say nothing."""

    @staticmethod
    def static():
        """Say nothing."""

    class Inner:
        """A class in a class."""


Owner.Inner.static = Owner.static


MODULE = __name__.encode()


def _published(plain: bytes) -> bytes:
    """Return the key of a value that pickles, protocol 2, to *plain*."""
    return b"\x80\x02" + plain + b"."


ONE = _published(b"K\x01")
A = _published(b"X\x01\x00\x00\x00aq\x00")
B = _published(b"X\x01\x00\x00\x00bq\x00")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ((), b""),
        ((1,), ONE),
        (("a",), A),
        (("é",), _published(b"X\x02\x00\x00\x00\xc3\xa9q\x00")),
        ((1.5,), _published(b"G?\xf8\x00\x00\x00\x00\x00\x00")),
        ((None,), _published(b"N")),
        ((True,), _published(b"\x88")),
        ((1, "a"), ONE + b"\x00" + A),
        (([],), b"\x03\x03"),
        (([1, "a"],), b"\x03" + ONE + b"\x00" + A + b"\x03"),
        (([[1]],), b"\x03\x03" + ONE + b"\x03\x03"),
        (({},), b"\x01\x01"),
        (({"b": 1, "a": 1},), b"\x01" + A + b"\x02" + ONE + b"\x00" + B + b"\x02" + ONE + b"\x01"),
        (({"a": {"b": 1}},), b"\x01" + A + b"\x02\x01" + B + b"\x02" + ONE + b"\x01\x01"),
        ((collections.OrderedDict(a=1),), b"\x01" + A + b"\x02" + ONE + b"\x01"),
        ((top_level,), b"\x04top_level\x00" + MODULE),
        ((Owner,), b"\x04Owner\x00" + MODULE),
        ((Owner().method,), b"\x04method\x00Owner\x00" + MODULE),
        ((Owner.method,), b"\x04method\x00" + MODULE),
        ((int,), b"\x04int\x00builtins"),
        ((len,), b"\x04len"),
    ],
)
def test_object_keys_stay_as_published(items, expected):
    """Persistent caches made by older clients keep their meaning."""
    assert cache.ObjectKeyMaker().key(*items) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], (1, 2)),
        (b"ab", [97, 98]),
        (b"ab", bytearray(b"ab")),
        ({1}, [1]),
        ({1}, frozenset({1})),
        (range(2), [0, 1]),
        (lambda: 1, lambda: 1),
        (returning(1), returning(2)),
        (Owner.of_class, Other.of_class),
        (Owner.static, Other.static),
        (Owner.Inner, Other.Inner),
        ("a".join, "b".join),
        (math.sin, cmath.sin),
        (Owner, "Owner"),
    ],
)
def test_object_keys_tell_apart(one, other):
    """What behaves differently has different keys, alone and in a list."""
    maker = cache.ObjectKeyMaker()
    assert maker.key(one) != maker.key(other)
    assert maker.key([one]) != maker.key([other])


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"x": (1, {"y"}), "z": b"bytes"},
        lambda: {1: "mixed", "names": 2, None: 3},
        lambda: set("abcdefghij"),
        lambda: top_level,
        lambda: "ab".join,
        lambda: functools.partial(top_level, 1),
    ],
)
def test_object_keys_are_the_same_for_equal_things(make):
    """A key depends on what a thing is, not on which object it is."""
    maker = cache.ObjectKeyMaker()
    assert maker.key(make()) == maker.key(make())


def test_object_key_of_a_nameless_function_is_its_own():
    """A lambda keeps its key as long as it lives."""
    function = lambda: None  # noqa: E731
    maker = cache.ObjectKeyMaker()
    assert maker.key(function) == cache.ObjectKeyMaker().key(function)


def test_object_keys_of_nameless_functions_differ_between_processes():
    """A persistent cache shared by processes never mixes their lambdas up."""
    code = "from ftrack_like import cache; print(cache.ObjectKeyMaker().key(lambda: 1))"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] != runs[1]


def test_string_keys():
    """The key of an identity is the text of the tuple."""
    maker = cache.StringKeyMaker()
    assert maker.key(("Task", ["some-id"])) == "('Task', ['some-id'])"
    assert maker.key("a", 1) == "a1"


def test_own_key_maker():
    """A subclass says how one item becomes a key, and what stands between items."""

    class Dashed(cache.KeyMaker):
        def __init__(self):
            super().__init__()
            self.item_separator = "-"

        def _key(self, obj):
            return obj.upper()

    assert Dashed().key("a", "b") == "A-B"
    with pytest.raises(TypeError):
        cache.KeyMaker()
