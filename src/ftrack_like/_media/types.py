"""The file types of still images."""

from __future__ import annotations

__all__ = ["IMAGE_TYPES"]

#: The file types of still images.
IMAGE_TYPES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp", "tga", "dpx", "exr"),
        *("hdr", "psd", "jp2", "ppm", "cin", "sgi"),
    )
)
