"""Movies of which some frames cannot be read: they are named, and never skipped in silence."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import pytest

pytest.importorskip("av", reason="PyAV (media extra) is not installed")

from ftrack_like._base.errors import MediaError
from ftrack_like._media.checking import check_movie
from ftrack_like._media.pipeline import Encoded, Pipeline, Source
from ftrack_like._media.programs import LocalPrograms

WHOLE = {
    "lost": [],
    "leading": 0,
    "trailing": 0,
    "stated": 9,
    "found": 9,
    "shown": None,
    "end": 1,
    "slack": 0.2,
    "seconds": 1,
}


class Answers(LocalPrograms):
    """Programs whose reading child process always gives the same *answer*."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self._answer = dict(answer)

    def read(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer."""
        return self._answer


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"leading": 1}, "the first frame"),
        ({"shown": 9}, ""),
        ({"found": 18, "shown": 9}, ""),
        ({"leading": 3, "trailing": 1}, "the first 3 frames, the last frame"),
    ],
    ids=str,
)
def test_what_the_ends_of_a_recording_lack_is_told(changes, words):
    """Frames at the start and the end are named, and are no error."""
    assert check_movie(Answers({**WHOLE, **changes}), "'it'", "a.ts", 0, 0, True) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"lost": [[4, 4, 0.16, 0.16]]},
            "'it' is damaged: the frame 1005 (at 0.16 seconds) cannot be read. "
            "Copy the file again, or render it again.",
        ),
        (
            {"lost": [[4, 6, 0.16, 0.24], [9, 9, 0.36, 0.36]]},
            "'it' is damaged: the frames 1005-1007 (from 0.16 to 0.24 seconds), "
            "1010 (at 0.36 seconds) cannot be read. Copy the file again, or render it again.",
        ),
        (
            {"lost": [[4, 4, None, None]]},
            "'it' is damaged: the frame 1005 cannot be read. "
            "Copy the file again, or render it again.",
        ),
        (
            {"stated": 20, "lost": [[4, 4, 0.16, 0.16]]},
            "'it' is cut off or damaged: it states 20 frames, but only 9 can be read. "
            "The frame 1005 (at 0.16 seconds) cannot be read.",
        ),
        ({"seconds": 9}, "'it' is cut off or damaged: it states 9.0 seconds, but only 1.0 can be"),
        ({"shown": 8}, "'it' is damaged: 1 of its 9 frames cannot be read. Copy the file again"),
        ({"error": "no luck"}, "'it' is cut off or damaged: no luck"),
    ],
    ids=["one", "several", "no times", "stated", "short", "fewer", "error"],
)
def test_frames_that_cannot_be_read_are_named(changes, words):
    """The error says which frames are missing, by the numbers and the times of the movie."""
    with pytest.raises(MediaError) as caught:
        check_movie(Answers({**WHOLE, **changes}), "'it'", "a.mov", 0, 1001, True)
    assert str(caught.value).startswith(words)


def test_many_damaged_parts_are_counted():
    """An error names eight parts, and says how many more there are."""
    lost = [[2 * part, 2 * part, part, part] for part in range(20)]
    with pytest.raises(MediaError, match=r"14 \(at 7\.00 seconds\), and 12 further parts cannot"):
        check_movie(Answers({**WHOLE, "lost": lost}), "'it'", "a.mov", 0, 0, True)


# Damaged files

FRAMES = 48

MJPEG = ("-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj422p")
MPEG4 = ("-c:v", "mpeg4", "-q:v", "2", "-g", "6")
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "6")


def _movie(
    program: str, path: pathlib.Path, codec: Sequence[str], sound: Optional[Sequence[str]] = None
) -> pathlib.Path:
    """Write a movie of two seconds, with *sound* of a codec."""
    picture = f"testsrc2=size=96x64:rate=24:duration={FRAMES // 24}"
    heard = [] if sound is None else ["-f", "lavfi", "-i", "sine=duration=2"]
    command = [program, "-y", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", picture]
    coded = [] if sound is None else ["-c:a", *sound]
    subprocess.run([*command, *heard, *codec, *coded, str(path)], check=True, timeout=120)
    return path


def _packets(path: pathlib.Path, kind: str = "video") -> list[tuple[int, int]]:
    """Return where the packets of a stream begin and end in the file, in the order of display."""
    import av

    with av.open(str(path)) as container:
        stream = next(one for one in container.streams if one.type == kind)
        found = [one for one in container.demux(stream) if one.size]
        found.sort(key=lambda one: -1 if one.pts is None else one.pts)
        return [(one.pos, one.pos + one.size) for one in found]


def _overwrite(path: pathlib.Path, begin: int, end: int) -> None:
    data = bytearray(path.read_bytes())
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)


def _encode(path: pathlib.Path) -> Encoded:
    folder = path.parent / "encoded"
    folder.mkdir(exist_ok=True)
    return Pipeline(LocalPrograms()).make(Source(repr(path.name), str(path)), folder)


def _named(error: str) -> set[int]:
    """Return the numbers of the frames that *error* names."""
    found: set[int] = set()
    for begin, end in re.findall(r"(\d+)(?:-(\d+))? \((?:at|from) ", error):
        found.update(range(int(begin), int(end or begin) + 1))
    return found


@pytest.mark.ffmpeg
@pytest.mark.parametrize("place", [0, 20, 42], ids=["start", "middle", "end"])
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mov", MJPEG),
        ("a.mov", ("-c:v", "prores_ks")),
        ("a.mp4", H264),
        ("a.mkv", MPEG4),
        ("a.avi", MJPEG),
        ("a.mxf", ("-c:v", "mpeg2video", "-q:v", "2", "-r", "25")),
    ],
    ids=["mjpeg", "prores", "mp4", "mkv", "avi", "mxf"],
)
def test_zeros_in_a_movie_are_named(program, tmp_path, name, codec, place):
    """Each frame whose data was overwritten is named; in codecs without references, only these."""
    path = _movie(program, tmp_path / name, codec)
    ranges = _packets(path)
    begin = min(at for at, _ in ranges[place : place + 4]) + 8
    end = max(at for _, at in ranges[place : place + 4])
    hit = {number for number, (at, to) in enumerate(ranges) if at < end and begin < to}
    assert len(hit) >= 4
    _overwrite(path, begin, end)
    with pytest.raises(MediaError) as caught:
        _encode(path)
    said = str(caught.value)
    assert said.startswith(f"{path.name!r} is ")
    if name in {"a.mov", "a.mp4"}:
        assert hit <= _named(said)
    if name == "a.mov":
        assert _named(said) == hit


@pytest.mark.ffmpeg
def test_a_lost_part_of_a_transport_stream_is_named(program, tmp_path):
    """Packets that the demuxer skips leave a gap, whose frames are named."""
    path = _movie(program, tmp_path / "a.ts", ("-c:v", "mpeg2video", "-q:v", "2", "-g", "1"))
    ranges = _packets(path)
    _overwrite(path, ranges[20][0], ranges[24][0])
    with pytest.raises(MediaError) as caught:
        _encode(path)
    assert {21, 22} <= _named(str(caught.value)) <= set(range(18, 27))


@pytest.mark.ffmpeg
def test_damaged_sound_loses_no_frame(program, tmp_path):
    """A movie whose picture is whole is published, also if a part of its sound cannot be read."""
    path = _movie(program, tmp_path / "a.mov", MJPEG, ("aac",))
    for begin, end in _packets(path, "audio")[20:30]:
        _overwrite(path, begin, end)
    made = _encode(path)
    assert json.loads(made.files[0].meta)["frameOut"] == FRAMES - 1
    assert made.unreadable == ""


@pytest.mark.ffmpeg
def test_a_recording_may_begin_between_key_frames(program, tmp_path):
    """The frames before the first key frame are not shown; the result says so."""
    codec = ("-c:v", "mpeg2video", "-q:v", "2", "-g", "12", "-bf", "0")
    path = _movie(program, tmp_path / "a.ts", codec)
    data, ranges = path.read_bytes(), _packets(path)
    tables = data[: 188 * 3]
    start = ranges[6][0] // 188 * 188
    path.write_bytes(tables + data[start:])
    made = _encode(path)
    frames = json.loads(made.files[0].meta)["frameOut"] + 1
    assert frames == FRAMES - 12
    assert re.fullmatch(r"the first [56] frames", made.unreadable)


@pytest.mark.ffmpeg
def test_a_recording_may_end_within_a_frame(program, tmp_path):
    """A recording that was stopped within its last frame is published; the result says so."""
    path = _movie(program, tmp_path / "a.ts", ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "0"))
    data, ranges = path.read_bytes(), _packets(path)
    last = ranges[-1][0]
    path.write_bytes(data[: (last + len(data)) // 2 // 188 * 188])
    made = _encode(path)
    assert json.loads(made.files[0].meta)["frameOut"] >= FRAMES - 2
    assert made.unreadable in {"", "the last frame"}
