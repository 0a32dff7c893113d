"""Find the frames of a movie that cannot be read, in the reading child process.

A decoder says which packet it rejects, and which frame is incomplete. It drops other frames without
a word: those that refer to a rejected one, but also those that are never shown, as some codecs have
them. So a frame that is missing counts only beside one with an error. A demuxer skips the damaged
part of a file, whose packets then leave a gap in the times.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ftrack_like._media.opening import opened

__all__ = ["STEADY", "find_damage", "usual_distance"]

#: Codecs, besides those that PyAV calls so, in which no frame needs another. Their decoders can be
#: strict: without that, they fill the missing part of a frame. With other codecs, a strict decoder
#: would also reject frames that are whole.
_INTRA_ONLY = frozenset({"png", "ffv1", "cfhd", "apng"})

#: Formats that are recorded as they are sent. Such a recording may end within a frame.
_RECORDED = frozenset({"mpegts", "mpeg", "mpegvideo", "h264", "hevc", "m4v", "obu", "dv", "flv"})

#: Formats whose frames follow each other at equal distances. Their demuxers skip damage in silence.
STEADY = frozenset({"mpegts", "mxf"})

#: Formats that state the exact length of the picture.
_EXACT = frozenset({"mxf", "avi"})

#: The largest gap in seconds: beyond it, the times of a recording begin again.
_LONGEST_GAP = 10.0

#: How many packets a demuxer may read ahead before it complains, or after that.
_NEAR = 3


@dataclass
class _Packet:
    """A packet of the picture: its *time* in ticks, and what the decoder said about it."""

    time: int
    is_key: bool
    is_doubtful: bool


@dataclass
class _Read:
    """All *packets* in the order of the file, and the times of *whole* and *partial* frames.

    *complaints* are the places in *packets* before which the demuxer complained. *found* counts the
    packets without damage, and *end* is the time where the last one ends. *timeless* are the places
    of errors in a stream without times, and *shown* counts the frames of any stream.
    """

    packets: list[_Packet] = field(default_factory=list)
    whole: set[int] = field(default_factory=set)
    partial: set[int] = field(default_factory=set)
    complaints: list[int] = field(default_factory=list)
    timeless: list[int] = field(default_factory=list)
    shown: int = 0
    found: int = 0
    end: int = 0


def find_damage(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Decode the picture with the ``index`` in *asked*, and return the frames that are missing.

    ``lost`` are the runs of these frames: the numbers of the first and the last one, and their
    times in seconds. ``leading`` is the number of frames before the first that can be shown, as in
    a recording that starts between two key frames. ``trailing`` is 1 if a recording ends within
    its last frame. ``stated`` and ``found`` are numbers of packets, ``seconds`` is the length that
    the file states, and ``end`` the time where the last packet ends, which may be
    ``slack`` seconds earlier. ``shown`` is the number of
    frames of a stream without times, else None.
    """
    import av  # lazy: optional

    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as said, opened(asked) as container:
            stream = container.streams[asked["index"]]
            read = _packets_of(container, stream, int(asked["pixels"]), said)
            scale = float(stream.time_base)
            is_recorded = not _RECORDED.isdisjoint(container.format.name.split(","))
            duration, seconds = stream.duration, None
            if duration:
                seconds = duration * scale
            elif container.duration:
                seconds = container.duration / 1_000_000
            # An empty packet in an AVI file repeats a frame. ffmpeg writes one if there are
            # B-frames.
            format_ = container.format.name
            empty = 1 if format_ == "avi" else 0
            if format_ in STEADY:
                read.complaints.append(0)
            slack = max((seconds or 0.0) / 20, 0.2)
            if format_ in _EXACT and duration:
                slack = 2.5 * scale * usual_distance(sorted(one.time for one in read.packets))
            return {
                **_missing(read, scale, None if is_recorded else stream.start_time or 0, 1 + empty),
                "stated": max(stream.frames - empty, 0),
                "found": read.found,
                "seconds": seconds,
                "slack": slack,
                "end": read.end * scale,
            }
    except (av.FFmpegError, MemoryError, ValueError) as error:
        return {"error": str(error)}


def _packets_of(container: Any, stream: Any, pixels: int, said: Sequence[object]) -> _Read:
    """Decode all of *stream*. The messages of the library are added to *said*."""
    import av  # lazy: optional

    context, read = stream.codec_context, _Read()
    is_intra = context.codec.intra_only or context.codec.canonical_name in _INTRA_ONLY
    strict = {"err_detect": "explode"} if is_intra else {}
    context.options = {"max_pixels": str(pixels), **strict}
    context.thread_count = 1  # so that an error belongs to the packet
    known = 0  # opening a file reads a part of it
    for packet in container.demux(stream):
        if len(said) > known:
            read.complaints.append(len(read.packets))
        has_error = False
        try:
            frames = packet.decode()
        except av.FFmpegError:
            frames, has_error = [], True
        known = len(said)
        for frame in frames:
            _note_frame(read, frame)
        if packet.size and not packet.is_discard:
            _note_packet(read, packet, has_error)
    return read


def _note_frame(read: _Read, frame: Any) -> None:
    if frame.pts is not None:
        (read.partial if frame.is_corrupt else read.whole).add(frame.pts)
    elif frame.is_corrupt:
        read.timeless.append(read.shown)
    read.shown += 1


