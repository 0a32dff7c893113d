"""An invitee reviews a movie in a real browser."""

from __future__ import annotations

import json
import math
import re
import threading

import pytest

FRAMES = 48

#: Which frame the movie shows: the place of the white bar at the bottom of the picture.
SHOWN_FRAME = """() => {
  const video = document.querySelector("video");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const row = context.getImageData(0, canvas.height - 4, canvas.width, 1).data;
  const bar = canvas.width / 48;
  const levels = Array.from({ length: 48 }, (_, index) => row[4 * Math.floor((index + 0.5) * bar)]);
  return levels.indexOf(Math.max(...levels));
}"""


def readout(window):
    """Return the frame that the page says it is at."""
    return int(re.match(r"\d+", window.page.inner_text("[data-readout]")).group())


def seek_done(window):
    window.until("!document.querySelector('video').seeking")
    return window


def draw_circle(window, x, y, radius=0.08):
    """Draw a circle on the picture; all numbers are shares of it."""
    box = window.page.locator("canvas.drawing").bounding_box()
    mouse = window.page.mouse
    places = [
        (x + radius * math.cos(turn / 6), y + 1.6 * radius * math.sin(turn / 6))
        for turn in range(39)
    ]
    steps = [(box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in places]
    mouse.move(*steps[0])
    mouse.down()
    for step in steps[1:]:
        mouse.move(*step)
    mouse.up()


@pytest.mark.ffmpeg
def test_an_invitee_reviews_a_movie(review, window, sandbox):
    """The movie plays; a note with a drawing at a frame and an approval arrive everywhere."""
    arrived, told = set(), threading.Event()

    def hear(event):
        arrived.update(entity.get("entity_type") for entity in event["data"]["entities"])
        if {"Note", "ReviewSessionObjectStatus"} <= arrived:
            told.set()

    with sandbox.session(auto_connect_event_hub=True) as listener:
        listener.event_hub.subscribe("topic=ftrack.update", hear)
        page = window.open_movie(review.link).page
        page.keyboard.press("Space")
        window.until("document.querySelector('video').currentTime > 0.5")
        assert not page.evaluate("document.querySelector('video').paused")
        page.keyboard.press("Space")
        frame = readout(seek_done(window))
        assert frame >= 12

        page.keyboard.press("d")
        draw_circle(window, 0.42, 0.2)
        page.fill("#content", "The beam turns a little early here.\nCan it wait for the wave?")
        window.screenshot("review-light.png")
        page.click(".write .primary")
        page.wait_for_selector(".note")
        page.locator(".picture-of img").scroll_into_view_if_needed()
        window.until("document.querySelector('.picture-of img').naturalWidth > 0")
        page.focus(".approve")
        page.keyboard.press("Enter")
        page.wait_for_selector(".decisions .approved")
        for _ in range(100):  # callbacks are called within wait()
            if told.is_set():
                break
            listener.event_hub.wait(0.1)
        assert told.is_set(), arrived

    api = review.api
    note = api.one("select id, content, frame_number, author.first_name, metadata.value from Note")
    assert note["content"].splitlines()[0] == "The beam turns a little early here."
    assert (note["frame_number"], note["author"]["first_name"]) == (frame, "Mira")
    assert json.loads(note["metadata"][0]["value"]) == {"number": frame}
    drawn = api.one("select data, frame_number from ReviewSessionObjectAnnotation")
    assert drawn["frame_number"] == frame
    (stroke,) = json.loads(drawn["data"])["strokes"]
    assert stroke["points"][0] == pytest.approx(0.5, abs=0.01)
    assert stroke["points"][1] == pytest.approx(0.2, abs=0.01)
    picture = api.one("select component.name, note_id from NoteAnnotationComponent")
    assert (picture["component"]["name"], picture["note_id"]) == (
        f"drawing.{frame:04d}",
        note["id"],
    )
    status = api.one("select status, invitee.name from ReviewSessionObjectStatus")
    assert (status["status"], status["invitee"]["name"]) == ("approved", "Mira Sol")


@pytest.mark.ffmpeg
def test_frames_are_exact(review, window):
    """Stepping, jumping and the scrubber show just the frame that the page names."""
    page = window.open_movie(review.link).page
    for key, wanted in (
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("Shift+ArrowRight", 12),
        ("ArrowLeft", 11),
        ("End", FRAMES - 1),
        ("ArrowRight", FRAMES - 1),
        ("Shift+ArrowLeft", FRAMES - 11),
        ("Home", 0),
        ("ArrowLeft", 0),
    ):
        page.keyboard.press(key)
        seek_done(window)
        assert readout(window) == wanted
        window.until(f"({SHOWN_FRAME})() === {wanted}")
    page.locator("[data-scrubber]").fill("30")
    seek_done(window)
    assert readout(window) == 30
    window.until(f"({SHOWN_FRAME})() === 30")
    page.click("[data-act=forward]")
    window.until(f"({SHOWN_FRAME})() === 31")


@pytest.mark.ffmpeg
def test_speed_loop_and_sound(review, window):
    """The controls do what they say, by keys and by mouse."""
    page = window.open_movie(review.link).page
    page.keyboard.press("]")
    assert page.evaluate("document.querySelector('video').playbackRate") == 1.5
    page.select_option("[data-speed]", "0.25")
    assert page.evaluate("document.querySelector('video').playbackRate") == 0.25
    page.click("[data-act=loop]")
    page.click("[data-act=mute]")
    assert page.evaluate("(({loop, muted}) => loop && muted)(document.querySelector('video'))")
    page.wait_for_selector("[data-act=mute][aria-pressed=true]")


@pytest.mark.ffmpeg
def test_others_see_the_drawing_at_its_frame(review, make_window):
    """A note leads another invitee to its frame, with the drawing, and can be replied to."""
    first = make_window().open_movie(review.links[0])
    for _ in range(5):
        first.page.keyboard.press("ArrowRight")
    first.page.keyboard.press("d")
    draw_circle(first, 0.3, 0.25)
    first.page.fill("#content", "The beam should come in a little later.")
    first.page.click(".write .primary")
    first.page.wait_for_selector(".note")

    second = make_window(color_scheme="dark").open_movie(review.links[1])
    blank = (
        "!document.querySelector('canvas.drawing').getContext('2d')"
        ".getImageData(0, 0, 2000, 1200).data.some(Boolean)"
    )
    assert second.page.evaluate(blank)
    second.page.click("button.frame")
    second.until(f"!({blank})")
    assert readout(second) == 5
    second.page.click(".reply summary")
    second.page.fill(".reply textarea", "Agreed: it should wait.")
    second.page.click(".reply button")
    second.page.wait_for_selector(".replies")
    second.page.click(".changes")
    second.page.wait_for_selector(".decisions .require_changes")
    second.page.click("button.frame")
    second.until(f"!({blank})")
    second.screenshot("review-dark.png")
    second.page.keyboard.press("ArrowRight")
    second.until(blank)
    assert first.problems + second.problems == []


@pytest.mark.ffmpeg
def test_without_script_the_forms_still_work(review, make_window):
    """Notes and decisions need no JavaScript."""
    page = make_window(java_script_enabled=False).open(review.link).page
    page.fill("#content", "Plain words.")
    page.click(".write .primary")
    assert page.inner_text(".note .content") == "Plain words."
    page.click(".changes")
    assert "Requires changes" in page.inner_text(".decisions")


@pytest.mark.ffmpeg
def test_words_are_not_lost_when_the_server_refuses(review, make_window):
    """An error is shown beside the form, which keeps what was written."""
    window = make_window().open_movie(review.link)
    session = review.api.one("select id from ReviewSession")["id"]
    past = {"__type__": "datetime", "value": "2020-01-01T00:00:00"}
    review.api.update("ReviewSession", session, end_date=past)
    window.page.fill("#content", "Too late?")
    window.page.click(".write .primary")
    window.until("!document.querySelector('.write [data-problem]').hidden")
    assert "It closed on 2020-01-01" in window.page.inner_text(".write [data-problem]")
    assert window.page.input_value("#content") == "Too late?"


@pytest.mark.ffmpeg
def test_a_decision_without_the_network_says_so(review, make_window):
    """The words are beside the buttons of the decision, and another press decides."""
    window = make_window().open_movie(review.link)
    window.context.set_offline(True)
    window.page.click("button.approve")
    window.page.wait_for_selector(".decision >> text=The server cannot be reached. Try again.")
    assert window.page.is_hidden(".write [data-problem]")
    window.context.set_offline(False)
    window.page.keyboard.press("Enter")  # the button has the focus again
    window.page.wait_for_selector("button.approve[aria-pressed=true]")
    window.until("document.activeElement.matches('.approve')")
    assert window.page.is_hidden(".decision [data-problem]")
