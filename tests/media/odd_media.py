"""A generator of odd media: each case varies a property of containers and streams.

The level of each frame of the picture tells its number, so that a frame that is lost, doubled or
moved is noticed.
"""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Optional

__all__ = ["LEVELS", "Case", "cases", "level_of", "make"]

#: The number of different frames; then they repeat.
LEVELS = 24

RATES = (
    *("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60"),
    *("12", "15", "48", "1", "120"),
)


@dataclass(frozen=True)
class Case:
    """A movie to make: a file *name* (its ending is the container) and how ffmpeg makes it.

    *frames* and *rate* are those of the picture; the encoded movie must have the same. None means
    that the case does not determine it. *after* are the arguments after the inputs.
    """

    name: str
    rate: str = "24"
    frames: Optional[int] = 24
    size: str = "64x36"
    codec: Sequence[str] = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
    sounds: Sequence[str] = ()
    sound_codec: Sequence[str] = ()
    filters: Sequence[str] = ()
    after: Sequence[str] = ()
    piped: bool = False
    #: Arguments before the first input.
    before: Sequence[str] = ()
    #: Whether the level of each frame of the result is that of the source.
    leveled: bool = True
    #: Whether the container can state the rate exactly.
    states_rate: bool = True
    #: The size of the smallest result, None for the size of the source.
    result: Optional[tuple[int, int]] = None
    #: The channels and languages of the sound in the result.
    languages: Optional[Sequence[Optional[str]]] = None

    @property
    def id(self) -> str:
        """Return a text that identifies the case."""
        rate = self.rate.replace("/", "_")
        words = [self.name, rate, self.size, *self.codec, *self.filters, *self.after]
        words += [*self.sounds, *self.sound_codec, "piped" if self.piped else ""]
        return "-".join(one.strip("-:") for one in words if one)[:150]


def level_of(number: int) -> int:
    """Return the luma of the frame *number*, in the limited range."""
    return 20 + number % LEVELS * 9


def make(case: Case, program: str, folder: pathlib.Path) -> Optional[pathlib.Path]:
    """Make the movie of *case* in *folder*; return None if this ffmpeg cannot."""
    path = folder / case.name
    seconds = Fraction(case.frames or 24) / Fraction(case.rate)
    picture = (
        f"color=c=black:size={case.size}:rate={case.rate}:duration={float(seconds) + 1},"
        f"trim=end_frame={case.frames or 24},format=yuv444p,"
        f"geq=lum=20+mod(N\\,{LEVELS})*9:cb=128:cr=128"
    )
    inputs = [*case.before, "-f", "lavfi", "-i", picture]
    for sound in case.sounds:
        inputs += ["-f", "lavfi", "-i", sound.format(seconds=float(seconds))]
    maps = ["-map", "0:v"]
    for number in range(len(case.sounds)):
        maps += ["-map", f"{number + 1}:a"]
    filters = ["-vf", ",".join(case.filters)] if case.filters else []
    command = [
        *(program, "-y", "-hide_banner", "-loglevel", "error", "-nostdin", *inputs, *maps),
        *(*filters, *case.codec, *case.sound_codec, *case.after),
    ]
    if case.piped:
        format_ = {"mkv": "matroska", "ts": "mpegts"}.get(path.suffix[1:], path.suffix[1:])
        with path.open("wb") as file:
            done = subprocess.run(
                [*command, "-f", format_, "pipe:1"],
                stdout=file,
                stderr=subprocess.PIPE,
                check=False,
            )
    else:
        done = subprocess.run([*command, str(path)], capture_output=True, check=False)
    if done.returncode or not path.stat().st_size:
        return None
    return path


SINE = "sine=duration={seconds}"