def _note_packet(read: _Read, packet: Any, has_error: bool) -> None:
    if packet.is_corrupt:
        read.complaints.append(len(read.packets))
    else:
        read.found += 1
    if packet.pts is None:
        if has_error:
            read.timeless.append(read.shown)
        return
    read.end = max(read.end, packet.pts + (packet.duration or 0))
    is_doubtful = has_error or packet.is_corrupt
    read.packets.append(_Packet(packet.pts, packet.is_keyframe, is_doubtful))


def _missing(read: _Read, scale: float, begin: Optional[int], least: int) -> dict[str, Any]:
    """Return the missing frames of :func:`find_damage`; a gap has at least *least* frames.

    *begin* is the time at which the file says that it begins, None for a recording.
    """
    if not read.packets:
        lone = [[place, place, None, None] for place in sorted(set(read.timeless))]
        return {"lost": _adjoined(lone), "leading": 0, "trailing": 0, "shown": read.shown}
    ordered = sorted(read.packets, key=lambda one: one.time)
    leading = _leading(read, ordered, begin is None)
    cut = read.packets[-1] if begin is None and _is_bad(read, read.packets[-1]) else None
    gaps = _gaps(read, ordered, scale, least)
    first = ordered[leading].time if leading < len(ordered) else 0
    runs: list[list[Any]] = []
    number = 0
    step = usual_distance([one.time for one in ordered])
    if begin is not None and read.complaints and not leading and step and first - begin >= step:
        number = round((first - begin) / step)
        runs.append([0, number - 1, 0.0, (first - begin - step) * scale])
        first = begin
    silent = 0  # the length of a run, as long as none of its frames has an error
    is_open = False
    for place in range(leading, len(ordered)):
        packet = ordered[place]
        seconds = (packet.time - first) * scale
        lost = gaps.get(place, 0) if place > leading else 0
        if lost:
            each = (packet.time - ordered[place - 1].time) * scale / (lost + 1)
            runs.append([number, number + lost - 1, seconds - each * lost, seconds - each])
            number, is_open = number + lost, True
        if packet.time in read.whole or packet is cut:
            silent, is_open = 0, False
        elif is_open:
            runs[-1][1], runs[-1][3] = number, seconds
        else:
            silent += 1
            if _is_bad(read, packet):
                start = (ordered[place - silent + 1].time - first) * scale
                runs.append([number - silent + 1, number, start, seconds])
                is_open = True
        number += 1
    return {
        "lost": _adjoined(runs),
        "leading": leading,
        "trailing": int(cut is not None),
        "shown": None,
    }


def _adjoined(runs: Sequence[list[Any]]) -> list[list[Any]]:
    """Return *runs* of frames, with those that follow each other as one."""
    made: list[list[Any]] = []
    for run in runs:
        if made and run[0] == made[-1][1] + 1:
            made[-1][1::2] = run[1::2]
        else:
            made.append(run)
    return made


def _is_bad(read: _Read, packet: _Packet) -> bool:
    """Return whether *packet* has an error, and gives no whole frame."""
    return packet.time not in read.whole and (packet.is_doubtful or packet.time in read.partial)


def _leading(read: _Read, ordered: Sequence[_Packet], is_recorded: bool) -> int:
    """Return the number of frames at the start that need a key frame before the file.

    Without a key frame, only a recording begins so.
    """
    if not (is_recorded or read.packets[0].is_key):
        return 0
    places = range(len(read.packets))
    at = next((place for place in places if read.packets[place].is_key), len(read.packets))
    before = {id(one) for one in read.packets[:at]}
    start = read.packets[at].time if at < len(read.packets) else min(read.whole, default=0)
    for place, packet in enumerate(ordered):
        if packet.time in read.whole or not (id(packet) in before or packet.time < start):
            return place
    return len(ordered)


def _gaps(read: _Read, ordered: Sequence[_Packet], scale: float, least: int) -> Mapping[int, int]:
    """Return the number of lost frames before each place in *ordered*, where there are any."""
    times = [one.time for one in ordered]
    distances, step = _distances(times), usual_distance(times)
    if not read.complaints or len(distances) < 2 or _begins_again(read.packets, scale):
        return {}
    tolerance = max(0.0015 / scale, step / 20)
    is_steady = sum(abs(one - step) <= tolerance for one in distances) * 10 >= len(distances) * 9
    near = {
        read.packets[place].time
        for at in read.complaints
        for place in range(max(at - _NEAR, 0), min(at + _NEAR, len(read.packets)))
    }
    found = {}
    for place in range(1, len(times)):
        distance = times[place] - times[place - 1]
        lost = round(distance / step) - 1
        is_near = is_steady or times[place] in near or times[place - 1] in near
        if is_near and least <= lost and distance * scale <= _LONGEST_GAP:
            found[place] = lost
    return found


def _distances(times: Sequence[int]) -> list[int]:
    return [after - before for before, after in zip(times, times[1:]) if after > before]


def usual_distance(times: Sequence[int]) -> float:
    """Return the usual distance of two frames with these rising *times*, 0 for a single frame."""
    distances = _distances(times)
    return float(statistics.median(distances)) if distances else 0.0


def _begins_again(packets: Sequence[_Packet], scale: float) -> bool:
    """Return whether the times go back by more than the order of frames needs."""
    highest: Optional[int] = None
    for one in packets:
        if highest is not None and (highest - one.time) * scale > 1:
            return True
        highest = one.time if highest is None else max(highest, one.time)
    return False
