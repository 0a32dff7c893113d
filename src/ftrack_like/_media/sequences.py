"""Arrange the files of an image sequence as the frames of a movie."""

from __future__ import annotations

from collections.abc import Sequence

from ftrack_like._base.errors import MediaError
from ftrack_like._media.types import IMAGE_TYPES

__all__ = ["arranged", "check_type", "missing_frames"]

#: The most frames of the movie for each file: more missing frames are a mistake in the numbers.
_MOST_FOR_EACH = 10


def arranged(numbers: Sequence[int]) -> tuple[int, list[int]]:
    """Return the number of the first frame, and the place of the file for each frame of the movie.

    *numbers* are those of the files, in order. A missing number shows the file before it, so that
    each frame keeps its number. Numbers that do not rise are ignored. Raise
    :exc:`~ftrack_like.exception.MediaError` if most numbers are missing.
    """
    if any(after <= before for before, after in zip(numbers, numbers[1:])):
        return 0, list(range(len(numbers)))
    first, last = numbers[0], numbers[-1]
    if last - first + 1 > _MOST_FOR_EACH * len(numbers):
        raise MediaError(
            f"The sequence has only {len(numbers)} of the frames {first} to {last}. "
            f"The frames {missing_frames(numbers)} are missing."
        )
    places: list[int] = []
    for place, number in enumerate(numbers):
        places += [place - 1] * (number - first - len(places))
        places.append(place)
    return first, places


def check_type(suffix: str) -> None:
    """Raise :exc:`~ftrack_like.exception.MediaError` unless files with *suffix* are images."""
    if suffix not in IMAGE_TYPES:
        raise MediaError(
            f"A sequence of files of the type {suffix[:32]!r} cannot be encoded; its frames "
            "must be images."
        )


def missing_frames(numbers: Sequence[int]) -> str:
    """Return the numbers that are missing between rising *numbers*, such as ``1003, 1005-1007``."""
    gaps = []
    for before, after in zip(numbers, numbers[1:]):
        if after == before + 2:
            gaps.append(str(before + 1))
        elif after > before + 2:
            gaps.append(f"{before + 1}-{after - 1}")
    return ", ".join(gaps)
