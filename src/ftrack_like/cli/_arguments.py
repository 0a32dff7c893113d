"""Arguments of several commands."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable

__all__ = ["add_type_argument", "positive", "seconds_above_zero", "word_among_files"]

#: The form of the name of a type. No path and no id has it.
_TYPE = re.compile(r"[^\W\d]\w*")

#: Characters of patterns of sequences, and of names of components before a file.
_FILE_FORM = re.compile(r"[%#*?=\\]|^[./~]")


def add_type_argument(parser: argparse.ArgumentParser, words: str) -> None:
    """Add the argument TYPE to *parser*, with *words* as its help.

    A word that cannot name a type, such as a path, is a mistake that shows the right form: without
    the type, each of the other words takes the place of the one before it.
    """

    def checked(text: str) -> str:
        if _TYPE.fullmatch(text) is None:
            form = parser.format_usage().partition(" ")[2].strip()
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a type of entities. Write the type first, such as Task: {form}"
            )
        return text

    parser.add_argument("type", metavar="TYPE", type=checked, help=words)


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


def word_among_files(words: Iterable[str]) -> str:
    """Return the first of *words* that has no form of a file and names none, else no text.

    People write the path of a task or of a version beside the files.
    """
    for word in words:
        is_plain = _FILE_FORM.search(word) is None and not os.path.splitext(word)[1]
        if is_plain and not os.path.lexists(word):
            return word
    return ""
