"""The page that plays all versions of a review, and pictures that cannot be loaded."""

from __future__ import annotations

import pytest

from .encoded_media import publish_outputs
from .every_page import EveryPage
from .programs import log_in

NUMBER = "document.querySelector('[data-number]').textContent"
SHOWN = "document.querySelector('[data-show]').firstElementChild"


def below(link, path):
    return link.replace("/review?", f"/review{path}?")


@pytest.fixture
def playlist(review, session, encoded_picture):
    """Return a review of a movie, an image and a version without media."""
    publish_outputs(review.versions[1], encoded_picture)
    asset = session.create(
        "Asset", {"name": "empty", "parent": review.versions[0]["asset"]["parent"]}
    )
    version = session.create("AssetVersion", {"asset": asset})
    session.create(
        "ReviewSessionObject",
        {
            "name": "010_0030",
            "version": "Version 1",
            "asset_version": version,
            "review_session": session.query("ReviewSession").one(),
            "sort_order": 2,
        },
    )
    session.commit()
    return review


def open_playlist(window, review):
    window.open(below(review.link, "/play"))
    window.until("document.querySelector('[data-screening]').dataset.ready !== undefined")
    return window.page


@pytest.mark.ffmpeg
def test_all_versions_play_one_after_the_other(playlist, window):
    """A movie plays to its end, an image and an empty version show for a while; then it stops."""
    page = open_playlist(window, playlist)
    window.until(f"{SHOWN}.tagName === 'VIDEO' && {SHOWN}.currentTime > 0.3")
    window.until(f"{NUMBER} === '2' && {SHOWN}.tagName === 'IMG' && {SHOWN}.naturalWidth > 0")
    assert page.inner_text("[data-name]") == "010_0020"
    window.until(f"{NUMBER} === '3' && {SHOWN}.matches('.slate')")
    window.until("document.querySelector('[data-act=play]').textContent === 'Play'")
    assert "This was the last version" in page.inner_text("[data-said]")
    page.click("[data-page]")
    page.wait_for_selector(".heading")
    assert page.inner_text(".heading h2").startswith("010_0030")


@pytest.mark.ffmpeg
def test_full_screen_and_sound_stay_for_the_next_version(playlist, window):
    """The page is not loaded again between versions."""
    page = open_playlist(window, playlist)
    page.keyboard.press("f")
    window.until("document.fullscreenElement !== null")
    page.keyboard.press("m")
    page.keyboard.press("r")
    window.until(f"{NUMBER} === '2'")
    page.keyboard.press("ArrowDown")
    window.until(f"{NUMBER} === '3'")
    window.until(f"{NUMBER} === '1'")  # it repeats
    assert page.evaluate("document.fullscreenElement !== null")
    window.until(f"{SHOWN}.muted")


@pytest.mark.ffmpeg
def test_keys_and_buttons_of_the_playlist(playlist, window):
    """Next and previous, first and last, pause and seek, by keys and by buttons."""
    page = open_playlist(window, playlist)
    page.keyboard.press(" ")
    window.until(f"{SHOWN}.paused")
    for act, wanted in (
        (lambda: page.keyboard.press("PageDown"), 2),
        (lambda: page.click("[data-go=next]"), 3),
        (lambda: page.keyboard.press("ArrowDown"), 3),
        (lambda: page.click("[data-go=previous]"), 2),
        (lambda: page.keyboard.press("Home"), 1),
        (lambda: page.keyboard.press("ArrowUp"), 1),
        (lambda: page.keyboard.press("End"), 3),
        (lambda: page.keyboard.press("PageUp"), 2),
        (lambda: page.keyboard.press("PageUp"), 1),
    ):
        act()
        window.until(f"{NUMBER} === '{wanted}'")
    window.until(f"{SHOWN}.readyState >= 2 && {SHOWN}.paused")
    page.locator("[data-seek]").fill("500")
    window.until(f"{SHOWN}.currentTime > 0.8")
    page.click("[data-act=play]")
    window.until(f"!{SHOWN}.paused")
    page.keyboard.press("Escape")
    page.wait_for_selector(".heading")


@pytest.mark.ffmpeg
def test_the_playlist_starts_at_the_chosen_version(playlist, window):
    """The button and the key on the review page lead to the chosen version, and back to it."""
    page = window.open(f"{playlist.link}&object={playlist.objects[1]['id']}").page
    page.keyboard.press("p")
    page.wait_for_selector("[data-screening]")
    window.until(f"{NUMBER} === '2'")
    page.reload()
    window.until(f"{NUMBER} === '2'")
    page.click("text=Back to the review")
    page.click("text=Play all")
    page.wait_for_selector("[data-screening]")