H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
CODECS = {
    "h264": H264,
    "h264 without b-frames": (*H264, "-bf", "0"),
    "h264 444": ("-c:v", "libx264", "-pix_fmt", "yuv444p"),
    "h264 10 bit": ("-c:v", "libx264", "-pix_fmt", "yuv422p10le"),
    "h264 rgb": ("-c:v", "libx264rgb", "-pix_fmt", "rgb24"),
    "h264 full range": ("-c:v", "libx264", "-pix_fmt", "yuvj420p"),
    "hevc": ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "log-level=error"),
    "mpeg4": ("-c:v", "mpeg4", "-q:v", "2"),
    "mpeg4 b-frames": ("-c:v", "mpeg4", "-q:v", "2", "-bf", "2"),
    "mpeg2": ("-c:v", "mpeg2video", "-q:v", "2"),
    "mpeg1": ("-c:v", "mpeg1video", "-q:v", "2"),
    "prores": ("-c:v", "prores_ks", "-profile:v", "2"),
    "prores 4444": ("-c:v", "prores_ks", "-profile:v", "4", "-pix_fmt", "yuva444p10le"),
    "dnxhr": ("-c:v", "dnxhd", "-profile:v", "dnxhr_sq", "-pix_fmt", "yuv422p"),
    "mjpeg": ("-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj422p"),
    "ffv1": ("-c:v", "ffv1"),
    "vp8": ("-c:v", "libvpx", "-b:v", "2M"),
    "vp9": ("-c:v", "libvpx-vp9", "-b:v", "2M", "-deadline", "realtime", "-cpu-used", "8"),
    "png": ("-c:v", "png", "-pix_fmt", "rgb24"),
    "png alpha": ("-c:v", "png", "-pix_fmt", "rgba"),
    "qtrle": ("-c:v", "qtrle", "-pix_fmt", "rgb24"),
    "qtrle alpha": ("-c:v", "qtrle", "-pix_fmt", "argb"),
    "raw": ("-c:v", "rawvideo", "-pix_fmt", "uyvy422"),
    "raw 420": ("-pix_fmt", "yuv420p"),
    "raw rgb": ("-c:v", "rawvideo", "-pix_fmt", "bgr24"),
    "huffyuv": ("-c:v", "huffyuv", "-pix_fmt", "yuv422p"),
    "utvideo": ("-c:v", "utvideo", "-pix_fmt", "gbrp"),
    "gray": ("-c:v", "ffv1", "-pix_fmt", "gray"),
    "gray 16": ("-c:v", "ffv1", "-pix_fmt", "gray16le"),
    "theora": ("-c:v", "libtheora", "-q:v", "10"),
    "wmv": ("-c:v", "wmv2", "-q:v", "2"),
    "flv": ("-c:v", "flv", "-q:v", "2"),
    "gif": ("-c:v", "gif"),
    "apng": ("-c:v", "apng", "-pix_fmt", "rgb24"),
    "v210": ("-c:v", "v210"),
    "jpeg2000": ("-c:v", "jpeg2000"),
}

CONTAINERS = {
    "mov": (
        "h264",
        "prores",
        "prores 4444",
        "dnxhr",
        "mjpeg",
        "png",
        "png alpha",
        "qtrle",
        "qtrle alpha",
        "v210",
        "jpeg2000",
    ),
    "mp4": ("h264", "h264 without b-frames", "h264 444", "h264 10 bit", "hevc", "mpeg4", "vp9"),
    "mkv": ("h264", "h264 rgb", "h264 full range", "ffv1", "gray", "gray 16", "mpeg4 b-frames"),
    "webm": ("vp8", "vp9"),
    "avi": ("mpeg4", "mjpeg", "raw rgb", "huffyuv", "utvideo", "ffv1"),
    "mxf": ("mpeg2", "dnxhr"),
    "ts": ("h264", "mpeg2", "hevc"),
    "mpg": ("mpeg1", "mpeg2"),
    "flv": ("h264", "flv"),
    "ogv": ("theora",),
    "wmv": ("wmv",),
    "nut": ("ffv1", "raw"),
    "y4m": ("raw 420",),
    "h264": ("h264", "h264 without b-frames"),
    "hevc": ("hevc",),
    "mjpeg": ("mjpeg",),
    "gif": ("gif",),
    "apng": ("apng",),
    "3gp": ("mpeg4",),
}

