"""Compare what the pipeline writes about a result with an independent count of the result."""

from __future__ import annotations

import json
import pathlib
from fractions import Fraction
from typing import Optional

from tests.media.measuring import counted_by_ffprobe, measured
from tests.media.odd_media import LEVELS, Case, level_of

from ftrack_like._media.pipeline import Pipeline, Source
from ftrack_like._media.programs import LocalPrograms, Programs

__all__ = ["check", "numbers_of"]

#: The numbers of BT.709 and of the limited range.
_COLOURS = (1, 1, 1, 1)


def check(
    case: Case, path: pathlib.Path, folder: pathlib.Path, programs: Optional[Programs] = None
) -> None:
    """Encode the movie of *case* at *path*, and check the results and their ``ftr_meta``.

    *programs* are those of the client by default.
    """
    from PIL import Image

    target = folder / "encoded"
    target.mkdir()
    original, rate = measured(path, has_sound=False), Fraction(case.rate)
    made = Pipeline(programs or LocalPrograms()).make(Source("'it'", str(path)), target)
    *movies, thumbnail = made.files
    assert movies[0].name == "ftrackreview-mp4"
    for movie in movies:
        meta = json.loads(movie.meta)
        found = measured(movie.path)
        counted = counted_by_ffprobe(movie.path)
        assert counted in {None, found.frames}
        assert meta["frameIn"] == 0
        assert meta["frameOut"] == found.frames - 1
        assert (meta["width"], meta["height"]) == (found.width, found.height)
        for number, moment in enumerate(found.times):
            assert abs(moment - number / meta["frameRate"]) < 0.0001, (number, moment)
        assert found.pixel_format == "yuv420p"
        assert found.colours == _COLOURS
        for _, frequency, channels, _ in found.sounds:
            assert frequency <= 48000
            assert channels == 2
        if case.languages is not None:
            languages = [one if one != "und" else None for _, _, _, one in found.sounds]
            assert languages == list(case.languages)
        elif case.sounds:
            assert len(found.sounds) == 1
        if case.frames is not None:
            assert found.frames == original.frames
            if case.states_rate:
                assert meta["frameRate"] == float(rate)
        if case.leveled:
            # Each frame of the source is there, once and in order.
            # A movie with a wrong range has other levels, which are kept as they are.
            distances = [abs(one - other) for one, other in zip(found.levels, original.levels)]
            if len(found.levels) != len(original.levels) or max(distances) > 3:
                assert numbers_of(found.levels) == numbers_of(original.levels)
    meta = json.loads(movies[0].meta)
    size = case.result or tuple(map(int, case.size.split("x")))
    assert (meta["width"], meta["height"]) == size
    with Image.open(thumbnail.path) as image:
        image.load()
        shown = json.loads(thumbnail.meta)
        assert image.size == (shown["width"], shown["height"])


def numbers_of(levels: list[float]) -> list[int]:
    """Return the numbers that the *levels* of frames tell."""
    numbers = []
    for level in levels:
        # The decoder of the test stretches the limited range to the full one.
        wanted = [abs((level_of(one) - 16) * 255 / 219 - level) for one in range(LEVELS)]
        numbers.append(wanted.index(min(wanted)))
    return numbers
