"""Draw on the picture with each tool, by mouse, finger and keyboard."""

from __future__ import annotations

import json

import pytest

from .test_browser_review_drafts import ready

#: The viewer's strokes, as the browser keeps them with the draft.
STROKES = """() => {
  const isDraft = ([key]) => key.startsWith("ftrack-like review draft");
  const drafts = Object.entries(localStorage).filter(isDraft);
  return drafts.flatMap(([, text]) => JSON.parse(text).strokes);
}"""


def strokes(window):
    return window.page.evaluate(STROKES)


def has_strokes(window, count):
    """Wait until the draft has *count* strokes, and return them."""
    window.until(f"({STROKES})().length === {count}")
    return strokes(window)


def drag(window, *places):
    """Move the mouse with its button down over *places*, in shares of the picture."""
    area = window.page.locator("canvas.drawing").bounding_box()
    steps = [(area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in places]
    mouse = window.page.mouse
    mouse.move(*steps[0])
    mouse.down()
    for step in steps[1:]:
        mouse.move(*step, steps=4)
    mouse.up()


def drawing(review, window):
    """Return the page of a window in which drawing has begun."""
    page = ready(window.open_movie(review.link)).page
    page.keyboard.press("d")
    page.wait_for_selector(".player.is-drawing")
    return page


def stored(review):
    """Return the strokes on the server."""
    return json.loads(review.api.one("select data from ReviewSessionObjectAnnotation")["data"])[
        "strokes"
    ]


@pytest.mark.ffmpeg
def test_each_tool_draws_and_is_stored(review, window):
    """Pen, arrow, box and text in their colours arrive on the server and in the picture."""
    page = drawing(review, window)
    drag(window, (0.1, 0.1), (0.3, 0.1))
    page.keyboard.press("2")
    page.check("[name=color][value='#32d74b']", force=True)
    drag(window, (0.2, 0.5), (0.4, 0.3))
    page.keyboard.press("3")
    page.locator("[data-any-color]").fill("#ff00ff")
    drag(window, (0.5, 0.5), (0.7, 0.8))
    page.click("label[title^=Text]")
    drag(window, (0.1, 0.9))
    page.keyboard.type("Darker here, d n 1")
    page.keyboard.press("Enter")
    pen, arrow, box, text = has_strokes(window, 4)
    assert "shape" not in pen
    assert (arrow["shape"], arrow["color"]) == ("arrow", "#32d74b")
    assert arrow["points"][:4] == pytest.approx([0.2, 0.5, 0.4, 0.3], abs=0.005)
    assert (box["shape"], box["color"]) == ("box", "#ff00ff")
    assert box["points"][4:6] == pytest.approx([0.7, 0.8], abs=0.005)
    assert (text["shape"], text["text"]) == ("text", "Darker here, d n 1")
    window.screenshot("review-tools.png")
    page.click(".write .primary")
    page.wait_for_selector(".note")
    assert [one.get("shape") for one in stored(review)] == [None, "arrow", "box", "text"]
    window.until("document.querySelector('.picture-of img')?.naturalWidth > 0")
    page.wait_for_selector(".player.is-drawing", state="detached")


@pytest.mark.ffmpeg
def test_steps_are_undone_and_redone(review, window):
    """Ctrl+Z, Ctrl+Shift+Z, Ctrl+Y, the buttons and Clear are steps; a reload keeps the result."""
    page = drawing(review, window)
    drag(window, (0.1, 0.1), (0.3, 0.1))
    drag(window, (0.1, 0.2), (0.3, 0.2))
    has_strokes(window, 2)
    page.keyboard.press("Control+z")
    has_strokes(window, 1)
    page.keyboard.press("Control+Shift+Z")
    has_strokes(window, 2)
    page.click("[data-act=undo]")
    page.keyboard.press("Control+y")
    has_strokes(window, 2)
    page.click("[data-act=clear]")
    has_strokes(window, 0)
    assert page.is_disabled("[data-act=clear]")
    page.keyboard.press("Control+z")
    has_strokes(window, 2)
    page.fill("#content", "typed")
    page.keyboard.press("Control+z")  # a step of the text, not of the drawing
    assert len(strokes(window)) == 2


@pytest.mark.ffmpeg
def test_the_eraser_removes_whole_shapes(review, window):
    """One movement of the eraser over two shapes removes both, and one undo brings both back."""
    page = drawing(review, window)
    drag(window, (0.1, 0.1), (0.3, 0.1))
    page.keyboard.press("3")
    drag(window, (0.5, 0.5), (0.7, 0.8))
    page.keyboard.press("1")
    drag(window, (0.1, 0.9), (0.3, 0.9))
    has_strokes(window, 3)
    page.keyboard.press("5")
    drag(window, (0.2, 0.05), (0.2, 0.15))
    has_strokes(window, 2)
    drag(window, (0.6, 0.6), (0.55, 0.65))  # inside of the box, far from its edge
    assert len(strokes(window)) == 2
    drag(window, (0.6, 0.45), (0.6, 0.5), (0.2, 0.8), (0.2, 0.9), (0.2, 0.95))
    has_strokes(window, 0)
    page.keyboard.press("Control+z")
    has_strokes(window, 2)


@pytest.mark.ffmpeg
def test_a_step_taken_back_returns_to_its_frame(review, window):
    """A drawing that was cleared and begun at another frame comes back at its own frame."""
    page = drawing(review, window)
    drag(window, (0.1, 0.1), (0.3, 0.1))
    has_strokes(window, 1)
    page.click("[data-act=clear]")
    has_strokes(window, 0)
    page.keyboard.press("Shift+ArrowRight")
    drag(window, (0.1, 0.5), (0.3, 0.5))
    has_strokes(window, 1)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    window.until("document.querySelector('[data-readout]').textContent.startsWith('0 ')")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".note")
    assert review.api.one("select frame_number from Note")["frame_number"] == 0
    assert stored(review)[0]["points"][1] == pytest.approx(0.1, abs=0.01)


