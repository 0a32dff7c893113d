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

__all__ = ["LEVELS", "Case", "cases", "damage", "damaged", "level_of", "make"]

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
    #: Arguments before and after the input of a second run, which copies the streams.
    again: Optional[tuple[Sequence[str], Sequence[str]]] = None

    @property
    def id(self) -> str:
        """Return a text that identifies the case."""
        rate = self.rate.replace("/", "_")
        words = [self.name, rate, str(self.frames or ""), self.size, *self.codec]
        words += [*self.filters, *self.after]
        words += [*self.sounds, *self.sound_codec, "piped" if self.piped else ""]
        words += [one for part in self.again or () for one in part]
        # Long names have the same beginning.
        return "-".join(one.strip("-:")[:40] for one in words if one)[:150]


def level_of(number: int) -> int:
    """Return the luma of the frame *number*, in the limited range."""
    return 20 + number % LEVELS * 9


def make(case: Case, program: str, folder: pathlib.Path) -> Optional[pathlib.Path]:
    """Make the movie of *case* in *folder*; return None if this ffmpeg cannot."""
    path = folder / case.name if case.again is None else folder / f"first-{case.name}"
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
    if case.again is not None:
        before, after = case.again
        start = (program, "-y", "-loglevel", "error", "-nostdin", *before, "-i", str(path))
        path = folder / case.name
        done = subprocess.run(
            [*start, "-map", "0", "-c", "copy", *after, str(path)], capture_output=True, check=False
        )
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
    "av1": ("-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p"),
    "av1 10 bit": ("-c:v", "libaom-av1", "-cpu-used", "8", "-pix_fmt", "yuv420p10le"),
    "cineform": ("-c:v", "cfhd", "-pix_fmt", "yuv422p10le"),
    "cineform rgb": ("-c:v", "cfhd", "-pix_fmt", "gbrp12le"),
    "hevc 10 bit": (
        "-c:v",
        "libx265",
        "-pix_fmt",
        "yuv420p10le",
        "-x265-params",
        "log-level=error",
    ),
    "hevc 444 12 bit": (
        *("-c:v", "libx265", "-pix_fmt", "yuv444p12le", "-x265-params", "log-level=error"),
    ),
    "vp9 alpha": (*("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p"), "-deadline", "realtime"),
    "vp9 444": ("-c:v", "libvpx-vp9", "-pix_fmt", "yuv444p", "-deadline", "realtime"),
    "png 48": ("-c:v", "png", "-pix_fmt", "rgb48be"),
    "png 64": ("-c:v", "png", "-pix_fmt", "rgba64be"),
    "png grey alpha": ("-c:v", "png", "-pix_fmt", "ya8"),
    "magicyuv": ("-c:v", "magicyuv", "-pix_fmt", "yuv444p"),
    "ffvhuff": ("-c:v", "ffvhuff", "-pix_fmt", "yuv420p10le"),
    "msmpeg4": ("-c:v", "msmpeg4v2", "-q:v", "2"),
    "r210": ("-c:v", "r210"),
    "v410": ("-c:v", "v410"),
    **{
        f"ffv1 {one}": ("-c:v", "ffv1", "-pix_fmt", one)
        for one in (
            *("yuv410p", "yuv411p", "yuv440p", "yuv422p12le", "yuv444p16le", "yuva420p"),
            *("yuva444p10le", "gbrp10le", "gbrp16le", "gbrap12le", "gray10le", "bgr0"),
        )
    },
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
        "cineform",
        "cineform rgb",
        "png 48",
        "png 64",
        "png grey alpha",
        "r210",
        "v410",
    ),
    "mp4": (
        "h264",
        "h264 without b-frames",
        "h264 444",
        "h264 10 bit",
        "hevc",
        "mpeg4",
        "vp9",
        "av1",
        "av1 10 bit",
        "hevc 10 bit",
        "hevc 444 12 bit",
    ),
    "mkv": (
        "h264",
        "h264 rgb",
        "h264 full range",
        "ffv1",
        "gray",
        "gray 16",
        "mpeg4 b-frames",
        *(name for name in CODECS if name.startswith("ffv1 ")),
    ),
    "webm": (
        "vp8",
        "vp9",
        "vp9 alpha",
        "vp9 444",
        "av1",
    ),
    "avi": (
        "mpeg4",
        "mjpeg",
        "raw rgb",
        "huffyuv",
        "utvideo",
        "ffv1",
        "magicyuv",
        "ffvhuff",
        "msmpeg4",
    ),
    "mxf": (
        "mpeg2",
        "dnxhr",
    ),
    "ts": (
        "h264",
        "mpeg2",
        "hevc",
    ),
    "mpg": (
        "mpeg1",
        "mpeg2",
    ),
    "flv": (
        "h264",
        "flv",
    ),
    "ogv": ("theora",),
    "wmv": ("wmv",),
    "nut": (
        "ffv1",
        "raw",
    ),
    "y4m": ("raw 420",),
    "h264": (
        "h264",
        "h264 without b-frames",
    ),
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


