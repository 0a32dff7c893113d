"""Spell names of other scripts, and of signs alone, so that every file system takes them."""

from __future__ import annotations

import hashlib
import re
import unicodedata

__all__ = ["spelt", "survives"]

#: How much of a spelling is kept, in characters: paths have limits.
_LONGEST = 40

#: The part of a letter's name that says how it sounds: "KATAKANA LETTER SMALL TU".
_SOUND = re.compile(r"(?:LETTER|SYLLABLE) (?:SMALL |FINAL )?(?P<sound>.+?)(?: WITH .*)?$")

#: The same table in every Python: with that of the interpreter, a name could get another path
#: when Python is updated.
_TABLE = unicodedata.ucd_3_2_0

#: Letters whose names in Unicode are longer than their sounds; a dash stands for no sound.
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
    """Return whether *plain*, the ASCII characters of *name*, still tells the name from others.

    A letter or digit is enough, as is a name that has no other characters than those allowed. The
    names ``.`` and ``..`` mean folders.
    """
    if re.search(r"[A-Za-z0-9]", plain):
        return True
    return not name or (re.fullmatch(r"[_.-]+", name) is not None and name.strip(".") != "")


def spelt(name: str) -> str:
    """Return a readable ASCII spelling of *name*, with a digest that tells equal spellings apart.

    Letters are spelt by their sound and signs by their name. Ideographs, emoji and other
    characters without one are spelt by their number in Unicode.
    """
    words = re.sub(r"_+", "_", "".join(_spelling(character) for character in name)).strip("_")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{words[:_LONGEST].rstrip('_')}-{digest}" if words else digest


def _spelling(character: str) -> str:
    """Return the spelling of *character*; nothing for marks and invisible characters."""
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
