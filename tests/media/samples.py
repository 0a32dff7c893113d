"""Small media as bytes, made without ffmpeg, for tests that put another program in its place."""

from __future__ import annotations

import functools
import io
import struct

__all__ = ["image_data", "movie_data"]


def movie_data(mark: bytes = b"", width: int = 64, height: int = 64) -> bytes:
    """Return a movie of two frames that contains *mark* at its end, where no player looks."""
    return _movie(width, height) + struct.pack(">I4s", 8 + len(mark), b"free") + mark


@functools.lru_cache(maxsize=8)
def _movie(width: int, height: int) -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        frame = av.VideoFrame(width, height, "yuv420p")
        for number in range(2):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def image_data(format_: str) -> bytes:
    """Return an image in a format of Pillow."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, format_)
    return file.getvalue()