#: Containers that hold no sound, or only some sound.
SILENT = frozenset({"y4m", "h264", "hevc", "mjpeg", "gif", "apng"})

#: Rates that a container cannot state are replaced by these.
RATE_OF = {"gif": "25", "mjpeg": "25", "mxf": "25", "mpg": "25"}


def containers_and_codecs() -> Iterator[Case]:
    """Each codec in each container that commonly has it, with and without sound."""
    for container, codecs in CONTAINERS.items():
        for codec in codecs:
            case = Case(
                f"a.{container}",
                rate=RATE_OF.get(container, "24"),
                size="256x144" if codec == "dnxhr" else "64x36",
                codec=CODECS[codec],
            )
            yield case
            if container not in SILENT:
                sound = ("-ar", "48000") if container in {"mxf", "webm"} else ("-ar", "44100")
                yield replace(case, sounds=(SINE,), sound_codec=sound)


def rates() -> Iterator[Case]:
    """Each frame rate in the containers that store times in different ways."""
    for rate in RATES:
        for name in ("a.mov", "a.mkv", "a.ts", "a.avi", "a.flv"):
            yield Case(name, rate=rate, frames=13 if rate == "1" else 31)
        yield Case("a.webm", rate=rate, frames=31, codec=CODECS["vp8"])
        yield Case("a.mkv", rate=rate, frames=31, piped=True)
    for rate in ("50", "25", "20", "10", "5"):
        yield Case("a.gif", rate=rate, frames=9, codec=CODECS["gif"])
    for rate in ("24000/1001", "24", "30000/1001", "60"):
        yield Case("a.h264", rate=rate)
        yield Case("a.mxf", rate="25" if rate == "60" else rate, codec=CODECS["mpeg2"])


def lengths() -> Iterator[Case]:
    """Movies of very few frames."""
    for frames in (1, 2, 3):
        for name in ("a.mov", "a.mkv", "a.ts", "a.avi", "a.h264"):
            yield Case(name, frames=frames)
        yield Case("a.webm", frames=frames, codec=CODECS["vp9"])
        yield Case("a.mov", frames=frames, sounds=("sine=duration=2",))


def sounds() -> Iterator[Case]:
    """Sound of every kind, length, start and number of tracks."""
    aac = ("-c:a", "aac")
    pcm = ("-c:a", "pcm_s16le")
    for name, codec in (("a.mov", pcm), ("a.mkv", aac), ("a.mp4", aac), ("a.ts", aac)):
        case = Case(name, sounds=(SINE,), sound_codec=codec)
        yield replace(case, sounds=("sine=duration=3",))
        yield replace(case, sounds=("sine=duration=0.3",))
        yield replace(case, sounds=("sine=duration=1:sample_rate=8000",))
        yield replace(case, sound_codec=(*codec, "-ar", "96000"))
        yield replace(case, sound_codec=(*codec, "-ac", "1"))
        yield replace(case, sound_codec=(*codec, "-ac", "6"))
        yield replace(case, sounds=(SINE, SINE), sound_codec=(*codec, "-ac", "1"), languages=[None])
        yield replace(case, sounds=(SINE,) * 8, sound_codec=(*codec, "-ac", "1"), languages=[None])
        if name != "a.ts":
            told = ("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger")
            yield replace(
                case,
                sounds=(SINE, SINE),
                sound_codec=(*codec, "-ac", "2", *told),
                languages=["eng", "ger"],
            )
    for codec in ("mp2", "ac3", "libmp3lame", "flac", "libopus", "libvorbis", "pcm_s24le"):
        yield Case("a.mkv", sounds=(SINE,), sound_codec=("-c:a", codec, "-ar", "48000"))
    # The picture begins later than the sound, and the other way round.
    yield Case("a.mkv", before=("-itsoffset", "0.5"), sounds=("sine=duration=2",))
    yield Case("a.mov", before=("-itsoffset", "0.5"), sounds=("sine=duration=2",))
    yield Case("a.mkv", sounds=("sine=duration=1,asetpts=PTS+0.5/TB",))


