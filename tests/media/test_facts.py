"""What is read from a file before it is encoded, and the words for what it lacks."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from fractions import Fraction
from typing import Any, Optional

import pytest

pytest.importorskip("av", reason="PyAV (media extra) is not installed")
pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")

from ftrack_like._base.errors import MediaError
from ftrack_like._media import presets
from ftrack_like._media.animation import is_animated
from ftrack_like._media.facts import Picture
from ftrack_like._media.pipeline import Pipeline, Source
from ftrack_like._media.programs import LocalPrograms, reading_command, reading_environment
from ftrack_like._media.rates import rate_of
from ftrack_like._media.sequences import arranged, missing_frames


def picture(rate: Optional[str], average: Optional[str], start: Optional[float] = 0.0) -> Picture:
    """Return a picture stream with these rates."""
    rates = [None if one is None else Fraction(one) for one in (rate, average)]
    return Picture(0, "h264", "yuv420p", 64, 36, (64, 36), *rates, start, False, False, 2, 2, 2, 0)


@pytest.mark.parametrize(
    ("rate", "average", "becomes"),
    [
        ("24000/1001", "24000/1001", "24000/1001"),
        ("2997/125", "2997/125", "24000/1001"),
        ("2997/100", "2997/100", "30000/1001"),
        ("25", "25", "25"),
        ("18", "18", "18"),
        ("120", "120", "120"),
        ("30", "2987/100", "30"),
        ("60", "12", "60"),
        ("1000", "15", "15"),
        ("90000", "31", "48000/1001"),
        ("120", "48", "48"),
        (None, "24", "24"),
        ("48", None, "48"),
        (None, None, "24"),
    ],
)
def test_the_rate_is_exact(rate, average, becomes):
    """A rounded rate becomes the one that it was rounded from; any other stays as it is."""
    assert rate_of(picture(rate, average)) == Fraction(becomes)


@pytest.mark.parametrize(
    ("numbers", "first", "places"),
    [
        ([1001, 1002, 1003], 1001, [0, 1, 2]),
        ([1, 3, 4, 8], 1, [0, 0, 1, 2, 2, 2, 2, 3]),
        ([5], 5, [0]),
        ([0, 0, 1], 0, [0, 1, 2]),
    ],
)
def test_frames_keep_their_numbers(numbers, first, places):
    """A missing frame shows the one before it."""
    assert arranged(numbers) == (first, places)


def test_missing_frames_are_named():
    """Single frames and ranges, and a sequence of which most is missing is refused."""
    assert missing_frames([1, 2, 4, 8]) == "3, 5-7"
    assert missing_frames([1, 2]) == ""
    with pytest.raises(MediaError, match=r"only 2 of the frames 1 to 1000.* 2-999 are missing"):
        arranged([1, 1000])


def test_animated_images_are_found(tmp_path):
    """A GIF or PNG is animated if it has a second frame; anything else is not."""
    from PIL import Image

    images = [Image.new("RGB", (8, 8), (one, 0, 0)) for one in (0, 200)]
    for name, count, animated in (
        *(("a.gif", 1, False), ("a.gif", 2, True), ("a.png", 1, False), ("a.png", 2, True)),
        ("a.jpg", 1, False),
    ):
        path = tmp_path / name
        more = {"save_all": True, "append_images": images[1:]} if count > 1 else {}
        images[0].save(path, **more)
        assert is_animated(path) is animated
    whole = (tmp_path / "a.gif").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut.gif").write_bytes(whole[:length])
        is_animated(tmp_path / "cut.gif")
    assert not is_animated(tmp_path / "missing.gif")


# Words


def refusal(path: pathlib.Path) -> str:
    """Return the error for encoding the file at *path*."""
    with pytest.raises(MediaError) as caught:
        Pipeline(LocalPrograms()).make(Source(repr(path.name), str(path)), path.parent)
    return str(caught.value)


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (bytes(5000), "it begins with zeros, as a file does that is still being copied"),
        (b"only words", "it is a text"),
        (b"%PDF-1.4\n", "it is a PDF document"),
        (b"PK\x03\x04" + bytes(99), "it is a ZIP archive or an office document"),
        (b"\x00\x00\x00\x18ftypisom", "it begins like an MP4 or QuickTime movie, but"),
        (b"#EXTM3U\n", "can refer to other files"),
        (bytes(range(256)) * 9, "its data is of no known format, or damaged"),
    ],
    ids=["empty", "zeros", "text", "pdf", "zip", "cut mp4", "playlist", "rubbish"],
)
def test_what_is_no_media_is_described(program, tmp_path, data, words):
    """The error says what the file is, in plain words."""
    path = tmp_path / "a.mov"
    path.write_bytes(data)
    said = refusal(path)
    assert said.startswith("'a.mov' contains no picture and no sound that can be read: ")
    assert words in said


@pytest.mark.ffmpeg
def test_a_file_that_is_removed_is_named(program, tmp_path):
    """The error says that the file cannot be opened, and not how the program failed."""
    said = refusal(tmp_path / "missing.mov")
    assert "it cannot be opened (No such file or directory)" in said


def ffmpeg(program: str, *arguments: str) -> None:
    """Run ffmpeg."""
    command = [program, "-y", "-hide_banner", "-loglevel", "error", "-nostdin", *arguments]
    subprocess.run(command, check=True, timeout=120)


@pytest.mark.ffmpeg
@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.mov", "a.mkv"])
def test_sound_without_a_picture_is_described(program, tmp_path, name):
    """The error says that there is only sound, how long and of which kind."""
    path = tmp_path / name
    ffmpeg(program, "-f", "lavfi", "-i", "sine=duration=1", str(path))
    assert refusal(path).startswith(
        f"'{name}' contains no picture that can be shown: it contains only sound of 1.0 seconds ("
    )


@pytest.mark.ffmpeg
def test_the_cover_of_a_song_is_no_picture(program, tmp_path):
    """A cover image is named, but not encoded as a movie."""
    cover, path = tmp_path / "cover.png", tmp_path / "a.m4a"
    ffmpeg(program, "-f", "lavfi", "-i", "testsrc=size=64x64", "-frames:v", "1", str(cover))
    ffmpeg(
        program,
        *("-f", "lavfi", "-i", "sine=duration=1", "-i", str(cover), "-map", "0", "-map", "1"),
        *("-c:v", "copy", "-disposition:v:0", "attached_pic", str(path)),
    )
    assert "only sound of 1.0 seconds (aac) and a cover image" in refusal(path)


@pytest.mark.ffmpeg
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_movie_that_was_cut_off_is_named(program, tmp_path, name):
    """Half of a movie is not shown as if it were all of it."""
    path = tmp_path / name
    fast = ("-movflags", "+faststart") if name == "a.mp4" else ()
    source = "testsrc2=size=160x90:rate=24:duration=2"
    codec = ("-c:v", "mpeg4", "-q:v", "2", "-g", "1")
    ffmpeg(program, "-f", "lavfi", "-i", source, *codec, *fast, str(path))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert f"'{name}' is cut off or damaged: it states" in refusal(path)


@pytest.mark.ffmpeg
def test_an_image_without_a_decoder_is_named(program, tmp_path):
    """ffmpeg may know more kinds of images than PyAV, which then cannot check them."""
    import av

    if "jpegxl" in av.codecs_available or "libjxl" in av.codecs_available:
        pytest.skip("PyAV decodes JPEG XL")
    path = tmp_path / "a.jxl"
    try:
        ffmpeg(program, "-f", "lavfi", "-i", "testsrc=size=64x36", "-frames:v", "1", str(path))
    except subprocess.CalledProcessError:
        pytest.skip("this ffmpeg cannot write JPEG XL")
    with pytest.raises(MediaError, match="this machine has no decoder for its picture"):
        Pipeline(LocalPrograms()).make(Source("'it'", str(path), is_image=True), tmp_path)


# Presets


def test_a_studio_replaces_presets(monkeypatch, tmp_path):
    """Values of a file replace those of this package; new sizes are added, null removes one."""
    path = tmp_path / "presets.json"
    changes = {
        "ftrackreview-mp4": {"width": 640, "height": 360, "bit_rate": "800k"},
        "ftrackreview-mp4-1440": None,
        "ftrackreview-mp4-4320": {"width": 7680, "height": 4320, "quality": 24},
    }
    path.write_text(json.dumps(changes))
    monkeypatch.setenv("FTRACK_MEDIA_PRESETS", str(path))
    found = {one.name: one for one in presets.presets()}
    assert (found["ftrackreview-mp4"].width, found["ftrackreview-mp4"].bit_rate) == (640, "800k")
    assert "ftrackreview-mp4-1440" not in found
    assert found["ftrackreview-mp4-4320"].minimum
    assert found["ftrackreview-mp4-1080"] == presets.PRESETS[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "must be an object"),
        ("{", "cannot be read"),
        ('{"mp4": {}}', "'mp4' must begin with 'ftrackreview-'"),
        ('{"ftrackreview-mp4": null}', "cannot be left out"),
        ('{"ftrackreview-mp4": {"hight": 1}}', "has no value 'hight'"),
        ('{"ftrackreview-mp4": {"height": "720"}}', "height of 'ftrackreview-mp4' must be a whole"),
        ('{"ftrackreview-mp4": {"bit_rate": "4M -y"}}', "must be like '800k' or '4M'"),
        ('{"ftrackreview-mp4": {"video": "vp9"}}', "video of 'ftrackreview-mp4' must be h264"),
        ('{"ftrackreview-mp4": {"container": "avi"}}', "must be mp4 or webm"),
        ('{"ftrackreview-mp4": {"minimum": 1}}', "must be true or false"),
        ('{"ftrackreview-mp4": 5}', "must be an object or null"),
    ],
)
def test_a_wrong_preset_is_named(monkeypatch, tmp_path, text, words):
    """The error says which file and which value are wrong."""
    path = tmp_path / "presets.json"
    path.write_text(text)
    monkeypatch.setenv("FTRACK_MEDIA_PRESETS", str(path))
    with pytest.raises(MediaError) as caught:
        presets.presets()
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((640, 360), ["mp4"]),
        ((1280, 720), ["mp4"]),
        ((1919, 1079), ["mp4"]),
        ((1920, 800), ["mp4", "mp4-1080"]),
        ((2048, 1556), ["mp4", "mp4-1080", "mp4-1440"]),
        ((4096, 2160), ["mp4", "mp4-1080", "mp4-1440", "mp4-2160"]),
    ],
)
def test_larger_sizes_are_made_where_the_source_has_them(shape, names):
    """No size is larger than the source."""
    found = presets.wanted_presets(presets.PRESETS, shape, ["mp4"])
    assert [one.name for one in found] == [f"ftrackreview-{name}" for name in names]


@pytest.mark.ffmpeg
def test_the_bit_rate_of_a_preset_is_used(program, tmp_path):
    """A studio may limit the bit rate of a size."""
    path = tmp_path / "a.mkv"
    source = "testsrc2=size=320x180:rate=24:duration=1,noise=alls=100:allf=t"
    ffmpeg(program, "-f", "lavfi", "-i", source, "-c:v", "ffv1", str(path))
    sizes = []
    for bit_rate in ("100k", "4M"):
        chosen = presets.changed({"ftrackreview-mp4": {"bit_rate": bit_rate}})
        folder = tmp_path / bit_rate
        folder.mkdir()
        made = Pipeline(LocalPrograms(), chosen).make(Source("'it'", str(path)), folder).files[0]
        sizes.append(made.path.stat().st_size)
    assert sizes[0] * 3 < sizes[1]


# Without PyAV


def test_without_pyav_the_error_says_what_to_install():
    """Reading a movie needs PyAV, and the error names the package and the extra."""
    command = reading_command({"do": "facts", "path": "a.mov", "formats": None, "pixels": 1})
    program = f"import sys; sys.modules['av'] = None; {command[2]}"
    done = subprocess.run(
        [sys.executable, "-c", program, command[3]],
        capture_output=True,
        env=reading_environment(),
        check=True,
    )
    answer: Any = json.loads(done.stdout)
    assert "Install the extra 'media' of ftrack-like" in answer["missing"]
    from ftrack_like._media.programs import answer_of

    with pytest.raises(MediaError, match="PyAV"):
        answer_of(0, done.stdout, b"")
    with pytest.raises(MediaError, match=r"ended without an answer.*exit status 139"):
        answer_of(139, b"", b"")
