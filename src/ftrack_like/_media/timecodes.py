"""Timecodes of frames, such as ``01:00:00:00``, or ``01:00:00;00`` with dropped numbers.

At 29.97 frames per second, timecodes that count 30 frames a second lag behind the clock. So each
minute leaves out the first two numbers, except every tenth minute. No frame is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Optional

__all__ = ["Timecode", "timecode_of"]

_TIMECODE = re.compile(r"\A(\d{2}):(\d{2}):(\d{2})([:;.,])(\d{2,3})\Z")

#: The numbers to leave out each minute at 29.97 frames per second.
_DROPPED = 2


@dataclass(frozen=True)
class Timecode:
    """A timecode that counts *base* frames each second, from the frame *start* on.

    *is_drop* is whether it leaves out numbers to keep up with the clock.
    """

    start: int
    base: int
    is_drop: bool

    def at(self, number: int) -> str:
        """Return the timecode of the frame *number*, 0 for the first frame."""
        count = (self.start + number) % (self.in_ten_minutes * 6 * 24)
        if self.is_drop:
            tens, rest = divmod(count, self.in_ten_minutes)
            whole = max(rest - self.dropped, 0) // (self.base * 60 - self.dropped)
            count += self.dropped * (9 * tens + whole)
        seconds, frame = divmod(count, self.base)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        width = max(len(str(self.base - 1)), 2)
        mark = ";" if self.is_drop else ":"
        return f"{hour:02d}:{minute:02d}:{second:02d}{mark}{frame:0{width}d}"

    def starting_at(self, text: str) -> Optional[Timecode]:
        """Return the same timecode that begins with *text*, None if *text* is no timecode."""
        found = _TIMECODE.match(text.strip())
        if found is None:
            return None
        hour, minute, second, frame = (int(found.group(group)) for group in (1, 2, 3, 5))
        made = Timecode(0, self.base, found.group(4) != ":" and self.base % 30 == 0)
        if hour > 23 or minute > 59 or second > 59 or frame >= self.base:
            return None
        minutes = hour * 60 + minute
        count = (minutes * 60 + second) * self.base + frame
        if made.is_drop:
            count -= made.dropped * (minutes - minutes // 10)
        return Timecode(count, made.base, made.is_drop)

    @property
    def dropped(self) -> int:
        """Return the count of numbers to leave out each minute."""
        return _DROPPED * self.base // 30 if self.is_drop else 0

    @property
    def in_ten_minutes(self) -> int:
        """Return the count of frames in ten minutes."""
        return self.base * 600 - 9 * self.dropped


def timecode_of(rate: Fraction, first: int, stated: Optional[str]) -> Timecode:
    """Return the timecode of a movie with *rate* frames per second.

    It begins with *stated*, the timecode in the source, if there is one, and otherwise with the
    timecode of the frame number *first*, where frame 0 has zeros. Rates such as 29.97 and 59.94
    leave out numbers unless *stated* does not.
    """
    base = max(round(rate), 1)
    is_drop = rate.denominator == 1001 and base % 30 == 0
    made = Timecode(max(first, 0), base, is_drop)
    return (made.starting_at(stated) if stated else None) or made
