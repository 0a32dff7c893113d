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
    thickness = max(round(stroke["width"] * width), 1)
    if len(points) > 1:
        canvas.line(points, fill=color, width=thickness, joint="curve")
    reach = thickness / 2
    for x, y in (points[0], points[-1]):
        canvas.ellipse((x - reach, y - reach, x + reach, y + reach), fill=color)
