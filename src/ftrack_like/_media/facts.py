"""The properties of a media file, as its streams state them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Optional

from ftrack_like._base.errors import MediaError

__all__ = ["MediaFacts", "MovieCount", "Picture", "Sound"]


#: What is known about frames that were not read.
_NOT_SCANNED: Mapping[str, Any] = {
    "frames": 0,
    "span": None,
    "drift": None,
    "close": None,
    "doubtful": False,
    "changing": (),
}


@dataclass(frozen=True)
class Picture:
    """A video stream, or the picture of an image file.

    *width* and *height* are in stored pixels. *shape* is the size in square pixels, after the
    rotation that the file asks for. *rate* is in frames per second, None if the stream has none.
    *start* is the time of the first frame in seconds, None if the frames have no times. *matrix*,
    *primaries*, *transfer* and *range* are the numbers of ISO/IEC 23091-2; 2 means unknown.
    """

    index: int
    codec: str
    pixel_format: str
    width: int
    height: int
    shape: tuple[int, int]
    rate: Optional[Fraction]
    average_rate: Optional[Fraction]
    start: Optional[float]
    is_cover: bool
    is_interlaced: bool
    matrix: int
    primaries: int
    transfer: int
    range: int


@dataclass(frozen=True)
class Sound:
    """An audio stream. *start* is in seconds, *language* is a code of three letters or None.

    *is_changing* is whether its sample rate or its number of channels changes. *file* is the number
    of the input that contains it: 0 is the source.
    """

    index: int
    codec: str
    channels: int
    sample_rate: int
    language: Optional[str]
    start: float
    is_default: bool
    is_changing: bool = False
    file: int = 0


@dataclass(frozen=True)
class MediaFacts:
    """The streams of a file that can be decoded, its *format*, and its *duration* in seconds.

    *start* is the time of the first frame or sample in seconds. *unreadable* explains in words why
    each of the other streams cannot be decoded. *frames* is the number of frames of the main
    picture as stored, and *span* the seconds from the first to the last, None if unknown. *drift*
    is how many seconds the frames are at most from equal distances, and *close* the seconds between
    the frames that follow each other fastest, None if unknown.
    *timecode* is that of the first frame, None if the file states none. *is_doubtful* is whether
    reading all packets showed signs of damage.
    """

    format: str
    start: float
    duration: Optional[float]
    pictures: Sequence[Picture]
    sounds: Sequence[Sound]
    unreadable: Sequence[str]
    frames: int = 0
    span: Optional[Fraction] = None
    drift: Fraction = Fraction(0)
    close: Optional[Fraction] = None
    timecode: Optional[str] = None
    is_doubtful: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> MediaFacts:
        """Return the facts that the child process describes with *values*."""
        pictures = [
            Picture(
                **{
                    **one,
                    "shape": (one["shape"][0], one["shape"][1]),
                    "rate": _fraction(one["rate"]),
                    "average_rate": _fraction(one["average_rate"]),
                }
            )
            for one in values["pictures"]
        ]
        scan = {**_NOT_SCANNED, **(values.get("scan") or {})}
        sounds = [
            Sound(**one, is_changing=one["index"] in scan["changing"]) for one in values["sounds"]
        ]
        return cls(
            values["format"],
            values["start"],
            values["duration"],
            pictures,
            sounds,
            values["unreadable"],
            scan["frames"],
            _fraction(scan["span"]),
            _fraction(scan["drift"]) or Fraction(0),
            _fraction(scan["close"]),
            values.get("timecode"),
            scan["doubtful"],
        )

    def picture(self, name: str) -> Picture:
        """Return the main picture: the largest that is no cover of a record.

        Raise :exc:`~ftrack_like.exception.MediaError` if there is none; the text says what the file
        called *name* contains.
        """
        found = [one for one in self.pictures if not one.is_cover]
        if not found:
            raise MediaError(f"{name} contains no picture that can be shown: {self._contents()}.")
        return max(found, key=lambda one: one.width * one.height)

    def _contents(self) -> str:
        """Return words for what the file contains, for a file without a picture."""
        held = []
        if self.sounds:
            seconds = "" if self.duration is None else f" of {self.duration:.1f} seconds"
            codecs = ", ".join(dict.fromkeys(one.codec for one in self.sounds))
            cover = " and a cover image" if self.pictures else ""
            held.append(f"it contains only sound{seconds} ({codecs}){cover}")
        elif self.pictures:
            held.append("it contains only a cover image")
        held += self.unreadable
        return "; ".join(held) or f"it is an empty file of the format {self.format}"


@dataclass(frozen=True)
class MovieCount:
    """An encoded movie: its *frames* as counted, *width* and *height* in pixels, and its sound."""

    frames: int
    width: int
    height: int
    has_sound: bool


def _fraction(pair: Optional[Sequence[int]]) -> Optional[Fraction]:
    return None if pair is None else Fraction(pair[0], pair[1])
