"""The file types of still images, and the names of metadata of movies."""

from __future__ import annotations

__all__ = ["IMAGE_TYPES", "SLATE_FRAMES"]

#: The file types of still images.
IMAGE_TYPES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp", "tga", "dpx", "exr"),
        *("hdr", "psd", "jp2", "ppm", "cin", "sgi"),
    )
)

#: The metadata key of a movie with the number of frames before the first frame of its source.
SLATE_FRAMES = "slate_frames"
