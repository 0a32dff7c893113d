"""Text in movies: the numbers of frames, timecodes, and the card before the first frame."""

from __future__ import annotations

import functools
import json
import pathlib
import subprocess
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("av", reason="PyAV (media extra) is not installed")
pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")

from ftrack_like._media import fonts, presets, reading
from ftrack_like._media.burning import strip_height
from ftrack_like._media.details import details_of, plain
from ftrack_like._media.pipeline import Pipeline, Source
from ftrack_like._media.programs import LocalPrograms
from ftrack_like._media.timecodes import Timecode, timecode_of

DETAILS = {
    "artist": "Ana Müller",
    "asset": "animation",
    "date": "2025-06-30",
    "file": "shot.mov",
    "note": "Fixed the hand",
    "project": "harbour",
    "shot": "sh010",
    "version": "v003",
}


# Timecodes


@pytest.mark.parametrize(
    ("rate", "number", "text"),
    [
        ("24", 0, "00:00:00:00"),
        ("24000/1001", 1001, "00:00:41:17"),
        ("25", 25 * 3600, "01:00:00:00"),
        ("30", 1800, "00:01:00:00"),
        ("30000/1001", 1799, "00:00:59;29"),
        ("30000/1001", 1800, "00:01:00;02"),
        ("30000/1001", 17981, "00:09:59;29"),
        ("30000/1001", 17982, "00:10:00;00"),
        ("30000/1001", 107892, "01:00:00;00"),
        ("60000/1001", 3600, "00:01:00;04"),
        ("120", 119, "00:00:00:119"),
        ("24", 24 * 86400, "00:00:00:00"),
        ("1/2", 3, "00:00:03:00"),
    ],
)
def test_timecodes(rate: str, number: int, text: str) -> None:
    """They count frames; at 29.97 they leave out numbers, and keep up with the clock."""
    assert timecode_of(Fraction(rate), 0, None).at(number) == text


@given(st.integers(0, 2_589_407), st.integers(0, 100_000), st.sampled_from([30, 60]))
def test_timecodes_are_read_as_they_are_written(start: int, number: int, base: int) -> None:
    """A movie that begins with the timecode of a frame goes on from there."""
    whole = Timecode(0, base, True)
    begun = timecode_of(Fraction(base * 1000, 1001), 0, whole.at(start))
    assert begun.at(number) == whole.at(start + number)


@pytest.mark.parametrize("text", ["", "1:00:00:00", "25:00:00:00", "01:00:00:30", "later"])
def test_a_wrong_timecode_is_ignored(text: str) -> None:
    """Then the timecode begins with the number of the first frame."""
    assert timecode_of(Fraction(24), 1001, text).at(0) == "00:00:41:17"


# Presets


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"*": {"burn_in": {"middle": "x"}}}, "no corner 'middle'; there are top_left"),
        ({"*": {"burn_in": {"top_left": "{shoot}"}}}, r"'\{shoot\}', which is no field"),
        ({"*": {"burn_in": {"top_left": "{shot"}}}, "which is no field"),
        ({"*": {"burn_in": {"top_left": "{shot.__class__}"}}}, "which is no field"),
        ({"*": {"burn_in": {"top_left": 3}}}, "must be a text, not 3"),
        ({"*": {"burn_in": "x"}}, "must be true, null or an object"),
        ({"*": {"slate": ["{frame}"]}}, r"'\{frame\}', which is no field"),
        ({"*": {"slate": "x"}}, "must be true, null or a list"),
        ({"*": {"font": "/nowhere/font.ttf"}}, "must be the path of a font"),
        ({"*": None}, "must be an object"),
        ({"ftrackreview-mp4": {"slate": True}}, "all sizes must have a slate, or none"),
        ({"ftrackreview-mp4": {"audio_bit_rate": None}}, "audio_bit_rate .* must be like"),
    ],
)
def test_wrong_presets_are_named(changes: Any, message: str) -> None:
    """The error says what is wrong, and what is possible."""
    with pytest.raises(ValueError, match=message):
        presets.changed(changes)


