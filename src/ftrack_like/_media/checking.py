"""Check that an encoded movie has all frames of its source; name those that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftrack_like._base.errors import MediaError
from ftrack_like._media.programs import Programs

__all__ = ["check_images", "check_movie", "unreadable_images"]

#: The most runs of frames that an error names.
_MOST = 8

_ADVICE = "Copy the file again, or render it again."


def unreadable_images(programs: Programs, paths: Sequence[str]) -> list[int]:
    """Return the places of the images at *paths* that cannot be read."""
    answer = programs.read({"do": "frames", "paths": list(paths), **_limits(programs)})
    found: list[int] = answer.get("unreadable", [])
    return found


def check_images(
    programs: Programs, name: str, images: Mapping[str, Sequence[str]], frames: int
) -> None:
    """Raise :exc:`~ftrack_like.exception.MediaError` if frames of a sequence are missing.

    *images* are the ``paths`` and the ``names`` of the sequence called *name*, whose movie has
    *frames* frames.
    """
    paths, names = images["paths"], images["names"]
    places = unreadable_images(programs, paths)
    if places:
        named = ", ".join(dict.fromkeys(names[place] for place in places))
        raise MediaError(f"{name} has frames that cannot be read: {named}.")
    if frames != len(paths):
        raise MediaError(f"{name} has {len(paths)} frames, but only {frames} could be encoded.")


def check_movie(
    programs: Programs, name: str, path: str, index: int, first: int, has_complaints: bool
) -> str:
    """Raise :exc:`~ftrack_like.exception.MediaError` if frames of a movie cannot be read.

    The movie at *path* is called *name*, and its frames are numbered from *first* on. *index* is
    that of the picture, *has_complaints* whether ffmpeg complained. Return words for the frames
    that a recording lacks at its start or its end, because it was started or stopped at any time.
    """
    asked = {"do": "damage", "path": path, "index": index}
    found = programs.read({**asked, **_limits(programs)})
    if "error" in found:
        raise MediaError(f"{name} is cut off or damaged: {found['error']}")
    cut = _cut_words(found, has_complaints)
    named = _lost_words(found["lost"], first) or (_short_words(found) if has_complaints else "")
    if cut:
        also = f" {named[0].upper()}{named[1:]}." if named else ""
        raise MediaError(f"{name} is cut off or damaged: {cut}.{also}")
    if named:
        raise MediaError(f"{name} is damaged: {named}. {_ADVICE}")
    edges = []
    if found["leading"]:
        edges.append("the first frame" if found["leading"] == 1 else _first(found["leading"]))
    if found["trailing"]:
        edges.append("the last frame")
    return ", ".join(edges)


def _first(count: int) -> str:
    return f"the first {count} frames"


def _cut_words(found: Mapping[str, Any], has_complaints: bool) -> str:
    """Return words for how much of the movie is there, nothing if it is whole."""
    if has_complaints and found["stated"] > found["found"]:
        return f"it states {found['stated']} frames, but only {found['found']} can be read"
    seconds, end = found["seconds"], found["end"]
    if seconds is not None and end < seconds - found["slack"]:
        return f"it states {seconds:.1f} seconds, but only {end:.1f} can be read"
    return ""


def _short_words(found: Mapping[str, Any]) -> str:
    """Return words for how many frames a stream without times lacks, nothing for none."""
    lost = 0 if found["shown"] is None else found["found"] - found["shown"]
    # In interlaced streams, two packets make one frame.
    if not 0 < lost < found["found"] / 4:
        return ""
    return f"{lost} of its {found['found']} frames cannot be read"


def _lost_words(runs: Sequence[Sequence[Any]], first: int) -> str:
    """Return words for *runs* of frames that cannot be read, nothing if there are none."""
    named = []
    for begin, end, start, stop in runs[:_MOST]:
        numbers, times = f"{first + begin}", "" if start is None else f" (at {start:.2f} seconds)"
        if end > begin:
            numbers = f"{numbers}-{first + end}"
            times = "" if start is None else f" (from {start:.2f} to {stop:.2f} seconds)"
        named.append(f"{numbers}{times}")
    if len(runs) > _MOST:
        named.append(f"and {len(runs) - _MOST} further parts")
    if not named:
        return ""
    is_one = len(runs) == 1 and runs[0][0] == runs[0][1]
    return f"the {'frame' if is_one else 'frames'} {', '.join(named)} cannot be read"


def _limits(programs: Programs) -> dict[str, Any]:
    return {"formats": programs.formats, "pixels": programs.pixels}
