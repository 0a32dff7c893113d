"""Drawings on a frame: read from what a browser posted, and written for others to show.

A drawing is kept as JSON text: ``{"version": 1, "note": id, "strokes": [{"color": "#rrggbb",
"width": share, "points": [x, y, x, y, …]}]}``. Points and widths are shares of the picture's
width and height, so that a drawing fits whatever size the picture is shown at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Optional

__all__ = ["DrawingError", "read_drawing", "stored_drawing", "strokes_of"]

#: The most numbers that the strokes of a drawing may have between them.
MAXIMUM_NUMBERS = 100_000

_COLOR = re.compile(r"\A#[0-9a-f]{6}\Z")


class DrawingError(ValueError):
    """What was posted is no drawing; the text says why."""


def read_drawing(text: str) -> list[dict[str, Any]]:
    """Return the strokes that a browser posted as *text*; none for an empty text.

    Raise :exc:`DrawingError` for anything but strokes as the module describes them.
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
    """Return what is stored of *strokes* that belong to a note."""
    drawing = {"version": 1, "note": note_id, "strokes": list(strokes)}
    return json.dumps(drawing, separators=(",", ":"))


def strokes_of(text: Optional[str]) -> tuple[Optional[str], list[dict[str, Any]]]:
    """Return the note's id and the strokes of the stored drawing *text*.

    Annotations that other programs made in ways of their own have no strokes here.
    """
    try:
        note_id = json.loads(text or "").get("note")
        return (note_id if isinstance(note_id, str) else None), read_drawing(text or "")
    except (ValueError, AttributeError, RecursionError):
        return None, []


def _stroke(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DrawingError("A stroke must be a mapping.")
    color, width, points = (value.get(name) for name in ("color", "width", "points"))
    if not isinstance(color, str) or not _COLOR.match(color):
        raise DrawingError(f"The colour of a stroke is written #rrggbb, not {str(color)[:20]!r}.")
    if not isinstance(points, list) or len(points) % 2 or not points:
        raise DrawingError("The points of a stroke are a list of x and y in turn.")
    shares = [_share(one) for one in points]
    return {"color": color, "width": _share(width), "points": shares}


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise DrawingError(f"Points and widths lie between 0 and 1; {str(value)[:20]!r} does not.")
    return round(float(value), 5)
