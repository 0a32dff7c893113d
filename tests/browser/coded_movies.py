"""Movies whose frames carry their number as a bar code, and the JavaScript that reads it.

A row of blocks at the bottom is white or black: 12 bits of the number, the highest first, then 4
bits of a check sum. The picture above has a colour for each movie.
"""

from __future__ import annotations

import subprocess
from fractions import Fraction

import pytest

BITS, CHECK_BITS = 12, 4
WIDTH, HEIGHT, ROW = 320, 180, 20
BLOCK = WIDTH // (BITS + CHECK_BITS)

#: Returns the number on the frame that the first element with the selector shows; -1 if unreadable.
READ_CODE = """(selector) => {
  const video = document.querySelector(selector);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [320, 20];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const [width, height] = [video.videoWidth, video.videoHeight / 9];
  context.drawImage(video, 0, 8 * height, width, height, 0, 0, 320, 20);
  const row = context.getImageData(0, 10, 320, 1).data;
  const bits = Array.from({ length: 16 }, (_, at) => (row[4 * (at * 20 + 10)] > 127 ? 1 : 0));
  const number = (list) => list.reduce((sum, bit) => 2 * sum + bit, 0);
  const [value, check] = [number(bits.slice(0, 12)), number(bits.slice(12))];
  return value % 13 === check ? value : -1;
}"""


def frame_bytes(number, shade):
    """Return the grey picture of the frame *number*."""
    code = f"{number:0{BITS}b}{number % 13:0{CHECK_BITS}b}"
    row = b"".join((b"\xeb" if bit == "1" else b"\x10") * BLOCK for bit in code)
    return bytes([shade]) * (WIDTH * (HEIGHT - ROW)) + row * ROW


def coded_movie(path, rate, frames, *, shade=80, size=(WIDTH, HEIGHT), options=(), first=0):
    """Write a movie of *frames* frames at *rate*, a :class:`Fraction` or number, to *path*."""
    from ftrack_like._base import ffmpeg

    try:
        program = ffmpeg.find_ffmpeg()
    except ffmpeg.MediaError as error:
        pytest.skip(str(error))
    data = b"".join(frame_bytes(first + number, shade) for number in range(frames))
    subprocess.run(
        [
            *(program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "gray"),
            *("-s", f"{WIDTH}x{HEIGHT}", "-r", str(Fraction(rate)), "-i", "-"),
            *("-vf", f"scale={size[0]}:{size[1]}:flags=neighbor", "-pix_fmt", "yuv420p"),
            *("-c:v", "libx264", "-crf", "14", "-g", "24", "-movflags", "+faststart"),
            *options,
            str(path),
        ],
        input=data,
        check=True,
        timeout=120,
    )
    return path
