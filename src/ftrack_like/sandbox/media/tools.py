"""ffmpeg and pdftoppm on uploads, with restrictions on their inputs and resources.

An upload may be a playlist that names other files or addresses. So the tools only open files, and
only read the formats of an allow-list. No format in the list can refer to another file.
"""

from __future__ import annotations

import pathlib
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from typing import NoReturn, Optional

from ftrack_like._base import ffmpeg
from ftrack_like._base.errors import MediaError
from ftrack_like.sandbox.limits import Limits, option_of
from ftrack_like.sandbox.media.children import Bounds, run_child

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

    def __init__(self, limits: Limits) -> None:
        """Programs are looked up when they are needed."""
        self._limits = limits

    def inputs(self, path: pathlib.Path, frame_rate: Optional[int] = None) -> list[str]:
        """Return ffmpeg's arguments for reading *path*, a sequence if *frame_rate* is given."""
        rate = () if frame_rate is None else ("-framerate", str(frame_rate))
        return [*self._restrictions(), *rate, "-i", str(path)]

    def probe(
        self, path: pathlib.Path, stop: Optional[threading.Event] = None
    ) -> ffmpeg.MediaInformation:
        """Return the streams and the duration of the file at *path*."""
        command = [ffmpeg.find_ffmpeg(), "-hide_banner", "-nostdin", *self.inputs(path)]
        _, said = run_child(command, self._short(), stop=stop)
        self._refuse(said)
        return ffmpeg.parse_information(said)

    def frame(
        self,
        inputs: Sequence[str],
        target: pathlib.Path,
        at: float = 0.0,
        stop: Optional[threading.Event] = None,
    ) -> None:
        """Write the frame at *at* seconds of *inputs* to *target* as JPEG."""
        command = ffmpeg.frame_command(ffmpeg.find_ffmpeg(), inputs, target, at)
        self._run(command, self._short(), stop=stop)

    def encode(
        self,
        inputs: Sequence[str],
        target: pathlib.Path,
        format_: str,
        progress: Callable[[float], None],
        stop: Optional[threading.Event] = None,
    ) -> None:
        """Encode *inputs* to *target* as ``mp4`` or ``webm``.

        *progress* is called with the seconds encoded so far.
        """

        def read(line: str) -> None:
            name, _, value = line.strip().partition("=")
            if name == "out_time_us" and value.isdigit():
                progress(int(value) / 1_000_000)

        command = ffmpeg.video_command(ffmpeg.find_ffmpeg(), inputs, target, format_)
        self._run(command, self._bounds(self._limits.media_seconds, "media_seconds"), read, stop)

    def first_page(
        self, path: pathlib.Path, folder: pathlib.Path, stop: Optional[threading.Event] = None
    ) -> pathlib.Path:
        """Return a new image in *folder* with the first page of the document at *path*."""
        program = shutil.which("pdftoppm")
        if program is None:
            raise MediaError(
                "A PDF can only be shown where pdftoppm is installed (Debian: poppler-utils)."
            )
        target = folder / "page"
        # A fixed size, because a page may claim to be a kilometre wide.
        size = ("-scale-to", str(max(ffmpeg.MAXIMUM_WIDTH, ffmpeg.MAXIMUM_HEIGHT)))
        command = [program, "-png", "-f", "1", "-singlefile", *size, str(path), str(target)]
        self._run(command, self._short(), stop=stop)
        return target.with_suffix(".png")

    def _run(
        self,
        command: Sequence[str],
        bounds: Bounds,
        line: Optional[Callable[[str], None]] = None,
        stop: Optional[threading.Event] = None,
    ) -> None:
        code, said = run_child(command, bounds, line=line, stop=stop)
        if code == 0:
            return
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
            _refuse_upload(
                f"its pictures have {pixels.group(1)} pixels, more than "
                f"{self._limits.image_pixels} ({option_of('image_pixels')})"
            )

    def _restrictions(self) -> list[str]:
        return [
            *("-protocol_whitelist", ",".join(PROTOCOLS)),
            *("-format_whitelist", ",".join(DEMUXERS)),
            *("-max_pixels", str(min(self._limits.image_pixels, 2**31 - 1))),
        ]

    def _short(self) -> Bounds:
        return self._bounds(self._limits.frame_seconds, "frame_seconds")

    def _bounds(self, seconds: float, name: str) -> Bounds:
        limits = self._limits
        options = (option_of(name), option_of("media_bytes"), option_of("media_file_bytes"))
        return Bounds(seconds, limits.media_bytes, limits.media_file_bytes, options)


def _refuse_upload(reason: str) -> NoReturn:
    raise MediaError(f"The upload was refused: {reason}.")