@pytest.mark.ffmpeg
def test_the_keyboard_alone_draws_and_writes(review, window):
    """The arrow keys move the pen, Enter puts it down and lifts it, and the movie stays."""
    page = drawing(review, window)
    page.focus("canvas.drawing")
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    (line,) = has_strokes(window, 1)
    assert line["points"][:2] == [0.5, 0.5]
    assert line["points"][-2:] == pytest.approx([0.7, 0.5])
    page.keyboard.press("4")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_selector("input.drawing-text:focus")
    page.keyboard.type("There")
    page.keyboard.press("Enter")
    _, text = has_strokes(window, 2)
    assert text["points"][:2] == pytest.approx([0.7, 0.49])
    page.keyboard.press("Enter")
    page.wait_for_selector("input.drawing-text:focus")
    page.keyboard.type("Dropped")
    page.keyboard.press("Escape")
    page.wait_for_selector("input.drawing-text", state="detached")
    assert len(strokes(window)) == 2
    assert page.inner_text("[data-readout]").startswith("0 ")


@pytest.mark.ffmpeg
def test_a_text_that_is_being_typed_is_sent_with_the_note(review, window):
    """Send takes the words in the open field, too, and so does Ctrl+Enter in the field."""
    for count, send in enumerate(
        (
            lambda: page.locator("form[data-note]").evaluate("form => form.requestSubmit()"),
            lambda: page.keyboard.press("Control+Enter"),
        ),
        1,
    ):
        page = drawing(review, window)
        page.keyboard.press("4")
        drag(window, (0.9, 0.5))
        page.wait_for_selector("input.drawing-text:focus")
        page.keyboard.type("Half a word")
        send()
        window.until(f"document.querySelectorAll('.note').length === {count}")
    for one in review.api.query("select data from ReviewSessionObjectAnnotation"):
        (stroke,) = json.loads(one["data"])["strokes"]
        assert (stroke["text"], stroke["points"][2]) == ("Half a word", 1)
        assert stroke["points"][0] < 0.9, "the words do not begin where they fit"