#: Codecs that need a larger picture.
SIZE_OF = {
    "dnxhr": "256x144",
    "av1": "128x72",
    "av1 10 bit": "128x72",
    "cineform": "128x64",
    "cineform rgb": "128x64",
}


def containers_and_codecs() -> Iterator[Case]:
    """Each codec in each container that commonly has it, with and without sound."""
    for container, codecs in CONTAINERS.items():
        for codec in codecs:
            case = Case(
                f"a.{container}",
                rate=RATE_OF.get(container, "24"),
                size=SIZE_OF.get(codec, "64x36"),
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
    for rate in ("1/10", "500", "1000"):
        for name in ("a.mov", "a.mkv"):
            yield Case(name, rate=rate, frames=5)
    for name in ("a.mov", "a.mkv"):
        # ffmpeg skips the first frames of a file that begins with a shift of hours, as those with
        # frames in another order do.
        yield Case(name, rate="1/3600", frames=5, after=("-bf", "0"))
    for rate in ("50", "25", "20", "10", "5"):
        yield Case("a.gif", rate=rate, frames=9, codec=CODECS["gif"])
    for rate in ("24000/1001", "24", "30000/1001", "60"):
        yield Case("a.h264", rate=rate)
        yield Case("a.mxf", rate="25" if rate == "60" else rate, codec=CODECS["mpeg2"])


def lengths() -> Iterator[Case]:
    """Movies of very few frames."""
    for frames in (1, 2, 3):
        for name in ("a.mov", "a.mkv", "a.avi", "a.h264"):
            yield Case(name, frames=frames)
        if frames == 1:  # ffmpeg itself does not recognise a few packets more
            yield Case("a.ts", frames=1)
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
    for sound in (
        *(("-c:a", "pcm_u8"), ("-c:a", "pcm_f32le"), ("-c:a", "pcm_s16be"), ("-c:a", "alac")),
        *(("-c:a", "pcm_s16le", "-ar", "192000"), ("-c:a", "pcm_s16le", "-ar", "11025")),
        *(("-c:a", "pcm_s16le", "-ac", "8"), ("-c:a", "aac", "-ac", "8"), ("-c:a", "pcm_mulaw")),
        *(("-c:a", "pcm_s24le", "-ar", "88200"), ("-c:a", "aac", "-ac", "4")),
    ):
        yield Case("a.mov", sounds=(SINE,), sound_codec=sound)
        yield Case("a.mkv", sounds=(SINE,), sound_codec=sound)
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
        *(("1920x1080", (1280, 720)), ("2048x858", (1280, 536)), ("1x1", (2, 2))),
        *(("1x2", (2, 2)), ("2x1", (2, 2)), ("1x64", (2, 64)), ("3x3", (2, 2))),
        *(("8192x16", (1280, 2)), ("16x8192", (2, 720)), ("7680x4320", (1280, 720))),
    ):
        frames = 3 if result[0] > 800 or result[1] > 400 else 9
        for codec in ("ffv1", "png"):
            yield Case("a.mkv", frames=frames, size=size, codec=CODECS[codec], result=result)
    for aspect, result in (
        *(("2/1", (128, 36)), ("1/2", (32, 36)), ("64/45", (90, 36)), ("1001/1000", (64, 36))),
        *(("10/11", (58, 36)), ("1/15", (4, 36)), ("15/1", (960, 36))),
        # No camera makes such pixels, so this is a mistake in the file.
        *(("1/20", (64, 36)), ("20/1", (64, 36))),
    ):
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
        *(("bt709", "smpte432", "bt709"), ("bt709", "smpte432", "iec61966-2-1")),
        *(("bt2020nc", "bt2020", "smpte2084"), ("bt2020nc", "bt2020", "arib-std-b67")),
    ):
        tags = ("-colorspace", matrix, "-color_primaries", primaries, "-color_trc", transfer)
        hdr = transfer in {"smpte2084", "arib-std-b67"}
        for name in ("a.mov", "a.mkv"):
            for codec in ("h264", "h264 10 bit"):
                yield Case(name, codec=CODECS[codec], after=tags, leveled=not hdr)

    for matrix in ("fcc", "smpte240m", "ycgco", "bt2020c"):
        for name in ("a.mov", "a.mkv"):
            yield Case(name, after=("-colorspace", matrix))
    for range_ in ("pc", "tv"):
        for codec in ("h264", "png", "ffv1"):
            yield Case("a.mkv", codec=CODECS[codec], after=("-color_range", range_))


