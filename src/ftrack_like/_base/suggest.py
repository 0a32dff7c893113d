"""Suggest a known name for an unknown name."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Suggestion", "closest", "did_you_mean"]

#: The least similarity of two names, from 0 to 1, for a suggestion. The second value is for the
#: best candidate if no candidate reaches the first.
_ALIKE = 0.75
_REMOTELY_ALIKE = 0.6


#: The types of ftrack by their names in other tools, in lower case without underscores.
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


def _comparable(name: str) -> str:
    """Return *name* in lower case without underscores."""
    return name.lower().replace("_", "")


def _tails(candidate: str) -> list[str]:
    """Return the ends of *candidate*, a name in camel case, from each inner capital letter."""
    starts = [match.start() for match in re.finditer(r"(?<=[a-z0-9])[A-Z]", candidate)]
    return [_comparable(candidate[start:]) for start in starts]


def _likeness(wanted: str, candidate: str) -> float:
    """Return the similarity of *candidate* and the plain name *wanted*, from 0 to 1."""
    # lazy: needed only for error messages.
    import difflib

    def alike(other: str) -> float:
        return difflib.SequenceMatcher(None, wanted, other).ratio()

    whole = _comparable(candidate)
    score = alike(whole)
    # A part of a longer name is similar, the end most ("Version", "AssetVersion").
    if len(wanted) > 2 and wanted in whole:
        score = max(score, 0.9 if whole.endswith(wanted) else 0.8)
    for tail in _tails(candidate):
        score = max(score, alike(tail) * 0.95)
    return score


def closest(name: str, candidates: Iterable[str], limit: int = 1) -> list[str]:
    """Return at most *limit* of *candidates* that are similar to *name*, best first.

    Similar names differ in case or underscores, have a typing mistake, or are a part of a longer
    name. If *name* is the name of a type in another tool, the type comes first.
    """
    wanted = _comparable(str(name))
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

    *candidates* are the valid names. If *name* is a name in another tool, the text says which names
    ftrack has for it. It may also be a typing mistake, so the text contains two names.
    """
    words = _OTHER_WORDS.get(_comparable(str(name)), ())
    best = closest(name, candidates, limit=2 if words else 1)
    if not best:
        return otherwise
    meant = [repr(each) for each in best if each in words]
    others = [repr(each) for each in best if each not in words]
    if meant:
        meant[-1] += ", which is what ftrack calls it"
        others = [", or " + each if index == 0 else each for index, each in enumerate(others)]
        return f"Did you mean {' or '.join(meant)}{''.join(others)}?"
    return f"Did you mean {' or '.join(others)}?"


class Suggestion:
    """A suggestion that is computed only when the error is printed.

    Most of these errors are caught without being printed.
    """

    def __init__(self, name: str, candidates: Iterable[str]) -> None:
        """Initialise for the unknown *name*; *candidates* are the valid names."""
        self._name = name
        self._candidates = candidates

    def __str__(self) -> str:
        """Return the suggestion."""
        return did_you_mean(self._name, self._candidates)
