"""Questions to the person at the terminal."""

from __future__ import annotations

import os
import select
import sys

__all__ = ["answer_to", "says_yes"]

#: The seconds after which a wait looks for signals again.
_TURN = 0.2


def answer_to(question: str) -> str:
    """Print *question* to standard error; return the line that the person types.

    The line includes its end; it is empty at the end of the input. Call it only when standard
    input is a terminal. Ctrl-C raises :exc:`KeyboardInterrupt`, also in the moment between the
    question and the wait for the answer.
    """
    print(question, end="", file=sys.stderr, flush=True)
    # Python runs the handler of a signal between two of its own steps. A signal that arrives
    # after the last step before the system call would have to wait until a line is typed.
    if os.name != "nt":  # On Windows, only sockets can be waited for.
        while not select.select([sys.stdin], [], [], _TURN)[0]:
            pass
    return sys.stdin.readline()


def says_yes(question: str) -> bool:
    """Return whether the person answers *question* with yes; an empty answer means no."""
    return answer_to(f"{question} [y/N] ").strip().lower() in ("y", "yes")
