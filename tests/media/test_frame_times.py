"""The times of frames in the result are those of the source, also at unusual rates."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Optional

import pytest

pytest.importorskip("av", reason="PyAV (media extra) is not installed")
pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")

from tests.media.measuring import measured

from ftrack_like._media.facts import MediaFacts, Picture
from ftrack_like._media.rates import encoded_rate


def _rate(
    stated: Optional[str],
    average: Optional[str],
    times: Sequence[Fraction],
    close: Optional[Fraction] = None,
) -> Fraction:
    """Return the rate for a movie with frames at *times*, and these rates in the file."""
    rates = [None if one is None else Fraction(one) for one in (stated, average)]
    shape = (64, 36)
    picture = Picture(0, "h264", "yuv420p", *shape, shape, *rates, 0.0, False, False, 2, 2, 2, 0)
    span = times[-1] - times[0]
    step = span / (len(times) - 1)
    drift = max(abs(one - times[0] - place * step) for place, one in enumerate(times))
    facts = MediaFacts(
        *("mov", 0.0, None, [picture], [], []), len(times), span, drift, close or step
    )
    return encoded_rate(picture, facts)


def _equal(step: str, count: int = 50) -> list[Fraction]:
    return [Fraction(step) * number for number in range(count)]


@pytest.mark.parametrize(
    ("stated", "average", "step", "becomes"),
    [
        ("24000/1001", "24000/1001", "1001/24000", "24000/1001"),
        ("1000", "1000", "1/1000", "1000"),
        ("1000", None, "1/1000", "1000"),
        ("1/3600", "1/3600", "3600", "1/3600"),
        ("90000", "31", "1/31", "31"),
        ("60", "12", "1/12", "12"),
        (None, None, "1/10", "10"),
        (None, None, "33367/1000000", "30000/1001"),
        ("50000", "50000", "1/50000", "60"),
    ],
)
def test_frames_with_equal_distances_keep_their_rate(stated, average, step, becomes):
    """Whatever the file states, no frame is repeated or left out up to 1000 frames per second."""
    assert _rate(stated, average, _equal(step)) == Fraction(becomes)


def test_two_frames_have_the_rate_of_their_distance():
    """A tolerance of one frame does not hide that the file states no usable rate."""
    assert _rate("100000", None, _equal("1/10", 2)) == 10


def test_the_mean_rate_does_not_make_unequal_distances_equal():
    """There are so many frames that those with short distances are all shown, but at most 60."""
    times = [Fraction(one, 100) for one in (0, 10, 70, 72, 92, 94)]
    assert _rate("5", "5", times, close=Fraction(2, 100)) == 50
    assert _rate("5", "5", times, close=Fraction(1, 1000)) == 60


@pytest.mark.ffmpeg
@pytest.mark.parametrize("name", ["a.gif", "a.png"])
def test_images_of_an_animation_are_shown_for_their_times(
    encode: Callable[..., Any], tmp_path: pathlib.Path, name: str
):
    """An image with a long delay stays for that time, in GIF and PNG files."""
    from PIL import Image

    delays, levels = (100, 600, 40, 200, 40, 300), (20, 60, 100, 140, 180, 220)
    images = [Image.new("L", (32, 32), level) for level in levels]
    path = tmp_path / name
    images[0].save(path, save_all=True, append_images=images[1:], duration=list(delays))
    movie = encode(path)["ftrackreview-mp4"]
    shown = measured(movie.path, has_sound=False)
    assert json.loads(movie.meta)["frameOut"] == shown.frames - 1
    begin = 0
    for delay, level in zip(delays, levels):
        middle = (begin + delay / 2) / 1000
        number = max(place for place, time in enumerate(shown.times) if time <= middle)
        assert abs(shown.levels[number] - level) < 6, (begin, shown.times, shown.levels)
        begin += delay
