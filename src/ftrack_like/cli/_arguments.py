"""Arguments of several commands."""

from __future__ import annotations

import argparse

__all__ = ["positive", "seconds_above_zero"]


def positive(text: str) -> int:
    """Return the whole number in *text*, which must be 1 or more."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return number


def seconds_above_zero(text: str) -> float:
    """Return the number of seconds in *text*, which must be more than 0 and finite."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds
