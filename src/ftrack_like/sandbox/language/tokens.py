"""Cutting an expression into tokens.

What a run of characters means depends on where it stands: behind an operator
``2015-06-01T10:00:00+02:00`` is one value, elsewhere a name ends at the first character that
no name has. So the parser asks for the next token in one of two ways, :meth:`Scanner.peek`
where names and symbols are expected and :meth:`Scanner.value` where a value is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ftrack_like.sandbox.language.errors import ExpressionError
from ftrack_like.sandbox.language.operators import SYMBOLS

__all__ = ["MAXIMUM_LENGTH", "Scanner", "Token"]

#: Characters of the longest expression: room for about 200,000 ids.
MAXIMUM_LENGTH = 8_000_000

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[^\W\d]\w*")
_SPACED_NAME = re.compile(r"\s+[^\W\d]")
# Operators of other languages are symbols, too, so that errors can name them.
_SIGNS = (*SYMBOLS, *"(),.[]")
_SYMBOL = re.compile(
    "|".join(re.escape(one) for one in _SIGNS if len(one) > 1)
    # One class for all single characters: as alternatives the scanner measured slower.
    + f"|[{re.escape(''.join(one for one in _SIGNS if len(one) == 1))}]"
)
_BARE = re.compile(r"""[^\s()"',]+""")
_QUOTED = {
    '"': re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL),
    "'": re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL),
}
_ESCAPE = re.compile(r"""\\(["'\\])""")


@dataclass(frozen=True)
class Token:
    """A piece of the text: *kind* is ``name``, ``symbol``, ``text``, ``bare`` or ``end``.

    *text* is without quotes and escapes; *end* is where the next piece may start.
    """

    kind: str
    text: str
    position: int
    end: int

    @property
    def word(self) -> str:
        """Return the text in lower case, for comparing with keywords; none for quoted text."""
        return "" if self.kind == "text" else self.text.lower()

    def describe(self) -> str:
        """Return the token in words for a message."""
        if self.kind == "end":
            return "the end"
        shown = self.text if len(self.text) <= 40 else f"{self.text[:39]}…"
        return f"{shown!r}"


def _refuse_unwritable(text: str) -> None:
    """Raise :exc:`ExpressionError` if *text* holds what no database keeps."""
    nul = text.find("\0")
    if nul >= 0:
        raise ExpressionError("The expression holds a NUL character.", nul, text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        clean = text.encode("utf-8", "replace").decode("utf-8")
        raise ExpressionError(
            "The expression holds half of a surrogate pair, which is no character.",
            error.start,
            clean,
        ) from None


class Scanner:
    """A place in *text* that moves forward."""

    def __init__(self, text: str) -> None:
        if len(text) > MAXIMUM_LENGTH:
            raise ExpressionError(
                f"The expression is longer than {MAXIMUM_LENGTH:,} characters.", 0, text[:100]
            )
        _refuse_unwritable(text)
        self.text = text
        self.position = 0
        self._next: Token | None = None

    def fail(self, message: str, position: int) -> ExpressionError:
        """Return the error that says *message* about *position*."""
        return ExpressionError(message, position, self.text)

    def peek(self) -> Token:
        """Return the next name, symbol or quoted text, and stay before it."""
        if self._next is None:
            self._next = self._scan()
        return self._next

    def take(self) -> Token:
        """Return what :meth:`peek` does and move behind it."""
        token = self.peek()
        self.position, self._next = token.end, None
        return token

    def value(self) -> Token:
        """Return the next value, quoted or bare, and move behind it.

        Where no value stands the token is a symbol or the end, and the place does not move.
        """
        self._next = None
        start = self._skip()
        character = self.text[start : start + 1]
        if character in "uU" and self.text[start + 1 : start + 2] in ('"', "'"):
            # Python 2 printed text in tuples with this prefix.
            token = self._quoted(start, start + 1)
        elif character in _QUOTED:
            token = self._quoted(start, start)
        else:
            match = _BARE.match(self.text, start)
            if match is None:
                return self.peek()
            token = Token("bare", match.group(), start, match.end())
        self.position = token.end
        return token

    def name_follows(self, token: Token) -> bool:
        """Return whether white space and then a name stand behind *token*."""
        return _SPACED_NAME.match(self.text, token.end) is not None

    def _skip(self) -> int:
        match = _SPACE.match(self.text, self.position)
        return match.end() if match else self.position

    def _scan(self) -> Token:
        start = self._skip()
        if start >= len(self.text):
            return Token("end", "", len(self.text), len(self.text))
        for kind, pattern in (("name", _NAME), ("symbol", _SYMBOL)):
            match = pattern.match(self.text, start)
            if match:
                return Token(kind, match.group(), start, match.end())
        if self.text[start] in _QUOTED:
            return self._quoted(start, start)
        match = _BARE.match(self.text, start)
        end = match.end() if match else start + 1
        return Token("bare", self.text[start:end], start, end)

    def _quoted(self, start: int, quote: int) -> Token:
        match = _QUOTED[self.text[quote]].match(self.text, quote)
        if match is None:
            raise self.fail("The text that starts here has no closing quote.", start)
        # A backslash in front of anything else stands for itself (Windows paths, \% in like).
        text = _ESCAPE.sub(r"\1", match.group(1))
        return Token("text", text, start, match.end())
