"""The text of a query as its author wrote it, for error messages.

The client changes a query before it sends it: it inserts bound values, adds projections, and
replaces limit and offset. If the server reports a mistake, its position refers to the sent text.
This module computes the position in the author's text, so that the error shows a caret below the
mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception
from ftrack_like.query._text import outline

if TYPE_CHECKING:
    from ftrack_like._base.types import Projections

__all__ = ["Wording", "line_with_caret", "restate", "restate_projections", "restate_values"]

#: The most characters of a line to show before and after the position of a mistake.
_BEFORE, _BEHIND = 100, 60

#: A placeholder of a bound value.
_PLACE = r":\w+"

#: A text in quotes, and the words after a comparison up to the next part of the query.
_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_WORD = r"""(?!(?:and|or|not|order|group|limit|offset|having)\b)[^\s"'()=<>!,]+"""
_SEVERAL_WORDS = (
    rf"(?P<sign>\b(?:is|is_not|like|not_like)\b|!?=)\s*(?P<words>{_WORD}(?:[ ]+{_WORD})+)"
)


class Wording:
    """The *text* that the author of a query wrote, and the *pieces* of the query.

    *pieces* are the parts of the query before the client added projections and limits: pairs of a
    text and its position in *text*. A piece that is not part of *text*, such as a bound value, has
    the position ``-1 - n``, where *n* is the position of its placeholder.
    """

    __slots__ = ("pieces", "text")

    def __init__(self, text: str, pieces: Optional[Sequence[tuple[str, int]]] = None) -> None:
        """Initialise for *text*; None as *pieces* means that *text* has no bound values."""
        self.text: str = text
        self.pieces: list[tuple[str, int]] = [(text, 0)] if pieces is None else list(pieces)

    @property
    def bound(self) -> str:
        """The text with the bound values inserted."""
        return "".join([piece for piece, _ in self.pieces])

    def restate(self, error: exception.ServerParseError, sent: str) -> None:
        """Change *error*, about the query *sent*, to quote the author's text with a caret."""
        place = None if error.position is None else self.place(sent, error.position)
        if error.sentence is not None:
            for theirs, ours in ((sent, self.text), (sent.partition("\n")[0], self.text)):
                error.sentence = error.sentence.replace(theirs, ours.partition("\n")[0])
            hint = _quoting_hint(self.text)
            if hint not in error.sentence:
                error.sentence = f"{error.sentence} {hint}"
        restate(error, self.text, place)

    def place(self, sent: str, position: int) -> Optional[int]:
        """Return the position in the author's text for *position* in the query *sent*.

        Return None if it is in the text that the client added before. A position in the text that
        the client added after counts as the end. The comparison ignores white space, since the
        client changes it.
        """
        whole = "".join(piece for piece, _ in self.pieces)
        parts = outline(whole)
        cut = {index for start, end in parts.cut for index in range(start, end)}
        kept = [i for i, letter in enumerate(whole) if not letter.isspace() and i not in cut]
        before = len("".join(sent[:position].split()))
        start = _found(sent, [whole[i] for i in kept])
        if start is None:  # The client sent other projections: compare the text from the type on.
            first = _body(whole, parts.entity_type)
            kept = [index for index in kept if index >= first]
            start = _found(sent, [whole[i] for i in kept])
        if start is None or before < start:
            return None
        if before - start < len(kept):
            return self._origin(kept[before - start], False)
        return self._origin(kept[-1], True) if kept else 0

    def _origin(self, position: int, behind: bool) -> int:
        """Return the position in the text for *position* in the joined pieces.

        With *behind*, return the position after it.
        """
        begin = 0
        for piece, place in self.pieces:
            if position < begin + len(piece):
                if place >= 0:
                    return place + position - begin + behind
                found = re.compile(_PLACE).match(self.text, -place - 1) if behind else None
                return -place - 1 if found is None else found.end()
            begin += len(piece)
        return len(self.text)


def _quoting_hint(text: str) -> str:
    """Return a sentence about the first value of several words without quotes in the query *text*.

    Return an empty text if there is none.
    """
    plain = re.sub(_QUOTED, lambda match: '"' + "_" * (len(match[0]) - 2) + '"', text)
    match = re.search(_SEVERAL_WORDS, plain, re.IGNORECASE)
    if match is None:
        return ""
    return f'Put a text of several words in quotes: {match["sign"]} "{match["words"]}".'


def _found(sent: str, letters: list[str]) -> Optional[int]:
    """Return the number of characters before *letters* in *sent* without blanks; None if absent."""
    if not letters:
        return 0
    index = "".join(sent.split()).rfind("".join(letters))
    return None if index < 0 else index


def _body(whole: str, entity_type: Optional[str]) -> int:
    """Return the position of the queried type in *whole*."""
    return max(whole.find(f" {entity_type}"), whole.find(f"\n{entity_type}"), 0)


def restate(error: exception.ServerParseError, text: str, position: Optional[int]) -> None:
    """Change *error* to quote *text*, with a caret below *position* if that is known."""
    if error.sentence is None:
        return  # The error is not from a server.
    error.expression, error.position = text, position
    shown = text if position is None else line_with_caret(text, position)
    lines = "".join(f"\n  {line}" for line in shown.split("\n"))
    error.message = f"Server reported error: {error.exception_name}({error.sentence}){lines}"


def restate_projections(error: exception.ServerParseError, projections: Projections) -> None:
    """Change *error*, about a query that selects *projections*, to quote only the projections.

    *projections* is a text such as ``"name, status.name"``, or a list of names.
    """
    text = projections if isinstance(projections, str) else ", ".join(projections)
    place: Optional[int] = None
    sent = len("select ")
    begin = 0
    for part in text.split(","):
        name = part.strip()
        if name:
            if error.position is not None and sent <= error.position < sent + len(name):
                place = begin + len(part) - len(part.lstrip()) + error.position - sent
            sent += len(name) + len(", ")
        begin += len(part) + 1
    restate(error, text, place)


def restate_values(
    error: exception.ServerParseError, data: Mapping[str, Any], conditions: Mapping[str, str]
) -> None:
    """Change *error*, about a query by the values of *data*, to quote *data* as a dictionary.

    *conditions* maps the names in *data* to their conditions; the query ends in these conditions,
    joined by ``and``.
    """
    place: Optional[int] = None
    sent = len(error.expression or "") - len(" and ".join(conditions.values()))
    text = "{"
    for name, condition in conditions.items():
        text += "" if text == "{" else ", "
        if error.position is not None and sent <= error.position <= sent + len(condition):
            is_name = error.position < sent + len(condition.partition(" ")[0])
            place = len(text) + (1 if is_name else len(f"{name!r}: "))
        text += f"{name!r}: {data[name]!r}"
        sent += len(condition) + len(" and ")
    restate(error, text + "}", place)


def line_with_caret(text: str, position: int) -> str:
    """Return the line of *text* at *position*, and a second line with a caret below *position*.

    The second line has the same tabs as the first, so that the caret is right for any tab width.
    """
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    first = start if position - start <= _BEFORE else position - _BEFORE
    last = end if end - position <= _BEHIND else position + _BEHIND
    before = ("…" if first > start else "") + text[first:position]
    behind = text[position:last].rstrip() + ("…" if last < end else "")
    shown = "".join(c if c.isprintable() or c == "\t" else " " for c in before + behind)
    indent = "".join("\t" if c == "\t" else " " for c in before)
    return f"{shown}\n{indent}^"
