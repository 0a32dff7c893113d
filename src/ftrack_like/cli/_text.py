"""Text for terminals: harmless, and of a known width."""

from __future__ import annotations

import unicodedata
from typing import Optional

__all__ = ["amount", "in_columns", "in_lines", "printable", "width_of"]

#: Categories of characters that take no room: marks that combine, and format characters.
_NARROW = frozenset({"Mn", "Me", "Cf"})


def amount(number: int, word: str) -> str:
    """Return *number* with *word* in its form for that number: ``1 file``, ``2 entities``."""
    if number == 1:
        return f"1 {word}"
    if word == "person":
        return f"{number} people"
    return f"{number} {word[:-1]}ies" if word.endswith("y") else f"{number} {word}s"


def printable(text: str) -> str:
    """Return *text* without characters that could control a terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def width_of(text: str) -> int:
    """Return the number of columns that *text* takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    """Return the number of columns of *character*: 0, 1 or 2."""
    if unicodedata.category(character) in _NARROW:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def in_columns(text: str, width: int) -> str:
    """Return *text* in exactly *width* columns: padded with spaces, or cut with an ellipsis."""
    missing = width - width_of(text)
    if missing >= 0:
        return text + " " * missing
    kept, used = [], 0
    for character in text:
        used += _width(character)
        if used > width - 1:
            break
        kept.append(character)
    short = "".join(kept)
    return short + "…" + " " * (width - width_of(short) - 1)


#: Lines are not made narrower than this, even on a very narrow terminal.
_LEAST_WIDTH = 24


def in_lines(text: str, width: Optional[int]) -> list[str]:
    """Return *text* in lines of at most *width* columns; in one line if that is None.

    Words longer than a line, such as paths and addresses, stay whole.
    """
    if width is None:
        return [text]
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width_of(longer) > max(width, _LEAST_WIDTH):
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
