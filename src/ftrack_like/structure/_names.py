"""Spell names in non-Latin scripts, or of signs only, in ASCII for any file system."""

from __future__ import annotations

import hashlib
import re
import unicodedata

__all__ = ["spelt", "survives"]

#: The most characters of a spelling, since the length of paths is limited.
_LONGEST = 40

#: The part of the Unicode name of a letter that is its sound, TU in "KATAKANA LETTER SMALL TU".
_SOUND = re.compile(r"(?:LETTER|SYLLABLE) (?:SMALL |FINAL )?(?P<sound>.+?)(?: WITH .*)?$")

#: A fixed version of the Unicode table. With the table of the interpreter, a name could get another
#: path after an update of Python.
_TABLE = unicodedata.ucd_3_2_0

#: Letters with Unicode names longer than their sounds. A dash means no sound.
_CYRILLIC = (
    "абвгдежзийклмнопрстуфхцчшщъыьэюяёєіїґ",
    "a.b.v.g.d.e.zh.z.i.y.k.l.m.n.o.p.r.s.t.u.f.kh.ts.ch.sh.shch.-.y.-.e.yu.ya.yo.ye.i.yi.g",
)
_GREEK = ("αβγδεζηθικλμνξοπρσςτυφχψω", "a.v.g.d.e.z.i.th.i.k.l.m.n.x.o.p.r.s.s.t.y.f.ch.ps.o")
_LETTERS = {
    letter: sound
    for letters, sounds in (_CYRILLIC, _GREEK)
    for letter, sound in zip(letters, sounds.split("."))
}


def survives(name: str, plain: str) -> bool:
    """Return whether *plain*, the ASCII characters of *name*, may be used as its file name.

    It may if it has a letter or digit, or if *name* has only allowed characters. But ``.`` and
    ``..`` are names of folders, so they may not be used.
    """
    if re.search(r"[A-Za-z0-9]", plain):
        return True
    return not name or (re.fullmatch(r"[_.-]+", name) is not None and name.strip(".") != "")


def spelt(name: str) -> str:
    """Return a readable ASCII spelling of *name* with a digest, which makes it unique.

    The spelling of a letter is its sound, that of a sign is its Unicode name. Ideographs and
    characters without a name, such as new emoji, are spelt as their Unicode number.
    """
    words = re.sub(r"_+", "_", "".join(_spelling(character) for character in name)).strip("_")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{words[:_LONGEST].rstrip('_')}-{digest}" if words else digest


def _spelling(character: str) -> str:
    """Return the spelling of *character*; ``""`` for marks and invisible characters."""
    letter = _LETTERS.get(unicodedata.normalize("NFD", character.lower())[0])
    letter = _LETTERS.get(character.lower(), letter)
    if letter is not None:
        return letter.strip("-")
    known = _TABLE.name(character, "")
    if character.isspace():
        return "_"
    if known and _TABLE.category(character) in {"Mn", "Me", "Cf", "Cc"}:
        return ""
    sound = _SOUND.search(known)
    if sound is not None:
        return re.sub(r"[^a-z0-9]", "", sound["sound"].lower())
    if not known or "IDEOGRAPH" in known:
        return f"_u{ord(character):04x}_"
    return f"_{re.sub('[^a-z0-9]+', '_', known.lower())}_"
