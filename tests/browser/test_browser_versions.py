"""Versions in the player: the picker, two side by side, an encoding that ends, media that fail."""

from __future__ import annotations

from fractions import Fraction

import pytest

from .coded_movies import coded_movie
from .player_studio import Studio, arrived, both_shown, readout
from .programs import log_in

RATE = Fraction(24000, 1001)

#: How often two movies are played: a browser that gets no processor cannot keep them in step.
PLAYS = 5


@pytest.fixture(scope="module")
def movies(tmp_path_factory):
    """Return movies by name: one and a shorter one at 23.976, one at 24, one at 48."""
    folder = tmp_path_factory.mktemp("coded")
    kinds = {
        "a": (RATE, 96, 60),
        "short": (RATE, 48, 90),
        "film": (24, 96, 120),
        "fast": (48, 192, 150),
    }
    return {
        name: coded_movie(folder / f"{name}.mp4", rate, frames, shade=shade)
        for name, (rate, frames, shade) in kinds.items()
    }


@pytest.fixture
def studio(chromium, session, api):
    """Return a studio without versions."""
    return Studio(session, api, fstart=1001)


def publish(studio, movies, name, version=None, **more):
    """Return a version with the movie *name*."""
    rates = {"a": (23.976, 96), "short": (23.976, 48), "film": (24, 96), "fast": (48, 192)}
    rate, frames = rates[name]
    version = version or studio.version(**more)
    studio.publish(version, movies[name], frameOut=frames - 1, frameRate=rate)
    return version


def compare(window, label):
    window.page.select_option("[data-compare]", label=label)
    window.until("document.querySelector('.cell.other video')?.readyState >= 2")


@pytest.mark.ffmpeg
def test_the_picker_offers_the_versions_of_the_review(studio, window, movies, session):
    """A guest sees the versions that the review has, by list and by key, at the same frame."""
    publish(studio, movies, "a")
    publish(studio, movies, "short")
    publish(studio, movies, "film", in_review=False)
    other = session.create("Asset", {"name": "anim", "parent": studio.shot})
    publish(studio, movies, "a", asset=other)
    page = window.open_movie(studio.link).page
    names = page.locator("[data-version] option").all_inner_texts()
    assert names == ["Version 1", "Version 2"]
    page.locator("[data-scrubber]").fill("17")
    with page.expect_navigation():
        page.keyboard.press(".")
    window.until("document.querySelector('video').readyState >= 2")
    assert "Version 2" in page.inner_text("h2")
    assert arrived(window, 17) == (17, 17)
    assert page.is_disabled("[data-act=newer]")
    page.keyboard.press(".")
    with page.expect_navigation():
        page.select_option("[data-version]", label="Version 1")
    assert "Version 1" in page.inner_text("h2")


@pytest.mark.ffmpeg
def test_a_host_sees_all_versions(studio, window, movies, sandbox):
    """The page of a version offers each version of the asset, with the keys of the player."""
    versions = [publish(studio, movies, "a", in_review=False) for _ in range(3)]
    page = log_in(window, sandbox, f"/browse/version/{versions[1]['id']}")
    window.until("document.querySelector('video').readyState >= 2")
    names = page.locator("[data-version] option").all_inner_texts()
    assert names == ["Version 1", "Version 2", "Version 3"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("i")
    page.keyboard.press("+")
    assert arrived(window, 1) == (1, 1)
    assert page.inner_text("[data-shot-frame]") == "1002"
    assert page.locator(".is-zoomed").count() == 1
    page.keyboard.press("0")
    compare(window, "Version 3")
    assert both_shown(window, (1, 1)) == (1, 1)
    with page.expect_navigation():
        page.keyboard.press(",")
    assert "version 1" in page.inner_text("h1")


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("short", [(0, 0), (30, 30), (47, 47), (60, 47), (95, 47)]),
        ("film", [(0, 0), (1, 1), (50, 50), (95, 95)]),
        # 23.976 and 48 match by time: the frame at the middle of the first one.
        ("fast", [(0, 1), (10, 21), (50, 101), (95, 191)]),
    ],
)
def test_two_versions_stand_at_the_same_frame(studio, window, movies, name, pairs):
    """Side by side, each step shows the frames that belong together, whatever length and rate."""
    publish(studio, movies, "a")
    publish(studio, movies, name)
    page = window.open_movie(studio.link).page
    compare(window, "Version 2")
    seen = []
    for pair in pairs:
        page.locator("[data-scrubber]").fill(str(pair[0]))
        seen.append(both_shown(window, pair))
    assert seen == pairs
    page.keyboard.press("Home")
    for step in range(1, 31):
        page.keyboard.press("ArrowRight")
        if name != "fast":
            assert both_shown(window, (step, step)) == (step, step)
    page.keyboard.press("c")
    assert page.locator(".cell.other").count() == 0


