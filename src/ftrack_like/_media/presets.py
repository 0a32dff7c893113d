"""The sizes and codecs of encoded movies, as data that a studio can replace.

The file that the variable ``FTRACK_MEDIA_PRESETS`` names contains JSON: for each name of a
component the values that differ, or ``null`` for a size that is not wanted::

    {"ftrackreview-mp4": {"height": 540, "width": 960, "bit_rate": "3M"},
     "ftrackreview-mp4-2160": null}
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ftrack_like._base.errors import MediaError

__all__ = ["PRESETS", "Preset", "presets", "wanted_presets"]

_VARIABLE = "FTRACK_MEDIA_PRESETS"


@dataclass(frozen=True)
class Preset:
    """How to encode a movie for the component called *name*.

    The picture is at most *width* and *height* pixels large, and never larger than the source. A
    preset with *minimum* is used only for a source that is at least *width* wide or *height* high.
    *container* is ``mp4`` or ``webm``, *video* ``h264`` or ``vp9``, *audio* ``aac`` or ``opus``.
    *quality* is the constant rate factor; a lower number is better. *bit_rate*, such as ``"4M"``,
    replaces it. *audio_bit_rate* is for both channels together."""

    name: str
    container: str
    width: int
    height: int
    video: str
    audio: str
    quality: int
    bit_rate: Optional[str] = None
    audio_bit_rate: str = "160k"
    minimum: bool = False


def _mp4(name: str, width: int, height: int, minimum: bool) -> Preset:
    return Preset(name, "mp4", width, height, "h264", "aac", 20, minimum=minimum)


#: The presets of this package. The first is the smallest, which every movie gets.
PRESETS: Sequence[Preset] = (
    _mp4("ftrackreview-mp4", 1280, 720, False),
    _mp4("ftrackreview-mp4-1080", 1920, 1080, True),
    _mp4("ftrackreview-mp4-1440", 2560, 1440, True),
    _mp4("ftrackreview-mp4-2160", 3840, 2160, True),
    Preset("ftrackreview-webm", "webm", 1920, 1080, "vp9", "opus", 32),
)

_CODECS = {
    "video": {"mp4": ("h264",), "webm": ("vp9",)},
    "audio": {"mp4": ("aac",), "webm": ("opus",)},
}

_NAME = re.compile(r"\Aftrackreview-[a-z0-9-]{1,64}\Z")
_BIT_RATE = re.compile(r"\A[1-9]\d{0,8}[kM]?\Z")
_LARGEST = 16384


def presets() -> Sequence[Preset]:
    """Return the presets of this package with the changes of the studio.

    Raise :exc:`~ftrack_like.exception.MediaError` if the file of the studio is missing or wrong.
    """
    path = os.environ.get(_VARIABLE)
    if not path:
        return PRESETS
    try:
        changes = json.loads(pathlib.Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MediaError(f"{_VARIABLE} names {path!r}, which cannot be read: {error}") from error
    try:
        return changed(changes)
    except (TypeError, ValueError) as error:
        raise MediaError(f"{path}, which {_VARIABLE} names, is wrong: {error}") from error


def changed(changes: object) -> Sequence[Preset]:
    """Return :data:`PRESETS` with *changes*; raise :exc:`ValueError` for a wrong value."""
    if not isinstance(changes, Mapping):
        raise ValueError("it must be an object with the names of components.")
    made = {one.name: one for one in PRESETS}
    for name, values in changes.items():
        if not _NAME.match(name):
            raise ValueError(f"{name!r} must begin with 'ftrackreview-'.")
        if values is None:
            if name == PRESETS[0].name:
                raise ValueError(f"{name!r} is what players look for, so it cannot be left out.")
            made.pop(name, None)
            continue
        if not isinstance(values, Mapping):
            raise ValueError(f"{name!r} must be an object or null, not {values!r}.")
        made[name] = _one(made.get(name, _mp4(name, 1920, 1080, True)), values)
    return tuple(made.values())


def _one(preset: Preset, values: Mapping[str, Any]) -> Preset:
    """Return *preset* with *values*; raise :exc:`ValueError` if one is wrong."""
    known = {field.name for field in dataclasses.fields(Preset)} - {"name"}
    for name in values:
        if name not in known:
            raise ValueError(f"{preset.name!r} has no value {name!r}; there are {sorted(known)}.")
    made = dataclasses.replace(preset, **values)
    for name, least, most in (("width", 2, _LARGEST), ("height", 2, _LARGEST), ("quality", 0, 63)):
        value = getattr(made, name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(
                f"{name} of {made.name!r} must be a whole number from {least} to {most}, "
                f"not {value!r}."
            )
    for name in ("bit_rate", "audio_bit_rate"):
        value = getattr(made, name)
        if value is not None and not (isinstance(value, str) and _BIT_RATE.match(value)):
            raise ValueError(f"{name} of {made.name!r} must be like '800k' or '4M', not {value!r}.")
    if made.container not in _CODECS["video"]:
        raise ValueError(f"container of {made.name!r} must be mp4 or webm, not {made.container!r}.")
    for name, codecs in _CODECS.items():
        allowed = codecs[made.container]
        if getattr(made, name) not in allowed:
            raise ValueError(f"{name} of {made.name!r} must be {' or '.join(allowed)}.")
    if not isinstance(made.minimum, bool):
        raise ValueError(f"minimum of {made.name!r} must be true or false.")
    return made


def wanted_presets(
    all_presets: Sequence[Preset], shape: tuple[int, int], containers: Sequence[str]
) -> list[Preset]:
    """Return the presets for a source of *shape*, width and height, in these *containers*."""
    width, height = shape
    return [
        one
        for one in all_presets
        if one.container in containers
        and (not one.minimum or width >= one.width or height >= one.height)
    ]
