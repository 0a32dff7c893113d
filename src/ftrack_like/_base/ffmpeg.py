"""Find ffmpeg.

The program is searched in the variable ``FTRACK_FFMPEG``, on the search path, and in the package
``imageio-ffmpeg`` (``media`` extra).
"""

from __future__ import annotations

import os
import shutil

from ftrack_like._base.errors import MediaError

__all__ = ["find_ffmpeg"]


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
