"""Prepare the layers with texts for the movies of one encoding."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Optional

from ftrack_like._media.burning import strip_height
from ftrack_like._media.command import Layers, Movie
from ftrack_like._media.details import FRAME_FIELDS, TEXT_FIELDS, plain
from ftrack_like._media.presets import fields_of, filled
from ftrack_like._media.programs import Programs
from ftrack_like._media.timecodes import timecode_of

__all__ = ["FindDetails", "Texts"]

#: Returns the values of the fields of templates.
FindDetails = Callable[[], Mapping[str, str]]


@dataclass(frozen=True)
class Texts:
    """Draws texts with *programs* for a movie with *rate* frames per second.

    Its first frame, after a slate, has the number *first*. It has about *frames* frames, and
    *skipped* frames before the first. *timecode* is that of the source, which begins with the frame
    number *source_first*. *find_details* is called once, if a text is wanted.
    """

    programs: Programs
    folder: pathlib.Path
    rate: Fraction
    first: int
    source_first: int
    frames: int
    skipped: int
    timecode: Optional[str]
    find_details: Optional[FindDetails]

    def values(self) -> Mapping[str, str]:
        """Return the values of all fields that are the same in all frames."""
        found = {} if self.find_details is None else self.find_details()
        made = {name: plain(found.get(name, "")) for name in sorted(TEXT_FIELDS - FRAME_FIELDS)}
        return {**made, "frames": f"{self.first}-{self.first + self.frames - 1}"}

    def draw(self, movie: Movie, values: Mapping[str, str], count: int) -> Movie:
        """Return *movie* with its layers, drawn with *values*, for at most *count* frames."""
        preset = movie.preset
        burn_in = slate = None
        common = {
            "size": movie.size,
            "rate": [self.rate.numerator, self.rate.denominator],
            "font": preset.font,
        }
        if preset.burn_in:
            burn_in = self.folder / f"{preset.name}.burn-in.mov"
            timecode = timecode_of(self.rate, self.source_first, self.timecode)
            self._ask(
                {
                    **common,
                    "do": "burn_in",
                    "target": str(burn_in),
                    "texts": dict(preset.burn_in),
                    "values": dict(values),
                    "count": count,
                    "skipped": self.skipped,
                    "first": self.first,
                    "timecode": [timecode.start, timecode.base, timecode.is_drop],
                }
            )
        if preset.slate:
            slate = self.folder / f"{preset.name}.slate.mov"
            lines = [filled(line, values).strip() for line in preset.slate if _says(line, values)]
            self._ask({**common, "do": "slate", "target": str(slate), "lines": lines})
        strip = strip_height(movie.size[1])
        return replace(movie, layers=Layers(burn_in, slate, strip))

    def _ask(self, asked: Mapping[str, Any]) -> None:
        self.programs.read(asked)


def _says(line: str, values: Mapping[str, str]) -> bool:
    """Return whether *line* has no fields, or one with a value."""
    fields = fields_of(line)
    return not fields or any(values.get(one) for one in fields)
