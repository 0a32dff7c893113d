"""Find ffmpeg and run it.

The program is searched in the variable ``FTRACK_FFMPEG``, on the search path, and in the package
``imageio-ffmpeg`` (``media`` extra). :func:`run_command` runs a command, reports its progress, and
puts the last lines of its output into errors.
"""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Optional

from ftrack_like._base.errors import MediaError

__all__ = ["find_ffmpeg", "run_command"]


def find_ffmpeg() -> str:
    """Return the path of ffmpeg.

    Raise :exc:`~ftrack_like.exception.MediaError`, which explains how to install it, if it is
    missing.
    """
    configured = os.environ.get("FTRACK_FFMPEG")
    if configured:
        found = shutil.which(configured)
        if found:
            return found
        raise MediaError(
            f"FTRACK_FFMPEG names {configured!r}, which cannot be run. Correct it or unset it."
        )
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        # lazy: optional, and its import searches for files
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise MediaError(
            "ffmpeg was not found. Install it with your system's packages, or install the extra"
            " 'media' of ftrack-like, or set FTRACK_FFMPEG to the path of ffmpeg."
        ) from error


def run_command(
    command: Sequence[str],
    progress: Optional[Callable[[float], None]] = None,
    stop: Optional[threading.Event] = None,
) -> str:
    """Run *command*, wait for its end, and return the last lines of its error output.

    *progress* is called with the seconds encoded so far. Setting *stop* ends the program. Raise
    :exc:`~ftrack_like.exception.MediaError` with the last lines of its output if it fails.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise MediaError(f"ffmpeg could not be started: {error}") from error
    said: collections.deque[str] = collections.deque(maxlen=8)
    assert process.stdout is not None
    assert process.stderr is not None
    # Read the errors on another thread, because a full pipe would block the program.
    reader = threading.Thread(target=said.extend, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        for line in process.stdout:
            if stop is not None and stop.is_set():
                process.kill()
            name, _, value = line.strip().partition("=")
            if progress is not None and name == "out_time_us" and value.isdigit():
                progress(int(value) / 1_000_000)
        code = process.wait()
        reader.join(5)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()
    if code != 0:
        raise MediaError("ffmpeg failed: " + (" ".join(" ".join(said).split()) or f"exit {code}"))
    return "".join(said)
