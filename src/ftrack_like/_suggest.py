"""Guess which known name was meant by an unknown one."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Suggestion", "closest", "did_you_mean"]

#: How alike two names must be, from 0 to 1: at once, and when nothing else comes near.
_ALIKE = 0.75
_REMOTELY_ALIKE = 0.6


#: What other tools call the types that ftrack has other names for, written plainly.
_OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "humanuser": ("User",),
    "playlist": ("AssetVersionList",),
    "product": ("Asset",),
    "publishedfile": ("FileComponent",),
    "representation": ("Component", "FileComponent"),
    "show": ("Project",),
    "subset": ("Asset",),
    "take": ("AssetVersion",),
}


def _plain(name: str) -> str:
    """Return *name* without what is easily confused: case and underscores."""
    return name.lower().replace("_", "")


def _tails(candidate: str) -> list[str]:
    """Return what *candidate* is called for short: the ends of a name in camel case."""
    starts = [match.start() for match in re.finditer(r"(?<=[a-z0-9])[A-Z]", candidate)]
    return [_plain(candidate[start:]) for start in starts]


def _likeness(wanted: str, candidate: str) -> float:
    """Return how near *candidate* is to the plain name *wanted*, from 0 to 1."""
    # lazy: needed only on the way to an error message.
    import difflib

    def alike(other: str) -> float:
        return difflib.SequenceMatcher(None, wanted, other).ratio()

    whole = _plain(candidate)
    score = alike(whole)
    # A part of a longer name counts as near, the end ("Version", "AssetVersion") most.
    if len(wanted) > 2 and wanted in whole:
        score = max(score, 0.9 if whole.endswith(wanted) else 0.8)
    for tail in _tails(candidate):
        score = max(score, alike(tail) * 0.95)
    return score


def closest(name: str, candidates: Iterable[str], limit: int = 1) -> list[str]:
    """Return up to *limit* of *candidates* that may have been meant by *name*, best first.

    Other case, missing underscores, a slip of the keyboard and a part of a longer name count
    as near; the answer is empty when nothing is. What another tool calls a type comes first.
    """
    wanted = _plain(str(name))
    candidates = list(candidates)
    scored = sorted(
        (-_likeness(wanted, candidate), abs(len(candidate) - len(wanted)), candidate)
        for candidate in candidates
    )
    near = [candidate for score, _, candidate in scored if -score >= _ALIKE]
    if not near:
        near = [candidate for score, _, candidate in scored if -score >= _REMOTELY_ALIKE][:1]
    meant = [other for other in _OTHER_WORDS.get(wanted, ()) if other in candidates]
    return [*meant, *[candidate for candidate in near if candidate not in meant]][:limit]


def did_you_mean(name: str, candidates: Iterable[str], otherwise: str = "") -> str:
    """Return ``"Did you mean 'AssetVersion'?"`` for an unknown *name*, or *otherwise*.

    *candidates* are the names that would have been right. A word of another tool may also be a
    slip of the keyboard, so that two names are said for it.
    """
    best = closest(name, candidates, limit=2 if _plain(str(name)) in _OTHER_WORDS else 1)
    return f"Did you mean {' or '.join(map(repr, best))}?" if best else otherwise


class Suggestion:
    """A hint at the right name, worked out when it is read: most such errors are caught."""

    def __init__(self, name: str, candidates: Iterable[str]) -> None:
        """Initialise for the wrong *name*, given the *candidates* that would have been right."""
        self._name = name
        self._candidates = candidates

    def __str__(self) -> str:
        """Return the hint."""
        return did_you_mean(self._name, self._candidates)