def test_presets_for_all_sizes() -> None:
    """The name * changes all sizes, and those that the studio adds; its own values go before."""
    made = presets.changed(
        {
            "*": {"burn_in": True, "slate": ["{shot}"]},
            "ftrackreview-mp4": {"burn_in": None, "width": 640},
            "ftrackreview-mp4-540": {"width": 960, "height": 540},
        }
    )
    by_name = {one.name: one for one in made}
    assert all(one.slate == ("{shot}",) for one in made)
    assert by_name["ftrackreview-mp4"].burn_in == {}
    assert by_name["ftrackreview-mp4-540"].burn_in["top_left"] == "{shot} {asset} {version}"
    assert presets.digest_of(presets.PRESETS) is None
    assert presets.digest_of(made) != presets.digest_of(made[:1])


# Pixels


@pytest.fixture
def grey(program: str, tmp_path: pathlib.Path) -> Any:
    """Return a function that makes a grey movie with sound."""

    def made(rate: str, frames: int, *options: str) -> pathlib.Path:
        path = tmp_path / "source.mov"
        seconds = float(frames / Fraction(rate))
        picture = f"color=c=gray:size=640x360:rate={rate}:duration={seconds + 1}"
        subprocess.run(
            [
                *(program, "-y", "-loglevel", "error", "-f", "lavfi", "-i", picture),
                *("-f", "lavfi", "-i", f"sine=duration={seconds}", "-frames:v", str(frames)),
                *(*options, "-c:a", "pcm_s16le", str(path)),
            ],
            check=True,
        )
        return path

    return made


def decoded(path: pathlib.Path) -> list[Any]:
    """Return the luma of all frames of the movie at *path*, as grey pictures."""
    import av
    from PIL import Image

    made = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]  # the luma
            whole = Image.frombytes("L", (plane.line_size, frame.height), bytes(plane))
            made.append(whole.crop((0, 0, frame.width, frame.height)))
    return made


