"""Split an expression into tokens.

The meaning of a character depends on its place. After an operator,
``2015-06-01T10:00:00+02:00`` is one value. Elsewhere a name ends at the first character that
names cannot contain. A separate lexer cannot know the place, so the parser chooses: it calls
:meth:`Scanner.peek` where it expects a name or a symbol, and :meth:`Scanner.value` where it
expects a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ftrack_like.sandbox.language.errors import ExpressionError
from ftrack_like.sandbox.language.operators import SYMBOLS

__all__ = ["MAXIMUM_LENGTH", "Scanner", "Token"]

#: The most characters in an expression, enough for about 200,000 ids.
MAXIMUM_LENGTH = 8_000_000

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[^\W\d]\w*")
_SPACED_NAME = re.compile(r"\s+[^\W\d]")
# Operators of other languages are symbols too, so that an error can suggest the right ones.
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
    """One token of an expression.

    *kind* is ``name``, ``symbol``, ``text`` (a quoted value), ``bare`` (a value without quotes)
    or ``end``. *text* has no quotes and escapes. *position* and *end* are the indexes of its
    first character and of the character after it.
    """

    kind: str
    text: str
    position: int
    end: int

    @property
    def word(self) -> str:
        """Return the text in lower case to compare with keywords, or "" for quoted text."""
        return "" if self.kind == "text" else self.text.lower()

    def describe(self) -> str:
        """Return the token as a phrase for a message: ``'limit'`` or ``the end``."""
        if self.kind == "end":
            return "the end"
        shown = self.text if len(self.text) <= 40 else f"{self.text[:39]}…"
        return f"{shown!r}"


def _refuse_unwritable(text: str) -> None:
    """Raise :exc:`ExpressionError` if a database cannot store the characters of *text*."""
    nul = text.find("\0")
    if nul >= 0:
        raise ExpressionError("The expression contains a NUL character.", nul, text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        clean = text.encode("utf-8", "replace").decode("utf-8")
        raise ExpressionError(
            "The expression contains half of a surrogate pair, which is not a character.",
            error.start,
            clean,
        ) from None


class Scanner:
    """Reads the tokens of *text* from left to right."""

    def __init__(self, text: str) -> None:
        if len(text) > MAXIMUM_LENGTH:
            raise ExpressionError(
                f"The expression is longer than {MAXIMUM_LENGTH:,} characters.", 0, text[:100]
            )
        _refuse_unwritable(text)
        self.text = text
        self.position: int = 0
        self._next: Token | None = None

    def fail(self, message: str, position: int) -> ExpressionError:
        """Return an error with *message* that points at *position*."""
        return ExpressionError(message, position, self.text)

    def peek(self) -> Token:
        """Return the next name, symbol or quoted text without moving past it."""
        if self._next is None:
            self._next = self._scan()
        return self._next

    def take(self) -> Token:
        """Return the next name, symbol or quoted text, and move past it."""
        token = self.peek()
        self.position, self._next = token.end, None
        return token

    def value(self) -> Token:
        """Return the next value, quoted or bare, and move past it.

        If no value follows, return the symbol or the end that follows, and do not move.
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
        """Return whether white space and then a name follow *token*."""
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
        # Before other characters a backslash is literal, as in Windows paths and "like" patterns.
        text = _ESCAPE.sub(r"\1", match.group(1))
        return Token("text", text, start, match.end())