def copies() -> Iterator[Case]:
    """Movies that were cut, turned and muxed again: edit lists, rotation, negative times."""
    for angle, result in (("90", (36, 64)), ("180", (64, 36)), ("270", (36, 64))):
        turned = ((), ("-metadata:s:v:0", f"rotate={angle}"))
        yield Case("a.mov", again=turned, result=result)
        yield Case("a.mp4", again=turned, result=result, sounds=(SINE,))
    for name in ("a.mov", "a.mp4", "a.mkv", "a.ts"):
        for gop in ("6", "250"):
            # A cut keeps the frames from the last key frame on. An edit list hides them.
            yield Case(
                name, frames=None, after=("-g", gop), again=(("-ss", "0.4"), ()), leveled=True
            )
        yield Case(name, frames=None, after=("-g", "6"), again=((), ("-ss", "0.4")))
        yield Case(name, sounds=(SINE,), again=(("-itsoffset", "-0.5"), ()), frames=None)
        yield Case(
            name,
            frames=None,
            sounds=(SINE,),
            again=(("-itsoffset", "-0.25"), ("-avoid_negative_ts", "disabled")),
        )
    yield Case("a.mov", again=((), ("-movflags", "+faststart")))
    yield Case("a.mkv", again=((), ("-live", "1")))
    yield Case("a.m2ts", again=((), ("-f", "mpegts", "-mpegts_m2ts_mode", "1")), sounds=(SINE,))


def tracks() -> Iterator[Case]:
    """Movies with further tracks: timecodes, hints, covers, other pictures."""
    for name in ("a.mov", "a.mxf"):
        codec = CODECS["mpeg2" if name == "a.mxf" else "h264"]
        for rate in ("25", "24"):
            yield Case(name, rate=rate, codec=codec, after=("-timecode", "01:00:00:00"))
    yield Case("a.mov", rate="30000/1001", after=("-timecode", "00:59:59;20"))
    yield Case("a.mp4", after=("-movflags", "rtphint"), sounds=(SINE,))
    small = ("-map", "0:v", "-s:v:1", "32x18")
    for name in ("a.mov", "a.mkv", "a.ts"):
        yield Case(name, after=small)
    # The smaller picture comes first.
    yield Case("a.mkv", after=("-s:v:0", "32x18", "-map", "0:v"), leveled=False)
    for name in ("a.mp4", "a.mkv"):
        cover = ("-map", "0:v", "-c:v:1", "png", "-disposition:v:1", "attached_pic")
        yield Case(name, after=(*cover, "-frames:v:1", "1"), sounds=(SINE,))
    yield Case("a.mov", after=("-metadata", "title=It's 50% \\ : ; ,"))


