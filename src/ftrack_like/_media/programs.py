"""How an encoding runs its programs, and the ways that the client does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, Protocol

from ftrack_like._base import ffmpeg
from ftrack_like._base.errors import MediaError

__all__ = ["LocalPrograms", "Programs", "answer_of", "reading_command", "reading_environment"]

#: The maximum of pixels in a picture that the client decodes.
_PIXELS = 2**31 - 1

_READER = "from ftrack_like._media.reading import main; main()"

#: Seconds until the client stops reading a file. All of it is read, to count its frames.
_SECONDS = 3600.0


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


class LocalPrograms:
    """Runs programs on the machine of the user, without limits."""

    formats: Optional[str] = None
    pixels: int = _PIXELS

    def __init__(self) -> None:
        """Find ffmpeg; raise :exc:`~ftrack_like.exception.MediaError` if it is missing."""
        self._program = ffmpeg.find_ffmpeg()

    def input_options(self) -> list[str]:
        """Return no arguments."""
        return []

    def read(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer of the reading child process to *asked*."""
        try:
            result = subprocess.run(
                reading_command(asked),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                env=reading_environment(),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MediaError(f"The media file could not be read: {error}") from error
        return answer_of(result.returncode, result.stdout, result.stderr)

    def ffmpeg(
        self, arguments: Sequence[str], progress: Optional[Callable[[float], None]] = None
    ) -> str:
        """Run ffmpeg with *arguments*; see :meth:`Programs.ffmpeg`."""
        return ffmpeg.run_command([self._program, *arguments], progress)


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
