"""The frame that somebody drew on, with the drawing on it, as a picture of its own."""

from __future__ import annotations

import io
import logging
import pathlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ftrack_like import _ffmpeg as ffmpeg
from ftrack_like._errors import MediaError
from ftrack_like.sandbox.media.images import open_image
from ftrack_like.sandbox.media.store import ComponentStore
from ftrack_like.sandbox.web.media import Medium

__all__ = ["drawn_picture"]

_LOGGER = logging.getLogger(__name__)

#: How long a frame may take to be found, in seconds.
_PATIENCE = 20.0


def drawn_picture(
    store: ComponentStore,
    medium: Medium,
    frame: Optional[int],
    strokes: Sequence[Mapping[str, Any]],
) -> Optional[bytes]:
    """Return a JPEG of *frame* of *medium* with *strokes* on it.

    *frame* counts as players show it; None is the first one. Return None where there is nothing
    to draw on, or ffmpeg or Pillow is missing: the strokes are kept in any case.
    """
    if medium.component_id is None or not store.exists(medium.component_id):
        return None
    source = store.path(medium.component_id)
    if medium.kind == "image":
        return _draw(source, strokes)
    rate = medium.frame_rate or 24.0
    index = min(max((frame or 0) - medium.first_frame, 0), _last_index(medium))
    at = max(index - 0.5, 0) / rate  # the first frame from there on is the wanted one
    with tempfile.TemporaryDirectory(prefix="ftrack-like-frame-") as folder:
        target = pathlib.Path(folder, "frame.jpg")
        try:
            command = ffmpeg.frame_command(ffmpeg.find_ffmpeg(), ["-i", str(source)], target, at)
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
                check=True,
            )
        except (MediaError, OSError, subprocess.SubprocessError) as error:
            _LOGGER.info("A drawing has no picture, for its frame could not be read: %s", error)
            return None
        return _draw(target, strokes)


def _last_index(medium: Medium) -> int:
    """Return the index of the last frame of *medium*; a large number where it is not known."""
    return medium.last_frame - medium.first_frame if medium.last_frame else 10**9


def _draw(source: pathlib.Path, strokes: Sequence[Mapping[str, Any]]) -> Optional[bytes]:
    opened = open_image(source)
    if opened is None:
        return None
    # lazy: Pillow is optional, and only wanted when somebody drew
    from PIL import ImageDraw

    with opened:
        try:
            image = opened.convert("RGB")
        except (OSError, ValueError, SyntaxError):
            return None
    canvas = ImageDraw.Draw(image)
    for stroke in strokes:
        _trace(canvas, stroke, *image.size)
    made = io.BytesIO()
    image.save(made, "JPEG", quality=88)
    return made.getvalue()


def _trace(canvas: Any, stroke: Mapping[str, Any], width: int, height: int) -> None:
    """Draw *stroke* as the page does: a round line, its places in shares of the picture."""
    numbers, color = stroke["points"], stroke["color"]
    points = [(x * width, y * height) for x, y in zip(numbers[::2], numbers[1::2])]
    thickness = max(round(stroke["width"] * width), 1)
    if len(points) > 1:
        canvas.line(points, fill=color, width=thickness, joint="curve")
    reach = thickness / 2
    for x, y in (points[0], points[-1]):
        canvas.ellipse((x - reach, y - reach, x + reach, y + reach), fill=color)
