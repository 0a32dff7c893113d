"""ffmpeg and pdftoppm on uploads, with restrictions on their inputs and resources.

An upload may be a playlist that names other files or addresses. So the tools only open files, and
only read the formats of an allow-list. No format in the list can refer to another file.
"""

from __future__ import annotations

import pathlib
import re
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Optional

from ftrack_like._base import ffmpeg
from ftrack_like._base.errors import MediaError
from ftrack_like._media.children import Bounds, run_child
from ftrack_like._media.programs import (
    answer_of,
    check_disk,
    encoded_seconds,
    reading_command,
    reading_environment,
)
from ftrack_like.sandbox.limits import Limits, option_of

__all__ = ["DEMUXERS", "PROTOCOLS", "MediaTools"]

#: The protocols that ffmpeg may open: its inputs are always files.
PROTOCOLS = ("file",)

_CONTAINERS = (
    *("3gp", "asf", "av1", "avi", "cine", "dv", "dnxhd", "flv", "gif", "gxf", "h263", "h264"),
    *("hevc", "ivf", "m4v", "matroska", "mjpeg", "mov", "mp4", "mpeg", "mpegts", "mpegvideo"),
    *("mxf", "nut", "obu", "ogg", "r3d", "rm", "vc1", "webm", "wtv", "yuv4mpegpipe"),
)

_SOUNDS = (
    *("aac", "ac3", "aiff", "amr", "amrnb", "amrwb", "ape", "au", "caf", "dts", "eac3", "flac"),
    *("mp3", "truehd", "tta", "w64", "wav", "wv"),
)

#: Still pictures. Vector formats are left out, because they refer to other files.
_PICTURES = (
    *("alias_pix", "apng", "image2", "bmp_pipe", "cri_pipe", "dds_pipe", "dpx_pipe", "exr_pipe"),
    *("gif_pipe", "hdr_pipe", "j2k_pipe", "jpeg_pipe", "jpegls_pipe", "jpegxl_anim"),
    *("jpegxl_pipe", "pam_pipe", "pbm_pipe", "pcx_pipe", "pfm_pipe", "pgm_pipe"),
    *("pgmyuv_pipe", "pgx_pipe", "phm_pipe", "photocd_pipe", "pictor_pipe", "png_pipe"),
    *("ppm_pipe", "psd_pipe", "qdraw_pipe", "qoi_pipe", "sgi_pipe", "sunrast_pipe", "tiff_pipe"),
    *("webp_pipe", "xbm_pipe", "xpm_pipe", "xwd_pipe"),
)

#: The names of the formats that ffmpeg may read.
DEMUXERS = (*_CONTAINERS, *_SOUNDS, *_PICTURES)

#: Scales a frame down to fit, and converts its colours to those of JPEG files.
_FRAME_FILTERS = (
    "scale='min(1920,iw)':'min(1080,ih)':force_original_aspect_ratio=decrease"
    ":out_color_matrix=bt601:out_range=pc,format=yuvj444p,setsar=1"
)

#: The longer side of a page, in pixels.
_PAGE_SIZE = 1920

#: The requests to the reading child process that read or draw a whole movie, or read all frames of
#: a sequence.
_LONG_READING = frozenset({"burn_in", "count", "damage", "facts", "frames", "plain"})

_REFUSED_FORMAT = re.compile(r"\[([\w,]+)(?: @ \w+)?\] Format not on whitelist")
_REFUSED_PROTOCOL = re.compile(r"Protocol '([\w+.-]+)' not on whitelist")
_TOO_MANY_PIXELS = re.compile(
    r"(?:Picture|Video) size (\d+x\d+) (?:exceeds specified max pixel count|is invalid)"
)
_OUT_OF_MEMORY = re.compile(r"Cannot allocate memory|std::bad_alloc|Out of memory", re.IGNORECASE)