def times() -> Iterator[Case]:
    """Movies that begin late, have no length, or frames at unequal distances."""
    for name in ("a.mkv", "a.ts", "a.mov", "a.mp4"):
        yield Case(name, after=("-output_ts_offset", "5"))
        yield Case(name, after=("-output_ts_offset", "5"), sounds=(SINE,))
    for name, codec in (("a.webm", "vp8"), ("a.ts", "h264"), ("a.flv", "h264"), ("a.nut", "ffv1")):
        yield Case(name, codec=CODECS[codec], piped=True)
        yield Case(
            name,
            codec=CODECS[codec],
            piped=True,
            sounds=(SINE,),
            sound_codec=("-ar", "48000" if name == "a.webm" else "44100"),
        )
    variable = ("-vsync", "vfr")
    for name in ("a.mkv", "a.mp4"):
        for chosen in ("mod(n\\,3)", "lt(n\\,5)+gt(n\\,12)", "not(mod(n\\,7))"):
            yield Case(
                name,
                frames=None,
                filters=(f"select={chosen}",),
                after=variable,
                leveled=False,
            )
    yield Case("a.mp4", after=("-movflags", "frag_keyframe+empty_moov"))
    yield Case(
        "a.mp4", after=("-video_track_timescale", "600"), rate="30000/1001", states_rate=False
    )
    yield Case("a.mp4", after=("-g", "4", "-bf", "3"))


def shapes() -> Iterator[Case]:
    """Odd, tiny, tall and large pictures, and pixels that are not square."""
    for size, result in (
        *(("65x37", (64, 36)), ("63x35", (62, 34)), ("2x2", (2, 2)), ("16x400", (16, 400))),
        *(("800x18", (800, 18)), ("1282x722", (1278, 720)), ("722x1282", (404, 720))),
        *(("1920x1080", (1280, 720)), ("2048x858", (1280, 536))),
    ):
        frames = 3 if result[0] > 800 or result[1] > 400 else 9
        for codec in ("ffv1", "png"):
            yield Case("a.mkv", frames=frames, size=size, codec=CODECS[codec], result=result)
    for aspect, result in (("2/1", (128, 36)), ("1/2", (32, 36)), ("64/45", (90, 36))):
        for name in ("a.mov", "a.mkv"):
            yield Case(name, filters=(f"setsar={aspect}",), result=result)


def scanning() -> Iterator[Case]:
    """Interlaced pictures."""
    for field in ("tff", "bff"):
        for name, codec in (("a.mkv", "mpeg2"), ("a.mov", "h264"), ("a.mxf", "mpeg2")):
            top = "1" if field == "tff" else "0"
            yield Case(
                name,
                rate="25",
                codec=(*CODECS[codec], "-flags", "+ilme+ildct", "-top", top),
                filters=(f"setfield={field}",),
            )


def colours() -> Iterator[Case]:
    """Pictures with all usual tags, and without."""
    for matrix, primaries, transfer in (
        *(("bt709", "bt709", "bt709"), ("smpte170m", "smpte170m", "smpte170m")),
        *(("bt470bg", "bt470bg", "gamma28"), ("bt2020nc", "bt2020", "bt2020-10")),
        *(("bt2020nc", "bt2020", "smpte2084"), ("bt2020nc", "bt2020", "arib-std-b67")),
    ):
        tags = ("-colorspace", matrix, "-color_primaries", primaries, "-color_trc", transfer)
        hdr = transfer in {"smpte2084", "arib-std-b67"}
        for name in ("a.mov", "a.mkv"):
            for codec in ("h264", "h264 10 bit"):
                yield Case(name, codec=CODECS[codec], after=tags, leveled=not hdr)


def cases() -> Iterator[Case]:
    """All cases, each once."""
    known = set()
    for group in (
        *(containers_and_codecs, rates, lengths, sounds, times, shapes, scanning, colours),
    ):
        for case in group():
            if case.id not in known:
                known.add(case.id)
                yield case
