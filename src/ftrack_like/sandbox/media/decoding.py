"""The child process that decodes pictures: it reads requests from standard input, one per line.

::

    {"do": "scale", "source": path, "target": path, "size": pixels, "maximum": pixels}
    {"do": "draw", "source": path, "target": path, "strokes": [...], "maximum": pixels}

Each answer is a line ``{"made": bool, "refused": limit or null, "text": str}``. *made* says whether
the process wrote *target*. *refused* is ``pixels`` or ``memory`` if the picture exceeds that limit.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftrack_like._media.stills import TooManyPixelsError, flat, open_image
from ftrack_like.sandbox.media.images import scale

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

__all__ = ["main"]

#: Fonts with many scripts, the first that the system has. Pillow's own has only Latin letters.
_FONTS = ("NotoSans-Regular.ttf", "DejaVuSans.ttf", "Arial.ttf", "arial.ttf")


def main() -> None:
    """Answer requests until the input ends."""
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


def _answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    source, target = pathlib.Path(asked["source"]), pathlib.Path(asked["target"])
    try:
        if asked["do"] == "scale":
            made = scale(source, target, asked["size"], asked["maximum"])
        else:
            made = _draw(source, target, asked["strokes"], asked["maximum"])
    except TooManyPixelsError as error:
        return {"made": False, "refused": "pixels", "text": str(error)}
    except MemoryError:
        return {"made": False, "refused": "memory", "text": "The picture takes too much memory"}
    except Exception as error:  # decoders fail on damaged files in many ways
        return {"made": False, "refused": None, "text": f"{type(error).__name__}: {error}"}
    return {"made": made, "refused": None, "text": ""}


def _draw(
    source: pathlib.Path, target: pathlib.Path, strokes: Sequence[Mapping[str, Any]], maximum: int
) -> bool:
    """Draw *strokes* on the image at *source*, write it to *target*; return False if unreadable."""
    opened = open_image(source, maximum)
    if opened is None:
        return False
    # lazy: Pillow is optional, and only needed if there is a drawing
    from PIL import ImageDraw

    with opened:
        try:
            image = flat(opened)
        except (OSError, ValueError, SyntaxError):
            return False
    canvas = ImageDraw.Draw(image)
    for stroke in strokes:
        _trace(canvas, stroke, *image.size)
    image.save(target, "JPEG", quality=88)
    return True


def _trace(canvas: ImageDraw, stroke: Mapping[str, Any], width: int, height: int) -> None:
    """Draw *stroke* as the page does: a round line, with places as fractions of the picture."""
    numbers, color = stroke["points"], stroke["color"]
    points = [(x * width, y * height) for x, y in zip(numbers[::2], numbers[1::2])]
    if stroke.get("shape") == "text":
        _write(canvas, stroke["text"], points[0], max(round(stroke["size"] * width), 6), color)
        return
    thickness = max(round(stroke["width"] * width), 1)
    if len(points) > 1:
        canvas.line(points, fill=color, width=thickness, joint="curve")
    reach = thickness / 2
    for x, y in (points[0], points[-1]):
        canvas.ellipse((x - reach, y - reach, x + reach, y + reach), fill=color)


def _write(canvas: ImageDraw, text: str, place: tuple[float, float], size: int, color: str) -> None:
    """Write *text* above *place*, with an edge that shows it on each background."""
    # lazy: Pillow is optional, and only needed if there is a drawing
    from PIL import ImageFont

    font: Any = None
    for name in _FONTS:
        try:
            font = ImageFont.truetype(name, size)
            break
        except OSError:
            continue
    if font is None:
        font = ImageFont.load_default(size)
    edge = "#000000" if _is_light(color) else "#ffffff"
    drawn: dict[str, Any] = {
        "anchor": "ls",
        "stroke_width": max(size // 12, 1),
        "stroke_fill": edge,
    }
    try:
        canvas.text(place, text, fill=color, font=font, **drawn)
    except (ValueError, UnicodeError):  # a font of Pillow without FreeType
        canvas.text((place[0], place[1] - size), text.encode("ascii", "replace"), fill=color)


def _is_light(color: str) -> bool:
    """Return whether black is easier to see on *color*, ``#rrggbb``, than white."""
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 140