class MediaTools:
    """The tools within *limits*; threads may share it.

    All methods raise :exc:`~ftrack_like.exception.MediaError` if a program is missing, fails,
    refuses the input or exceeds a limit; the text names the reason. Setting *stop* ends a program.
    """

    def __init__(self, limits: Limits, stop: Optional[threading.Event] = None) -> None:
        """Programs are looked up when they are needed."""
        self._limits = limits
        self._stop = stop

    def stopping_with(self, stop: threading.Event) -> MediaTools:
        """Return the same tools, whose programs end when *stop* is set."""
        return MediaTools(self._limits, stop)

    @property
    def formats(self) -> str:
        """Return the formats that may be read."""
        return ",".join(DEMUXERS)

    @property
    def pixels(self) -> int:
        """Return the maximum of pixels in a picture."""
        return min(self._limits.image_pixels, 2**31 - 1)

    def input_options(self) -> list[str]:
        """Return ffmpeg's arguments that restrict what the next input may be."""
        return [
            *("-protocol_whitelist", ",".join(PROTOCOLS)),
            *("-format_whitelist", self.formats),
            *("-max_pixels", str(self.pixels)),
        ]

    def read(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer of the reading child process to *asked*."""
        bounds = self._long() if asked["do"] in _LONG_READING else self._short()
        printed: list[str] = []
        code, said = run_child(
            reading_command(asked),
            bounds,
            line=printed.append,
            stop=self._stop,
            environment=reading_environment(),
            name="The program that reads media",
        )
        self._refuse(said)
        answer = answer_of(code, "".join(printed).encode(), said.encode())
        sizes = [(one["width"], one["height"]) for one in answer.get("pictures", ())]
        if "pixels" in answer:
            sizes.append(answer["pixels"])
        for width, height in sizes:
            if width * height > self.pixels:
                self._refuse_pixels(f"{width}x{height}")
        return answer

    def ffmpeg(
        self, arguments: Sequence[str], progress: Optional[Callable[[float], None]] = None
    ) -> str:
        """Run ffmpeg with *arguments* and return what it printed about errors.

        *progress* is called with the seconds encoded so far, and makes this an encoding, which may
        take long.
        """

        def read(line: str) -> None:
            seconds = encoded_seconds(line)
            if progress is not None and seconds is not None:
                progress(seconds)

        bounds = self._short() if progress is None else self._long()
        return self._run([ffmpeg.find_ffmpeg(), *arguments], bounds, read)

    def frame(self, path: pathlib.Path, target: pathlib.Path, at: float = 0.0) -> None:
        """Write the frame at *at* seconds of the movie at *path* to *target* as JPEG."""
        seek = ("-ss", f"{at:.3f}") if at else ()  # any seek, even to 0, is beyond a single image
        arguments = [
            *("-hide_banner", "-nostdin", "-y", "-loglevel", "error", *seek),
            *(*self.input_options(), "-i", str(path), "-map", "0:v:0", "-frames:v", "1"),
            *(
                "-vf",
                _FRAME_FILTERS,
                "-c:v",
                "mjpeg",
                "-q:v",
                "3",
                "-f",
                "image2",
                "-update",
                "1",
                str(target),
            ),
        ]
        self.ffmpeg(arguments)

    def first_page(self, path: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
        """Return a new image in *folder* with the first page of the document at *path*."""
        program = shutil.which("pdftoppm")
        if program is None:
            raise MediaError(
                "A PDF can only be shown where pdftoppm is installed (Debian: poppler-utils)."
            )
        target = folder / "page"
        # A fixed size, because a page may claim to be a kilometre wide.
        size = ("-scale-to", str(_PAGE_SIZE))
        command = [program, "-png", "-f", "1", "-singlefile", *size, str(path), str(target)]
        self._run(command, self._short())
        return target.with_suffix(".png")

    def _run(
        self,
        command: Sequence[str],
        bounds: Bounds,
        line: Optional[Callable[[str], None]] = None,
    ) -> str:
        """Run *command* and return its error output."""
        code, said = run_child(command, bounds, line=line, stop=self._stop)
        check_disk(said)
        if code == 0:
            return said
        self._refuse(said)
        name = pathlib.Path(command[0]).name
        if _OUT_OF_MEMORY.search(said):
            raise MediaError(
                f"{name} was ended: it takes more than {bounds.memory} bytes of memory "
                f"({bounds.options[1]})."
            )
        last = " ".join(" ".join(said.splitlines()[-8:]).split())[-2000:]
        raise MediaError(f"{name} failed: " + (last or f"exit {code}"))

    def _refuse(self, said: str) -> None:
        """Raise :exc:`MediaError` if ffmpeg *said* that it was not allowed to read something."""
        format_ = _REFUSED_FORMAT.search(said)
        if format_ is not None:
            _refuse_upload(f"the server does not read its format {format_.group(1)!r}")
        protocol = _REFUSED_PROTOCOL.search(said)
        if protocol is not None:
            _refuse_upload(f"it refers to data with the protocol {protocol.group(1)!r}")
        pixels = _TOO_MANY_PIXELS.search(said)
        if pixels is not None:
            self._refuse_pixels(pixels.group(1))

    def _refuse_pixels(self, size: str) -> NoReturn:
        _refuse_upload(
            f"its pictures have {size} pixels, more than {self._limits.image_pixels} "
            f"({option_of('image_pixels')})"
        )

    def _long(self) -> Bounds:
        return self._bounds(self._limits.media_seconds, "media_seconds")

    def _short(self) -> Bounds:
        return self._bounds(self._limits.frame_seconds, "frame_seconds")

    def _bounds(self, seconds: float, name: str) -> Bounds:
        limits = self._limits
        options = (option_of(name), option_of("media_bytes"), option_of("media_file_bytes"))
        return Bounds(seconds, limits.media_bytes, limits.media_file_bytes, options)


def _refuse_upload(reason: str) -> NoReturn:
    raise MediaError(f"The upload was refused: {reason}.")
