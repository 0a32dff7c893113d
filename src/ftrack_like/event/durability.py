"""The settings of a durable subscription."""

from __future__ import annotations

import math
from typing import Optional

from ftrack_like._base.named_tuples import NamedTuple
from ftrack_like.event.journal import check_name

__all__ = ["Durability"]

#: Each pause between two tries is this many times longer than the one before, until it has grown
#: this often: beyond that, the number would be too large.
_GROWTH, _GROWTHS = 4.0, 64


class _Settings(NamedTuple):
    name: str
    journal: Optional[str] = None
    tries: int = 5
    pause: float = 2.0
    longest_pause: float = 600.0


class Durability(_Settings):
    """Where the events of durable subscriptions are kept, and how often they are tried.

    Subscriptions with the same *name* share a journal, also those of other processes. *journal* is
    the place of the journal: a folder, or the address ``redis://…`` of a server. None means the
    environment variable FTRACK_EVENT_JOURNAL, and without it the data folder of the user.

    An event whose callback raises an exception is tried again after a pause. The first pause takes
    *pause* seconds, and each further one four times as long, up to *longest_pause* seconds. After
    *tries* tries the event becomes a dead letter.

    Raise :exc:`ValueError` if a value is invalid.
    """

    __slots__ = ()

    def __new__(
        cls,
        name: str,
        journal: Optional[str] = None,
        tries: int = 5,
        pause: float = 2.0,
        longest_pause: float = 600.0,
    ) -> Durability:
        """Return the settings; raise :exc:`ValueError` if a value is invalid."""
        check_name(name)
        if isinstance(tries, bool) or not isinstance(tries, int) or tries < 1:
            raise ValueError(
                f"The tries of a durable subscription are a whole number of at least 1, not "
                f"{tries!r}."
            )
        for each in (pause, longest_pause):
            if not (isinstance(each, (int, float)) and 0 <= each < math.inf):
                raise ValueError(
                    f"A pause of a durable subscription is a number of seconds of at least 0, not "
                    f"{each!r}."
                )
        return super().__new__(cls, name, journal, tries, pause, longest_pause)

    def pause_after(self, tries: int) -> float:
        """Return the seconds to wait after *tries* failed tries."""
        growth = _GROWTH ** min(tries - 1, _GROWTHS)
        return float(min(self.longest_pause, self.pause * growth))
