"""Measure a movie by decoding all of it, independently of the code under test."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any, Optional

__all__ = ["Measured", "counted_by_ffprobe", "measured"]


#: The number of the full range in libavutil.
_FULL_RANGE = 2


@dataclass(frozen=True)
class Measured:
    """What decoding a movie showed: *times* and mean *levels* (luma) of all frames, and streams."""

    width: int
    height: int
    codec: str
    pixel_format: str
    colours: tuple[int, int, int, int]
    times: list[float]
    levels: list[float]
    sounds: list[tuple[str, int, int, Optional[str]]]

    @property
    def frames(self) -> int:
        """Return the number of decoded frames."""
        return len(self.times)


def measured(path: pathlib.Path, has_sound: bool = True) -> Measured:
    """Decode the movie at *path*; without *has_sound*, ignore its sound.

    To read the channels of unusual layouts, such as 8 channels, crashes PyAV 18.
    """
    import av

    with av.open(str(path)) as container:
        video = container.streams.video[0]
        context: Any = video.codec_context
        times, levels = [], []
        for frame in container.decode(video):
            times.append(len(times) if frame.time is None else frame.time)
            # swscale does not know all matrices, but the luma needs none.
            is_plain = frame.format.name == "yuv420p"
            rows = (frame if is_plain else frame.reformat(format="gray")).planes[0]
            data = bytes(rows)
            lines = [
                data[row * rows.line_size : row * rows.line_size + frame.width]
                for row in range(frame.height)
            ]
            level = sum(map(sum, lines)) / (frame.width * frame.height)
            is_limited = is_plain and context.color_range != _FULL_RANGE
            levels.append((level - 16) * 255 / 219 if is_limited else level)
        return Measured(
            context.width,
            context.height,
            context.name,
            context.pix_fmt,
            (context.colorspace, context.color_primaries, context.color_trc, context.color_range),
            times,
            levels,
            [
                (
                    one.codec_context.name,
                    one.codec_context.sample_rate,
                    one.codec_context.channels,
                    one.language,
                )
                for one in (container.streams.audio if has_sound else ())
            ],
        )


def counted_by_ffprobe(path: pathlib.Path) -> Optional[int]:
    """Return the number of frames that ffprobe decodes, None if it is not installed."""
    program = shutil.which("ffprobe")
    if program is None:
        return None
    options = ("-v", "error", "-count_frames", "-select_streams", "v:0", "-of", "json")
    shown = subprocess.run(
        [program, *options, "-show_entries", "stream=nb_read_frames", str(path)],
        capture_output=True,
        check=True,
        timeout=120,
    )
    return int(json.loads(shown.stdout)["streams"][0]["nb_read_frames"])
