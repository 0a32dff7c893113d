"""The child process that reads media: one request as an argument, one answer on standard output.

Both are JSON. The requests are::

    {"do": "facts", "path": path, "formats": names, "pixels": number}
    {"do": "count", "path": path}
    {"do": "frames", "paths": [path, ...], "formats": names, "pixels": number}
    {"do": "still", "path": path, "target": path, "size": [width, height], "pixels": number}
    {"do": "rest", "path": path, "formats": names}

*formats* are the formats that may be read, None for all; *pixels* is the maximum of a picture. An
answer with ``error`` explains in plain words why a file cannot be read, one with ``missing`` which
package is not installed, and one with ``pixels`` the size of a picture that is too large.

PyAV reads the streams. Its library crashes on some damaged files, which must not end the caller.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Optional

from ftrack_like._media import stills

__all__ = ["main"]

#: Frames to decode for the properties that only frames have.
_LOOKED_AT = 3

_PYAV_MISSING = (
    "Reading media needs PyAV (the package 'av'). Install the extra 'media' of ftrack-like."
)


def main() -> None:
    """Answer the request in the first argument."""
    asked = json.loads(sys.argv[1])
    try:
        import av  # lazy: optional
    except ImportError:
        answer: dict[str, Any] = {"missing": _PYAV_MISSING}
        if asked["do"] == "still":
            answer = _still(asked)
    else:
        # The libraries write their messages to standard error, where the caller reads them.
        av.logging.restore_default_callback()
        av.logging.set_level(av.logging.ERROR)
        answer = _ANSWERS[asked["do"]](asked)
    print(json.dumps(answer), flush=True)


def _facts(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a file for :meth:`MediaFacts.of`."""
    import av  # lazy: optional

    path = pathlib.Path(asked["path"].removeprefix("file:"))
    try:
        with _opened(asked) as container:
            described = _described(container, int(asked["pixels"]))
        if described["pictures"]:
            described["scan"] = _scan(asked, described["pictures"])
        return described
    except (av.FFmpegError, ValueError):
        return {"error": _lack(path)}


def _described(container: Any, pixels: int) -> dict[str, Any]:
    pictures: list[Any] = []
    sounds: list[Any] = []
    unreadable: list[str] = []
    for stream in container.streams:
        if stream.type not in {"video", "audio"}:
            continue
        context = stream.codec_context
        if context is None:
            unreadable.append(f"this machine has no decoder for its {_kind(stream)}")
        elif stream.type == "audio":
            sounds.append(stream)
        elif context.width and context.height:
            pictures.append(stream)
        else:
            unreadable.append(f"its {_kind(stream)} ({context.name}) is damaged or cut off")
    # Only the frames tell whether they are interlaced, and how they are turned.
    seen = _first_frames(container, pictures, pixels)
    for stream in [one for one in sounds if not one.codec_context.sample_rate]:
        # The beginning of the file does not tell enough. The first decoded samples do.
        if not _has_samples(container, stream):
            sounds.remove(stream)
            name = stream.codec_context.name
            unreadable.append(f"its {_kind(stream)} ({name}) is damaged or cut off")
    duration = container.duration
    return {
        "format": container.format.name,
        "start": (container.start_time or 0) / 1_000_000,
        "duration": None if duration is None else duration / 1_000_000,
        "pictures": [_picture(one, seen.get(one.index)) for one in pictures],
        "sounds": [_sound(one) for one in sounds],
        "unreadable": unreadable,
    }


def _first_frames(container: Any, streams: Any, pixels: int) -> dict[int, list[Any]]:
    """Return the first decoded frames of the largest of *streams*, by its index."""
    import av  # lazy: optional

    allowed = [
        one
        for one in streams
        if not _is(one, "attached_pic") and _area(one) and _area(one) <= pixels
    ]
    if not allowed:
        return {}
    stream = max(allowed, key=_area)
    stream.codec_context.options = {"max_pixels": str(pixels)}
    stream.codec_context.thread_count = 1
    frames: list[Any] = []
    try:
        for frame in container.decode(stream):
            frames.append(frame)
            if len(frames) >= _LOOKED_AT:
                break
    except (av.FFmpegError, MemoryError, ValueError):
        pass  # ffmpeg decides whether the rest can be used
    return {stream.index: frames}


def _has_samples(container: Any, stream: Any) -> bool:
    import av  # lazy: optional

    try:
        container.seek(0)
        return any(True for _ in container.decode(stream))
    except (av.FFmpegError, MemoryError, ValueError):
        return False


