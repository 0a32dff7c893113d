"""The child process that reads media: one request as an argument, one answer on standard output.

Both are JSON. The requests are::

    {"do": "facts", "path": path, "formats": names, "pixels": number}
    {"do": "count", "path": path}
    {"do": "frames", "paths": [path, ...], "formats": names, "pixels": number}
    {"do": "plain", "paths": [path, ...], "pixels": number}
    {"do": "still", "path": path, "target": path, "size": [width, height], "pixels": number}
    {"do": "picture", "path": path, "target": path, "filters": [filter, ...], "formats": names,
     "pixels": number}
    {"do": "damage", "path": path, "index": number, "formats": names, "pixels": number}
    {"do": "burn_in", "target": path, "size": [width, height], "rate": [number, number],
     "texts": {corner: template}, "values": {field: text}, "font": path, "count": frames,
     "skipped": frames, "first": number, "timecode": [frame, base, is_drop]}
    {"do": "slate", "target": path, "size": [width, height], "rate": [number, number],
     "lines": [text, ...], "font": path}

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

from ftrack_like._media import burning, fonts, stills
from ftrack_like._media.damage import find_damage
from ftrack_like._media.lacks import lack_of
from ftrack_like._media.opening import area, has_disposition, opened
from ftrack_like._media.scanning import scan, whole_numbers

__all__ = ["main"]

#: Files that are not closed.
_LEFT_OPEN: list[Any] = []

#: Frames to decode for the properties that only frames have.
_LOOKED_AT = 3

_PYAV_MISSING = (
    "Reading media needs PyAV (the package 'av'). Install the extra 'media' of ftrack-like, or "
    "only this package: python -m pip install av"
)


_FONTS_MISSING = (
    "A burn-in or a slate needs Pillow with FreeType, which draws text. Install Pillow from its "
    "package ('pip install pillow'), which contains FreeType."
)


def main() -> None:
    """Answer the request in the first argument.

    The caller must then end the process with :func:`os._exit`, because files may be left open.
    """
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
        container = opened(asked)
        _LEFT_OPEN.append(container)
        described = _described(container, int(asked["pixels"]))
        if described["pictures"]:
            described["scan"] = scan(asked, described["pictures"], described["sounds"])
        # Last, and once for each stream: to read the channels frees the description of layouts that
        # have no usual name, such as 8 channels in a QuickTime movie (PyAV 18). To close the stream
        # would free it again, which ends the process.
        for sound in described["sounds"]:
            sound["channels"] = container.streams[sound["index"]].codec_context.channels
        return described
    except (av.FFmpegError, ValueError):
        return {"error": lack_of(path)}


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
    # A damaged frame changes what its decoder says of the size.
    sizes = {one.index: (one.codec_context.width, one.codec_context.height) for one in pictures}
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
        "pictures": [_picture(one, sizes[one.index], seen.get(one.index)) for one in pictures],
        "sounds": [_sound(one) for one in sounds],
        "unreadable": unreadable,
        "timecode": _timecode(container),
    }


def _timecode(container: Any) -> Optional[str]:
    """Return the timecode of the first frame that the file states, None if it states none."""
    places = [container.metadata, *(stream.metadata for stream in container.streams)]
    return next((place["timecode"] for place in places if place.get("timecode")), None)


def _first_frames(container: Any, streams: Any, pixels: int) -> dict[int, list[Any]]:
    """Return the first decoded frames of the largest of *streams*, by its index."""
    import av  # lazy: optional

    allowed = [
        one
        for one in streams
        if not has_disposition(one, "attached_pic") and area(one) and area(one) <= pixels
    ]
    if not allowed:
        return {}
    stream = max(allowed, key=area)
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


def _picture(stream: Any, size: tuple[int, int], frames: Optional[list[Any]]) -> dict[str, Any]:
    context = stream.codec_context
    first = frames[0] if frames else None
    width, height = (context.width, context.height) if frames else size
    start = stream.start_time
    return {
        "index": stream.index,
        "codec": context.name,
        "pixel_format": (first.format.name if first is not None else context.pix_fmt) or "",
        "width": width,
        "height": height,
        "shape": _shape(stream, (width, height), first),
        "rate": _rate(stream),
        "average_rate": whole_numbers(stream.average_rate),
        "start": None if start is None else float(start * stream.time_base),
        "is_cover": has_disposition(stream, "attached_pic"),
        "is_interlaced": any(one.interlaced_frame for one in frames or ()),
        "matrix": int(context.colorspace),
        "primaries": int(context.color_primaries),
        "transfer": int(context.color_trc),
        "range": int(context.color_range),
    }


def _rate(stream: Any) -> Optional[tuple[int, int]]:
    """Return the frame rate that the stream states."""
    rate = whole_numbers(stream.guessed_rate) or whole_numbers(stream.base_rate)
    coded = whole_numbers(stream.codec_context.framerate)
    if rate is None or coded is None or whole_numbers(stream.average_rate) is not None:
        return rate
    # The times of a single frame tell no rate. Then some containers count half frames.
    return coded if Fraction(*rate) == 2 * Fraction(*coded) else rate


def _shape(stream: Any, size: tuple[int, int], frame: Any) -> tuple[int, int]:
    """Return width and height in square pixels, after the rotation."""
    width, height = size
    for aspect in (stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio):
        pair = whole_numbers(aspect)
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
        "sample_rate": context.sample_rate,
        "language": stream.language if stream.language not in {None, "und", ""} else None,
        "start": 0.0 if start is None else float(start * stream.time_base),
        "is_default": has_disposition(stream, "default"),
    }


def _count(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Count the frames of an encoded movie, of which each packet has one."""
    import av  # lazy: optional

    try:
        with av.open(asked["path"]) as container:
            if not container.streams.video:  # ffmpeg has found no frame to write
                return {"frames": 0, "width": 0, "height": 0, "has_sound": False}
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


