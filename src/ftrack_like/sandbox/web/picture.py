"""The frame that somebody drew on, with the drawing on it, as a picture of its own."""

from __future__ import annotations

import logging
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ftrack_like._errors import MediaError
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
    """Return a JPEG of *frame* of *medium* with *strokes* on it.

    *frame* counts as players show it; None is the first one. Return None where there is nothing
    to draw on, the data is beyond a limit, or ffmpeg or Pillow is missing: the strokes are kept in
    any case.
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
                service.tools.frame(service.tools.inputs(movie), source, _moment(medium, frame))
            made = service.pictures.draw(source, target, strokes)
        except (MediaError, PictureError, OSError) as error:
            _LOGGER.info("A drawing has no picture, for its frame could not be read: %s", error)
            return None
        return target.read_bytes() if made else None


def _moment(medium: Medium, frame: Optional[int]) -> float:
    """Return a moment shortly before *frame* of *medium*, in seconds from its beginning."""
    index = min(max((frame or 0) - medium.first_frame, 0), _last_index(medium))
    # The first frame from there on is the wanted one.
    return max(index - 0.5, 0) / (medium.frame_rate or 24.0)


def _last_index(medium: Medium) -> int:
    """Return the index of the last frame of *medium*; a large number where it is not known."""
    return medium.last_frame - medium.first_frame if medium.last_frame else 10**9
