"""Draw the texts of movies: a burn-in for each frame, and the card before the first frame.

Each is a small movie with transparent pixels, which ffmpeg puts on the picture. Pillow draws, so
that the text needs no escapes and every ffmpeg can do it. Text is white on black or grey, so that
its colours do not depend on a matrix. Only a child process imports this.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._media import fonts
from ftrack_like._media.details import FRAME_FIELDS
from ftrack_like._media.presets import fields_of, filled
from ftrack_like._media.timecodes import Timecode

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

__all__ = ["strip_height", "write_burn_in", "write_slate"]

_WHITE, _BEHIND, _NOTHING = (255, 255, 255, 255), (0, 0, 0, 160), (0, 0, 0, 0)
_CARD = (28, 28, 28, 255)

#: The height of burnt-in text as a part of the height of the picture, and its least pixels.
_PART, _LEAST = Fraction(1, 28), 8

#: The part of the card's height for a line of text at most, and the least pixels of a line.
_CARD_PART, _CARD_LEAST = Fraction(1, 14), 6


def strip_height(height: int) -> int:
    """Return the height of a line of burnt-in text in a picture of *height* pixels; it is even."""
    text = max(int(height * _PART), _LEAST)
    return max(min((text * 3 // 2 + 1) // 2 * 2, height // 2 * 2), 2)


@dataclass(frozen=True)
class _Numbers:
    """Numbers the frames: the first has the number *first*, and the first timecode."""

    first: int
    timecode: Timecode

    def at(self, place: int) -> Mapping[str, str]:
        """Return the values of the fields for the frame at *place*."""
        return {"frame": f"{self.first + place:04d}", "timecode": self.timecode.at(place)}


def write_burn_in(asked: Mapping[str, Any]) -> None:
    """Write a movie with the texts of each frame.

    Its frames contain the strip for the top of the picture above that for the bottom. The first
    *skipped* frames are empty. *count* is the number of all frames.
    """
    width, height = asked["size"]
    strip = strip_height(height)
    start, base, is_drop = asked["timecode"]
    numbers = _Numbers(asked["first"], Timecode(start, base, is_drop))
    texts: dict[str, str] = asked["texts"]
    values: dict[str, str] = asked["values"]
    changing = {corner for corner, text in texts.items() if fields_of(text) & FRAME_FIELDS}
    size = max(strip * 2 // 3, 1)
    by_corner = {
        # The font has to have the digits too.
        corner: fonts.font_for(f"{filled(text, values)} 0123456789:;", size, asked["font"])
        for corner, text in texts.items()
    }
    with _writing(asked, (width, 2 * strip)) as (canvas, add):
        for place in range(asked["count"]):
            seen = place - asked["skipped"]
            if seen < 0:
                add()
                continue
            for corner, text in texts.items():
                if corner in changing or seen == 0:
                    shown = filled(text, {**values, **numbers.at(seen)}).strip()
                    _draw_corner(canvas, corner, shown, by_corner[corner], (width, strip))
            add()


def write_slate(asked: Mapping[str, Any]) -> None:
    """Write a movie with one frame, the card with *lines*."""
    width, height = asked["size"]
    with _writing(asked, (width, height)) as (canvas, add):
        canvas.paste(_CARD, (0, 0, *canvas.size))
        _draw_card(canvas, asked["lines"], asked["font"], (width, height))
        add()


@contextlib.contextmanager
def _writing(
    asked: Mapping[str, Any], size: tuple[int, int]
) -> Iterator[tuple[Image, Callable[[], None]]]:
    """Yield a transparent picture, and a function that adds it to the movie as a frame."""
    import av  # lazy: optional
    from PIL import Image  # lazy: optional

    rate = Fraction(*asked["rate"])
    with av.open(str(pathlib.Path(asked["target"])), "w", format="mov") as container:
        stream: Any = container.add_stream("qtrle", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "argb"
        stream.codec_context.time_base = 1 / rate
        stream.codec_context.gop_size = 250
        # Rows of a frame may be longer than its width. The picture is as wide as the rows.
        row = av.VideoFrame(*size, "rgba").planes[0].line_size
        canvas = Image.new("RGBA", (row // 4, size[1]), _NOTHING)
        count = 0

        def add() -> None:
            nonlocal count
            frame = av.VideoFrame(*size, "rgba")
            frame.planes[0].update(canvas.tobytes())
            made = frame.reformat(format="argb")
            made.pts, made.time_base = count, 1 / rate
            count += 1
            container.mux(stream.encode(made))

        yield canvas, add
        container.mux(stream.encode(None))


def _draw_corner(
    canvas: Image, corner: str, text: str, font: FreeTypeFont, size: tuple[int, int]
) -> None:
    """Draw *text* with a dark box in its *corner* of the strips, each of *size*."""
    from PIL import ImageDraw  # lazy: optional

    width, strip = size
    top = 0 if corner.startswith("top") else strip
    half = width // 2
    left = half if corner.endswith("right") else 0
    right = width if corner.endswith("right") else half
    canvas.paste(_NOTHING, (left, top, right, top + strip))
    gap = max(strip // 4, 1)
    shown = _fitting(text, font, half - 2 * gap)
    if not shown:
        return
    drawn = fonts.in_order(shown)
    length = int(font.getlength(drawn)) + 2 * gap
    start = right - length if corner.endswith("right") else left
    canvas.paste(_BEHIND, (start, top, start + length, top + strip))
    draw = ImageDraw.Draw(canvas)
    draw.text((start + gap, top + strip // 2), drawn, _WHITE, font, anchor="lm")


def _draw_card(
    canvas: Image, lines: Sequence[str], path: Optional[str], size: tuple[int, int]
) -> None:
    """Draw *lines* in the largest size in which they fit; the first line is larger."""
    from PIL import ImageDraw  # lazy: optional

    width, height = size
    edge = max(width // 20, 1)
    room = (max(width - 2 * edge, 1), max(height - 2 * max(height // 20, 1), 1))
    largest = max(int(height * _CARD_PART), _CARD_LEAST)
    for pixels in range(largest, _CARD_LEAST - 1, -1):
        placed = _placed(lines, pixels, path, room[0])
        if sum(step for _, _, step in placed) <= room[1]:
            break
    top = (height - room[1]) // 2
    draw = ImageDraw.Draw(canvas)
    for text, font, step in placed:
        if top + step > height:
            break
        drawn = fonts.in_order(text)
        draw.text((edge, top + step // 2), drawn, _WHITE, font, anchor="lm")
        top += step


def _placed(
    lines: Sequence[str], pixels: int, path: Optional[str], width: int
) -> list[tuple[str, FreeTypeFont, int]]:
    """Return the wrapped *lines*, each with its font and its height in pixels."""
    made = []
    for number, line in enumerate(lines):
        size = pixels * 3 // 2 if number == 0 else pixels
        font = fonts.font_for(line, size, path)
        made += [(part, font, size * 3 // 2) for part in _wrapped(line, font, width)]
    return made


def _wrapped(text: str, font: FreeTypeFont, width: int) -> list[str]:
    """Return the parts of *text* that fit into *width*, broken at blanks where possible."""
    made, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if font.getlength(longer) <= width:
            line = longer
            continue
        if line:
            made.append(line)
        line = word
        while font.getlength(line) > width and len(line) > 1:
            fits = _longest(line, font, width)
            made.append(line[:fits])
            line = line[fits:]
    return [*made, line] if line else made


def _fitting(text: str, font: FreeTypeFont, width: int) -> str:
    """Return *text*, or its beginning with an ellipsis, if that fits into *width*."""
    if font.getlength(text) <= width:
        return text
    return text[: _longest(text, font, width - int(font.getlength("…")), 0)] + "…"


def _longest(text: str, font: FreeTypeFont, width: int, least: int = 1) -> int:
    """Return how many characters of *text* fit into *width*, but no fewer than *least*."""
    low, high = least, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low
