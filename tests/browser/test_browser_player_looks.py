"""How the player looks: pictures for people, no overflow on a phone, and the rules of axe-core."""

from __future__ import annotations

import pytest

from .conftest import FRAMES, RATE
from .player_studio import Studio, readout, settled
from .programs import log_in

#: Returns the elements that are wider than the window, as text.
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1)
  .filter((one) => !one.closest(".cell, .objects ol, .sheet"))
  .map((one) => one.outerHTML.slice(0, 100))"""

PHONE = {"width": 360, "height": 740}


@pytest.fixture
def studio(chromium, session, api, movie):
    """Return a studio with two versions of a movie, and notes on the second."""
    made = Studio(session, api, fstart=1001)
    for _ in range(2):
        version = made.version()
        made.publish(version, movie, frameOut=FRAMES - 1, frameRate=RATE, width=960, height=540)
        made.publish(
            version,
            movie,
            "ftrackreview-mp4-1080",
            frameOut=FRAMES - 1,
            frameRate=RATE,
            width=1920,
            height=1080,
        )
    made.object = session.query("ReviewSessionObject where version is 'Version 2'").one()
    for frame, words in (
        (5, "The beam should come in a little later."),
        (5, "Agreed: it should wait."),
        (22, "Can the wave break against the rocks, and not in front of them?"),
        (40, "Lovely."),
    ):
        made.note(made.object, frame, words)
    return made


def open_player(window, studio):
    """Open the page of the second version, at a frame within a range, and with a hint."""
    page = window.open_movie(studio.address(studio.object)).page
    page.locator("[data-scrubber]").fill("12")
    page.keyboard.press("i")
    page.locator("[data-scrubber]").fill("30")
    page.keyboard.press("o")
    page.locator("[data-scrubber]").fill("22")
    settled(window)
    return page


def rules(page, context=None):
    """Return the rules of axe-core that *page* breaks, with the elements."""
    module = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    found = module.Axe().run(page, context).response["violations"]
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]


@pytest.mark.ffmpeg
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_player_on_a_desk(studio, make_window, scheme):
    """Nothing overflows and axe finds nothing, with a hint and side by side, light and dark."""
    window = make_window(color_scheme=scheme)
    page = open_player(window, studio)
    page.locator(".tick").nth(1).hover()
    window.screenshot(f"player-{scheme}.png")
    assert rules(page) == []
    page.keyboard.press("c")
    window.until("document.querySelector('.cell.other video')?.readyState >= 2")
    settled(window)
    window.screenshot(f"player-compare-{scheme}.png")
    assert page.evaluate(TOO_WIDE) == []
    assert rules(page) == []
    page.keyboard.press("?")
    window.screenshot(f"player-keys-{scheme}.png")
    assert rules(page) == []
    assert window.problems == []


@pytest.mark.ffmpeg
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_player_on_a_phone(studio, make_window, scheme):
    """At 360 pixels all controls are there, nothing overflows, and a touch on a tick jumps."""
    window = make_window(
        color_scheme=scheme, viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    page = open_player(window, studio)
    window.screenshot(f"player-phone-{scheme}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate(TOO_WIDE) == []
    assert rules(page) == []
    page.locator(".tick").first.tap()
    assert readout(window) == 5
    page.locator("[data-act=fullscreen]").tap()
    window.until("document.querySelector('.is-full')")
    settled(window)
    window.screenshot(f"player-phone-full-{scheme}.png")
    assert page.locator("[data-tools]").is_visible()
    box = page.locator("[data-controls]").bounding_box()
    assert box["y"] + box["height"] <= PHONE["height"] + 1
    assert page.locator("[data-stage]").bounding_box()["height"] > 150
    assert window.problems == []


@pytest.mark.ffmpeg
def test_the_player_in_full_screen(studio, window):
    """The picture fills what the bars leave, also side by side."""
    page = open_player(window, studio)
    page.keyboard.press("f")
    window.until("document.querySelector('.is-full')")
    window.screenshot("player-full.png")
    stage, picture = (page.locator(one).bounding_box() for one in ("[data-stage]", ".picture"))
    assert picture["height"] <= stage["height"] + 1
    assert max(picture["width"] / stage["width"], picture["height"] / stage["height"]) > 0.99
    page.keyboard.press("c")
    window.until("document.querySelector('.cell.other video')?.readyState >= 2")
    window.screenshot("player-full-compare.png")
    controls = page.locator("[data-controls]").bounding_box()
    assert controls["y"] + controls["height"] <= 901


@pytest.mark.ffmpeg
def test_the_player_of_the_host(studio, window, sandbox):
    """The page of a version has the same player, and axe finds nothing."""
    version = studio.object["asset_version"]
    page = log_in(window, sandbox, f"/browse/version/{version['id']}")
    window.until("document.querySelector('video').readyState >= 2")
    window.screenshot("player-host.png")
    assert page.evaluate(TOO_WIDE) == []
    assert rules(page, ".player") == []