@pytest.mark.ffmpeg
def test_a_damaged_version_does_not_stop_the_playlist(playlist, make_window):
    """A movie that cannot be played says so, and the next version follows."""
    window = make_window()
    window.page.route(
        "**/component/get*",
        lambda route: route.fulfill(status=200, content_type="video/mp4", body="broken"),
    )
    page = open_playlist(window, playlist)
    page.wait_for_selector("text=This version cannot be played")
    window.until(f"{NUMBER} === '2'")
    page.wait_for_selector("text=This version cannot be played")
    window.until(f"{NUMBER} === '3'")


@pytest.mark.ffmpeg
def test_the_playlist_goes_on_when_the_network_is_back(playlist, make_window):
    """Keys work before the first version is there, the page tries again, and each press counts."""
    window, failures = make_window(), []
    page = window.page
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.route("**/play/object*", lambda route: route.abort())
    page.goto(below(playlist.link, "/play"))
    page.wait_for_selector("text=Trying again")
    for key in ("Space", "ArrowDown", "ArrowUp", "ArrowRight", "m", "End"):
        page.keyboard.press(key)
    page.unroute("**/play/object*")
    window.until(f"{NUMBER} === '3'")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    window.until(f"{NUMBER} === '1'")
    assert failures == []


@pytest.mark.ffmpeg
def test_the_playlist_works_without_a_script(playlist, make_window):
    """Links lead to the neighbours, and the movie has the controls of the browser."""
    page = make_window(java_script_enabled=False).open(below(playlist.link, "/play")).page
    assert page.locator("video[controls]").count() == 1
    page.click("text=Next")
    assert page.locator("[data-show] img").count() == 1
    page.click("text=Previous")
    assert page.inner_text("[data-name]") == "010_0010"


# Pictures

BROKEN = """[...document.images]
  .filter((one) => one.complete && one.currentSrc && !one.naturalWidth).length"""


@pytest.mark.ffmpeg
@pytest.mark.parametrize("answer", ["abort", "404", "garbage"])
def test_no_page_shows_a_broken_picture(playlist, make_window, sandbox, session, answer):
    """Where a picture cannot be loaded there is a placeholder, on each page with pictures."""
    review = playlist.api.one("select id from ReviewSession")["id"]
    version = playlist.versions[0]["id"]
    window = make_window()
    log_in(window, sandbox, f"/browse/version/{version}")
    kinds = {
        "abort": lambda route: route.abort(),
        "404": lambda route: route.fulfill(status=404, content_type="text/plain", body="gone"),
        "garbage": lambda route: route.fulfill(status=200, content_type="image/png", body="x"),
    }
    window.page.route("**/component/thumbnail*", kinds[answer])
    for address in (
        playlist.link,
        below(playlist.link, "/summary"),
        f"{sandbox.server_url}/browse/asset/{playlist.versions[0]['asset_id']}",
        f"{sandbox.server_url}/browse/reviews",
        f"{sandbox.server_url}/browse/review/{review}/summary",
    ):
        window.open(address)
        window.until("document.querySelector('.thumbnail.empty') !== null")
        window.until(f"{BROKEN} === 0 && document.querySelectorAll('img.thumbnail').length === 0")


@pytest.mark.ffmpeg
def test_pictures_that_failed_before_the_script_ran_are_replaced(playlist, make_window):
    """Pictures that fail one beside another before the script runs get a placeholder, each one."""
    window = make_window()
    window.page.route("**/component/thumbnail*", lambda route: route.abort())
    window.page.route("**/static/pictures.js", lambda route: route.abort())
    window.open(below(playlist.link, "/summary"))
    window.until(f"{BROKEN} > 1 && document.readyState === 'complete'")
    window.page.evaluate("() => import('/static/pictures.js?again')")
    assert window.page.evaluate(BROKEN) == 0


def test_a_missing_picture_needs_no_script(chromium, make_window, sandbox, session, api):
    """The server answers a false address of a picture with a picture."""
    site = EveryPage(sandbox, session, api, "sh010")
    page = make_window().open(f"{sandbox.server_url}/").page
    shown = page.evaluate(
        """(address) => new Promise((done) => {
          const image = new Image();
          image.onload = () => done(image.naturalWidth);
          image.onerror = () => done(0);
          image.src = address;
        })""",
        f"/component/thumbnail?id={site.versions[0]['id']}&size=120&signature=false",
    )
    assert shown > 0
