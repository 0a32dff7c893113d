"""The filters of ffmpeg that turn pictures and sound into what browsers show and play.

Every encoded movie has the colours of BT.709 with the limited range, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Optional

from ftrack_like._media.facts import MediaFacts, Picture, Sound
from ftrack_like._media.primaries import in_bt709

__all__ = [
    "COLOUR_OPTIONS",
    "as_if_transparent",
    "fitted",
    "is_hdr",
    "picture_filters",
    "rgb_filters",
    "size_filters",
    "sound_graph",
    "sound_rate",
    "still_filters",
]

#: What an encoder writes about the colours.
COLOUR_OPTIONS = (
    *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
    *("-color_range", "tv"),
)

#: The codecs of pictures in linear light.
_LINEAR = frozenset({"exr", "hdr", "pfm", "phm"})

#: The codecs of images that may have alpha, or not.
_SOMETIMES_ALPHA = frozenset({"png", "tiff", "webp", "targa", "psd", "sgi"})

#: The transfer functions of HDR: PQ and HLG.
_PQ, _HLG = 16, 18
_HDR = frozenset({_PQ, _HLG})

#: ffmpeg's names of the matrices.
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}

#: Multiplies the colours with their alpha, as on black. The alpha stays until the next filter drops
#: it: to convert to ``gbrp16le`` leaves a part of the picture black in some versions of ffmpeg.
_ON_BLACK = ("format=gbrap16le", "premultiply=inplace=1")

#: The sRGB curve for 16 bits.
_CURVE = "if(lte(val,205.3),val*12.92,65535*(1.055*pow(val/65535,1/2.4)-0.055))"


def fitted(shape: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size of *shape* within *box*, in even numbers and not enlarged."""
    width, height = shape
    share = min(Fraction(box[0], width), Fraction(box[1], height), Fraction(1))
    return _even(width * share), _even(height * share)


def is_hdr(picture: Picture) -> bool:
    """Return whether *picture* is brighter than an ordinary display shows."""
    return picture.transfer in _HDR


def picture_filters(
    picture: Picture, rate: Optional[Fraction], constant: bool = False
) -> list[str]:
    """Return the filters that make the frames of *picture* plain, at *rate*.

    With *constant*, the frames are counted. Otherwise their times decide, so that frames may be
    repeated or left out.

    The result is RGB without alpha, or YUV as in the source; :func:`size_filters` follow.
    """
    made = []
    if picture.is_interlaced:
        # "scale" gives all frames the size of the first one, which the next filter needs.
        made += ["scale", "bwdif=mode=send_frame:parity=auto:deint=interlaced"]
    if rate is not None:
        # The first frame is at 0, and the distances are equal, so that players find each frame.
        text = f"{rate.numerator}/{rate.denominator}"
        if constant:
            made += [f"settb={rate.denominator}/{rate.numerator}", "setpts=N", f"fps={text}"]
        else:
            made += ["setpts=PTS-STARTPTS", f"fps={text}"]
    if picture.codec in _LINEAR:
        # Premultiplied colours without their alpha are those over black.
        kept = "gbrap16le" if _has_alpha(picture.pixel_format) else "gbrp16le"
        made += [f"format={kept}", f"lutrgb=r='{_CURVE}':g='{_CURVE}':b='{_CURVE}'"]
    elif is_hdr(picture):
        transfer = "smpte2084" if picture.transfer == _PQ else "arib-std-b67"
        made += [
            f"zscale=transferin={transfer}:primariesin=2020:matrixin=2020_ncl:transfer=linear:npl=203",
            "format=gbrpf32le",
            "zscale=primaries=bt709",
            "tonemap=tonemap=mobius:desat=0",
            "zscale=transfer=bt709:matrix=bt709:range=limited",
            "format=yuv444p10le",
        ]
    elif _has_alpha(picture.pixel_format):
        made += [_to_rgb(picture), *_ON_BLACK, *in_bt709(picture)]
    else:
        converted = in_bt709(picture)
        made += [_to_rgb(picture), "format=gbrp16le", *converted] if converted else []
    return made


def as_if_transparent(picture: Picture) -> Picture:
    """Return *picture*, the first image of a sequence, as if it had alpha.

    Many programs write an image without alpha if all its pixels are opaque, such as the black first
    one, and the images after it with alpha.
    """
    if picture.codec not in _SOMETIMES_ALPHA or _has_alpha(picture.pixel_format):
        return picture
    is_yuv = picture.pixel_format.startswith("yuv")
    return replace(picture, pixel_format="yuva420p" if is_yuv else "rgba64le")


def size_filters(picture: Picture, size: tuple[int, int]) -> list[str]:
    """Return the filters that scale the result of :func:`picture_filters` to *size*."""
    width, height = size
    return [
        f"scale={width}:{height}:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp{_from(picture)}:out_color_matrix=bt709:out_range=tv",
        "format=yuv420p",
        "setsar=1",
        "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709",
    ]


