"""Read expressions for sequences of files, such as ``/path/to/file.%04d.exr [1-5, 7, 8]``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Optional, Protocol

__all__ = ["parse_sequence"]


class FileSequence(Protocol):
    """A collection of the package ``clique``: files whose names differ in a number."""

    indexes: Iterable[int]
    padding: int

    def __iter__(self) -> Iterator[str]:
        """Iterate over the paths."""

    def format(self, pattern: str = ..., /) -> str:
        """Return the collection as text."""


#: The limit of files in one sequence. A larger number is a typing mistake.
_MOST_MEMBERS = 1_000_000

_NUMBER = r"%(?P<padding>\d*)d"

_RANGE = re.compile(r"\s*([0-9]+)(?:\s*-\s*([0-9]+))?\s*")


def parse_sequence(path: str) -> Optional[FileSequence]:
    """Return the clique collection for the expression *path*, or None for a plain path.

    The path of an existing file is always plain. Raise :exc:`ValueError` for a malformed
    expression.
    """
    if "[" not in path and "]" not in path:
        return None
    if os.path.lexists(path):
        return None
    expression = path.rstrip()
    found = _last_frames(expression)
    if found is None:
        return None
    name, frames = found
    placeholder = re.search(rf"(?s)^(?P<head>.*){_NUMBER}(?P<tail>.*)$", name)
    if placeholder is None:
        raise _expression_error(path, "the name has no place for the frame number, such as %04d")
    return _sequence_from(path, placeholder, frames)


def _last_frames(path: str) -> Optional[tuple[str, str]]:
    """Return the name and the frames in *path*, or None if it contains no frames.

    Raise :exc:`ValueError` if a bracket around the frames is missing.
    """
    has_place = re.search(_NUMBER, path) is not None
    start = path.rfind("[")
    if start < 0:
        unopened = re.search(r"(?s)%\d*d.*\s[\d\s,-]*\d\]$", path)
        if unopened is not None:
            raise _expression_error(path, "the bracket before the frames is missing")
        return None
    name = path[:start]
    frames, closing, behind = path[start + 1 :].partition("]")
    looks_like_frames = re.fullmatch(r"[\d\s,:x-]*\d[\d\s,:x-]*", frames) is not None
    is_apart = name[-1:].isspace()
    if not has_place:
        # The name of a single file may end in a bracket, but hardly in a list of frames.
        is_list = (
            looks_like_frames
            and is_apart
            and bool(closing)
            and not behind
            and (re.search(r"[,-]", frames) or re.search(r"[#@$]", name)) is not None
        )
        return (name.rstrip(), frames) if is_list else None
    if not (looks_like_frames or is_apart or (closing and not frames.strip())):
        return None
    if not closing:
        raise _expression_error(path, "the bracket after the frames is missing")
    if behind:
        if not (looks_like_frames and (is_apart or name.endswith(" ["))):
            return None
        raise _expression_error(path, f"there is {behind!r} after the frames")
    return name.rstrip(), frames


def _sequence_from(path: str, placeholder: re.Match[str], frames: str) -> FileSequence:
    """Return the collection for *frames*; *placeholder* splits the name at the frame number."""
    head, tail = placeholder["head"], placeholder["tail"]
    folder, first = os.path.split(head)
    if re.search(_NUMBER, first) or (re.search(_NUMBER, folder) and not os.path.isdir(folder)):
        raise _expression_error(path, "the name has several places for the frame number")
    if re.search(r"\[[\d\s,-]*\]$", tail):
        raise _expression_error(path, "there are frames in two pairs of brackets")
    indexes = _indexes(path, frames) if frames.strip() else set()
    import clique  # lazy: most sessions create no sequence

    made: FileSequence = clique.Collection(head, tail, int(placeholder["padding"] or 0), indexes)
    return made


def _indexes(path: str, frames: str) -> set[int]:
    """Return the frame numbers in *frames*."""
    found: set[int] = set()
    for part in frames.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise _expression_error(path, _frames_mistake(part))
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first:
            raise _expression_error(
                path, f"the range {part.strip()} runs backwards; write {last}-{first}"
            )
        if last - first + len(found) >= _MOST_MEMBERS:
            raise _expression_error(
                path, f"{part.strip()} gives more than {_MOST_MEMBERS:,} frames"
            )
        found.update(range(first, last + 1))
    return found


def _frames_mistake(part: str) -> str:
    """Return a description of the mistake in *part*, one item of a list of frames."""
    text = part.strip()
    if not text:
        return "there is a comma without a frame"
    if re.match(r"-\s*\d", text) or re.search(r"-\s*-", text):
        return f"frames cannot be negative, as in {text}"
    if re.search(r"\d\s*[x:]\s*\d", text):
        return f"{text} has a step: list the frames, such as 1, 3, 5"
    return f"{text!r} is neither a frame nor a range such as 1-10"


def _expression_error(path: str, reason: str) -> ValueError:
    """Return the error for the expression *path*; *reason* describes the mistake."""
    return ValueError(
        f"Cannot read the sequence {path!r}: {reason}. A sequence is written "
        "'/path/to/file.%04d.exr [1-5, 7]'; a file of exactly this name does not exist."
    )
