"""Report the progress of a transfer to the caller."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Optional

__all__ = ["Meter", "Stopped", "current_meter", "measuring"]

#: The meter of the current transfer. It is not an argument, since studios override the methods
#: between a location and its accessor, with the published signatures.
_METER: ContextVar[Optional[Meter]] = ContextVar("_METER", default=None)


class Stopped(BaseException):
    """The caller's progress function raised *error*; this ends the transfer.

    It is not an :exc:`Exception`, so that no handler on the way retries the transfer or reports
    another error.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class Meter:
    """Counts the bytes of one or several files, and calls ``tell(done, total)``.

    Both are in bytes. *done* never decreases, even if data is sent again. The function is called
    on the thread that started the transfer.
    """

    def __init__(self, tell: Callable[[int, int], object], total: int = 0) -> None:
        """Initialise with the function *tell* and the expected *total* in bytes."""
        self._tell = tell
        self._total = total
        self._before = 0
        self._expected = 0
        self._here = 0
        self._told: Optional[tuple[int, int]] = None

    def begin(self, expected: int) -> None:
        """Start the next file; *expected* is its share of the total in bytes."""
        self._expected = expected
        self._here = 0

    def set_size(self, size: Optional[int]) -> None:
        """Correct the total for the true *size* of the current file; None if it is unknown."""
        if size is not None:
            self._total += size - self._expected
            self._expected = size

    def move_to(self, done: int) -> None:
        """Report that *done* bytes of the current file have been moved."""
        if done > self._here:
            self._here = done
            self._report()

    def move_all_to(self, done: int, total: int) -> None:
        """Report that *done* of *total* bytes of all files have been moved."""
        self._here, self._total = done, total
        self._report()

    def end(self) -> None:
        """Finish the current file."""
        self._before += max(self._here, self._expected)
        self._here = self._expected = 0
        self._report()  # A file that is unexpectedly empty changes only the total.

    def _report(self) -> None:
        """Call the function if the progress has changed since the last call."""
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
    """Return the meter of the current transfer, None if the caller did not request progress."""
    return _METER.get()


@contextlib.contextmanager
def measuring(meter: Optional[Meter]) -> Generator[None, None, None]:
    """Measure transfers inside the context with *meter*; do not measure if it is None.

    An exception of the caller's progress function leaves the context unchanged.
    """
    token = _METER.set(meter)
    try:
        yield
    except Stopped as stopped:
        raise stopped.error from None
    finally:
        _METER.reset(token)
