"""Find ffmpeg, and build and run the commands that make web-playable files.

The program is searched in the variable ``FTRACK_FFMPEG``, on the search path, and in the package
``imageio-ffmpeg`` (``media`` extra). Pure functions build the commands. :func:`run_command` runs a
command, reports its progress, and puts the last lines of its output into errors.
"""

from __future__ import annotations

import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ftrack_like._base.errors import MediaError

__all__ = [
    "MediaInformation",
    "find_ffmpeg",
    "frame_command",
    "parse_information",
    "probe",
    "review_metadata",
    "run_command",
    "video_command",
]

#: The maximum size of an encoded picture, in pixels. Smaller pictures keep their size.
MAXIMUM_WIDTH, MAXIMUM_HEIGHT = 1920, 1080

_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_VIDEO = re.compile(r"Stream #.*?: Video: (\w+).*?, (\d{1,5})x(\d{1,5})")
_RATE = re.compile(r"([\d.]+) (?:fps|tbr)")
_AUDIO = re.compile(r"Stream #.*?: Audio: (\w+)")

#: Scales the picture down to fit, keeps its shape, and makes its sides even, as encoders require.
_FIT = (
    f"scale='min({MAXIMUM_WIDTH},iw)':'min({MAXIMUM_HEIGHT},ih)'"
    ":force_original_aspect_ratio=decrease,"
    "scale='max(2,trunc(iw/2)*2)':'max(2,trunc(ih/2)*2)',setsar=1"
)


@dataclass(frozen=True)
class MediaInformation:
    """The properties of a media file: seconds, pixels, frames per second, codec names or None."""

    duration: float
    width: int
    height: int
    frame_rate: float
    video_codec: Optional[str]
    audio_codec: Optional[str]

    @property
    def frames(self) -> int:
        """Return the number of frames, at least one if there is a picture."""
        return max(1, round(self.duration * self.frame_rate)) if self.video_codec else 0


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


def probe(ffmpeg: str, source: pathlib.Path, timeout: float = 60) -> MediaInformation:
    """Return the properties of *source*, as *ffmpeg* reads them; *timeout* is in seconds.

    Raise :exc:`~ftrack_like.exception.MediaError` if that fails.
    """
    try:
        result = subprocess.run(
            [ffmpeg, "-hide_banner", "-nostdin", "-i", str(source)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MediaError(f"ffmpeg could not read {source.name}: {error}") from error
    return parse_information(result.stderr.decode("utf-8", "replace"))


def parse_information(text: str) -> MediaInformation:
    """Return the properties in *text*, the description that ffmpeg prints of its input.

    Raise :exc:`~ftrack_like.exception.MediaError` if there is neither a picture nor sound.
    """
    video, audio = _VIDEO.search(text), _AUDIO.search(text)
    if video is None and audio is None:
        last = text.strip().splitlines()[-1:] or ["ffmpeg printed nothing"]
        raise MediaError(f"The file contains no picture and no sound that can be read: {last[0]}")
    duration = _DURATION.search(text)
    hours, minutes, seconds = duration.groups() if duration else ("0", "0", "0")
    line = text[video.start() : text.find("\n", video.start())] if video else ""
    rate = _RATE.search(line)
    return MediaInformation(
        duration=int(hours) * 3600 + int(minutes) * 60 + float(seconds),
        width=int(video.group(2)) if video else 0,
        height=int(video.group(3)) if video else 0,
        frame_rate=float(rate.group(1)) if rate else 0.0,
        video_codec=video.group(1) if video else None,
        audio_codec=audio.group(1) if audio else None,
    )


def review_metadata(made: MediaInformation, frames: int) -> str:
    """Return the JSON text of ``ftr_meta``, which players read, for the encoded file *made*.

    The file has *frames* frames, counted from 0; 0 frames mean an image. Sizes are in pixels.
    """
    values: dict[str, Any] = {"width": made.width, "height": made.height}
    if frames:
        values.update(frameIn=0, frameOut=frames - 1, frameRate=made.frame_rate)
    return json.dumps(values)


def video_command(
    ffmpeg: str,
    inputs: Sequence[str],
    target: pathlib.Path,
    format_: str = "mp4",
) -> list[str]:
    """Return the command that encodes *inputs* (ffmpeg's input arguments) to *target*.

    *format_* is ``mp4`` (H.264 and AAC, playable while it loads) or ``webm`` (VP9 and Opus).
    """
    codecs = {
        "mp4": [
            *("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"),
            *("-profile:v", "high", "-c:a", "aac", "-b:a", "160k", "-ac", "2"),
            *("-movflags", "+faststart", "-f", "mp4"),
        ],
        "webm": [
            *("-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "32", "-deadline", "realtime"),
            *("-cpu-used", "8", "-pix_fmt", "yuv420p", "-c:a", "libopus", "-f", "webm"),
        ],
    }
    return [
        *(ffmpeg, "-hide_banner", "-nostdin", "-y", "-loglevel", "error"),
        *("-progress", "pipe:1", *inputs),
        *("-map", "0:v:0", "-map", "0:a:0?", "-vf", _FIT),
        *codecs[format_],
        str(target),
    ]


def frame_command(
    ffmpeg: str, inputs: Sequence[str], target: pathlib.Path, at: float = 0.0
) -> list[str]:
    """Return the command that writes the frame at *at* seconds of *inputs* to *target* as JPEG."""
    seek = ("-ss", f"{at:.3f}") if at else ()  # any seek, even to 0, is beyond a single image
    return [
        *(ffmpeg, "-hide_banner", "-nostdin", "-y", "-loglevel", "error"),
        *(*seek, *inputs),
        *("-map", "0:v:0", "-frames:v", "1", "-vf", _FIT, "-q:v", "3"),
        *("-f", "image2", "-update", "1", str(target)),
    ]


def run_command(
    command: Sequence[str],
    progress: Optional[Callable[[float], None]] = None,
    stop: Optional[threading.Event] = None,
) -> None:
    """Run *command* and wait for its end.

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
