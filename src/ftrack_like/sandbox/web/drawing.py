"""Validate the drawings that browsers post, and convert them to and from their stored text.

The stored text is JSON: ``{"version": 1, "note": id, "strokes": [{"color": "#rrggbb",
"width": width, "points": [x, y, x, y, …]}]}``. Coordinates and widths are fractions of the
picture's width and height, from 0 to 1. A drawing therefore fits the picture at any size.

The points of a stroke are always the line to draw. An arrow and a box also have the key ``shape``,
and need no more to be drawn. A text has ``"shape": "text"``, its ``text``, and its height ``size``
as a fraction of the picture's width. Its points are the line below the text. A program that does
not know shapes draws the line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

__all__ = ["DrawingError", "read_drawing", "stored_drawing", "strokes_of"]

#: The most coordinates in one drawing, two for each point.
MAXIMUM_NUMBERS = 100_000

#: The most characters in one text of a drawing.
MAXIMUM_TEXT = 500

_SHAPES = {"arrow", "box", "text"}

_COLOR = re.compile(r"\A#[0-9a-f]{6}\Z")


class DrawingError(ValueError):
    """The posted text is not a valid drawing. The message gives the reason."""


def read_drawing(text: str) -> list[dict[str, Any]]:
    """Return the strokes in the JSON *text* that a browser posted; an empty text has none.

    Raise :exc:`DrawingError` if *text* does not have the format that the module describes.
    """
    if not text.strip():
        return []
    try:
        posted = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DrawingError("The drawing is not JSON.") from error
    strokes = posted.get("strokes") if isinstance(posted, dict) else None
    if not isinstance(strokes, list):
        raise DrawingError("The drawing has no list of strokes.")
    read = [_stroke(one) for one in strokes]
    if sum(len(one["points"]) for one in read) > MAXIMUM_NUMBERS:
        raise DrawingError(f"The drawing has more than {MAXIMUM_NUMBERS // 2} points.")
    return read


def stored_drawing(strokes: Sequence[Any], note_id: str) -> str:
    """Return the text to store for the *strokes* of the note *note_id*."""
    drawing = {"version": 1, "note": note_id, "strokes": list(strokes)}
    return json.dumps(drawing, separators=(",", ":"))


def strokes_of(text: Optional[str]) -> tuple[Optional[str], list[dict[str, Any]]]:
    """Return the id of the note and the strokes from the stored *text* of a drawing.

    Return ``(None, [])`` for an annotation that another program stored in a different format.
    """
    try:
        note_id = json.loads(text or "").get("note")
        return (note_id if isinstance(note_id, str) else None), read_drawing(text or "")
    except (ValueError, AttributeError, RecursionError):
        return None, []


def _stroke(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DrawingError("A stroke is not a JSON object.")
    color, width, points = (value.get(name) for name in ("color", "width", "points"))
    if not isinstance(color, str) or not _COLOR.match(color):
        raise DrawingError(f"The colour of a stroke must be #rrggbb, not {str(color)[:20]!r}.")
    if not isinstance(points, list) or len(points) % 2 or not points:
        raise DrawingError("The points of a stroke must be a list of numbers: x, y, x, y, ….")
    shares = [_share(one) for one in points]
    return {"color": color, "width": _share(width), "points": shares, **_shape(value)}


def _shape(stroke: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the shape of a *stroke* adds to its line."""
    shape = stroke.get("shape")
    if shape is None:
        return {}
    if not isinstance(shape, str) or shape not in _SHAPES:
        names = ", ".join(sorted(_SHAPES))
        raise DrawingError(f"A shape is one of {names}, not {str(shape)[:20]!r}.")
    if shape != "text":
        return {"shape": shape}
    text = stroke.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > MAXIMUM_TEXT:
        raise DrawingError(f"The text of a drawing has 1 to {MAXIMUM_TEXT} characters.")
    return {"shape": shape, "text": _printable(text), "size": _share(stroke.get("size"))}


def _printable(text: str) -> str:
    """Return *text* on one line, without control characters."""
    return "".join(one if one.isprintable() else " " for one in text).strip()


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise DrawingError(f"Points and widths must be from 0 to 1, not {str(value)[:20]!r}.")
    return round(float(value), 5)
