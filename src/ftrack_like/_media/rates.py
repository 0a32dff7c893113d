"""Choose the exact frame rate of an encoded movie.

The frames of an encoded movie have equal distances, so that a player finds a frame by its time.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Optional

from ftrack_like._media.facts import MediaFacts, Picture

__all__ = ["SEQUENCE_RATE", "is_constant", "rate_of"]

#: The frame rate of a sequence of images, which states none.
SEQUENCE_RATE = Fraction(24)

#: The rates of cameras and displays. A rate that is not exact in the file becomes the nearest one.
_USUAL = tuple(
    Fraction(*one)
    for one in (
        *((10, 1), (12, 1), (15, 1), (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1)),
        *((48000, 1001), (48, 1), (50, 1), (60000, 1001), (60, 1), (120000, 1001), (120, 1)),
    )
)

_LOWEST, _HIGHEST = Fraction(1, 1000), Fraction(300)

#: The highest rate of a movie whose frames have unequal distances.
_HIGHEST_VARIABLE = Fraction(60)


def rate_of(picture: Picture) -> Fraction:
    """Return the frame rate for the encoded movie of *picture*.

    It is the rate of the source. If the frames of the source have unequal distances, it is the rate
    whose frame times contain those of the source, up to 60.
    """
    rate, average = _sane(picture.rate), _sane(picture.average_rate)
    if rate is None and average is None:
        return SEQUENCE_RATE
    if average is None:
        assert rate is not None
        return _exact(rate)
    if rate is None and picture.rate is None:
        return _exact(average)
    if rate is not None:
        is_steady = picture.start is None or abs(rate / average - 1) < Fraction(1, 100)
        if is_steady or rate <= _HIGHEST_VARIABLE:
            return _exact(rate)
    enough = [one for one in _USUAL if average * Fraction(9995, 10000) <= one <= _HIGHEST_VARIABLE]
    return min(enough, default=_HIGHEST_VARIABLE)


def is_constant(facts: MediaFacts, rate: Fraction) -> bool:
    """Return whether the frames fill their time at *rate*, but for a frame in a thousand.

    Then each frame of the source becomes one of the result, even where its time is inexact.
    """
    if facts.span is None:
        return True
    gaps = abs(round(facts.span * rate) + 1 - facts.frames)
    return gaps <= max(1, facts.frames // 1000)


def _sane(rate: Optional[Fraction]) -> Optional[Fraction]:
    return rate if rate is not None and _LOWEST <= rate <= _HIGHEST else None


def _exact(rate: Fraction) -> Fraction:
    """Return *rate*, or the usual rate that it was rounded from."""
    if rate.denominator in {1, 1001}:
        return rate
    nearest = min(_USUAL, key=lambda one: abs(one - rate))
    if abs(nearest / rate - 1) < Fraction(1, 500):
        return nearest
    return rate.limit_denominator(1001)
