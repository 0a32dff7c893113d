"""Tell whether an image file contains several pictures that follow each other in time.

Nothing is decoded, so this is safe for files of unknown origin.
"""

from __future__ import annotations

import os
import pathlib
import struct
from typing import BinaryIO

__all__ = ["ANIMATED_TYPES", "is_animated"]

#: The file types of images that may be animated and that ffmpeg reads as movies.
ANIMATED_TYPES = frozenset({".gif", ".png", ".apng"})


def is_animated(path: pathlib.Path) -> bool:
    """Return whether the GIF or PNG file at *path* has more than one frame."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
            if start[:6] in {b"GIF87a", b"GIF89a"}:
                file.seek(6)
                return _has_second_gif_image(file)
            if start == b"\x89PNG\r\n\x1a\n":
                return _has_animation_chunk(file)
    except (OSError, EOFError):
        pass
    return False


def _has_second_gif_image(file: BinaryIO) -> bool:
    screen = _exactly(file, 7)
    _skip_colours(file, screen[4])
    images = 0
    while True:
        kind = file.read(1)
        if kind == b",":
            images += 1
            if images > 1:
                return True
            _skip_colours(file, _exactly(file, 9)[8])
            _exactly(file, 1)
        elif kind == b"!":
            _exactly(file, 1)
        else:
            return False
        while True:
            length = _exactly(file, 1)[0]
            if not length:
                break
            file.seek(length, os.SEEK_CUR)


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 * 2 ** ((flags & 7) + 1), os.SEEK_CUR)


def _has_animation_chunk(file: BinaryIO) -> bool:
    """Return whether the chunk ``acTL`` with more than one frame precedes the image data."""
    while True:
        length, kind = struct.unpack(">I4s", _exactly(file, 8))
        if kind == b"acTL":
            return bool(struct.unpack(">I", _exactly(file, 4))[0] > 1)
        if kind in {b"IDAT", b"IEND"}:
            return False
        file.seek(length + 4, os.SEEK_CUR)


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data
