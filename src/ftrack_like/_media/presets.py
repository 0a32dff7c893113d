"""The sizes and codecs of encoded movies, as data that a studio can replace.

The file that the variable ``FTRACK_MEDIA_PRESETS`` names contains JSON: for each name of a
component the values that differ, or ``null`` for a size that is not wanted. The name ``*`` stands
for all sizes::

    {"*": {"burn_in": {"bottom_right": "{frame} {timecode}"}, "slate": true},
     "ftrackreview-mp4": {"height": 540, "width": 960, "bit_rate": "3M"},
     "ftrackreview-mp4-2160": null}
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from ftrack_like._base.errors import MediaError
from ftrack_like._media.details import FRAME_FIELDS, TEXT_FIELDS

__all__ = [
    "CORNERS",
    "PRESETS",
    "Preset",
    "digest_of",
    "fields_of",
    "filled",
    "presets",
    "wanted_presets",
]

_VARIABLE = "FTRACK_MEDIA_PRESETS"


@dataclass(frozen=True)
class Preset:
    """How to encode a movie for the component called *name*.

    The picture is at most *width* and *height* pixels large, and never larger than the source. A
    preset with *minimum* is used only for a source that is at least *width* wide or *height* high.
    *container* is ``mp4`` or ``webm``, *video* ``h264`` or ``vp9``, *audio* ``aac`` or ``opus``.
    *quality* is the constant rate factor; a lower number is better. *bit_rate*, such as ``"4M"``,
    replaces it. *audio_bit_rate* is for both channels together.

    *burn_in* are texts in the picture, by their corner in :data:`CORNERS`. *slate* are the lines of
    a card before the first frame; without lines there is no card. Both are templates with the
    fields of :data:`~ftrack_like._media.details.TEXT_FIELDS`. *font* is the path of their font.
    """

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
    burn_in: Mapping[str, str] = dataclasses.field(default_factory=dict)
    slate: Sequence[str] = ()
    font: Optional[str] = None

    @property
    def has_text(self) -> bool:
        """Return whether text is drawn into the movie."""
        return bool(self.burn_in or self.slate)


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

#: The corners of the picture.
CORNERS = ("top_left", "top_right", "bottom_left", "bottom_right")

#: The texts for ``"burn_in": true`` and ``"slate": true``.
_BURN_IN: Mapping[str, str] = {
    "top_left": "{shot} {asset} {version}",
    "top_right": "{date}",
    "bottom_left": "{artist}",
    "bottom_right": "{frame}  {timecode}",
}
_SLATE = (
    "{shot} {asset} {version}",
    "Project: {project}",
    "Task: {task}",
    "Artist: {artist}",
    "Date: {date}",
    "Frames: {frames}",
    "File: {file}",
    "Note: {note}",
)

#: The name in a file of presets that stands for all sizes.
_ALL = "*"

_FIELD = re.compile(r"\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"\Aftrackreview-[a-z0-9-]{1,64}\Z")
_BIT_RATE = re.compile(r"\A[1-9]\d{0,8}[kM]?\Z")
_LARGEST = 16384


def presets(path: Optional[Union[str, os.PathLike[str]]] = None) -> Sequence[Preset]:
    """Return the presets of this package with the changes of the studio.

    These are in the file at *path*, by default the file that the variable names. Raise
    :exc:`~ftrack_like.exception.MediaError` if the file is missing or wrong.
    """
    named = f"{_VARIABLE} names " if path is None else "The file of presets is "
    chosen = os.environ.get(_VARIABLE) if path is None else os.fspath(path)
    if not chosen:
        return PRESETS
    try:
        changes = json.loads(pathlib.Path(chosen).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MediaError(f"{named}{chosen!r}, which cannot be read: {error}") from error
    try:
        return changed(changes)
    except (TypeError, ValueError) as error:
        raise MediaError(f"{named}{chosen!r}, which is wrong: {error}") from error


def digest_of(chosen: Sequence[Preset]) -> Optional[str]:
    """Return a text that identifies the presets *chosen*; None for presets of this package."""
    if all(one in PRESETS for one in chosen):
        return None
    text = json.dumps([dataclasses.asdict(one) for one in chosen], sort_keys=True)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:12]


def changed(changes: object) -> Sequence[Preset]:
    """Return :data:`PRESETS` with *changes*; raise :exc:`ValueError` for a wrong value."""
    if not isinstance(changes, Mapping):
        raise ValueError("it must be an object with the names of components.")
    common = _object(_ALL, changes.get(_ALL, {}))
    made = {one.name: _one(one, common) for one in PRESETS}
    for name, values in changes.items():
        if name == _ALL:
            continue
        if not _NAME.match(name):
            raise ValueError(f"{name!r} must begin with 'ftrackreview-', or be '*' for all sizes.")
        if values is None:
            if name == PRESETS[0].name:
                raise ValueError(f"{name!r} is what players look for, so it cannot be left out.")
            made.pop(name, None)
            continue
        new = made.get(name) or _one(_mp4(name, 1920, 1080, True), common)
        made[name] = _one(new, _object(name, values))
    if len({bool(one.slate) for one in made.values()}) > 1:
        # A player may switch between sizes, and a frame must have the same place in all of them.
        raise ValueError("all sizes must have a slate, or none; use the name '*' for all sizes.")
    return tuple(made.values())


def _object(name: str, values: object) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise ValueError(f"{name!r} must be an object or null, not {values!r}.")
    return values


def _one(preset: Preset, values: Mapping[str, Any]) -> Preset:
    """Return *preset* with *values*; raise :exc:`ValueError` if one is wrong."""
    known = {field.name for field in dataclasses.fields(Preset)} - {"name"}
    for name in values:
        if name not in known:
            raise ValueError(f"{preset.name!r} has no value {name!r}; there are {sorted(known)}.")
    made = dataclasses.replace(preset, **values)
    _check_numbers(made)
    if made.container not in _CODECS["video"]:
        raise ValueError(f"container of {made.name!r} must be mp4 or webm, not {made.container!r}.")
    for name, codecs in _CODECS.items():
        allowed = codecs[made.container]
        if getattr(made, name) not in allowed:
            raise ValueError(f"{name} of {made.name!r} must be {' or '.join(allowed)}.")
    if not isinstance(made.minimum, bool):
        raise ValueError(f"minimum of {made.name!r} must be true or false.")
    if made.font is not None and not (isinstance(made.font, str) and os.path.isfile(made.font)):
        raise ValueError(f"font of {made.name!r} must be the path of a font, not {made.font!r}.")
    return dataclasses.replace(
        made, burn_in=_burn_in(made.name, made.burn_in), slate=_slate(made.name, made.slate)
    )


def _check_numbers(made: Preset) -> None:
    """Raise :exc:`ValueError` if a size, quality or bit rate of *made* is wrong."""
    for name, least, most in (("width", 2, _LARGEST), ("height", 2, _LARGEST), ("quality", 0, 63)):
        value = getattr(made, name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(
                f"{name} of {made.name!r} must be a whole number from {least} to {most}, "
                f"not {value!r}."
            )
    for name in ("bit_rate", "audio_bit_rate"):
        value = getattr(made, name)
        if value is None and name == "bit_rate":
            continue
        if not (isinstance(value, str) and _BIT_RATE.match(value)):
            raise ValueError(f"{name} of {made.name!r} must be like '800k' or '4M', not {value!r}.")


def _burn_in(name: str, value: object) -> Mapping[str, str]:
    """Return the texts by corner for *value* of the preset *name*."""
    if value is None or isinstance(value, bool):
        return dict(_BURN_IN) if value else {}
    if not isinstance(value, Mapping):
        raise ValueError(
            f"burn_in of {name!r} must be true, null or an object with {', '.join(CORNERS)}."
        )
    for corner, text in value.items():
        if corner not in CORNERS:
            raise ValueError(
                f"burn_in of {name!r} has no corner {corner!r}; there are {', '.join(CORNERS)}."
            )
        _check_template(f"{corner} of burn_in of {name!r}", text, TEXT_FIELDS)
    return {corner: text for corner, text in value.items() if text}


def _slate(name: str, value: object) -> Sequence[str]:
    """Return the lines of the card for *value* of the preset *name*."""
    if value is None or isinstance(value, bool):
        return _SLATE if value else ()
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"slate of {name!r} must be true, null or a list of lines.")
    for text in value:
        _check_template(f"a line of slate of {name!r}", text, TEXT_FIELDS - FRAME_FIELDS)
    return tuple(value)


def _check_template(what: str, text: object, fields: Collection[str]) -> None:
    """Raise :exc:`ValueError` unless *text* is a template with *fields*."""
    if not isinstance(text, str):
        raise ValueError(f"{what} must be a text, not {text!r}.")
    for found in _FIELD.finditer(text):
        if found.group(1) not in fields:
            raise ValueError(
                f"{what} has {found.group()!r}, which is no field; there are "
                f"{', '.join(f'{{{one}}}' for one in sorted(fields))}."
            )


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return *template* with *values* in the place of its fields; unknown fields stay."""
    return _FIELD.sub(lambda found: values.get(found.group(1) or "", found.group()), template)


def fields_of(template: str) -> set[str]:
    """Return the names of the fields of *template*."""
    return {found.group(1) for found in _FIELD.finditer(template) if found.group(1)}


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
