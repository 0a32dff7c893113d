"""The player names exactly the frame that it shows, at every rate."""

from __future__ import annotations

from fractions import Fraction

import pytest

from .coded_movies import coded_movie
from .player_studio import Studio, arrived

FRAMES, STEPS = 320, 300

RATES = {
    "23.976": Fraction(24000, 1001),
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "30": Fraction(30),
    "60": Fraction(60),
}


@pytest.mark.ffmpeg
@pytest.mark.parametrize("name", RATES)
def test_three_hundred_steps_show_the_frames_they_name(
    name, chromium, session, api, window, tmp_path
):
    """Each step shows the frame of the readout, forwards and backwards, in an encoded movie."""
    studio = Studio(session, api)
    version = studio.version()
    movie = coded_movie(tmp_path / "coded.mov", RATES[name], FRAMES)
    assert studio.encode(version, movie) == "done"
    page = window.open_movie(studio.address()).page
    wrong = []
    for key, first, by in (("ArrowRight", 0, 1), ("ArrowLeft", STEPS, -1)):
        for step in range(STEPS):
            page.keyboard.press(key)
            wanted = first + by * (step + 1)
            seen = arrived(window, wanted)
            if seen != (wanted, wanted):
                wrong.append((key, wanted, seen))
    assert wrong == []
    page.keyboard.press("End")
    assert arrived(window, FRAMES - 1) == (FRAMES - 1, FRAMES - 1)
