"""A query in the words of its author, to which mistakes in it are pointed out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

from ftrack_like import exception
from ftrack_like.query.text import outline

__all__ = ["Wording", "excerpt"]

#: How much of a line is shown before and behind the place of a mistake, in characters.
_BEFORE, _BEHIND = 100, 60

#: A place for a bound value.
_PLACE = re.compile(r":\w+")


class Wording:
    """What somebody wrote, from which the client made the query that it sends.

    *text* is that, *pieces* what became of it before the client added projections and bounds: pairs
    of a text and the place in *text* that it comes from. A piece that is not part of *text*, such
    as a bound value, has a negative place, counted from -1.
    """

    __slots__ = ("pieces", "text")

    def __init__(self, text: str, pieces: Optional[Sequence[tuple[str, int]]] = None) -> None:
        """Initialise for *text*, which is sent as it stands if *pieces* is None."""
        self.text = text
        self.pieces = [(text, 0)] if pieces is None else list(pieces)

    def restate(self, error: exception.ServerParseError, sent: str) -> None:
        """Let *error*, about the query *sent*, quote the author's text and point to the place."""
        sentence = error.sentence
        if sentence is None:
            return  # It is about something else.
        place = None if error.position is None else self.place(sent, error.position)
        sentence = sentence.replace(sent, self.text)
        shown = self.text if place is None else excerpt(self.text, place)
        error.expression, error.position = self.text, place
        lines = "".join(f"\n  {line}" for line in shown.split("\n"))
        error.message = f"Server reported error: {error.exception_name}({sentence}){lines}"

    def place(self, sent: str, position: int) -> Optional[int]:
        """Return the place in the text that *position* of the query *sent* comes from.

        Return None if it is in what the client added in front. What it added behind counts as the
        end of the text. White space is left out of account, since the client changes it.
        """
        whole = "".join(piece for piece, _ in self.pieces)
        parts = outline(whole)
        cut = {index for start, end in parts.cut for index in range(start, end)}
        kept = [i for i, letter in enumerate(whole) if not letter.isspace() and i not in cut]
        before = len("".join(sent[:position].split()))
        start = _found(sent, [whole[i] for i in kept])
        if start is None:  # Other projections were sent: only what follows them is the author's.
            first = _body(whole, parts.entity_type)
            kept = [index for index in kept if index >= first]
            start = _found(sent, [whole[i] for i in kept])
        if start is None or before < start:
            return None
        if before - start < len(kept):
            return self._origin(kept[before - start], False)
        return self._origin(kept[-1], True) if kept else 0

    def _origin(self, position: int, behind: bool) -> int:
        """Return the place in the text of *position* in the joined pieces, or that *behind* it."""
        begin = 0
        for piece, place in self.pieces:
            if position < begin + len(piece):
                if place >= 0:
                    return place + position - begin + behind
                found = _PLACE.match(self.text, -place - 1) if behind else None
                return -place - 1 if found is None else found.end()
            begin += len(piece)
        return len(self.text)


def _found(sent: str, letters: list[str]) -> Optional[int]:
    """Return how many letters stand in *sent* before *letters*, blanks left out; None if absent."""
    if not letters:
        return 0
    index = "".join(sent.split()).rfind("".join(letters))
    return None if index < 0 else index


def _body(whole: str, entity_type: Optional[str]) -> int:
    """Return where in *whole* the type stands that is queried."""
    return max(whole.find(f" {entity_type}"), whole.find(f"\n{entity_type}"), 0)


def excerpt(text: str, position: int) -> str:
    """Return the line of *text* that *position* is in, and below it a caret under the place.

    Tabs before the caret are those of the line, so that it stands right whatever their width.
    """
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    first = start if position - start <= _BEFORE else position - _BEFORE
    last = end if end - position <= _BEHIND else position + _BEHIND
    before = ("…" if first > start else "") + text[first:position]
    behind = text[position:last].rstrip() + ("…" if last < end else "")
    shown = "".join(c if c.isprintable() or c == "\\t" else " " for c in before + behind)
    return f"{shown}\n{''.join(c if c == chr(9) else ' ' for c in before)}^"
