"""Find the media that a path names: a file, a sequence of images, a folder or a pattern."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable

from ftrack_like import exception
from ftrack_like._media.types import IMAGE_TYPES
from ftrack_like._session.components import sequence_of

__all__ = ["find_media"]

#: The place of the frame number in a pattern: ``%04d``, ``####``, ``@@@@`` or ``$F4``, or ``*``.
_PLACE = re.compile(r"%(\d*)d|(#{2,}|@{2,})|\$F(\d*)|\*")

#: The most names to list in an error.
_SHOWN = 5


def find_media(path: str) -> str:
    """Return the path of the file, or the expression of the sequence, that *path* names.

    *path* may also be a folder that contains one sequence of images and no other, or a pattern such
    as ``plate.%04d.exr`` or ``plate.####.exr``, for all its frames. Other paths are returned as
    they are. Raise :exc:`~ftrack_like.exception.MediaError` if a folder or a pattern does not name
    one sequence.
    """
    if os.path.isdir(path):
        return _in_folder(path)
    if os.path.lexists(path) or _is_expression(path):
        return path
    folder, name = os.path.split(path)
    places = list(_PLACE.finditer(name))
    if not places:
        return path
    if len(places) > 1:
        raise exception.MediaError(
            f"The pattern {path!r} has several places for the frame number; write one, as %04d."
        )
    return _frames_of_pattern(path, folder, name, places[0])


def _is_expression(path: str) -> bool:
    return sequence_of(path) is not None


def _frames_of_pattern(path: str, folder: str, name: str, place: re.Match[str]) -> str:
    """Return the expression of the frames in *folder* that the pattern *name* names."""
    head, tail = name[: place.start()], name[place.end() :]
    escaped = glob.escape(folder) if folder else ""
    pattern = os.path.join(escaped, f"{glob.escape(head)}*{glob.escape(tail)}")
    found = [os.path.basename(each) for each in glob.glob(pattern)]
    numbers = [one[len(head) : len(one) - len(tail)] for one in found]
    numbers = [one for one in numbers if re.fullmatch(r"[0-9]+", one)]
    if place.group() == "*":
        # Zeros in front of a number tell the padding.
        paddings = {len(one) for one in numbers if one.startswith("0") and one != "0"} or {0}
        padding = max(paddings)
        if len(paddings) > 1 or any(_padded(one, padding) != one for one in numbers):
            raise exception.MediaError(
                f"The pattern {path!r} names several sequences, whose numbers have different "
                "digits; write their padding, such as %04d."
            )
    else:
        padding = len(place.group(2) or "") or int(place.group(1) or place.group(3) or 0)
        numbers = [one for one in numbers if _padded(one, padding) == one]
    if not numbers:
        raise exception.MediaError(f"No file has a name like {path!r}, with a number in its place.")
    return _expression(os.path.join(folder, head), tail, padding, map(int, numbers))


def _padded(number: str, padding: int) -> str:
    """Return *number* with as many zeros in front as *padding* asks for."""
    return f"{int(number):0{max(padding, 1)}d}"


def _in_folder(path: str) -> str:
    """Return the only sequence in the folder at *path*, or its only image or movie."""
    import clique  # lazy: only folders and sequences need it

    names = sorted(
        name
        for name in os.listdir(path)
        if not name.startswith(".") and os.path.isfile(os.path.join(path, name))
    )
    images = [name for name in names if os.path.splitext(name)[1].lower() in IMAGE_TYPES]
    sequences, rest = clique.assemble(images)
    if len(sequences) == 1 and not rest:
        (sequence,) = sequences
        head = os.path.join(path, sequence.head)
        return _expression(head, sequence.tail, sequence.padding, sequence.indexes)
    if len(names) == 1:
        return os.path.join(path, names[0])
    held = [one.format("{head}{padding}{tail} [{ranges}]") for one in sequences] + list(rest)
    raise exception.MediaError(
        f"The folder {path!r} does not contain exactly one sequence of images. "
        + (f"It contains {_listed(held or names)}. Pass one of them." if names else "It is empty.")
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def _expression(head: str, tail: str, padding: int, numbers: Iterable[int]) -> str:
    place = f"%0{padding}d" if padding else "%d"
    return f"{head}{place}{tail} [{_ranges(sorted(set(numbers)))}]"


def _ranges(numbers: list[int]) -> str:
    """Return rising *numbers* as text, such as ``1-3, 7``."""
    made: list[list[int]] = []
    for number in numbers:
        if made and made[-1][1] == number - 1:
            made[-1][1] = number
        else:
            made.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in made)
