"""Faults: what a test lets go wrong, and which requests it hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Union

from ftrack_like.sandbox.interference.requests import SeenRequest

__all__ = ["DROP", "HALF", "KINDS", "LOSE", "Fault", "FaultSource", "Outcome", "read_faults"]

#: The connection ends before the server handles the request.
DROP = "drop"
#: The server handles the request, and the connection ends without an answer.
LOSE = "lose"
#: The server handles the request, and the connection ends in the middle of the answer.
HALF = "half"

KINDS: tuple[str, ...] = (DROP, LOSE, HALF)

#: The outcome of a fault: a status to answer instead of handling the request, or one of the kinds.
Outcome = Union[int, str]

_PAUSE = "an answer after a pause"
_WORDS = {
    DROP: "the connection ended before the request was handled",
    LOSE: "the request was handled, and its answer was lost",
    HALF: "the request was handled, and half of its answer was sent",
}


@dataclass(frozen=True)
class Fault:
    """What happens to a request: an *outcome* after *delay* seconds; None means a normal answer.

    *path* is the beginning of the paths that the fault hits. *action* limits it to batches with
    such an operation. *retry_after* is sent with a status, in seconds.
    """

    outcome: Optional[Outcome]
    delay: float = 0.0
    path: str = "/api"
    action: Optional[str] = None
    retry_after: Optional[float] = None

    def __post_init__(self) -> None:
        """Raise :exc:`ValueError` or :exc:`TypeError` for values that no fault has."""
        outcome = self.outcome
        status = isinstance(outcome, int) and not isinstance(outcome, bool)
        if not (outcome is None or outcome in KINDS or (status and 400 <= int(outcome) <= 599)):
            raise ValueError(
                f"A fault is a status from 400 to 599, or one of {', '.join(map(repr, KINDS))}, "
                f"not {outcome!r}."
            )
        for name, seconds in (("delay", self.delay), ("retry_after", self.retry_after)):
            if seconds is None:
                continue
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
                raise TypeError(f"{name} is a number of seconds, not {seconds!r}.")
            if not 0 <= seconds < float("inf"):
                raise ValueError(f"{name} is a number of seconds from 0, not {seconds!r}.")

    def __str__(self) -> str:
        """Return what happened, in words."""
        if self.outcome is None:
            words = _PAUSE
        elif isinstance(self.outcome, int):
            words = f"status {self.outcome}"
        else:
            words = _WORDS[self.outcome]
        return f"{words} (after {self.delay:g} s)" if self.delay else words

    def hits(self, request: SeenRequest) -> bool:
        """Return whether the fault is meant for *request*."""
        is_below = request.path == self.path or request.path.startswith(
            self.path if self.path.endswith("/") else f"{self.path}/"
        )
        return is_below and (self.action is None or request.has(self.action))


class FaultSource:
    """Decides which fault hits a request. This one has none."""

    def draw(self, request: SeenRequest) -> Optional[Fault]:
        """Return the fault for *request*, None for a normal answer."""

    def draw_for_message(self) -> bool:
        """Return whether to close a websocket that has received a message."""
        return False


def read_faults(
    outcomes: Union[Outcome, Sequence[Outcome], None],
    times: int,
    *,
    path: str,
    action: Optional[str],
    delay: float,
    retry_after: Optional[float],
) -> list[Fault]:
    """Return a fault for each of *outcomes*, all of them *times* times.

    Raise :exc:`ValueError` or :exc:`TypeError` if a value is invalid.
    """
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise ValueError(f"times is a whole number of 1 or more, not {times!r}.")
    if not path.startswith("/"):
        raise ValueError(f"A path begins with a slash, unlike {path!r}.")
    single = outcomes is None or isinstance(outcomes, (int, str))
    listed: Sequence[Optional[Outcome]] = [outcomes] if single else list(outcomes)  # type: ignore[arg-type,list-item]
    if not listed:
        raise ValueError("The list of faults is empty, so that nothing would fail.")
    return [
        Fault(one, delay, path, action, retry_after if isinstance(one, int) else None)
        for one in listed
    ] * times
