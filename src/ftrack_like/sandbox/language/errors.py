"""The error of the query language."""

from __future__ import annotations

from collections.abc import Iterable

from ftrack_like._base.suggest import closest

__all__ = ["ExpressionError", "did_you_mean"]

#: The number of characters shown before and after the faulty place.
_BEFORE, _AFTER = 60, 40


class ExpressionError(ValueError):
    """An expression has wrong syntax, or names a type or attribute that does not exist.

    *message* is one sentence. *position* is the index of the faulty character in *text*. The text
    of the error is the message, then the faulty line of the expression, then a caret under the
    faulty character.
    """

    def __init__(self, message: str, position: int, text: str) -> None:
        self.message = message
        self.position: int = max(0, min(position, len(text)))
        self.text = text
        super().__init__(message)

    def __str__(self) -> str:
        """Return the message, the faulty line and a caret."""
        line, column = self._excerpt()
        return f"{self.message}\n  {line}\n  {' ' * column}^"

    @property
    def line(self) -> int:
        """Return the number of the faulty line, from 1."""
        return self.text.count("\n", 0, self.position) + 1

    def _excerpt(self) -> tuple[str, int]:
        """Return the part of the faulty line to show, and the column of the caret, from 0."""
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
    """Return " Did you mean 'status'?" for the end of a message, or "" if no candidate is close."""
    found = closest(name[:100], candidates)
    return f" Did you mean {found[0]!r}?" if found else ""
