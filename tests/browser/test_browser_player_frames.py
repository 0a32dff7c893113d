"""The player names exactly the frame that it shows, at every rate."""

from __future__ import annotations

from fractions import Fraction

import pytest

from .coded_movies import READ_CODE, coded_movie
from .conftest import IS_LONG, PATIENCE
from .player_studio import Studio, arrived

FRAMES, STEPS = 320, 300

#: How many steps back: over the borders of some seconds, or all of them in the long form.
STEPS_BACK = STEPS if IS_LONG else 75

RATES = {
    "23.976": Fraction(24000, 1001),
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "30": Fraction(30),
    "60": Fraction(60),
}

#: Press *key* once for each number of *wanted*, and look at the frame after each press. Return null
#: or what the first step that does not show its frame within *patience* milliseconds shows.
#: The steps are made in the page: asking the browser for each from here would take the most time.
WALK = f"""async ({{ key, wanted, patience }}) => {{
  const read = {READ_CODE};
  const video = document.querySelector("video");
  const readout = document.querySelector("[data-readout]");
  const look = () => [parseInt(readout.textContent), video.seeking ? null : read("video")];
  for (const frame of wanted) {{
    document.body.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
    document.body.dispatchEvent(new KeyboardEvent("keyup", {{ key, bubbles: true }}));
    const deadline = performance.now() + patience;
    for (let seen = look(); seen.some((one) => one !== frame); seen = look()) {{
      if (performance.now() > deadline) return {{ frame, seen }};
      await new Promise((done) => setTimeout(done, 4));
    }}
  }}
  return null;
}}"""


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
    for key, wanted in (
        ("ArrowRight", [*range(1, STEPS + 1)]),
        ("ArrowLeft", [*range(STEPS - 1, STEPS - 1 - STEPS_BACK, -1)]),
    ):
        walk = {"key": key, "wanted": wanted, "patience": PATIENCE * 1000}
        assert page.evaluate(WALK, walk) is None
    page.keyboard.press("End")
    assert arrived(window, FRAMES - 1) == (FRAMES - 1, FRAMES - 1)
