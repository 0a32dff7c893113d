"""Read all packets of a movie before it is encoded, in the reading child process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Optional

from ftrack_like._media.damage import STEADY, usual_distance
from ftrack_like._media.opening import opened

__all__ = ["scan", "whole_numbers"]

#: Codecs whose packets say their sample rate and channels, so that these can change.
_CHANGING = frozenset({"aac", "aac_latm", "ac3", "eac3", "dts", "mp1", "mp2", "mp3", "truehd"})


def scan(
    asked: Mapping[str, Any], pictures: Sequence[dict[str, Any]], sounds: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return what only all packets tell of the largest of *pictures*, and of *sounds*.

    ``frames`` is the number of frames, and ``span`` the seconds from the first to the last.
    ``drift`` is how many seconds they are at most from equal distances, and ``close`` the distance
    that a tenth of the frames have at most.
    ``doubtful`` is whether the file seems damaged. ``changing`` are the indexes of the sounds whose
    sample rate or number of channels changes.
    """
    import av  # lazy: optional

    shown = [one for one in pictures if not one["is_cover"]] or pictures
    index = max(shown, key=lambda one: one["width"] * one["height"])["index"]
    frames, hidden, doubtful = 0, 0, False
    drift = close = Fraction(0)
    times: list[int] = []
    heard: dict[int, set[tuple[int, int]]] = {}
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as said, opened(asked) as container:
            stream = container.streams[index]
            changing = [container.streams[one["index"]] for one in sounds]
            changing = [one for one in changing if _may_change(one)]
            known = 0  # also what is said while the file is opened
            for packet in container.demux([stream, *changing]):
                doubtful = doubtful or len(said) > known or packet.is_corrupt
                if packet.stream_index != index:
                    heard.setdefault(packet.stream_index, set()).update(_kinds(packet))
                elif packet.size and packet.is_discard:
                    hidden += 1
                elif packet.size:
                    frames += 1
                    if packet.pts is not None:
                        times.append(packet.pts)
                known = len(said)
            times.sort()
            base = Fraction(stream.time_base or 1)
            span = (times[-1] - times[0]) * base if times else None
            if len(times) == frames:
                drift, close = _drift(times) * base, _close(times) * base
            doubtful = doubtful or stream.frames > frames + hidden
            doubtful = doubtful or (container.format.name in STEADY and _has_gap(times))
    except av.FFmpegError:
        span, doubtful = None, True
    finally:
        av.logging.set_level(av.logging.ERROR)
    return {
        "frames": frames,
        "span": None if span is None else whole_numbers(span) or (0, 1),
        "drift": whole_numbers(drift) or (0, 1),
        "close": whole_numbers(close),
        "doubtful": doubtful,
        "changing": [one for one, kinds in heard.items() if len(kinds) > 1],
    }


def whole_numbers(ratio: Optional[Fraction]) -> Optional[tuple[int, int]]:
    """Return a ratio above 0 as two whole numbers, else None."""
    if ratio is None or not ratio.denominator or ratio.numerator <= 0:
        return None
    return int(ratio.numerator), int(ratio.denominator)


def _has_gap(times: Sequence[int]) -> bool:
    longest = usual_distance(times) * 1.5
    return any(after - before > longest for before, after in zip(times, times[1:]))


def _drift(times: Sequence[int]) -> Fraction:
    """Return how far the rising *times* are at most from equal distances."""
    if len(times) < 3:
        return Fraction(0)
    last = len(times) - 1
    length = times[-1] - times[0]
    most = max(abs((one - times[0]) * last - place * length) for place, one in enumerate(times))
    return Fraction(most, last)


def _close(times: Sequence[int]) -> int:
    """Return the distance above 0 that a tenth of the rising *times* have at most, else 0."""
    distances = sorted(after - before for before, after in zip(times, times[1:]) if after > before)
    return distances[len(distances) // 10] if distances else 0


def _may_change(stream: Any) -> bool:
    return stream.codec_context.codec.canonical_name in _CHANGING


def _kinds(packet: Any) -> set[tuple[int, int]]:
    """Return the sample rates and the numbers of planes of the sound in *packet*."""
    import av  # lazy: optional

    try:
        # These decoders have a plane for each channel. To read the layout of a frame crashes PyAV
        # 18 where it has no usual name.
        return {(one.sample_rate, len(one.planes)) for one in packet.decode()}
    except (av.FFmpegError, ValueError):
        return set()  # damaged
