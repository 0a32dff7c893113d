"""Checks of pictures and media before a command uploads anything."""

from __future__ import annotations

import os
import re

from ftrack_like.cli._errors import UsageMistake

__all__ = ["check_encodable", "check_thumbnail"]

#: How pictures begin: the position, and the bytes there.
_PICTURES = (
    (0, b"\x89PNG\r\n"),
    (0, b"\xff\xd8\xff"),
    (0, b"GIF8"),
    (0, b"BM"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (8, b"WEBP"),
    (0, b"\x76\x2f\x31\x01"),  # OpenEXR
    (0, b"SDPX"),
    (0, b"XPDS"),
    (0, b"8BPS"),  # Photoshop
    (0, b"#?RADIANCE"),
    (4, b"jP  "),  # JPEG 2000
    (4, b"ftypavif"),
    (4, b"ftyphei"),
    (4, b"ftypmif1"),
)
#: Pictures without a mark at their beginning.
_UNMARKED = (".tga", ".cin", ".ico")
#: Words of :func:`kind_of` for files that no server can encode.
_HOPELESS = ("it is empty", "it is a text", "it begins with zeros")


def check_thumbnail(option: str, path: str) -> None:
    """Raise :exc:`~ftrack_like.cli._errors.UsageMistake` unless the file at *path* is a picture.

    *option* names the argument, such as ``--thumbnail``. Only the beginning of the file is read.
    """
    start = _first_bytes(option, path)
    if any(start[at : at + len(mark)] == mark for at, mark in _PICTURES):
        return
    if start and path.lower().endswith(_UNMARKED):
        return
    raise UsageMistake(
        f"{option} {path!r} is not a picture: {_kind_of_file(path)}. "
        "Pass a file such as a PNG or a JPEG."
    )


def check_encodable(option: str, path: str) -> None:
    """Raise :exc:`~ftrack_like.cli._errors.UsageMistake` if no server can encode the file *path*.

    Such files are empty or are plain text. Only the beginning of the file is read.
    """
    if not os.path.exists(path) and re.search(r"#|%0?\d*d", path):
        raise UsageMistake(
            f"{option} {path!r} is a sequence. Pass one movie or picture. To make a movie of the "
            "frames, see: ftrack-like encode --help"
        )
    _first_bytes(option, path)
    kind = _kind_of_file(path)
    if kind.startswith(_HOPELESS):
        raise UsageMistake(f"{option} {path!r} is neither a movie nor a picture: {kind}.")


def _first_bytes(option: str, path: str) -> bytes:
    """Return the first bytes of the file at *path*, which must be a readable file."""
    if not os.path.isfile(path):
        kind = "is not a file" if os.path.exists(path) else "there is no such file"
        raise UsageMistake(f"{option} {path!r}: {kind}.")
    try:
        with open(path, "rb") as file:
            return file.read(32)
    except OSError as error:
        raise UsageMistake(f"{option} {path!r} cannot be read: {error.strerror}.") from error


def _kind_of_file(path: str) -> str:
    """Return words for the kind of the file at *path*, of which only the beginning is read."""
    import pathlib  # lazy: "--help" answers at once

    from ftrack_like._media.lacks import kind_of  # lazy: likewise

    return kind_of(pathlib.Path(path))