@pytest.mark.ffmpeg
def test_places_are_right_in_an_enlarged_picture(review, window):
    """A picture that is enlarged and moved takes strokes where they are drawn."""
    page = drawing(review, window)
    page.locator(".picture").evaluate(
        "one => { one.style.transform = 'translate(-120px, 40px) scale(1.7)'; }"
    )
    area = page.locator("canvas.drawing").bounding_box()
    stage = page.locator(".stage").bounding_box()
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y)
    page.mouse.up()
    (line,) = has_strokes(window, 1)
    assert line["points"][0] == pytest.approx((x - area["x"]) / area["width"], abs=0.002)
    assert line["points"][1] == pytest.approx((y - area["y"]) / area["height"], abs=0.002)


@pytest.mark.ffmpeg
def test_a_finger_draws_and_a_second_one_does_not(review, make_window):
    """Touches of the first finger make one stroke; others add nothing."""
    window = make_window(has_touch=True)
    page = drawing(review, window)
    page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas.drawing");
          const area = canvas.getBoundingClientRect();
          canvas.setPointerCapture = () => {};
          const touch = (type, id, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
            pointerId: id, isPrimary: id === 7, pointerType: "touch", bubbles: true, button: 0,
            clientX: area.left + x * area.width, clientY: area.top + y * area.height }));
          touch("pointerdown", 7, 0.2, 0.2);
          touch("pointermove", 7, 0.3, 0.2);
          touch("pointerdown", 8, 0.8, 0.8);
          touch("pointermove", 8, 0.9, 0.8);
          touch("pointerup", 8, 0.9, 0.8);
          touch("pointermove", 7, 0.4, 0.2);
          touch("pointerup", 7, 0.4, 0.2);
        }"""
    )
    (line,) = has_strokes(window, 1)
    assert line["points"] == pytest.approx([0.2, 0.2, 0.3, 0.2, 0.4, 0.2], abs=0.002)
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.drawing')).touchAction") == "none"
    )


@pytest.mark.ffmpeg
def test_drawings_of_before_are_shown(review, window):
    """A stroke without a shape is drawn as before; annotations of others are passed over."""
    review.api.create(
        "Note",
        ["old"],
        id="old",
        content="From before",
        frame_number=0,
        parent_id=review.objects[0]["id"],
        parent_type="ReviewSessionObject",
    )
    old = {"color": "#ff0000", "width": 0.02, "points": [0.1, 0.5, 0.9, 0.5]}
    for data in ({"version": 1, "note": "old", "strokes": [old]}, {"shapes": ["of others"]}):
        review.api.create(
            "ReviewSessionObjectAnnotation",
            review_session_object_id=review.objects[0]["id"],
            frame_number=0,
            data=json.dumps(data),
        )
    ready(window.open_movie(review.link))
    window.until(
        """(() => {
          const canvas = document.querySelector("canvas.drawing");
          const [x, y] = [canvas.width / 2, canvas.height / 2];
          const { data } = canvas.getContext("2d").getImageData(x, y, 1, 1);
          return data[0] === 255 && data[3] === 255;
        })()"""
    )


@pytest.mark.ffmpeg
def test_after_a_stroke_the_keys_step_frames(review, window):
    """Drawing with the mouse leaves the arrow keys to the player."""
    page = drawing(review, window)
    page.focus("#content")
    drag(window, (0.1, 0.1), (0.3, 0.1))
    has_strokes(window, 1)
    page.keyboard.press("ArrowRight")
    window.until("document.querySelector('[data-readout]').textContent.startsWith('1 ')")
