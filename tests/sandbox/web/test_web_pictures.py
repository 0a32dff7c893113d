"""What was drawn on a frame, as a picture that the note carries."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")

from PIL import Image

from ftrack_like._base import ffmpeg
from ftrack_like.sandbox.api import Api

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
STROKES = [{"color": "#00ff00", "width": 0.1, "points": [0.25, 0.5, 0.75, 0.5]}]
DRAWING = json.dumps({"strokes": STROKES})
META = json.dumps({"frameIn": 100, "frameOut": 147, "frameRate": 24, "width": 320, "height": 180})


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    """Return a movie that is red for 24 frames and blue for another 24."""
    try:
        program = ffmpeg.find_ffmpeg()
    except ffmpeg.MediaError as error:
        pytest.skip(str(error))
    path = tmp_path_factory.mktemp("movie") / "movie.mp4"
    colours = [f"color={name}:size=320x180:rate=24:duration=1" for name in ("red", "blue")]
    inputs = [part for colour in colours for part in ("-f", "lavfi", "-i", colour)]
    subprocess.run(
        [
            *(program, "-y", "-loglevel", "error", "-nostdin", *inputs),
            *("-filter_complex", "[0:v][1:v]concat=n=2:v=1", "-pix_fmt", "yuv420p", str(path)),
        ],
        check=True,
        timeout=120,
    )
    return path.read_bytes()


@pytest.fixture
def still():
    """Return a blue image as PNG data."""
    made = io.BytesIO()
    Image.new("RGB", (320, 180), BLUE).save(made, "PNG")
    return made.getvalue()


def attached(api):
    """Return the one picture of the one note, with its component's record."""
    (link,) = api.query(
        "select url, data, component.name, component.file_type, component.size, note_id"
        " from NoteAnnotationComponent"
    )
    data = api.http.get(link["url"]["value"], timeout=30).content
    assert link["component"]["size"] == len(data)
    return Image.open(io.BytesIO(data)), link


def is_like(found, wanted):
    """Return whether two colours are alike, as far as JPEG keeps them."""
    return all(abs(one - other) < 60 for one, other in zip(found, wanted))


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("frame", "ground"), [(100, RED), (123, RED), (124, BLUE), (147, BLUE), (999, BLUE)]
)
def test_a_note_carries_its_frame_with_the_drawing_on_it(review, api, movie, frame, ground):
    """The very frame is in the picture, and the strokes where they were drawn."""
    review.upload(review.versions[0], "ftrackreview-mp4", ".mp4", movie, META)
    page = review.post("/note", content="Look", frame=str(frame), drawing=DRAWING)
    image, link = attached(api)
    assert image.size == (320, 180)
    assert is_like(image.getpixel((10, 10)), ground)
    assert is_like(image.getpixel((160, 90)), GREEN)
    assert is_like(image.getpixel((160, 120)), ground)
    assert (link["component"]["name"], link["component"]["file_type"]) == (
        f"drawing.{frame:04d}",
        ".jpg",
    )
    assert link["data"] == {"frame": frame}
    (note,) = api.query("select note_components.component.name from Note")
    assert note["note_components"][0]["component"]["name"] == f"drawing.{frame:04d}"
    assert api.one("select frame_number from ReviewSessionObjectAnnotationComponent")
    (thumbnail,) = [
        one for one in page.addresses("/component/thumbnail") if link["component"]["id"] in one
    ]
    response = review.browser.get(thumbnail).response
    assert response.headers["Content-Type"] == "image/jpeg"


def test_a_drawing_on_a_still(review, api, still, visitor):
    """Images are drawn on like frames, and whoever runs the sandbox sees the picture too."""
    review.upload(review.versions[0], "ftrackreview-image", ".png", still)
    review.post("/note", content="Look", drawing=DRAWING)
    image, link = attached(api)
    assert is_like(image.getpixel((160, 90)), GREEN)
    assert is_like(image.getpixel((10, 10)), BLUE)
    assert link["component"]["name"] == "drawing"
    assert link["component"]["id"] in visitor.get(f"/browse/review/{review.session}").source