def _unreadable_frames(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the places of the images that cannot be decoded."""
    import av  # lazy: optional

    unreadable = []
    for place, path in enumerate(asked["paths"]):
        try:
            with opened({**asked, "path": path}) as container:
                (stream,) = container.streams.video
                context = stream.codec_context
                if context is None:  # a later image of a kind that only ffmpeg decodes, perhaps
                    continue
                context.thread_count = 1
                # Without this, a decoder fills the missing part of a damaged image.
                context.options = {"err_detect": "explode", "max_pixels": str(asked["pixels"])}
                if not any(True for _ in container.decode(stream)):
                    unreadable.append(place)
        except (av.FFmpegError, MemoryError, ValueError):
            unreadable.append(place)
    return {"unreadable": unreadable}


def _are_plain(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether ffmpeg shows all images as Pillow does."""
    paths = map(pathlib.Path, asked["paths"])
    try:
        return {"plain": not any(stills.needs_pillow(one, asked["pixels"]) for one in paths)}
    except (OSError, ValueError, SyntaxError):
        return {"plain": True}  # the reading of its pixels tells whether an image is damaged


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


def _filtered_picture(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Write the first frame as JPEG, after filters whose result is RGB."""
    import av  # lazy: optional
    import av.filter

    try:
        with opened(asked) as container:
            (stream,) = container.streams.video
            stream.codec_context.options = {"max_pixels": str(asked["pixels"])}
            frame = next(container.decode(stream))
            graph = av.filter.Graph()
            nodes = [
                graph.add_buffer(
                    width=frame.width,
                    height=frame.height,
                    format=frame.format,
                    time_base=Fraction(1, 25),
                )
            ]
            for text in asked["filters"]:
                name, _, values = text.partition("=")
                nodes.append(graph.add(name, values))
            graph.link_nodes(*nodes, graph.add("buffersink")).configure()
            graph.vpush(frame)
            made: Any = graph.vpull()
            made.to_image().save(asked["target"], "JPEG", quality=90)
    except (av.FFmpegError, MemoryError, OSError, StopIteration, ValueError) as error:
        return {"error": str(error)}
    except ImportError:
        return {"missing": "Reading such an image needs Pillow: python -m pip install pillow"}
    return {}


def _drawn(write: Callable[[Mapping[str, Any]], None]) -> Callable[[Any], dict[str, Any]]:
    """Return the answer function for *write*, which draws text."""

    def draw(asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            write(asked)
        except (fonts.NoFontsError, ImportError):
            return {"missing": _FONTS_MISSING}
        return {}

    return draw


def _kind(stream: Any) -> str:
    return "sound" if stream.type == "audio" else "picture"


_ANSWERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "facts": _facts,
    "count": _count,
    "frames": _unreadable_frames,
    "damage": find_damage,
    "plain": _are_plain,
    "still": _still,
    "picture": _filtered_picture,
    "burn_in": _drawn(burning.write_burn_in),
    "slate": _drawn(burning.write_slate),
}
