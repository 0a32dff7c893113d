"""The controls of the player: timeline, in and out points, shuttle, zoom, full screen and keys."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from .coded_movies import coded_movie
from .player_studio import Studio, arrived, readout, settled

FRAMES = 96
VIDEO = "document.querySelector('video')"

#: Keep each frame that the readout names, and return how often a smaller one follows.
WATCH = """() => {
  window.seen = [];
  const readout = document.querySelector("[data-readout]");
  new MutationObserver(() => window.seen.push(parseInt(readout.textContent)))
    .observe(readout, { childList: true });
}"""
JUMPS = "window.seen.filter((frame, at) => at && frame < window.seen[at - 1]).length"


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    """Return the path of a movie of 96 coded frames at 29.97."""
    return coded_movie(tmp_path_factory.mktemp("coded") / "a.mp4", Fraction(30000, 1001), FRAMES)


@pytest.fixture
def studio(chromium, session, api, coded, tmp_path):
    """Return a studio whose shot begins at 1001, with one version."""
    made = Studio(session, api, fstart=1001, fend=1001 + FRAMES - 1)
    made.tmp = tmp_path
    made.first = made.version()
    made.publish(made.first, coded, frameOut=FRAMES - 1, frameRate=29.97)
    made.object = session.query("ReviewSessionObject").one()
    return made


def scale(window):
    return window.page.evaluate(
        "Number(document.querySelector('[data-stage]').style.getPropertyValue('--scale') || 1)"
    )


@pytest.mark.ffmpeg
def test_frame_shot_frame_and_timecode(studio, window):
    """The index, the number of the shot and drop-frame timecode stand side by side."""
    page = window.open_movie(studio.link).page
    page.keyboard.press("End")
    assert readout(window) == FRAMES - 1
    assert page.inner_text("[data-shot-frame]") == str(1001 + FRAMES - 1)
    assert page.inner_text("[data-timecode]") == "00:00:03;05"
    assert page.is_hidden("[data-index]")


@pytest.mark.ffmpeg
def test_a_note_keeps_the_number_of_the_medium(studio, window, api):
    """A note stores the frame as ftr_meta counts it, not the number of the shot."""
    page = window.open_movie(studio.link).page
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.fill("#content", "Here.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".note")
    assert api.one("select frame_number from Note")["frame_number"] == 3


@pytest.mark.ffmpeg
def test_a_medium_with_own_numbers_shows_them(studio, window, coded):
    """A movie of a sequence counts from its first number, and the index stands beside it."""
    version = studio.version()
    studio.publish(version, coded, frameIn=993, frameOut=993 + FRAMES - 1, frameRate=24)
    page = window.open(studio.link).page
    with page.expect_navigation():
        page.keyboard.press(".")
    window.until("document.querySelector('[data-readout]').textContent.startsWith('993 /')")
    settled(window)
    page.keyboard.press("ArrowRight")
    assert (readout(window), page.inner_text("[data-index]")) == (994, "1")
    assert page.is_hidden("[data-shot-frame]")


@pytest.mark.ffmpeg
def test_ticks_lead_to_notes(studio, window):
    """Each frame with notes has a tick, which names author and words, and jumps there."""
    studio.note(studio.object, 12, "The beam turns too early, and so does everything after it.")
    studio.note(studio.object, 12, "Agreed.")
    studio.note(studio.object, 80, "Nice.")
    page = window.open_movie(studio.link).page
    ticks = page.locator(".tick")
    assert ticks.count() == 2
    label = ticks.first.get_attribute("aria-label")
    assert label.startswith("Frame 12, shot 1013. ")
    assert "The beam turns too early" in label
    assert "Agreed." in label
    ticks.first.hover()
    hint = page.locator("[role=tooltip]")
    assert hint.is_visible()
    assert "Frame 12, shot 1013" in hint.inner_text()
    ticks.last.click()
    assert arrived(window, 80) == (80, 80)
    page.keyboard.press("Shift+ArrowUp")
    assert readout(window) == 12
    ticks.first.focus()
    page.keyboard.press("Enter")
    assert arrived(window, 12) == (12, 12)


@pytest.mark.ffmpeg
def test_a_new_note_gets_its_tick(studio, window):
    """The timeline follows the notes of the page."""
    page = window.open_movie(studio.link).page
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    page.keyboard.type("Look, mum")
    page.keyboard.press("Meta+Enter")
    page.wait_for_selector(".tick[data-at='7']")
    assert page.locator(".tick").count() == 1


@pytest.mark.ffmpeg
def test_in_and_out_points_loop(studio, window):
    """Playback stays between the points, again and again; X gives the whole movie back."""
    page = window.open_movie(studio.link).page
    page.locator("[data-scrubber]").fill("30")
    page.keyboard.press("I")
    page.locator("[data-scrubber]").fill("39")
    page.keyboard.press("o")
    assert page.get_attribute("[data-act=loop]", "aria-pressed") == "true"
    page.evaluate(WATCH)
    page.keyboard.press("Space")
    window.until(f"{JUMPS} >= 3")
    page.keyboard.press("k")
    stopped = readout(window)
    assert arrived(window, stopped) == (stopped, stopped)
    frames = page.evaluate("window.seen")
    assert min(frames) >= 30
    # A busy browser leaves frames out. The player turns at the first one that it hears of from the
    # out point on, so that it names a later one only after one before the out point.
    pairs = list(zip(frames, frames[1:]))
    assert [pair for pair in pairs if pair[0] >= 39 and pair[1] > 39] == []
    page.keyboard.press("x")
    assert page.is_hidden("[data-range]")
    assert page.get_attribute("[data-act=loop]", "aria-pressed") == "false"


@pytest.mark.ffmpeg
def test_an_in_point_alone_loops_to_the_end(studio, window):
    """Without an out point, playback goes from the last frame back to the in point."""
    page = window.open_movie(studio.link).page
    page.locator("[data-scrubber]").fill(str(FRAMES - 8))
    page.keyboard.press("i")
    page.evaluate(WATCH)
    page.keyboard.press("Space")
    window.until(f"{JUMPS} >= 2")
    page.keyboard.press("k")
    assert min(page.evaluate("window.seen")) >= FRAMES - 8


@pytest.mark.ffmpeg
def test_each_point_can_be_cleared(studio, window):
    """Alt and the letter of a point clear it alone, and a point past the other replaces it."""
    page = window.open_movie(studio.link).page

    def points():
        return [
            page.get_attribute(f"[data-act={name}]", "aria-pressed") == "true"
            for name in ("in", "out")
        ]

    page.keyboard.press("i")
    page.keyboard.press("End")
    page.keyboard.press("o")
    assert points() == [True, True]
    page.keyboard.press("Alt+i")
    assert points() == [False, True]
    page.keyboard.press("Alt+o")
    assert points() == [False, False]
    page.keyboard.press("Home")
    page.keyboard.press("o")
    page.keyboard.press("End")
    page.keyboard.press("i")
    assert points() == [True, False]


@pytest.mark.ffmpeg
def test_out_point_without_loop_stops_there(studio, window):
    """Without the loop playback stops at the out point exactly."""
    page = window.open_movie(studio.link).page
    page.locator("[data-scrubber]").fill("20")
    page.keyboard.press("o")
    page.keyboard.press("r")
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    window.until(
        f"{VIDEO}.paused && parseInt(document.querySelector('[data-readout]').textContent) === 20"
    )
    assert arrived(window, 20) == (20, 20)


@pytest.mark.ffmpeg
def test_shuttle(studio, window):
    """L plays faster with each press, K pauses, J plays backwards."""
    page = window.open_movie(studio.link).page
    rates = []
    page.keyboard.press("r")  # the loop, so that the movie does not end
    for _ in range(5):
        page.keyboard.press("L")
        rates.append(page.evaluate(f"{VIDEO}.playbackRate"))
    assert rates == [1, 2, 4, 8, 8]
    assert page.inner_text("[data-shuttle]") == "▶ 8\N{MULTIPLICATION SIGN}"
    page.keyboard.press("k")
    assert page.evaluate(f"{VIDEO}.paused")
    assert page.is_hidden("[data-shuttle]")
    page.keyboard.press("End")
    page.keyboard.press("j")
    assert page.inner_text("[data-shuttle]") == "◀ 1\N{MULTIPLICATION SIGN}"
    window.until("parseInt(document.querySelector('[data-readout]').textContent) < 80")
    page.keyboard.press("j")
    assert page.inner_text("[data-shuttle]") == "◀ 2\N{MULTIPLICATION SIGN}"
    page.keyboard.press("K")
    stopped = readout(window)
    assert stopped < 80
    assert arrived(window, stopped) == (stopped, stopped)


@pytest.mark.ffmpeg
def test_k_with_j_or_l_steps(studio, window):
    """While K is held, L and J move by one frame."""
    page = window.open_movie(studio.link).page
    page.keyboard.down("k")
    for _ in range(3):
        page.keyboard.press("l")
    assert arrived(window, 3) == (3, 3)
    page.keyboard.press("j")
    page.keyboard.up("k")
    assert arrived(window, 2) == (2, 2)
    assert page.evaluate(f"{VIDEO}.paused")


@pytest.mark.ffmpeg
def test_the_list_of_keys(studio, window):
    """? opens the list, Esc closes it, and the keys do nothing below it."""
    page = window.open_movie(studio.link).page
    page.keyboard.press("?")
    dialog = page.locator("dialog[open]")
    for words in ("play backwards", "in point here", "full screen", "end drawing", "send the note"):
        assert words in dialog.inner_text()
    listed = dialog.locator("dd").all_inner_texts()
    assert len(listed) == len(set(listed))  # each script of the page adds its own keys
    assert dialog.evaluate("(one) => one.scrollTop") == 0
    page.keyboard.press("ArrowRight")
    assert readout(window) == 0
    window.screenshot("player-keys.png")
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    page.keyboard.press("ArrowRight")
    assert readout(window) == 1
    page.click("[data-act=keys]")
    assert page.locator("dialog[open]").count() == 1


@pytest.mark.ffmpeg
def test_keys_do_nothing_while_the_viewer_types(studio, window):
    """Letters, blanks and arrows in a note belong to the note."""
    page = window.open_movie(studio.link).page
    page.focus("#content")
    page.keyboard.type("jkl ioxdmfrc?+-01,. N")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    assert page.input_value("#content") == "jkl ioxdmfrc?+-01,. N"
    assert readout(window) == 0
    assert page.evaluate(f"{VIDEO}.paused")
    assert page.locator(".is-drawing, dialog, .is-full").count() == 0
    assert page.get_attribute("[data-act=in]", "aria-pressed") == "false"


@pytest.mark.ffmpeg
def test_escape_ends_drawing_and_capitals_work(studio, window):
    """D and capital D begin to draw, Esc ends it."""
    page = window.open_movie(studio.link).page
    for key in ("d", "D"):
        page.keyboard.press(key)
        assert page.locator(".is-drawing").count() == 1
        page.keyboard.press("Escape")
        assert page.locator(".is-drawing").count() == 0
    page.keyboard.press("CapsLock")
    page.keyboard.press("Shift+M")
    assert page.evaluate(f"{VIDEO}.muted")


@pytest.mark.ffmpeg
def test_zoom_and_pan(studio, window):
    """Wheel, keys and buttons change the scale; drag and keys move the picture."""
    page = window.open_movie(studio.link).page
    box = page.locator("[data-stage]").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(middle[0] + 100, middle[1])
    before = page.locator(".picture").bounding_box()
    page.mouse.wheel(0, -400)
    window.until("document.querySelector('.is-zoomed')")
    assert scale(window) > 1.2
    # The point below the pointer keeps its place.
    after = page.locator(".picture").bounding_box()
    spot = middle[0] + 100
    assert (spot - after["x"]) / after["width"] == pytest.approx(
        (spot - before["x"]) / before["width"], abs=0.01
    )
    page.mouse.down()
    page.mouse.move(middle[0] + 20, middle[1] + 10, steps=4)
    page.mouse.up()
    assert page.locator(".picture").bounding_box()["x"] < after["x"] - 60
    assert page.evaluate(f"{VIDEO}.paused"), "a drag is no click"
    moved = page.locator(".picture").bounding_box()["x"]
    page.keyboard.press("Alt+Shift+ArrowLeft")
    assert page.locator(".picture").bounding_box()["x"] > moved
    page.keyboard.press("0")
    assert scale(window) == 1
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert scale(window) == pytest.approx(1.5625)
    page.keyboard.press("1")
    width = page.locator(".picture").bounding_box()["width"]
    assert width == pytest.approx(320, abs=0.5)
    assert page.inner_text("[data-scale]") == "100 %"
    page.click("[data-act=fit]")
    page.mouse.click(*middle)
    window.until(f"!{VIDEO}.paused")


@pytest.mark.ffmpeg
def test_scrolling_the_page_is_not_caught_by_the_picture(studio, window):
    """At its whole size the picture lets the page scroll on."""
    page = window.open_movie(studio.link).page
    page.set_viewport_size({"width": 900, "height": 400})
    page.mouse.move(450, 300)
    page.mouse.wheel(0, 300)
    window.until("scrollY > 0")
    assert scale(window) == 1


@pytest.mark.ffmpeg
def test_full_screen_has_controls_and_drawing(studio, window, coded):
    """In full screen the controls work, and a drawing is kept; N leaves it to write a note."""
    other = studio.version()
    studio.publish(other, coded, frameOut=FRAMES - 1, frameRate=29.97)
    page = window.open_movie(studio.link).page
    page.keyboard.press("f")
    window.until("document.fullscreenElement?.matches('[data-player]')")
    page.keyboard.press("ArrowRight")
    assert arrived(window, 1) == (1, 1)
    page.keyboard.press("d")
    box = page.locator("canvas.drawing").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 160, steps=3)
    page.mouse.up()
    window.until("!document.querySelector('[data-has-drawing]').hidden")
    assert page.is_visible("[data-act=undo]")
    controls = page.locator("[data-controls]").bounding_box()
    assert controls["y"] + controls["height"] <= page.viewport_size["height"] + 1
    page.keyboard.press("Control+Enter")
    window.until("document.querySelector('.note')")
    page.keyboard.press("n")
    window.until("!document.fullscreenElement && !document.querySelector('.is-full')")
    window.until("document.activeElement.matches('#content')")


@pytest.mark.ffmpeg
def test_without_its_own_size_a_lone_picture_zooms_too(studio, window):
    """A picture has no frames, but zoom, full screen and the list of keys."""
    pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (640, 360), "#804020").save(buffer, "JPEG")
    version = studio.version()
    path = studio.tmp / "still.jpg"
    path.write_bytes(buffer.getvalue())
    studio.publish(version, path, "ftrackreview-image", format="image", width=640, height=360)
    page = window.open(studio.link).page
    with page.expect_navigation():
        page.keyboard.press(".")
    window.until("document.querySelector('img[data-medium]')?.naturalWidth === 640")
    page.keyboard.press("+")
    assert scale(window) == pytest.approx(1.25)
    page.keyboard.press("1")
    assert page.locator(".picture").bounding_box()["width"] == pytest.approx(640, abs=0.5)
    page.keyboard.press("Space")
    page.keyboard.press("?")
    assert "play backwards" not in page.inner_text("dialog[open]")


@pytest.mark.ffmpeg
def test_a_drawing_on_a_larger_picture_is_in_its_place(studio, window):
    """Strokes are shares of the picture, whatever part of it is seen."""
    page = window.open_movie(studio.link).page
    for _ in range(4):
        page.keyboard.press("+")
    page.keyboard.press("Alt+Shift+ArrowLeft")
    page.keyboard.press("d")
    picture = page.locator(".picture").bounding_box()
    stage = page.locator("[data-stage]").bounding_box()
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=3)
    page.mouse.up()
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".note")
    drawn = json.loads(studio.api.one("select data from ReviewSessionObjectAnnotation")["data"])
    points = drawn["strokes"][0]["points"]
    assert points[0] == pytest.approx((x - picture["x"]) / picture["width"], abs=0.002)
    assert points[1] == pytest.approx((y - picture["y"]) / picture["height"], abs=0.002)


@pytest.mark.ffmpeg
def test_two_fingers_zoom(studio, make_window):
    """A pinch makes the picture larger, and one finger then moves it."""
    window = make_window(viewport={"width": 400, "height": 800}, has_touch=True, is_mobile=True)
    page = window.open_movie(studio.link).page
    page.locator("[data-stage]").scroll_into_view_if_needed()
    box = page.locator("[data-stage]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)

    def send(kind, *points):
        places = [{"x": x + dx, "y": y + dy, "id": id_} for id_, (dx, dy) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    send("touchStart", (-20, 0), (20, 0))
    for apart in range(25, 61, 5):
        send("touchMove", (-apart, 0), (apart, 0))
    send("touchEnd")
    window.until("document.querySelector('.is-zoomed')")
    assert scale(window) == pytest.approx(3, abs=0.3)
    before = page.locator(".picture").bounding_box()["x"]
    send("touchStart", (0, 0))
    for step in range(1, 6):
        send("touchMove", (10 * step, 0))
    send("touchEnd")
    assert page.locator(".picture").bounding_box()["x"] == pytest.approx(before + 50, abs=12)
    assert page.evaluate(f"{VIDEO}.paused")
    assert window.problems == []


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    "options", [("-output_ts_offset", "0.5"), ("-use_editlist", "0")], ids=["late", "no edit list"]
)
def test_a_movie_that_begins_later_has_its_first_frame_first(studio, window, tmp_path, options):
    """Some files give the first frame a time after 0; its index is 0 all the same."""
    version = studio.version()
    late = coded_movie(tmp_path / "late.mp4", 24, 48, options=options)
    studio.publish(version, late, frameOut=47, frameRate=24)
    page = window.open(studio.link).page
    with page.expect_navigation():
        page.keyboard.press(".")
    window.until(f"{VIDEO}.readyState >= 2")
    for wanted in (1, 2, 3):
        page.keyboard.press("ArrowRight")
        assert arrived(window, wanted) == (wanted, wanted)
    page.keyboard.press("End")
    assert arrived(window, 47) == (47, 47)


@pytest.mark.ffmpeg
def test_far_frames_are_exact_with_a_rounded_rate(studio, window, tmp_path):
    """With 23.98 in ftr_meta, frame 3600 of a movie at 24000/1001 is still frame 3600."""
    version = studio.version()
    long = coded_movie(tmp_path / "long.mp4", Fraction(24000, 1001), 3700)
    studio.publish(version, long, frameOut=3699, frameRate=23.98)
    page = window.open(studio.link).page
    with page.expect_navigation():
        page.keyboard.press(".")
    window.until(f"{VIDEO}.readyState >= 2")
    for wanted in (3000, 3600, 3698):
        page.locator("[data-scrubber]").fill(str(wanted))
        assert arrived(window, wanted) == (wanted, wanted)
    page.keyboard.press("ArrowRight")
    assert arrived(window, 3699) == (3699, 3699)
