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

from ftrack_like._base.renaming import put_into_place
from ftrack_like._media.stills import flat, open_image
from ftrack_like.sandbox.database.folders import make_folder, share_with_group
from ftrack_like.sandbox.limits import Limits

__all__ = [
    "DEFAULT_SIZE",
    "MAXIMUM_SIZE",
    "placeholder",
    "scale",
]

#: The default and the maximum size of a thumbnail, in pixels of the longer side.
DEFAULT_SIZE = 300
MAXIMUM_SIZE = 4096

#: The modes of images that can be scaled before their colours are converted.
_SCALABLE = frozenset({"L", "RGB", "CMYK", "YCbCr"})

#: The modes of images with transparent parts.
_TRANSPARENT = frozenset({"LA", "RGBA"})


def scale(
    source: pathlib.Path, target: pathlib.Path, size: int, maximum: int = Limits.image_pixels
) -> bool:
    """Scale the image at *source* to at most *size* pixels; write it to *target*.

    A PNG stays a PNG, with its transparent parts. Any other image becomes a JPEG. The file type of
    *target* becomes ``.png`` or ``.jpg``. *size* limits both width and height.

    Return False if *source* is not a readable image, or Pillow is missing. Raise
    :exc:`~ftrack_like._media.stills.TooManyPixelsError` if the image has more than *maximum*
    pixels.
    """
    image = open_image(source, maximum)
    if image is None:
        return False
    with image:
        try:
            is_png = image.format == "PNG"
            image.draft("RGB", (size, size))
            is_transparent = image.mode in _TRANSPARENT or "transparency" in image.info
            if image.mode in _SCALABLE and "transparency" not in image.info:
                image.thumbnail((size, size))  # less work for the rest
            small = image.convert("RGBA") if is_png and is_transparent else flat(image)
            small.thumbnail((size, size))
        except (OSError, ValueError, SyntaxError):
            return False
    target = target.with_suffix(".png" if is_png else ".jpg")
    make_folder(target.parent)
    handle, name = tempfile.mkstemp(prefix=".scaling-", dir=str(target.parent))
    share_with_group(pathlib.Path(name))
    with os.fdopen(handle, "wb") as file:
        if is_png:
            small.save(file, "PNG")
        else:
            small.save(file, "JPEG", quality=85)
    put_into_place(name, target)
    return True


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
