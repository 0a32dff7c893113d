"""English words for messages."""

from __future__ import annotations

import re

__all__ = ["with_article"]

#: The beginnings of names that need "an". A name such as "User" or "UnitTest" sounds like "you".
_VOWEL_SOUND = re.compile(r"[aeio]|u(?!s|ni)", re.IGNORECASE)


def with_article(name: str) -> str:
    """Return *name*, such as an entity type, with its article: "an AssetVersion", "a User"."""
    return f"{'an' if _VOWEL_SOUND.match(name) else 'a'} {name}"
