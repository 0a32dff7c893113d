"""Guess which known name was meant by an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["closest", "did_you_mean"]


def _contained(name: str, candidates: Iterable[str]) -> list[str]:
    """Return the *candidates* that contain *name* or are contained in it, the closest first."""
    wanted = name.lower()
    if len(wanted) < 3:
        return []
    related = [
        candidate
        for candidate in candidates
        if wanted in candidate.lower() or (len(candidate) > 3 and candidate.lower() in wanted)
    ]
    # A name that ends alike ("Version", "AssetVersion") is nearer than one that begins alike.
    return sorted(
        related,
        key=lambda each: (
            not each.lower().endswith(wanted),
            abs(len(each) - len(wanted)),
            each,
        ),
    )


def closest(name: str, candidates: Iterable[str], limit: int = 1) -> list[str]:
    """Return up to *limit* of *candidates* that may have been meant by *name*, best first.

    Other case, missing underscores, a slip of the keyboard and a part of a longer name count
    as near; the answer is empty when nothing is.
    """
    # lazy: needed only on the way to an error message.
    import difflib

    known: dict[str, str] = {}
    for candidate in candidates:
        known.setdefault(candidate.lower().replace("_", ""), candidate)
    plain = str(name).lower().replace("_", "")
    if plain in known:
        found = [known[plain]]
    else:
        slips = difflib.get_close_matches(plain, list(known), n=limit, cutoff=0.75)
        found = [known[slip] for slip in slips]
    found += [each for each in _contained(str(name), known.values()) if each not in found]
    if not found:
        loose = difflib.get_close_matches(plain, list(known), n=limit, cutoff=0.6)
        found = [known[each] for each in loose]
    return found[:limit]


def did_you_mean(name: str, candidates: Iterable[str], otherwise: str = "") -> str:
    """Return ``"Did you mean 'AssetVersion'?"`` for an unknown *name*, or *otherwise*.

    *candidates* are the names that would have been right.
    """
    best = closest(name, candidates)
    return f"Did you mean {best[0]!r}?" if best else otherwise
