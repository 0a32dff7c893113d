"""Fonts for text of any script, and its order of characters, with Pillow.

Only the child process that draws imports this.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Optional, Union

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["NoFontsError", "font_for", "in_order"]

#: Fonts to try, by the names of their files on the usual systems; a font of Pillow comes last.
_NAMES = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf"),
    *("arial.ttf", "Arial Unicode.ttf", "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf"),
    *("wqy-zenhei.ttc", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf", "ipag.ttf", "ipagp.ttf"),
    *("msyh.ttc", "YuGothM.ttc", "msgothic.ttc", "malgun.ttf", "PingFang.ttc", "unifont.ttf"),
    *("NotoSansHebrew-Regular.ttf", "NotoSansArabic-Regular.ttf", "NotoSansThai-Regular.ttf"),
    *("NotoSansDevanagari-Regular.ttf", "FreeSans.ttf", "Nirmala.ttf"),
)

#: Whether characters of a kind read to the left. The others follow their neighbours.
_DIRECTIONS = {"L": False, "EN": False, "AN": False, "R": True, "AL": True}

#: A character that no font has: fonts draw their sign for a missing character.
_MISSING = "\U0010ffff"


class NoFontsError(Exception):
    """This Pillow cannot draw text of any size."""


def font_for(text: str, size: int, path: Optional[str]) -> FreeTypeFont:
    """Return the font of *size* pixels that has most characters of *text*.

    The font at *path* goes first. Raise :exc:`NoFontsError` if Pillow has no FreeType.
    """
    wanted = {one for one in text if _is_drawn(one)}
    best, most = None, -1
    for font in _fonts(size, path):
        has = sum(_has(font, one) for one in wanted)
        if has > most:
            best, most = font, has
        if has == len(wanted):
            break
    if best is None:
        raise NoFontsError
    return best


def in_order(text: str) -> str:
    """Return *text* in the order in which Pillow has to draw its characters.

    Pillow with Raqm orders text from right to left itself, and joins letters. Without it, this
    turns around such text.
    """
    from PIL import features  # lazy: optional

    return text if features.check("raqm") else visual(text)


def visual(text: str) -> str:
    """Return *text* from left to right: the parts that read from right to left are turned."""
    kinds = [unicodedata.bidirectional(one) for one in text]
    is_turned = next((kind != "L" for kind in kinds if kind in {"L", "R", "AL"}), False)
    to_left = [_DIRECTIONS.get(kind) for kind in kinds]
    for place, known in enumerate(to_left):
        if known is None:  # blanks and marks follow the text around them
            before = to_left[place - 1] if place else is_turned
            after = next((one for one in to_left[place:] if one is not None), is_turned)
            to_left[place] = before if before == after else is_turned
    runs = itertools.groupby(zip(text, to_left), key=lambda pair: pair[1])
    shown = []
    for turned, pairs in runs:
        part = "".join(one for one, _ in pairs)
        shown.append(part[::-1] if turned else part)
    return "".join(reversed(shown) if is_turned else shown)


def _fonts(size: int, path: Optional[str]) -> Iterator[FreeTypeFont]:
    if path is not None:
        found = _named(path, size)
        if found is not None:
            yield found
    for name in _NAMES:
        found = _named(name, size)
        if found is not None:
            yield found
    found = _default(size)
    if found is not None:
        yield found


@functools.lru_cache(maxsize=256)
def _named(name: str, size: int) -> Optional[FreeTypeFont]:
    from PIL import ImageFont  # lazy: optional

    try:
        return ImageFont.truetype(name, size)
    except (OSError, ImportError, ValueError):
        return None


@functools.lru_cache(maxsize=64)
def _default(size: int) -> Optional[FreeTypeFont]:
    from PIL import ImageFont  # lazy: optional

    try:
        found: Union[ImageFont.ImageFont, FreeTypeFont] = ImageFont.load_default(size)
    except (OSError, ImportError, TypeError):
        return None
    return found if isinstance(found, ImageFont.FreeTypeFont) else None


def _has(font: FreeTypeFont, character: str) -> bool:
    return _mask(font, character) != _mask(font, _MISSING)


def _mask(font: FreeTypeFont, character: str) -> tuple[object, bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def _is_drawn(character: str) -> bool:
    return not character.isspace() and unicodedata.category(character)[0] not in {"C", "M"}
