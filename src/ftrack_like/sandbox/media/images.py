"""Scaled images of components, made with Pillow when first asked for.

Pillow comes with the ``media`` extra; without it, as for data that is no image, the answer is
a plain grey placeholder, so that a user interface always has something to show.
"""

from __future__ import annotations

import os
import pathlib
import struct
import tempfile
import zlib
from typing import Any, Optional

__all__ = [
    "DEFAULT_SIZE",
    "MAXIMUM_SIZE",
    "first_image_size",
    "open_image",
    "placeholder",
    "scale",
]

#: The size of a thumbnail when none is asked for, and the largest, in pixels of the longer side.
DEFAULT_SIZE = 300
MAXIMUM_SIZE = 4096

#: Larger images are refused rather than decoded: a small file may unfold to many gigabytes.
_MAXIMUM_PIXELS = 200_000_000


def scale(source: pathlib.Path, target: pathlib.Path, size: int) -> bool:
    """Write the image at *source*, at most *size* pixels wide and high, to *target* as JPEG.

    Return False where *source* is not an image that can be read, or Pillow is missing.
    """
    image = open_image(source)
    if image is None:
        return False
    with image:
        try:
            image.draft("RGB", (size, size))
            image.thumbnail((size, size))
            flat = image.convert("RGB")
        except (OSError, ValueError, SyntaxError):
            return False
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".scaling-", dir=str(target.parent))
    with os.fdopen(handle, "wb") as file:
        flat.save(file, "JPEG", quality=85)
    os.replace(name, target)
    return True


def first_image_size(source: pathlib.Path) -> Optional[tuple[int, int]]:
    """Return width and height of the image at *source* in pixels, None if it is none."""
    image = open_image(source)
    if image is None:
        return None
    with image:
        width, height = image.size
        return int(width), int(height)


def placeholder(size: int) -> bytes:
    """Return a grey PNG, *size* pixels wide and nine sixteenths as high."""
    width, height = max(size, 1), max(size * 9 // 16, 1)
    rows = (b"\0" + b"\x55" * width) * height

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def open_image(source: pathlib.Path) -> Optional[Any]:
    """Return the image at *source*, None without Pillow or for what it does not read."""
    try:
        # lazy: Pillow is optional, and only wanted when an image is looked at
        from PIL import Image
    except ImportError:
        return None
    try:
        image = Image.open(source)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    if image.width * image.height > _MAXIMUM_PIXELS:
        image.close()
        return None
    return image