@pytest.mark.ffmpeg
@pytest.mark.parametrize("name", ["short", "film", "fast"])
def test_two_versions_play_in_step(studio, window, movies, name):
    """Both play on one clock: at most a frame apart while playing, exact when they pause."""
    publish(studio, movies, "a")
    publish(studio, movies, name)
    page = window.open_movie(studio.link).page
    compare(window, "Version 2")
    page.evaluate(
        """() => {
          const [first, other] = document.querySelectorAll("video");
          window.seen = [];
          const look = () => {
            window.seen.push([first.currentTime, other.currentTime]);
            first.requestVideoFrameCallback(look);
          };
          first.requestVideoFrameCallback(look);
        }"""
    )
    last = 47 if name == "short" else 191
    for _ in range(PLAYS):
        page.keyboard.press("Home")
        assert arrived(window, 0) == (0, 0)
        page.evaluate("window.seen = []")
        page.keyboard.press("Space")
        window.until(
            "window.seen.length >= 30 && document.querySelector('video').currentTime > 1.2"
        )
        page.keyboard.press("Space")
        first = readout(window)
        assert first >= 20
        same = int((first + 0.5) / RATE * 48) if name == "fast" else first
        pair = (first, min(same, last))
        assert both_shown(window, pair) == pair
        apart = page.evaluate("window.seen.slice(10).map(([one, other]) => Math.abs(one - other))")
        if sorted(apart)[len(apart) // 2] < 1.5 / 24:
            break
    else:
        pytest.fail(f"not in step, by seconds: {apart}")
    page.keyboard.press("End")
    assert arrived(window, 95) == (95, 95)


@pytest.mark.ffmpeg
def test_frames_of_the_shot_match(studio, window, movies):
    """A version with handles in its numbers stands beside the frame of the shot with its number."""
    publish(studio, movies, "a")
    handles = studio.version()
    studio.publish(handles, movies["a"], frameIn=993, frameOut=993 + 95, frameRate=23.976)
    page = window.open_movie(studio.link).page
    compare(window, "Version 2")
    assert both_shown(window, (0, 8)) == (0, 8)
    page.locator("[data-scrubber]").fill("90")
    assert both_shown(window, (90, 95)) == (90, 95)
    assert "ended before" in page.inner_text(".cell.other [data-caption]")


@pytest.mark.ffmpeg
def test_full_screen_shows_other_versions(studio, window, movies):
    """In full screen a key shows the next version; the page follows when full screen ends."""
    publish(studio, movies, "a")
    publish(studio, movies, "short")
    page = window.open_movie(studio.link).page
    page.keyboard.press("f")
    window.until("document.fullscreenElement")
    page.locator("[data-scrubber]").fill("20")
    page.keyboard.press(".")
    window.until("document.querySelector('[data-readout]').textContent === '20 / 47'")
    assert page.evaluate("document.fullscreenElement !== null")
    assert arrived(window, 20) == (20, 20)
    page.keyboard.press("c")
    window.until("document.querySelector('.cell.other video')?.readyState >= 2")
    assert both_shown(window, (20, 20)) == (20, 20)
    with page.expect_navigation():
        page.keyboard.press("f")
    window.until("document.querySelector('video').readyState >= 2")
    assert "Version 2" in page.inner_text("h2")
    assert readout(window) == 20


@pytest.mark.ffmpeg
def test_versions_can_be_passed_quickly(studio, window, movies):
    """Each press counts while versions still load, and the frame stays; the way back is right."""
    for name in ("a", "a", "short"):
        publish(studio, movies, name)
    page = window.open_movie(studio.link).page
    page.keyboard.press("f")
    window.until("document.fullscreenElement")
    page.locator("[data-scrubber]").fill("20")
    page.keyboard.press(".")
    page.keyboard.press(".")
    window.until("document.querySelector('[data-readout]').textContent === '20 / 47'")
    with page.expect_navigation():
        page.keyboard.press("f")
    window.movie_is_ready()
    assert "Version 3" in page.inner_text("h2")
    page.go_back()
    window.movie_is_ready()
    chosen = "document.querySelector('[data-version]').selectedOptions[0].textContent"
    assert "Version 1" in page.inner_text("h2")
    assert page.evaluate(chosen) == "Version 1"


@pytest.mark.ffmpeg
def test_notes_and_drawings_stay_with_their_version_in_full_screen(studio, window, movies):
    """While full screen shows another version, keys neither draw on it nor send a note about it."""
    for _ in range(2):
        publish(studio, movies, "a")
    page = window.open_movie(studio.link).page
    window.until("document.querySelector('[data-filter] button').hidden")
    page.fill("#content", "About the first.")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("f")
    page.wait_for_selector(".player.is-full")
    page.keyboard.press(".")
    window.until("document.querySelector('.is-away video')?.readyState >= 2")
    page.keyboard.press("d")
    assert page.locator(".is-drawing").count() == 0
    page.keyboard.press("Control+Enter")
    with page.expect_navigation():
        page.keyboard.press("n")
    window.until("document.querySelector('[data-filter]')?.querySelector('button').hidden")
    assert "Version 2" in page.inner_text("h2")
    assert page.input_value("#content") == ""
    assert studio.api.query("select id from Note") == []
    page.keyboard.press(",")
    page.wait_for_selector("text=Draft restored.")
    assert page.input_value("#content") == "About the first."


@pytest.mark.ffmpeg
def test_an_encoding_turns_into_the_player(studio, window, movies, session):
    """The page of a version that is being encoded shows the movie when the job is done."""
    version = studio.version()
    source = version.create_component(
        str(movies["a"]),
        data={"name": "main"},
        location=session.query('Location where name is "ftrack.server"').one(),
    )
    session.commit()
    job = session.create("Job", {"status": "running"})
    session.create("JobComponent", {"job_id": job["id"], "component_id": source["id"]})
    session.commit()
    page = window.open(studio.link).page
    assert "is encoding this version" in page.inner_text("[data-notice]")
    page.fill("#content", "Half a thought")
    publish(studio, movies, "a", version=version)
    job["status"] = "done"
    session.commit()
    window.until("document.querySelector('video')?.readyState >= 2")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    assert arrived(window, 1) == (1, 1)
    assert page.input_value("#content") == "Half a thought"
    page.keyboard.press("d")
    assert page.locator(".is-drawing").count() == 1


@pytest.mark.ffmpeg
def test_a_failed_encoding_says_why(studio, window, tmp_path):
    """The page of a version whose job failed says so, with the reason, and does not wait."""
    version = studio.version()
    path = tmp_path / "words.mov"
    path.write_bytes(b"no movie at all" * 100)
    assert studio.encode(version, path) == "failed"
    page = window.open(studio.link).page
    text = page.inner_text("[data-notice]")
    assert "The encoding of this version failed." in text
    assert len(text) > 60


@pytest.mark.ffmpeg
def test_another_size_can_be_chosen(studio, window, movies, tmp_path):
    """The sizes of a version are in a list, and another one keeps the frame."""
    version = publish(studio, movies, "a")
    large = coded_movie(tmp_path / "large.mp4", RATE, 96, size=(640, 360))
    studio.publish(
        version,
        large,
        "ftrackreview-mp4-1080",
        frameOut=95,
        frameRate=23.976,
        width=640,
        height=360,
    )
    page = window.open_movie(studio.link).page
    labels = page.locator("[data-size] option").all_inner_texts()
    assert labels == ["320 \N{MULTIPLICATION SIGN} 180", "640 \N{MULTIPLICATION SIGN} 360"]
    page.locator("[data-scrubber]").fill("33")
    page.select_option("[data-size]", label="640 \N{MULTIPLICATION SIGN} 360")
    window.until("document.querySelector('video').videoWidth === 640")
    window.until("document.querySelector('video').readyState >= 2")
    assert arrived(window, 33) == (33, 33)


@pytest.mark.ffmpeg
def test_a_damaged_video_offers_another_size(studio, make_window, movies, tmp_path):
    """A file that is no movie says so; the other size that exists plays."""
    version = studio.version()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no movie" * 1000)
    studio.publish(version, broken, frameOut=95, frameRate=23.976)
    studio.publish(
        version,
        movies["a"],
        "ftrackreview-mp4-1080",
        frameOut=95,
        frameRate=23.976,
        width=640,
        height=360,
    )
    window = make_window().open(studio.link)
    page = window.page
    page.wait_for_selector("[data-notice] [role=alert]")
    assert "does not support the format" in page.inner_text("[data-notice]")
    page.click("text=Try 640 \N{MULTIPLICATION SIGN} 360")
    window.until("document.querySelector('video').readyState >= 2")
    page.keyboard.press("ArrowRight")
    assert arrived(window, 1) == (1, 1)
    assert page.is_hidden("[data-notice]")


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (404, "is missing on the server"),
        (403, "is no longer valid"),
        (503, "failed to send the file (status 503)"),
        (None, "server cannot be reached"),
    ],
)
def test_a_video_that_does_not_load_says_why(studio, make_window, movies, answer, words):
    """The reason is in plain words, and a new try shows the movie once it is there."""
    publish(studio, movies, "a")
    window = make_window()
    page = window.page

    def refuse(route):
        if answer is None:
            route.abort("connectionrefused")
        else:
            route.fulfill(status=answer, body="")

    page.route("**/component/get*", refuse)
    window.open(studio.link)
    page.wait_for_selector("[data-notice] [role=alert]")
    assert words in page.inner_text("[data-notice]")
    assert page.locator("[data-notice] button").all_inner_texts() == ["Try again"]
    page.unroute("**/component/get*")
    page.click("text=Try again")
    window.until("document.querySelector('video').readyState >= 2")
    assert page.is_hidden("[data-notice]")
    assert arrived(window, 0) == (0, 0)
