"""How an encoding runs its programs, and the ways that the client does it."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, Protocol

from ftrack_like._base import ffmpeg
from ftrack_like._base.errors import MediaError
from ftrack_like._media.children import Bounds, run_child

__all__ = [
    "LocalPrograms",
    "Programs",
    "answer_of",
    "check_disk",
    "encoded_seconds",
    "reading_command",
    "reading_environment",
]

#: The maximum of pixels in a picture that the client decodes.
_PIXELS = 2**31 - 1

_READER = "import os; from ftrack_like._media.reading import main; main(); os._exit(0)"

_READING = "The program that reads media"

_DISK_IS_FULL = re.compile(r"No space left on device|Disk quota exceeded")


class Programs(Protocol):
    """Runs ffmpeg and the reading child process.

    All methods raise :exc:`~ftrack_like.exception.MediaError` if a program is missing or fails, or
    if it exceeds a limit.
    """

    @property
    def formats(self) -> Optional[str]:
        """Return the formats that may be read, separated by commas; None for all."""

    @property
    def pixels(self) -> int:
        """Return the maximum of pixels in a picture."""

    def input_options(self) -> list[str]:
        """Return the arguments of ffmpeg that stand before each input."""

    def read(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer of the reading child process to *asked*."""

    def ffmpeg(
        self, arguments: Sequence[str], progress: Optional[Callable[[float], None]] = None
    ) -> str:
        """Run ffmpeg with *arguments* and return what it printed about errors.

        *progress* is called with the seconds encoded so far, and makes this an encoding, which may
        take long.
        """


def reading_command(asked: Mapping[str, Any]) -> list[str]:
    """Return the command of the reading child process."""
    return [sys.executable, "-c", _READER, json.dumps(asked)]


def reading_environment() -> dict[str, str]:
    """Return the environment of the reading child process.

    The process imports packages from the same places as this process.
    """
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return {**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1"}


def encoded_seconds(line: str) -> Optional[float]:
    """Return the seconds that ffmpeg has encoded, None if *line* of its output tells others."""
    name, _, value = line.strip().partition("=")
    return int(value) / 1_000_000 if name == "out_time_us" and value.isdigit() else None


def check_disk(said: str) -> None:
    """Raise :exc:`~ftrack_like.exception.MediaError` if a program *said* that the disk is full."""
    if _DISK_IS_FULL.search(said):
        raise MediaError(
            "The disk is full, so the encoded files cannot be written. Free some space in the "
            "folder for temporary files, or choose another one with the variable TMPDIR."
        )


class LocalPrograms:
    """Runs programs on the machine of the user; their only limit is one of time."""

    formats: Optional[str] = None
    pixels: int = _PIXELS

    def __init__(self, seconds: Optional[float] = None) -> None:
        """Find ffmpeg; raise :exc:`~ftrack_like.exception.MediaError` if it is missing.

        All programs together may take *seconds*; None means no limit.
        """
        self._program = ffmpeg.find_ffmpeg()
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    def input_options(self) -> list[str]:
        """Return no arguments."""
        return []

    def read(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer of the reading child process to *asked*."""
        printed: list[str] = []
        code, said = self._run(
            reading_command(asked), printed.append, reading_environment(), _READING
        )
        return answer_of(code, "".join(printed).encode(), said.encode())

    def ffmpeg(
        self, arguments: Sequence[str], progress: Optional[Callable[[float], None]] = None
    ) -> str:
        """Run ffmpeg with *arguments*; see :meth:`Programs.ffmpeg`."""

        def tell(line: str) -> None:
            seconds = encoded_seconds(line)
            if progress is not None and seconds is not None:
                progress(seconds)

        code, said = self._run([self._program, *arguments], tell)
        check_disk(said)
        if code != 0:
            last = " ".join(" ".join(said.splitlines()[-8:]).split())
            raise MediaError(f"ffmpeg failed: {last or f'exit {code}'}")
        return said

    def _run(
        self,
        command: Sequence[str],
        line: Callable[[str], None],
        environment: Optional[Mapping[str, str]] = None,
        name: Optional[str] = None,
    ) -> tuple[int, str]:
        """Run *command* in the time that is left."""
        bounds = Bounds(max(self._end - time.monotonic(), 0.0))
        try:
            return run_child(command, bounds, line=line, environment=environment, name=name)
        except MediaError as error:
            if time.monotonic() < self._end:
                raise
            raise MediaError(
                "The encoding was ended: it did not finish in the time given (timeout)."
            ) from error


def answer_of(code: int, printed: bytes, said: bytes) -> dict[str, Any]:
    """Return the answer that the reading child process *printed* before it ended with *code*."""
    try:
        answer: dict[str, Any] = json.loads(printed.decode("utf-8"))
    except ValueError:
        last = " ".join(said.decode("utf-8", "replace").split())[-300:]
        raise MediaError(
            "The program that reads media ended without an answer, probably because the file is "
            f"damaged (exit status {code}). {last}".rstrip()
        ) from None
    if "missing" in answer:
        raise MediaError(answer["missing"])
    return answer
