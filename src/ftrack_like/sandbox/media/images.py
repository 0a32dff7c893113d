"""Reading and scaling pictures with Pillow, and placeholders for missing pictures.

Pillow is a part of the ``media`` extra. Code that decodes a picture runs in a child process with a
memory limit (:mod:`.pictures`). The server itself only makes placeholders.
"""

from __future__ import annotations

import os
import pathlib
import struct
import tempfile
import zlib
from typing import TYPE_CHECKING, Optional

from ftrack_like.sandbox.limits import Limits

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "DEFAULT_SIZE",
    "FORMATS",
    "MAXIMUM_SIZE",
    "TooManyPixelsError",
    "first_image_size",
    "open_image",
    "placeholder",
    "scale",
]

#: The default and the maximum size of a thumbnail, in pixels of the longer side.
DEFAULT_SIZE = 300
MAXIMUM_SIZE = 4096

#: The pixel formats in which a scaled PNG is written. Others become RGB.
_PNG_MODES = ("L", "LA", "RGB", "RGBA")

#: The formats to read. Formats that start other programs (EPS) or refer to other files are left
#: out.
FORMATS = (
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG"),
    *("PPM", "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP", "XBM"),
)


class TooManyPixelsError(Exception):
    """A picture has more pixels than the server decodes; the text states its size."""


def scale(
    source: pathlib.Path, target: pathlib.Path, size: int, maximum: int = Limits.image_pixels
) -> bool:
    """Scale the image at *source* to at most *size* pixels; write it to *target*.

    A PNG stays a PNG, with its transparent parts. Any other image becomes a JPEG. The file type of
    *target* becomes ``.png`` or ``.jpg``. *size* limits both width and height.

    Return False if *source* is not a readable image, or Pillow is missing. Raise
    :exc:`TooManyPixelsError` if the image has more than *maximum* pixels.
    """
    image = open_image(source, maximum)
    if image is None:
        return False
    with image:
        try:
            is_png = image.format == "PNG"
            image.draft("RGB", (size, size))
            if image.mode == "P":  # a palette has no colours between its colours
                image = image.convert("RGBA")
            image.thumbnail((size, size))
            keeps = is_png and image.mode in _PNG_MODES
            made = image if keeps else image.convert("RGB")
        except (OSError, ValueError, SyntaxError):
            return False
    target = target.with_suffix(".png" if is_png else ".jpg")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".scaling-", dir=str(target.parent))
    with os.fdopen(handle, "wb") as file:
        if is_png:
            made.save(file, "PNG")
        else:
            made.save(file, "JPEG", quality=85)
    os.replace(name, target)
    return True


def first_image_size(source: pathlib.Path) -> Optional[tuple[int, int]]:
    """Return width and height of the image at *source* in pixels, None if unreadable."""
    image = open_image(source)
    if image is None:
        return None
    with image:
        width, height = image.size
        return int(width), int(height)


def open_image(source: pathlib.Path, maximum: int = Limits.image_pixels) -> Optional[Image]:
    """Return the image at *source*, None without Pillow or if Pillow cannot read it.

    Its pixels are not decoded yet. Raise :exc:`TooManyPixelsError` if there are more than
    *maximum*.
    """
    try:
        # lazy: Pillow is optional, and only needed for images
        from PIL import Image
    except ImportError:
        return None
    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # the check below replaces Pillow's limit
    try:
        image = Image.open(source, formats=[one for one in FORMATS if one in Image.OPEN])
    except (OSError, ValueError, SyntaxError):
        return None
    width, height = image.size
    if width * height > maximum:
        image.close()
        raise TooManyPixelsError(f"The picture has {width} x {height} pixels, more than {maximum}")
    return image


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
