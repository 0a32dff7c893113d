"""Words for files that no decoder can open."""

from __future__ import annotations

import pathlib

__all__ = ["kind_of", "lack_of"]


def kind_of(path: pathlib.Path) -> str:
    """Return words for the kind of the file at *path*, without a judgement on what it contains."""
    return lack_of(path).partition(_CUT)[0]


def lack_of(path: pathlib.Path) -> str:
    """Return words for what a file is that no decoder can open."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        return f"it cannot be opened ({error.strerror})"
    if not start:
        return "it is empty"
    if not start.strip(b"\0"):
        return "it begins with zeros, as a file does that is still being copied"
    for at, mark, words in _KINDS:
        if start[at : at + len(mark)] == mark:
            return words
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        text = start[: error.start].decode("utf-8") if error.start > len(start) - 4 else "\0"
    if not any(ord(one) < 32 and one not in "\t\n\r\f" for one in text):
        return "it is a text"
    return "its data is of no known format, or damaged"


_CUT = ", but its description is missing or damaged; it may have been cut off"

_REFERS = "it is a text, such as a playlist, that can refer to other files"

#: How files of some kinds begin: the position, the bytes there, and words.
_KINDS = (
    (0, b"#EXTM3U", _REFERS),
    (0, b"ffconcat", _REFERS),
    (0, b"<?xml", _REFERS),
    (0, b"<svg", _REFERS),
    (0, b"v=0", _REFERS),
    (0, b"%PDF", "it is a PDF document"),
    (0, b"PK\x03\x04", "it is a ZIP archive or an office document"),
    (0, b"\xd0\xcf\x11\xe0", "it is an office document"),
    (0, b"%!PS", "it is a PostScript document"),
    (4, b"ftyp", "it begins like an MP4 or QuickTime movie" + _CUT),
    (4, b"moov", "it begins like a QuickTime movie" + _CUT),
    (4, b"mdat", "it begins like a QuickTime movie" + _CUT),
    (4, b"wide", "it begins like a QuickTime movie" + _CUT),
    (0, b"\x1a\x45\xdf\xa3", "it begins like a Matroska or WebM movie" + _CUT),
    (0, b"RIFF", "it begins like an AVI, WAV or WebP file" + _CUT),
    (0, b"\x06\x0e\x2b\x34", "it begins like an MXF file" + _CUT),
    (0, b"OggS", "it begins like an Ogg file" + _CUT),
    (0, b"\x89PNG", "it begins like a PNG image" + _CUT),
    (0, b"\xff\xd8\xff", "it begins like a JPEG image" + _CUT),
    (0, b"GIF8", "it begins like a GIF image" + _CUT),
    (0, b"\x76\x2f\x31\x01", "it begins like an OpenEXR image" + _CUT),
    (0, b"II*\0", "it begins like a TIFF image" + _CUT),
    (0, b"MM\0*", "it begins like a TIFF image" + _CUT),
)
