"""Mixing classes into single objects."""

from __future__ import annotations

import ftrack_like


class Plain:
    """A class."""

    def who(self):
        """Return a name."""
        return "plain"


class Loud:
    """A class to mix in."""

    def who(self):
        """Return the name of the next class, louder."""
        return super().who().upper()


def test_one_object_gets_another_class():
    """The mixin comes first, for this object alone, under a name of its own."""
    one, other = Plain(), Plain()
    ftrack_like.mixin(one, Loud)
    assert one.who() == "PLAIN"
    assert other.who() == "plain"
    assert type(one).__name__ == "PlainLoud"
    ftrack_like.mixin(other, Loud, name="Special")
    assert type(other).__name__ == "Special"
    assert isinstance(other, Plain)


def test_mixing_in_again_changes_nothing():
    """What an object has already is not added a second time."""
    one = Plain()
    ftrack_like.mixin(one, Loud)
    before = type(one)
    ftrack_like.mixin(one, Loud)
    assert type(one) is before