def test_an_uploaded_picture_is_told_as_an_upload_of_the_web_client(review, api, still):
    """The picture of a drawing is a component that the web client added to the server location."""
    review.upload(review.versions[0], "ftrackreview-image", ".png", still)
    review.post("/note", content="Look", drawing=DRAWING)
    _, link = attached(api)
    answer = api.http.get(f"{api.url}/events", timeout=10).json()
    events = [entry["event"] for entry in answer["events"]]
    event = [one for one in events if one["topic"] == "ftrack.location.component-added"][-1]
    assert event["data"] == {
        "component_id": link["component"]["id"],
        "location_id": "3a372bde-05bc-11e4-8908-20c9d081909b",
    }
    assert event["source"]["applicationId"] == "ftrack.client.web"
    assert event["source"]["user"]["id"]


def test_a_dot_is_a_drawing(review, api, still):
    """A single point leaves a mark."""
    review.upload(review.versions[0], "ftrackreview-image", ".png", still)
    dot = {"color": "#ff0000", "width": 0.1, "points": [0.5, 0.5]}
    review.post("/note", content="Here", drawing=json.dumps({"strokes": [dot]}))
    image, _ = attached(api)
    assert is_like(image.getpixel((160, 90)), RED)
    assert is_like(image.getpixel((160, 120)), BLUE)


def test_no_drawing_is_no_picture(review, api, still):
    """Notes in words, and replies, carry nothing."""
    review.upload(review.versions[0], "ftrackreview-image", ".png", still)
    review.post("/note", content="Look")
    note = api.one("select id from Note")["id"]
    review.post("/note", content="Why?", reply_to=note, drawing=DRAWING)
    assert api.query("NoteComponent") == []


@pytest.mark.parametrize("media", [None, b"no image"])
def test_a_drawing_is_kept_where_there_is_nothing_to_draw_on(review, api, media):
    """Without a picture below it, a drawing is kept as strokes."""
    if media is not None:
        review.upload(review.versions[0], "ftrackreview-image", ".png", media)
    assert review.post("/note", content="Look", drawing=DRAWING).status == 200
    assert api.query("NoteComponent") == []
    assert len(api.query("ReviewSessionObjectAnnotation")) == 1


def test_a_drawing_is_kept_without_pillow(review, api, still, monkeypatch):
    """The strokes do not depend on what makes pictures."""
    review.upload(review.versions[0], "ftrackreview-image", ".png", still)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert review.post("/note", content="Look", drawing=DRAWING).status == 200
    assert api.query("NoteComponent") == []


def test_a_note_that_is_refused_leaves_no_picture(review, sandbox, still, monkeypatch):
    """What was stored for a note goes when the note cannot be written."""
    review.upload(review.versions[0], "ftrackreview-image", ".png", still)
    folder = sandbox._api.media.store.folder / "data"
    before = sorted(path.name for path in folder.rglob("*") if path.is_file())
    execute = Api.execute

    def refuse(self, operations, *arguments):
        if any(one.get("entity_type") == "Note" for one in operations):
            assert len(list(folder.rglob("*"))) > len(before)
            raise OSError("The disk is on fire")
        return execute(self, operations, *arguments)

    monkeypatch.setattr(Api, "execute", refuse)
    assert review.post("/note", content="Look", drawing=DRAWING).status == 500
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == before


def test_a_text_of_a_drawing_is_written_on_the_picture(review, api, still):
    """The picture shows the letters above their place, and no line below them."""
    review.upload(review.versions[0], "ftrackreview-image", ".png", still)
    text = {
        "color": "#00ff00",
        "width": 0.1,
        "points": [0.25, 0.75, 0.75, 0.75],
        "shape": "text",
        "text": "HHHHHH",
        "size": 0.1,
    }
    review.post("/note", content="Look.", drawing=json.dumps({"strokes": [text]}))
    picture, _ = attached(api)
    letters = [picture.getpixel((x, 125)) for x in range(80, 240)]
    assert any(green > 150 and red < 100 for red, green, _ in letters)
    below = [picture.getpixel((x, 143)) for x in range(80, 240)]
    assert all(blue > 150 and green < 100 for _, green, blue in below)
