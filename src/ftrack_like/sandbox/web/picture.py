"""Render a frame with a reviewer's drawing on it as a picture."""

from __future__ import annotations

import logging
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ftrack_like._base.errors import MediaError
from ftrack_like.sandbox.media.pictures import PictureError
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.web.media import Medium

__all__ = ["drawn_picture"]

_LOGGER = logging.getLogger(__name__)


def drawn_picture(
    service: MediaService,
    medium: Medium,
    frame: Optional[int],
    strokes: Sequence[Mapping[str, Any]],
) -> Optional[bytes]:
    """Return a JPEG of *frame* of *medium* with *strokes* drawn on it.

    *frame* is the number that the player shows, or None for the first frame. Return None if the
    medium has no data, a limit is exceeded, or ffmpeg or Pillow is missing. The caller stores the
    strokes in each case.
    """
    if medium.component_id is None or not service.store.exists(medium.component_id):
        return None
    source = service.store.path(medium.component_id)
    with tempfile.TemporaryDirectory(prefix="ftrack-like-frame-") as name:
        folder = pathlib.Path(name)
        target = folder / "drawn.jpg"
        try:
            if medium.kind != "image":
                movie, source = source, folder / "frame.jpg"
                service.tools.frame(movie, source, _moment(medium, frame))
            made = service.pictures.draw(source, target, strokes)
        except (MediaError, PictureError, OSError) as error:
            _LOGGER.info("Could not render the picture of a drawing: %s", error)
            return None
        return target.read_bytes() if made else None


def _moment(medium: Medium, frame: Optional[int]) -> float:
    """Return the time half a frame before *frame*, in seconds from the beginning of *medium*."""
    index = min(max((frame or 0) - medium.first_frame, 0), _last_index(medium))
    # ffmpeg takes the first frame after this time. Half a frame absorbs rounding errors.
    return max(index - 0.5, 0) / (medium.frame_rate or 24.0)


def _last_index(medium: Medium) -> int:
    """Return the index of the last frame of *medium*, or a large number if it is unknown."""
    return medium.last_frame - medium.first_frame if medium.last_frame else 10**9
