"""Choose the exact frame rate of an encoded movie.

The frames of an encoded movie have equal distances, so that a player finds a frame by its time.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Optional

from ftrack_like._media.facts import MediaFacts, Picture

__all__ = ["SEQUENCE_RATE", "encoded_rate", "is_constant", "rate_of"]

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

#: A rate that was rounded may be a little above the exact one.
_NEARLY = Fraction(9995, 10000)

_LOWEST, _HIGHEST = Fraction(1, 1000), Fraction(300)

#: The highest rate of a movie whose frames have unequal distances.
_HIGHEST_VARIABLE = Fraction(60)

#: The highest rate of a movie whose frames have equal distances. A file can state any number.
_HIGHEST_CONSTANT = Fraction(1000)


def encoded_rate(picture: Picture, facts: MediaFacts) -> Fraction:
    """Return the frame rate for the encoded movie of *picture*, which is in a file with *facts*.

    It is the rate at which the frames fill their time. Without one, so many frames are wanted that
    frames with short distances are not left out, up to 60 a second.
    """
    usual = rate_of(picture)
    measured = Fraction(facts.frames - 1) / facts.span if facts.span else None
    states_rate = _sane(picture.rate) is not None or _sane(picture.average_rate) is not None
    if measured is None or (states_rate and is_constant(facts, usual)):
        return usual
    for stated in (picture.rate, picture.average_rate, measured):
        if stated is not None and stated <= _HIGHEST_CONSTANT:
            rate = _exact(stated)
            if is_constant(facts, rate):
                return rate
    close = 1 / facts.close if facts.close else usual
    if close <= usual * Fraction(3, 2):
        return usual
    enough = [one for one in _USUAL if close * _NEARLY <= one <= _HIGHEST_VARIABLE]
    return min(enough, default=_HIGHEST_VARIABLE)


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
    enough = [one for one in _USUAL if average * _NEARLY <= one <= _HIGHEST_VARIABLE]
    return min(enough, default=_HIGHEST_VARIABLE)


def is_constant(facts: MediaFacts, rate: Fraction) -> bool:
    """Return whether the frames fill their time at *rate*, but for a frame in a thousand.

    Then each frame of the source becomes one of the result, even where its time is inexact.
    """
    if facts.span is None:
        return True
    gaps = abs(round(facts.span * rate) + 1 - facts.frames)
    most = max(1, facts.frames // 1000)
    # The mean distance of frames with unequal distances also fills their time.
    return gaps <= most and facts.drift * rate <= most


def _sane(rate: Optional[Fraction]) -> Optional[Fraction]:
    return rate if rate is not None and _LOWEST <= rate <= _HIGHEST else None


def _exact(rate: Fraction) -> Fraction:
    """Return *rate*, or the usual rate that it was rounded from."""
    if rate.denominator in {1, 1001}:
        return rate
    nearest = min(_USUAL, key=lambda one: abs(one - rate))
    if abs(nearest / rate - 1) < Fraction(1, 500):
        return nearest
    return rate.limit_denominator(1001) if rate >= 1 else 1 / (1 / rate).limit_denominator(1001)
