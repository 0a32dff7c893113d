"""The file types of still images, and the names of metadata of movies."""

from __future__ import annotations

__all__ = ["IMAGE_TYPES", "SLATE_FRAMES", "UNREADABLE"]

#: The file types of still images, of which a single file gives an image and several give a movie.
#: The list of the system is no substitute: the client and the server may have different ones.
IMAGE_TYPES = frozenset(
    f".{name}"
    for name in (
        *("apng", "avif", "bmp", "bw", "cin", "dds", "dib", "dpx", "exr", "gif", "hdr", "heic"),
        *("heif", "icns", "ico", "j2c", "j2k", "jfif", "jls", "jp2", "jpe", "jpeg", "jpg", "jxl"),
        *("ljpg", "pam", "pbm", "pcx", "pfm", "pgm", "phm", "png", "pnm", "ppm", "psd", "qoi"),
        *("ras", "rgb", "rgba", "sgi", "sun", "tga", "tif", "tiff", "webp", "xbm", "xpm", "xwd"),
    )
)

#: The metadata key of a movie with the number of frames before the first frame of its source.
SLATE_FRAMES = "slate_frames"

#: The metadata key of a movie that says which frames the ends of its recording lack.
UNREADABLE = "unreadable_frames"