def _scan(asked: Mapping[str, Any], pictures: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the number of frames of the largest picture, and the seconds from first to last."""
    import av  # lazy: optional

    shown = [one for one in pictures if not one["is_cover"]] or pictures
    index = max(shown, key=lambda one: one["width"] * one["height"])["index"]
    frames, first, last = 0, None, None
    try:
        with _opened(asked) as container:
            stream = container.streams[index]
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    frames += 1
                    if packet.pts is not None:
                        first = packet.pts if first is None else min(first, packet.pts)
                        last = packet.pts if last is None else max(last, packet.pts)
            span = None if first is None or last is None else (last - first) * stream.time_base
    except av.FFmpegError:
        span = None  # the rest is damaged, which the encoding finds out
    return {"frames": frames, "span": None if span is None else _pair(span) or (0, 1)}


def _picture(stream: Any, frames: Optional[list[Any]]) -> dict[str, Any]:
    context = stream.codec_context
    first = frames[0] if frames else None
    shape = _shape(stream, first)
    start = stream.start_time
    return {
        "index": stream.index,
        "codec": context.name,
        "pixel_format": (first.format.name if first is not None else context.pix_fmt) or "",
        "width": context.width,
        "height": context.height,
        "shape": shape,
        "rate": _pair(stream.guessed_rate) or _pair(stream.base_rate),
        "average_rate": _pair(stream.average_rate),
        "start": None if start is None else float(start * stream.time_base),
        "is_cover": _is(stream, "attached_pic"),
        "is_interlaced": any(one.interlaced_frame for one in frames or ()),
        "matrix": int(context.colorspace),
        "primaries": int(context.color_primaries),
        "transfer": int(context.color_trc),
        "range": int(context.color_range),
    }


def _shape(stream: Any, frame: Any) -> tuple[int, int]:
    """Return width and height in square pixels, after the rotation."""
    width, height = stream.codec_context.width, stream.codec_context.height
    for aspect in (stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio):
        pair = _pair(aspect)
        if pair is not None and Fraction(*pair) != 1 and Fraction(1, 16) < Fraction(*pair) < 16:
            # Never invent lines: the longer pixels are stretched sideways, or pressed.
            width = max(round(width * Fraction(*pair)), 1)
            break
    if frame is not None and round(frame.rotation) % 180 == 90:
        width, height = height, width
    return width, height


def _sound(stream: Any) -> dict[str, Any]:
    context = stream.codec_context
    start = stream.start_time
    return {
        "index": stream.index,
        "codec": context.name,
        "channels": context.channels,
        "sample_rate": context.sample_rate,
        "language": stream.language if stream.language not in {None, "und", ""} else None,
        "start": 0.0 if start is None else float(start * stream.time_base),
        "is_default": _is(stream, "default"),
    }


def _count(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Count the frames of an encoded movie, of which each packet has one."""
    import av  # lazy: optional

    try:
        with av.open(asked["path"]) as container:
            (stream,) = container.streams.video
            frames = sum(1 for packet in container.demux(stream) if packet.size)
            return {
                "frames": frames,
                "width": stream.codec_context.width,
                "height": stream.codec_context.height,
                "has_sound": bool(container.streams.audio),
            }
    except (av.FFmpegError, ValueError) as error:
        return {"error": f"the encoded movie cannot be read: {error}"}


def _frames(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the places of the images that cannot be decoded."""
    import av  # lazy: optional

    unreadable = []
    for place, path in enumerate(asked["paths"]):
        try:
            with _opened({**asked, "path": path}) as container:
                (stream,) = container.streams.video
                context = stream.codec_context
                context.thread_count = 1
                # Without this, a decoder fills the missing part of a damaged image.
                context.options = {"err_detect": "explode", "max_pixels": str(asked["pixels"])}
                if not any(True for _ in container.decode(stream)):
                    unreadable.append(place)
        except (av.FFmpegError, MemoryError, ValueError):
            unreadable.append(place)
    return {"unreadable": unreadable}


def _rest(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many frames a damaged movie states, and how many packets it has."""
    import av  # lazy: optional

    try:
        with _opened(asked) as container:
            stream = max(container.streams.video, key=_area)
            stated, found, end = stream.frames, 0, 0.0
            for packet in container.demux(stream):
                if packet.size and not packet.is_corrupt:
                    found += 1
                    if packet.pts is not None:
                        end = max(
                            end, float((packet.pts + (packet.duration or 0)) * stream.time_base)
                        )
            duration = stream.duration
            seconds = float(duration * stream.time_base) if duration else None
            if seconds is None and container.duration:
                seconds = container.duration / 1_000_000
            return {"stated": stated, "found": found, "seconds": seconds, "end": end}
    except (av.FFmpegError, ValueError) as error:
        return {"error": str(error)}


def _still(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Write an image as JPEG; ``size`` is None if Pillow does not read it."""
    width, height = asked["size"]
    try:
        made = stills.write_still(
            pathlib.Path(asked["path"]),
            pathlib.Path(asked["target"]),
            (width, height),
            asked["pixels"],
        )
    except stills.TooManyPixelsError as error:
        return {"pixels": error.size}
    except (OSError, ValueError, SyntaxError):
        made = None  # ffmpeg tells whether the image is damaged
    return {"size": None} if made is None else {"shape": made[0], "size": made[1]}


def _opened(asked: Mapping[str, Any]) -> Any:
    import av  # lazy: optional

    options = {}
    if asked.get("formats"):
        options = {"format_whitelist": asked["formats"], "protocol_whitelist": "file"}
    return av.open(asked["path"], options=options)


def _kind(stream: Any) -> str:
    return "sound" if stream.type == "audio" else "picture"


def _is(stream: Any, disposition: str) -> bool:
    return bool(stream.disposition & getattr(type(stream.disposition), disposition))


def _area(stream: Any) -> int:
    context = stream.codec_context
    return 0 if context is None else int(context.width * context.height)


def _pair(ratio: Any) -> Optional[tuple[int, int]]:
    """Return a ratio above 0 as two whole numbers, else None."""
    if ratio is None or not ratio.denominator or ratio.numerator <= 0:
        return None
    return int(ratio.numerator), int(ratio.denominator)


def _lack(path: pathlib.Path) -> str:
    """Return words for what a file is that no decoder can open."""
    with path.open("rb") as file:
        start = file.read(4096)
    if not start:
        return "it is empty"
    if not start.strip(b"\0"):
        return "it begins with zeros, as a file does that is still being copied"
    for at, mark, words in _KINDS:
        if start[at : at + len(mark)] == mark:
            return words
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        text = start[: error.start].decode("utf-8") if error.start > len(start) - 4 else "\0"
    if not any(ord(one) < 32 and one not in "\t\n\r\f" for one in text):
        return "it is a text"
    return "its data is of no known format, or damaged"


_CUT = ", but its description is missing or damaged; it may have been cut off"

_REFERS = "it is a text, such as a playlist, that can refer to other files"

#: How files of some kinds begin: the position, the bytes there, and words.
_KINDS = (
    (0, b"#EXTM3U", _REFERS),
    (0, b"ffconcat", _REFERS),
    (0, b"<?xml", _REFERS),
    (0, b"<svg", _REFERS),
    (0, b"v=0", _REFERS),
    (0, b"%PDF", "it is a PDF document"),
    (0, b"PK\x03\x04", "it is a ZIP archive or an office document"),
    (0, b"\xd0\xcf\x11\xe0", "it is an office document"),
    (0, b"%!PS", "it is a PostScript document"),
    (4, b"ftyp", "it begins like an MP4 or QuickTime movie" + _CUT),
    (4, b"moov", "it begins like a QuickTime movie" + _CUT),
    (4, b"mdat", "it begins like a QuickTime movie" + _CUT),
    (4, b"wide", "it begins like a QuickTime movie" + _CUT),
    (0, b"\x1a\x45\xdf\xa3", "it begins like a Matroska or WebM movie" + _CUT),
    (0, b"RIFF", "it begins like an AVI, WAV or WebP file" + _CUT),
    (0, b"\x06\x0e\x2b\x34", "it begins like an MXF file" + _CUT),
    (0, b"OggS", "it begins like an Ogg file" + _CUT),
    (0, b"\x89PNG", "it begins like a PNG image" + _CUT),
    (0, b"\xff\xd8\xff", "it begins like a JPEG image" + _CUT),
    (0, b"GIF8", "it begins like a GIF image" + _CUT),
    (0, b"\x76\x2f\x31\x01", "it begins like an OpenEXR image" + _CUT),
    (0, b"II*\0", "it begins like a TIFF image" + _CUT),
    (0, b"MM\0*", "it begins like a TIFF image" + _CUT),
)

_ANSWERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "facts": _facts,
    "count": _count,
    "frames": _frames,
    "rest": _rest,
    "still": _still,
}