def names() -> Iterator[Case]:
    """Files whose names say nothing, or something wrong, about what they contain."""
    for name in ("movie", "a.txt", "a.jpg", "a.wav", "a.mp4", "a.mov.part", "a.PNG", ".hidden"):
        yield Case(name, after=("-f", "matroska"))
        yield Case(name, after=("-f", "mov"), sounds=(SINE,))
    for name in ("x" * 240 + ".mov", "漫画 é " * 8 + ".mkv", "a%04d.mov", "-i.mov", "a:b.mkv"):
        yield Case(name, after=("-f", "matroska" if name.endswith("mkv") else "mov"))


def streams() -> Iterator[Case]:
    """Streams with unusual structures."""
    for options in (
        *(("-bf", "8"), ("-intra-refresh", "1"), ("-x264-params", "open-gop=1:keyint=5")),
        *(("-g", "1"), ("-tune", "zerolatency"), ("-x264-params", "bframes=3:b-pyramid=strict")),
        *(("-x264-params", "slices=4"), ("-x264-params", "force-cfr=1:no-scenecut=1")),
    ):
        for name in ("a.mp4", "a.ts", "a.h264"):
            yield Case(name, after=options)
    for name in ("a.mkv", "a.ts"):
        yield Case(name, frames=None, after=("-x264-params", "pulldown=32"), leveled=False)
    yield Case(
        *("a.dv", "25", 9, "720x576"),
        codec=("-c:v", "dvvideo", "-pix_fmt", "yuv420p"),
        # Pixels of 16:15. The codec loses levels.
        result=(768, 576),
        leveled=False,
    )
    yield Case("a.mov", frames=9, after=("-use_editlist", "0", "-bf", "2"))
    yield Case("a.mp4", frames=9, after=("-movflags", "frag_every_frame+default_base_moof"))
    yield Case("a.mp4", frames=9, after=("-movflags", "negative_cts_offsets", "-bf", "2"))
    yield Case("a.mkv", frames=200, rate="60000/1001", codec=CODECS["mpeg4"])
    yield Case("a.webm", frames=200, rate="24000/1001", codec=CODECS["vp8"])


def cases() -> Iterator[Case]:
    """All cases, each once."""
    known = set()
    for group in (
        *(containers_and_codecs, rates, lengths, sounds, times, shapes, scanning, colours),
        *(copies, tracks, names, streams),
    ):
        for case in group():
            if case.id not in known:
                known.add(case.id)
                yield case


#: Codecs that accept zeros within a frame, and containers without times, which do not tell how
#: many frames there were.
PLAIN = frozenset(
    (
        *("raw", "raw 420", "raw rgb", "v210", "r210", "v410", "huffyuv", "ffvhuff", "utvideo"),
        *("gif", "qtrle", "qtrle alpha"),
    )
)
TIMELESS = frozenset({"h264", "hevc", "mjpeg", "y4m", "nut"})


def damaged() -> Iterator[Case]:
    """Each codec in each container that commonly has it; :func:`damage` then damages the file."""
    for container, codecs in CONTAINERS.items():
        for codec in codecs:
            if codec not in PLAIN and container not in TIMELESS:
                yield Case(
                    f"a.{container}",
                    rate=RATE_OF.get(container, "24"),
                    frames=48,
                    size=SIZE_OF.get(codec, "64x36"),
                    codec=CODECS[codec],
                )


def damage(path: pathlib.Path) -> None:
    """Write zeros over a tenth of the file at *path*, in its middle."""
    data = bytearray(path.read_bytes())
    length = max(len(data) // 10, 64)
    begin = (len(data) - length) // 2
    data[begin : begin + length] = bytes(length)
    path.write_bytes(data)
