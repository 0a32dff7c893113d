"""The one error of the query language."""

from __future__ import annotations

from collections.abc import Iterable

from ftrack_like._suggest import closest

__all__ = ["ExpressionError", "did_you_mean"]

#: Columns of the expression shown around the faulty place.
_BEFORE, _AFTER = 60, 40


class ExpressionError(ValueError):
    """Raise when an expression cannot be understood or names what does not exist.

    *message* is one sentence; *position* counts characters of *text* from 0. The text of the
    error is the message, then the line of the expression with a caret under the place.
    """

    def __init__(self, message: str, position: int, text: str) -> None:
        self.message = message
        self.position: int = max(0, min(position, len(text)))
        self.text = text
        super().__init__(message)

    def __str__(self) -> str:
        """Return the message, the line it is about and a caret."""
        line, column = self._excerpt()
        return f"{self.message}\n  {line}\n  {' ' * column}^"

    @property
    def line(self) -> int:
        """Return the line of the place, from 1."""
        return self.text.count("\n", 0, self.position) + 1

    def _excerpt(self) -> tuple[str, int]:
        """Return the shown part of the line, and the column of the place within it."""
        start = self.text.rfind("\n", 0, self.position) + 1
        end = self.text.find("\n", self.position)
        end = len(self.text) if end < 0 else end
        first = max(start, self.position - _BEFORE)
        last = min(end, self.position + _AFTER)
        before = "…" if first > start else ""
        after = "…" if last < end else ""
        shown = "".join(c if c.isprintable() else " " for c in self.text[first:last])
        return f"{before}{shown}{after}", self.position - first + len(before)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return " Did you mean 'status'?", to end a message with, or no text without a near name."""
    found = closest(name[:100], candidates)
    return f" Did you mean {found[0]!r}?" if found else ""
