"""The limits on the work of a request, a batch and a child process.

Each limit is an argument of :class:`Limits` and an option of the command: ``image_pixels`` is
``--image-pixels``. ``docs/sandbox.rst`` lists them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any, Union

__all__ = ["Limits", "add_limit_arguments", "limits_from"]

_KIB, _MIB, _GIB = 1024, 1024**2, 1024**3

_UNITS = {"": 1, "K": _KIB, "M": _MIB, "G": _GIB}

_SIZE = re.compile(r"\A(\d{1,15})([KMG]?)\Z", re.IGNORECASE)


def _limit(default: float, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Limits:
    """The limits of a sandbox: bytes, numbers or seconds, each greater than 0.

    Raise :exc:`ValueError` for any other value.
    """

    body_bytes: int = _limit(64 * _MIB, "largest body of a request to /api, in bytes")
    body_values: int = _limit(3_000_000, "most JSON values in such a body")
    batch_seconds: float = _limit(
        60.0,
        "longest time that a batch may run, in seconds; a batch that writes may run five times as "
        "long while no other writer waits",
    )
    slow_query_seconds: float = _limit(
        5.0, "SQL statements that take longer are logged with their plan, in seconds"
    )
    activity_events: int = _limit(
        200_000, "entities of the type Event that are kept; older ones are deleted"
    )
    note_bytes: int = _limit(512 * _MIB, "files of one note on a review page, in bytes")
    image_pixels: int = _limit(100_000_000, "largest picture that is decoded, in pixels")
    image_processes: int = _limit(1, "pictures that are decoded at once")
    image_bytes: int = _limit(_GIB, "memory for decoding one picture, in bytes")
    image_seconds: float = _limit(30.0, "longest time for scaling one picture, in seconds")
    thumbnail_bytes: int = _limit(_GIB, "scaled pictures that are kept, in bytes")
    media_bytes: int = _limit(4 * _GIB, "memory of one ffmpeg or pdftoppm, in bytes")
    media_file_bytes: int = _limit(16 * _GIB, "largest file that such a tool writes, in bytes")
    media_seconds: float = _limit(3600.0, "longest time for encoding one movie, in seconds")
    frame_seconds: float = _limit(
        120.0, "longest time for reading the properties, a frame or a page of a file, in seconds"
    )

    def __post_init__(self) -> None:
        """Raise :exc:`ValueError` for an invalid limit."""
        for one in fields(self):
            value: Any = getattr(self, one.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise ValueError(f"The limit {one.name} must be a number above 0, not {value!r}.")


def option_of(name: str) -> str:
    """Return the option of the command that sets the limit *name*."""
    return "--" + name.replace("_", "-")


def add_limit_arguments(parser: argparse.ArgumentParser, has_defaults: bool = True) -> None:
    """Add an option for each limit to *parser*.

    Without *has_defaults*, the values that are not given are left out.
    """
    group = parser.add_argument_group(
        "limits", "Sizes may end in K, M or G. A request beyond a limit is answered with an error."
    )
    for one in fields(Limits):
        group.add_argument(
            option_of(one.name),
            metavar="N",
            type=_reader(one),
            default=one.default if has_defaults else argparse.SUPPRESS,
            help=f"{one.metadata['help']} (default: {one.default})",
        )


def limits_from(arguments: argparse.Namespace) -> Limits:
    """Return the limits in *arguments*, parsed with the options of :func:`add_limit_arguments`."""
    return Limits(**{one.name: getattr(arguments, one.name) for one in fields(Limits)})


def _reader(one: Field[Any]) -> Callable[[str], Union[int, float]]:
    return _seconds if one.name.endswith("_seconds") else _whole


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"a time is a number of seconds above 0, not {text!r}")
    return seconds


def _whole(text: str) -> int:
    match = _SIZE.match(text)
    number = int(match.group(1)) * _UNITS[match.group(2).upper()] if match else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a limit is like 1000000, 500K, 64M or 2G, not {text!r}")
    return number
