"""Progress of long work, on standard error of a terminal; silent in pipes."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Optional, Protocol

from ftrack_like.cli._output import is_terminal
from ftrack_like.cli._text import printable

__all__ = ["ProgressBar"]

#: The shortest time between two drawings without ``rich``, in seconds.
_INTERVAL = 0.1
_WIDTH = 24


class _Drawing(Protocol):
    """Draws the state of the work."""

    def show(self, done: float, total: Optional[float]) -> None:
        """Show that *done* of *total* is done; None for an unknown total."""

    def clear(self) -> None:
        """Remove the drawing."""


class ProgressBar:
    """A bar for the work *label*, as a context manager.

    Call :meth:`update` with ``(done, total)``, as the ``progress`` of transfers does. The bar
    disappears at the end. ``rich`` draws it if it is installed. With a *delay*, it appears only if
    the work is still going on after so many seconds.
    """

    def __init__(self, label: str, total: Optional[float] = None, delay: float = 0.0) -> None:
        """Initialise for the work *label* with *total* steps; None if the number is unknown."""
        self._label = printable(label)
        self._total = total
        self._done = 0.0
        self._drawing: Optional[_Drawing] = None
        self._delay = delay
        self._begun = 0.0
        self._is_wanted = False

    def __enter__(self) -> ProgressBar:
        """Show the bar if standard error is a terminal."""
        self._is_wanted = is_terminal(sys.stderr)
        self._begun = time.monotonic()
        self._draw()
        return self

    def _draw(self) -> None:
        """Draw the bar if it is wanted and the delay is over."""
        if not self._is_wanted:
            return
        if self._drawing is None:
            if time.monotonic() - self._begun < self._delay:
                return
            self._drawing = _rich_drawing(self._label) or _PlainDrawing(self._label)
        self._drawing.show(self._done, self._total)

    def __exit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Remove the bar."""
        if self._drawing is not None:
            self._drawing.clear()

    def update(self, done: float, total: Optional[float] = None) -> None:
        """Show that *done* of *total* is done."""
        self._done = done
        self._total = self._total if total is None else total
        self._draw()

    def advance(self, steps: float = 1) -> None:
        """Show that *steps* more are done."""
        self.update(self._done + steps)


class _PlainDrawing:
    """A bar of characters."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._last = 0.0

    def show(self, done: float, total: Optional[float]) -> None:
        """Draw the bar, at most ten times a second."""
        now = time.monotonic()
        if now - self._last < _INTERVAL:
            return
        self._last = now
        if total:
            filled = min(_WIDTH, int(_WIDTH * done / total))
            bar = f"[{'#' * filled}{' ' * (_WIDTH - filled)}] {100 * done / total:3.0f}%"
        else:
            bar = f"{done:.0f}"
        print(f"\r{self._label} {bar}\x1b[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the bar."""
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _rich_drawing(label: str) -> Optional[_Drawing]:
    """Return a bar of ``rich``, None if it is not installed."""
    try:
        from rich.console import Console  # lazy: takes longer than "--help"
        from rich.markup import escape  # lazy: likewise
        from rich.progress import Progress  # lazy: likewise
    except ImportError:
        return None
    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(escape(label), total=None)
    bar.start()

    class Drawing:
        def show(self, done: float, total: Optional[float]) -> None:
            bar.update(task, completed=done, total=total)

        def clear(self) -> None:
            bar.stop()

    return Drawing()
