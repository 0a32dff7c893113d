"""Telling callers how far a transfer is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Optional

__all__ = ["Meter", "Stopped", "current_meter", "measuring"]

#: The meter of the transfer under way. Not an argument, since studios override the methods on the
#: way from a location to its accessor.
_METER: ContextVar[Optional[Meter]] = ContextVar("_METER", default=None)


class Stopped(BaseException):
    """The caller's function raised *error*, which ends the transfer.

    No :exc:`Exception`, so that nothing on the way takes it for a fault to try again or to report
    as something else.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class Meter:
    """Counts the bytes of one or several files, and tells a function of ``(done, total)``.

    *done* never goes back, whatever is sent again. The function is called on the thread that
    asked for the transfer.
    """

    def __init__(self, tell: Callable[[int, int], object], total: int = 0) -> None:
        """Initialise with the function and the *total* that is expected, in bytes."""
        self._tell = tell
        self._total = total
        self._before = 0
        self._expected = 0
        self._here = 0
        self._told: Optional[tuple[int, int]] = None

    def begin(self, expected: int) -> None:
        """Turn to the next file, of which *expected* bytes are part of the total."""
        self._expected = expected
        self._here = 0

    def set_size(self, size: Optional[int]) -> None:
        """Take note of the true *size* of the present file; None if it is not known."""
        if size is not None:
            self._total += size - self._expected
            self._expected = size

    def move_to(self, done: int) -> None:
        """Tell that *done* bytes of the present file have been moved."""
        if done > self._here:
            self._here = done
            self._report()

    def move_all_to(self, done: int, total: int) -> None:
        """Tell that *done* of *total* bytes are moved, of files that are counted elsewhere."""
        self._here, self._total = done, total
        self._report()

    def end(self) -> None:
        """Finish the present file."""
        self._before += max(self._here, self._expected)
        self._here = self._expected = 0
        self._report()  # An empty file that should not be one changes the total only.

    def _report(self) -> None:
        """Tell how far everything is, if that is news."""
        done = self._before + self._here
        self._total = max(self._total, done)
        if (done, self._total) == self._told:
            return
        self._told = (done, self._total)
        try:
            self._tell(done, self._total)
        except BaseException as error:
            raise Stopped(error) from error


def current_meter() -> Optional[Meter]:
    """Return the meter of the transfer under way, None if nobody asked for one."""
    return _METER.get()


@contextlib.contextmanager
def measuring(meter: Optional[Meter]) -> Generator[None, None, None]:
    """Measure transfers within the context by *meter*, none if it is None.

    What the caller's function raised comes out as it is.
    """
    token = _METER.set(meter)
    try:
        yield
    except Stopped as stopped:
        raise stopped.error from None
    finally:
        _METER.reset(token)
