"""Finding and driving ffmpeg, and scaling images."""

from __future__ import annotations

import pathlib

import pytest

pytest.importorskip("starlette", reason="the sandbox extra is not installed")

from ftrack_like._base import ffmpeg
from ftrack_like.sandbox.media import images


@pytest.fixture(scope="session")
def program() -> str:
    """Return the path of ffmpeg, or skip the test with what it said."""
    try:
        return ffmpeg.find_ffmpeg()
    except ffmpeg.MediaError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def clip(program: str, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a one second clip with sound, of odd width and height."""
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    ffmpeg.run_command(
        [
            *(program, "-hide_banner", "-nostdin", "-loglevel", "error"),
            *("-f", "lavfi", "-i", "testsrc=size=321x181:rate=24:duration=1"),
            *("-f", "lavfi", "-i", "sine=frequency=440:duration=1"),
            *("-c:v", "ffv1", "-c:a", "pcm_s16le", str(path)),
        ]
    )
    return path


@pytest.mark.ffmpeg
def test_the_source_is_described(program, clip):
    """Size, rate, length and codecs of a clip are read from what ffmpeg says."""
    found = ffmpeg.probe(program, clip)
    assert (found.width, found.height, found.frame_rate) == (321, 181, 24.0)
    assert found.duration == pytest.approx(1.0, abs=0.1)
    assert (found.video_codec, found.audio_codec) == ("ffv1", "pcm_s16le")
    assert found.frames == 24


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("format_", "video", "audio"), [("mp4", "h264", "aac"), ("webm", "vp9", "opus")]
)
def test_a_clip_becomes_playable_on_the_web(program, clip, tmp_path, format_, video, audio):
    """Encoding keeps the sound, makes odd sides even and reports its progress."""
    target = tmp_path / f"out.{format_}"
    seconds: list[float] = []
    ffmpeg.run_command(
        ffmpeg.video_command(program, ["-i", str(clip)], target, format_), seconds.append
    )
    found = ffmpeg.probe(program, target)
    assert (found.video_codec, found.audio_codec) == (video, audio)
    assert (found.width, found.height) == (320, 180)
    assert seconds == sorted(seconds)
    assert seconds[-1] == pytest.approx(1.0, abs=0.2)


@pytest.mark.ffmpeg
def test_an_mp4_can_start_before_it_is_loaded(program, clip, tmp_path):
    """The index of an mp4 stands before its data."""
    target = tmp_path / "out.mp4"
    ffmpeg.run_command(ffmpeg.video_command(program, ["-i", str(clip)], target))
    data = target.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.ffmpeg
def test_a_frame_becomes_an_image_that_can_be_scaled(program, clip, tmp_path):
    """A frame of a clip is written as JPEG, and a thumbnail of it keeps its shape."""
    pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")
    frame = tmp_path / "frame.jpg"
    ffmpeg.run_command(ffmpeg.frame_command(program, ["-i", str(clip)], frame, at=0.5))
    assert images.first_image_size(frame) == (320, 180)
    small = tmp_path / "small" / "100.jpg"
    assert images.scale(frame, small, 100)
    assert images.first_image_size(small) == (100, 56)


@pytest.mark.ffmpeg
def test_what_is_no_media_is_refused_in_words(program, tmp_path):
    """A text file is neither picture nor sound, and the error says so."""
    path = tmp_path / "notes.txt"
    path.write_text("no media here")
    with pytest.raises(ffmpeg.MediaError, match="no picture and no sound"):
        ffmpeg.probe(program, path)
    with pytest.raises(ffmpeg.MediaError, match=r"ffmpeg failed: .*notes\.txt"):
        ffmpeg.run_command(ffmpeg.video_command(program, ["-i", str(path)], tmp_path / "out.mp4"))


def test_a_missing_program_says_how_to_get_one(monkeypatch):
    """A wrong FTRACK_FFMPEG is named rather than passed over."""
    monkeypatch.setenv("FTRACK_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(ffmpeg.MediaError, match="FTRACK_FFMPEG names '/nowhere/ffmpeg'"):
        ffmpeg.find_ffmpeg()


def test_data_that_is_no_image_is_not_scaled(tmp_path):
    """Scaling says no, and writes nothing."""
    path = tmp_path / "text"
    path.write_text("no image")
    assert images.scale(path, tmp_path / "out.jpg", 100) is False
    assert not (tmp_path / "out.jpg").exists()


def test_the_placeholder_is_an_image(tmp_path):
    """The grey stand-in has the size that was asked for."""
    pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")
    path = tmp_path / "grey.png"
    path.write_bytes(images.placeholder(160))
    assert images.first_image_size(path) == (160, 90)