@functools.cache
def drawn(text: str, size: tuple[int, int]) -> Any:
    """Return the bottom of a grey picture with *text* in its right corner, drawn by this test."""
    from PIL import Image, ImageDraw

    width, height = size
    strip = strip_height(height)
    font = fonts.font_for("0123456789:;", strip * 2 // 3, None)
    gap = max(strip // 4, 1)
    made = Image.new("L", (width, strip), 126)
    length = int(font.getlength(text)) + 2 * gap
    dark = 16 + round((126 - 16) * (255 - 160) / 255)
    made.paste(dark, (width - length, 0, width, strip))
    place = (width - length + gap, strip // 2)
    ImageDraw.Draw(made).text(place, text, 235, font, anchor="lm")
    return made


def difference(one: Any, other: Any) -> float:
    """Return the mean squared difference of two pictures."""
    from PIL import ImageChops

    histogram = ImageChops.difference(one, other).histogram()
    return sum(count * value * value for value, count in enumerate(histogram)) / sum(histogram)


@pytest.mark.ffmpeg
@pytest.mark.parametrize("slate", [False, True])
@pytest.mark.parametrize(
    ("rate", "start"),
    [
        ("24000/1001", "00:00:59:00"),
        ("30000/1001", "00:00:59;00"),
        ("30000/1001", "00:00:59:00"),
        ("60000/1001", "00:08:59;40"),
        ("25", None),
    ],
)
def test_each_frame_shows_its_own_number(
    grey: Any, tmp_path: pathlib.Path, rate: str, start: Any, slate: bool
) -> None:
    """The burnt-in number and timecode of a frame are those that players count."""
    frames, first = 40, 1001
    path = grey(rate, frames, *(() if start is None else ("-timecode", start)))
    chosen = presets.changed(
        {"*": {"burn_in": {"bottom_right": "{frame} {timecode}"}, "slate": slate}}
    )
    made = Pipeline(LocalPrograms(), chosen[:1]).make(
        Source("'it'", str(path), first=first), tmp_path, details=lambda: DETAILS
    )
    meta = json.loads(made.files[0].meta)
    assert meta["frameIn"] == first - slate
    assert meta["frameOut"] == first + frames - 1
    assert meta["frameRate"] == float(Fraction(rate))
    assert made.slate_frames == slate
    shown = decoded(made.files[0].path)
    assert len(shown) == frames + slate
    timecode = timecode_of(Fraction(rate), first, start)
    strip = strip_height(360)
    for place, picture in enumerate(shown):
        if slate and place == 0:
            continue
        found = picture.crop((0, 360 - strip, 640, 360))
        number = meta["frameIn"] + place
        differences = {
            other: difference(found, drawn(f"{other:04d} {timecode.at(other - first)}", (640, 360)))
            for other in range(max(number - 2, first), number + 3)
        }
        assert min(differences, key=differences.__getitem__) == number, differences
        assert differences[number] < 60, differences
        # The middle of the picture stays as it is.
        middle = picture.crop((0, 60, 640, 300)).getextrema()
        assert middle[0] > 120
        assert middle[1] < 132


@pytest.mark.ffmpeg
def test_a_slate_moves_picture_and_sound_alike(grey: Any, tmp_path: pathlib.Path) -> None:
    """The card is one frame, which the sound of the source follows, and the thumbnail is later."""
    import av
    from PIL import Image

    path = grey("12", 12)
    made = Pipeline(LocalPrograms(), presets.changed({"*": {"slate": True}})[:1]).make(
        Source("'it'", str(path)), tmp_path, details=lambda: DETAILS
    )
    assert json.loads(made.files[0].meta)["frameIn"] == 0
    assert json.loads(made.files[0].meta)["frameOut"] == 12
    shown = decoded(made.files[0].path)
    assert len(shown) == 13
    card = shown[0].histogram()
    assert sum(card[200:]) > 1000  # text
    assert sum(card[:60]) > 0.8 * 640 * 360  # on a dark card
    assert all(abs(one.getpixel((320, 180)) - 126) < 4 for one in shown[1:])
    with Image.open(made.files[-1].path) as thumbnail:
        assert abs(thumbnail.convert("L").getpixel((320, 180)) - 128) < 6
    with av.open(str(made.files[0].path)) as container:
        rate = container.streams.audio[0].rate
        time = None
        for frame in container.decode(audio=0):
            samples = memoryview(frame.planes[0]).cast("f")
            loud = next((at for at in range(frame.samples) if abs(samples[at]) > 0.02), None)
            if loud is not None:
                time = frame.time + loud / rate
                break
    assert time is not None
    assert abs(time - 1 / 12) < 0.01


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    "text",
    [
        "it's 50% \\ : ; , [x] = {frame} %{n} ' \" $HOME `id` \n\t\x1b[31m",
        "ミカ 漫画 тень σκιά",
        "שלום עולם 12",
        "مرحبا",
        "\u202eabc",
        "x" * 3000,
        "é" * 3 + "\u0301" * 50,
        "🎬 \U0001d518",
        "",
    ],
)
def test_any_text_is_drawn(grey: Any, tmp_path: pathlib.Path, text: str) -> None:
    """Text of users has no meaning for ffmpeg, and does not leave its place."""
    path = grey("24", 3)
    chosen = presets.changed(
        {"*": {"burn_in": {"top_left": "{artist}", "top_right": "{shot}"}, "slate": True}}
    )
    made = Pipeline(LocalPrograms(), chosen[:1]).make(
        Source("'it'", str(path)),
        tmp_path,
        details=lambda: {**dict.fromkeys(DETAILS, text), "shot": "sh010"},
    )
    _, first, *_ = decoded(made.files[0].path)
    strip = strip_height(360)
    assert (sum(first.crop((0, 0, 320, strip)).histogram()[180:]) > 0) == bool(text)
    # The other corner shows its own text, at the right, and the picture is free between.
    assert sum(first.crop((500, 0, 640, strip)).histogram()[180:]) > 0
    assert sum(first.crop((322, 0, 500, strip)).histogram()[180:]) == 0
    assert first.crop((0, strip + 2, 640, 360)).getextrema()[0] > 115


@pytest.mark.ffmpeg
@pytest.mark.parametrize("size", ["2x2", "16x400", "800x18", "63x35"])
def test_pictures_of_any_size_get_text(program: str, tmp_path: pathlib.Path, size: str) -> None:
    """Text is cut off where the picture is too small, and the frames are counted all the same."""
    path = tmp_path / "a.mkv"
    picture = f"color=c=gray:size={size}:rate=24:duration=0.2"
    command = [program, "-loglevel", "error", "-f", "lavfi", "-i", picture, "-c:v", "png"]
    subprocess.run([*command, str(path)], check=True)
    chosen = presets.changed({"*": {"burn_in": True, "slate": True}})
    made = Pipeline(LocalPrograms(), chosen).make(
        Source("'it'", str(path)), tmp_path, details=lambda: DETAILS
    )
    shown = decoded(made.files[0].path)
    meta = json.loads(made.files[0].meta)
    assert len(shown) == 6 == meta["frameOut"] - meta["frameIn"] + 1


@pytest.mark.ffmpeg
def test_a_movie_with_more_frames_than_expected_has_text_to_the_end(
    grey: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the drawn text ends too early, it is drawn again for more frames."""
    from ftrack_like._media import pipeline

    monkeypatch.setattr(pipeline, "_expected_frames", lambda *_: 1)
    path = grey("24", 60)
    chosen = presets.changed({"*": {"burn_in": {"bottom_right": "{frame}"}}})
    made = Pipeline(LocalPrograms(), chosen[:1]).make(Source("'it'", str(path)), tmp_path)
    assert json.loads(made.files[0].meta)["frameOut"] == 59
    last = decoded(made.files[0].path)[-1].crop((0, 360 - strip_height(360), 640, 360))
    assert difference(last, drawn("0059", (640, 360))) < 60


# Words


def test_text_without_raqm_reads_in_the_right_order() -> None:
    """Parts that read from right to left are turned, and numbers in them are not."""
    assert fonts.visual("abc 12") == "abc 12"
    assert fonts.visual("שלום") == "םולש"
    assert fonts.visual("abc שלום עולם 12") == "abc םלוע םולש 12"
    assert fonts.visual("שלום 12 עולם") == "םלוע 12 םולש"
    assert fonts.visual("") == ""


def test_details_of_a_version() -> None:
    """All values are text, also of a record without a user, a task and a date."""
    link = [{"name": "harbour"}, {"name": "sq1"}, {"name": "sh010"}, {"name": "edit - v003"}]
    record = {"link": link, "version": 3, "date": {"value": "2025-06-30T10:00:00"}, "comment": "x"}
    user = {"first_name": "Ana", "last_name": "Müller", "username": "ana"}
    found = details_of(
        {**record, "asset": {"name": "edit"}, "user": user, "task": {"name": "anim"}}
    )
    assert found == {
        "artist": "Ana Müller",
        "asset": "edit",
        "date": "2025-06-30",
        "note": "x",
        "project": "harbour",
        "shot": "sh010",
        "task": "anim",
        "version": "v003",
    }
    bare = {**record, "link": [], "date": None, "comment": None, "version": None}
    found = details_of({**bare, "asset": None, "user": None, "task": None})
    assert set(found.values()) == {"", "v000"}


def test_text_is_one_line() -> None:
    """Characters that move text are removed."""
    assert plain(" a\nb\tc\x1b \u202ed\u2066 ") == "a b c d"


def test_a_pillow_without_fonts_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The error says which package is missing."""
    monkeypatch.setattr(fonts, "_fonts", lambda size, path: iter(()))
    asked = {
        "do": "slate",
        "target": "/nowhere",
        "size": [64, 36],
        "rate": [24, 1],
        "lines": ["x"],
        "font": None,
    }
    monkeypatch.setattr("sys.argv", ["reading", json.dumps(asked)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ftrack_like._media.burning._writing", _canvas)
        reading.main()
    assert "needs Pillow with FreeType" in json.loads(capsys.readouterr().out)["missing"]


class _canvas:
    """A picture that is not written."""

    def __init__(self, asked: Any, size: Any) -> None:
        from PIL import Image

        self.canvas = Image.new("RGBA", size)

    def __enter__(self) -> Any:
        return self.canvas, lambda: None

    def __exit__(self, *_: object) -> None:
        pass
