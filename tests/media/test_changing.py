"""Movies that change within, and sound whose tracks differ in their times."""

from __future__ import annotations

import json
import pathlib
import subprocess

import pytest

pytest.importorskip("av", reason="PyAV (media extra) is not installed")

pytestmark = pytest.mark.ffmpeg


def _run(program: str, *arguments: str) -> None:
    subprocess.run([program, "-y", "-loglevel", "error", "-nostdin", *arguments], check=True)


@pytest.mark.parametrize(
    ("sizes", "pixel_formats"),
    [(("64x36", "128x72"), ("yuvj420p",) * 2), (("64x36",) * 2, ("yuvj420p", "yuvj444p"))],
    ids=["size", "pixels"],
)
def test_what_changes_within_a_movie_loses_no_frame(
    program, encode, tmp_path, sizes, pixel_formats
):
    """Where the size or the kind of pixels changes, all frames before and after are kept."""
    parts = []
    for number, (size, pixel_format) in enumerate(zip(sizes, pixel_formats)):
        parts.append(tmp_path / f"{number}.mjpeg")
        source = f"testsrc=size={size}:rate=25:duration=1"
        options = ("-c:v", "mjpeg", "-pix_fmt", pixel_format)
        _run(program, "-f", "lavfi", "-i", source, *options, str(parts[-1]))
    path = tmp_path / "changing.mjpeg"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    meta = json.loads(encode(path)["ftrackreview-mp4"].meta)
    assert (meta["frameOut"], meta["width"], meta["height"]) == (49, 64, 36)


def _loudness(path: pathlib.Path, begin: float, end: float) -> tuple[float, float]:
    """Return the loudness of left and right from *begin* to *end*, in seconds."""
    import av

    sums, count = [0.0, 0.0], 0
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "stereo")
        for decoded in container.decode(audio=0):
            for frame in resampler.resample(decoded):
                if begin <= frame.time < end:
                    values = memoryview(bytes(frame.planes[0])[: frame.samples * 8]).cast("f")
                    sums = [sums[side] + sum(map(abs, values[side::2])) for side in (0, 1)]
                    count += frame.samples
    return (sums[0] / count, sums[1] / count) if count else (0.0, 0.0)


@pytest.mark.parametrize("seconds", [(2.0, 0.5), (0.5, 2.0)], ids=str)
def test_left_and_right_last_as_long_as_they_do(program, encode, tmp_path, seconds):
    """A track with one channel that is shorter than the other does not end it."""
    sounds = [part for one in seconds for part in ("-f", "lavfi", "-i", f"sine=440:duration={one}")]
    path = tmp_path / "clip.mov"
    picture = "testsrc=size=64x36:rate=24:duration=2"
    maps = ("-map", "0", "-map", "1", "-map", "2", "-c:a", "pcm_s16le")
    _run(program, "-f", "lavfi", "-i", picture, *sounds, *maps, str(path))
    movie = encode(path)["ftrackreview-mp4"].path
    assert min(_loudness(movie, 0.1, 0.4)) > 0.02
    heard = [loudness > 0.02 for loudness in _loudness(movie, 1.0, 1.8)]
    assert heard == [one > 1.8 for one in seconds]


def test_a_right_channel_that_begins_later_stays_in_step(program, encode, tmp_path):
    """The second track with one channel is heard from its own beginning on."""
    path = tmp_path / "clip.mkv"
    picture = "testsrc=size=64x36:rate=24:duration=2"
    first = ("-f", "lavfi", "-i", "sine=440:duration=2")
    second = ("-itsoffset", "1", "-f", "lavfi", "-i", "sine=440:duration=1")
    maps = ("-map", "0", "-map", "1", "-map", "2", "-c:a", "pcm_s16le")
    _run(program, "-f", "lavfi", "-i", picture, *first, *second, *maps, str(path))
    movie = encode(path)["ftrackreview-mp4"].path
    left, right = _loudness(movie, 0.1, 0.8)
    assert left > 0.02
    assert right < 0.001
    assert min(_loudness(movie, 1.2, 1.8)) > 0.02


@pytest.mark.parametrize(
    ("name", "codec", "times_continue"),
    [("a.ts", "aac", True), ("a.ts", "aac", False), ("a.ts", "mp2", True)],
    ids=["aac", "times begin again", "mp2"],
)
def test_sound_whose_parameters_change_stays_in_step(
    program, encode, tmp_path, name, codec, times_continue
):
    """Where the sample rate or the channels change, the sound keeps its length and its place."""
    kinds = (("48000", "2"), ("44100", "1"), ("48000", "1"), ("32000", "2"))
    path, data = tmp_path / name, b""
    for number, (rate, channels) in enumerate(kinds):
        part = tmp_path / f"part{number}-{name}"
        # A second of silence for each even part, and a tone for each odd one.
        sound = "sine=440" if number % 2 else "anullsrc"
        _run(
            program,
            *("-f", "lavfi", "-i", "testsrc=size=64x36:rate=25:duration=1"),
            *("-f", "lavfi", "-i", sound, "-t", "1", "-c:v", "mpeg2video", "-c:a", codec),
            *("-ar", rate, "-ac", channels, "-muxdelay", "0"),
            *("-output_ts_offset", str(number if times_continue else 0), str(part)),
        )
        data += part.read_bytes()
    path.write_bytes(data)
    made = encode(path)["ftrackreview-mp4"]
    assert json.loads(made.meta)["frameOut"] == 99
    heard = [min(_loudness(made.path, second + 0.2, second + 0.85)) > 0.02 for second in range(4)]
    assert heard == [False, True, False, True]
    assert max(_loudness(made.path, 4.2, 9.0)) == 0.0