def still_filters(picture: Picture, size: tuple[int, int]) -> list[str]:
    """Return the filters that scale the result of :func:`picture_filters` for a JPEG."""
    width, height = size
    # JPEG files have the matrix of BT.601 and the full range.
    return [
        f"scale={width}:{height}:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp{_from(picture)}:out_color_matrix=bt601:out_range=pc",
        "format=yuvj444p",
        "setsar=1",
    ]


def rgb_filters(picture: Picture, size: tuple[int, int]) -> list[str]:
    """Return the filters that scale the result of :func:`picture_filters` to RGB with 8 bits."""
    width, height = size
    return [f"scale={width}:{height}:flags=bicubic+accurate_rnd{_from(picture)}", "format=rgb24"]


def sound_graph(
    facts: MediaFacts, picture: Picture, delay: Fraction = Fraction(0)
) -> list[tuple[list[Sound], str]]:
    """Return the tracks of the encoded movie: their sources, and a graph that reads them.

    *delay* seconds of silence come first.

    The first track is what players play. Two tracks with one channel each become its left and right
    channel. The other languages follow as tracks of their own.
    """
    tracks: list[list[Sound]] = []
    sounds = sorted(facts.sounds, key=lambda one: not one.is_default)
    singles = [one for one in facts.sounds if one.channels == 1]
    if len(singles) > 1 and len(singles) == len(facts.sounds) and len(_languages(singles)) < 2:
        tracks.append(singles[:2])
    else:
        tracks += [[one] for one in sounds]
    late = (picture.start or 0.0) - facts.start if picture.start is not None else 0.0
    shift = f"atrim=start={late:.6f},asetpts=PTS-{late:.6f}/TB," if late > 0.001 else ""
    made = []
    for track in tracks:
        rate = sound_rate(track[0])
        # Silence fills what is missing at the beginning and within.
        steady = f"{shift}aresample={rate}:async=1:first_pts=0"
        chain = f"{_pad(track[0])}{steady},"
        if len(track) > 1:
            # The tracks may begin and end at different times, so each is placed by itself, and
            # lasts to the end: "join" ends with the shorter one.
            steady += f",apad=whole_dur={_seconds_from(facts, late):.6f}"
            left, right = track
            chain = (
                f"{_pad(left)}{steady}[left];{_pad(right)}{steady}[right];"
                "[left][right]join=inputs=2:channel_layout=stereo,"
            )
        chain += f"aformat=sample_rates={rate}:channel_layouts=stereo"
        if delay:
            chain += f",adelay=delays={round(delay * rate)}S:all=1"
        made.append((track, chain))
    return made


def sound_rate(sound: Sound) -> int:
    """Return the sample rate of *sound* in a result."""
    is_usual = sound.sample_rate in {32000, 44100, 48000} and not sound.is_changing
    return sound.sample_rate if is_usual else 48000


def _pad(sound: Sound) -> str:
    return f"[{sound.file}:{sound.index}]"


def _seconds_from(facts: MediaFacts, late: float) -> float:
    """Return the seconds from *late* to the end of the file, as far as the file states them."""
    return max((facts.duration or float(facts.span or 0)) - max(late, 0.0), 0.0)


def _languages(sounds: Sequence[Sound]) -> set[str]:
    return {one.language for one in sounds if one.language is not None}


def _has_alpha(pixel_format: str) -> bool:
    return pixel_format == "pal8" or pixel_format.startswith(
        ("rgba", "bgra", "argb", "abgr", "ya8", "ya16", "yuva", "gbrap", "ayuv", "vuya", "pal8")
    )


def _is_rgb(pixel_format: str) -> bool:
    return pixel_format.startswith(
        ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "bayer", "x2rgb", "x2bgr")
    )


def _becomes_rgb(picture: Picture) -> bool:
    """Return whether the result of :func:`picture_filters` is RGB."""
    return (
        _is_rgb(picture.pixel_format)
        or picture.codec in _LINEAR
        or _has_alpha(picture.pixel_format)
        or bool(in_bt709(picture))
    )


def _from(picture: Picture) -> str:
    """Return the options of ``scale`` for the colours after :func:`picture_filters`."""
    if is_hdr(picture):
        return ":in_color_matrix=bt709:in_range=tv"
    return "" if _becomes_rgb(picture) else f":in_color_matrix={_matrix(picture)}"


def _to_rgb(picture: Picture) -> str:
    if _is_rgb(picture.pixel_format):
        return "null"
    return f"scale=in_color_matrix={_matrix(picture)}:flags=bicubic+accurate_rnd+full_chroma_int"


def _matrix(picture: Picture) -> str:
    """Return the matrix of *picture*; if the file does not say it, that of its kind."""
    if picture.pixel_format.startswith("yuvj") or picture.codec in {"mjpeg", "jpeg2000"}:
        return _MATRICES.get(picture.matrix, "bt601")
    if picture.matrix in _MATRICES:
        return _MATRICES[picture.matrix]
    return "bt709" if picture.width >= 1280 or picture.height > 576 else "bt601"


def _even(length: Fraction) -> int:
    return max(int(length) // 2 * 2, 2)
