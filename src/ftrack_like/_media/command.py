"""The command of ffmpeg that makes all sizes of a movie from one reading of the source."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Optional

from ftrack_like._media.facts import MediaFacts, Picture, Sound
from ftrack_like._media.filters import (
    COLOUR_OPTIONS,
    picture_filters,
    size_filters,
    sound_graph,
    sound_rate,
)
from ftrack_like._media.presets import Preset
from ftrack_like._media.rates import is_constant

__all__ = ["QUIET", "Layers", "Movie", "movie_arguments", "sound_arguments"]

#: Codecs that ffmpeg must decode with one thread. With several, ffmpeg 5.1 mixes up frames: about
#: one movie in ten had frames twice.
_ONE_THREAD = frozenset({"theora", "vp3"})

QUIET = ("-hide_banner", "-nostdin", "-y", "-loglevel", "error")

_VIDEO_OPTIONS = {
    "h264": ("-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high"),
    "vp9": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
}

#: Below this rate, frames are stored in the order in which they are shown. Otherwise the file
#: begins with a shift of two frames. If that is hours, players skip the first frames.
_SLOW = Fraction(1)
_IN_ORDER = ("-bf", "0")

_AUDIO_CODECS = {"aac": "aac", "opus": "libopus"}
_FORMAT_OPTIONS = {
    "mp4": ("-movflags", "+faststart+write_colr", "-f", "mp4"),
    "webm": ("-f", "webm"),
}


@dataclass(frozen=True)
class Layers:
    """The movies to put on the picture of one size, None for those that are not wanted.

    *burn_in* has strips of *strip* pixels for the top and the bottom, *slate* a single frame.
    """

    burn_in: Optional[pathlib.Path] = None
    slate: Optional[pathlib.Path] = None
    strip: int = 0


@dataclass(frozen=True)
class Movie:
    """A movie to make: its *preset*, the *target* file, its *size*, and the *layers* on it."""

    preset: Preset
    target: pathlib.Path
    size: tuple[int, int]
    layers: Layers = Layers()


def movie_arguments(
    path: str,
    facts: MediaFacts,
    picture: Picture,
    rate: Fraction,
    movies: Sequence[Movie],
    *,
    is_sequence: bool,
    input_options: Sequence[str],
    sound_input: Sequence[str] = (),
) -> list[str]:
    """Return the arguments of ffmpeg that make *movies* of *picture* in the file at *path*.

    *input_options* stand before each input. *sound_input* are the arguments of another file that
    contains the sound.
    """
    count = len(movies)
    inputs = [*input_options, *_source_options(picture, rate, is_sequence), "-i", path]
    inputs += [*input_options, *sound_input] if sound_input else []
    filters = picture_filters(picture, None if is_sequence else rate, is_constant(facts, rate))
    graph = [
        f"[0:{picture.index}]"
        + ",".join([*filters, f"split={count}"])
        + "".join(f"[picture{place}]" for place in range(count))
    ]
    delay = 1 / rate if any(one.layers.slate for one in movies) else Fraction(0)
    tracks = [] if is_sequence else sound_graph(facts, picture, delay)
    # A graph for each track: what changes within one stream then leaves the others as they are.
    heard = [
        f"{chain},asplit={count}" + "".join(f"[sound{number}-{place}]" for place in range(count))
        for number, (_, chain) in enumerate(tracks)
    ]
    outputs: list[str] = []
    for place, movie in enumerate(movies):
        known = inputs.count("-i")
        layers = movie.layers
        for layer in (layers.burn_in, layers.slate):
            if layer is not None:
                inputs += [*input_options, "-i", f"file:{layer}"]
        graph += _shown(place, movie, picture, rate, known)
        outputs += ["-map", f"[shown{place}]"]
        for number, (sounds, _) in enumerate(tracks):
            outputs += ["-map", f"[sound{number}-{place}]"]
            language = sounds[0].language
            outputs += [f"-metadata:s:a:{number}", f"language={language or 'und'}"]
            outputs += [f"-disposition:a:{number}", "0" if number else "default"]
        outputs += [*_codec_options(movie.preset, rate), str(movie.target)]
    return [
        *(*QUIET, "-progress", "pipe:1", *inputs),
        *(part for one in (";".join(graph), *heard) for part in ("-filter_complex", one)),
        *outputs,
    ]


def sound_arguments(
    path: str, sounds: Sequence[Sound], target: pathlib.Path, *, input_options: Sequence[str]
) -> list[str]:
    """Return the arguments of ffmpeg that write *sounds* of the file at *path* to *target*.

    There, each has one sample rate and one number of channels. Where these change in the source,
    ffmpeg begins again with new filters. So no filter here may count from the beginning.
    """
    outputs: list[str] = []
    for place, sound in enumerate(sounds):
        layout = "mono" if sound.channels == 1 and not sound.is_changing else "stereo"
        steady = f"aresample={sound_rate(sound)},aformat=channel_layouts={layout}"
        outputs += ["-map", f"0:{sound.index}", f"-filter:a:{place}", steady]
    return [
        *(*QUIET, "-progress", "pipe:1", *input_options, "-i", path),
        *(*outputs, "-c:a", "pcm_s16le", "-f", "nut", str(target)),
    ]


def _source_options(picture: Picture, rate: Fraction, is_sequence: bool) -> list[str]:
    if is_sequence:
        kept = ["-framerate", f"{rate.numerator}/{rate.denominator}", "-start_number", "0"]
    else:
        kept = ["-threads", "1"] if picture.codec in _ONE_THREAD else []
    # Where the size or the kind of pixels changes within the source, ffmpeg would begin again with
    # new filters, which count from 0: all further frames would be lost.
    return [*kept, "-reinit_filter:v", "0"]


def _shown(place: int, movie: Movie, picture: Picture, rate: Fraction, known: int) -> list[str]:
    """Return the graph from ``[picture…]`` to ``[shown…]``: the size, and *movie*'s layers.

    The inputs of the layers follow the first *known* inputs.
    """
    chain, layers, name = size_filters(picture, movie.size), movie.layers, f"shown{place}"
    start = f"[picture{place}]"
    if layers == Layers():
        return [f"{start}{','.join(chain)}[{name}]"]
    # Frames have whole numbers as times, so that each meets its own text.
    numbered = f"settb={rate.denominator}/{rate.numerator},setpts=N"
    card = ["tpad=start=1:start_mode=clone"] if layers.slate is not None else []
    graph = [f"{start}{','.join([*chain, numbered, *card, numbered])}[base{place}]"]
    last = f"base{place}"
    if layers.burn_in is not None:
        width, height, strip = *movie.size, layers.strip
        graph += [
            f"[{known}:0]{numbered},split[top{place}][bottom{place}]",
            f"[top{place}]crop={width}:{strip}:0:0[above{place}]",
            f"[bottom{place}]crop={width}:{strip}:0:{strip}[below{place}]",
            f"[{last}][above{place}]overlay=0:0:shortest=1[half{place}]",
            f"[half{place}][below{place}]overlay=0:{height - strip}:shortest=1[burnt{place}]",
        ]
        known += 1
        last = f"burnt{place}"
    if layers.slate is not None:
        graph += [
            f"[{known}:0]{numbered}[card{place}]",
            f"[{last}][card{place}]overlay=0:0:enable='eq(n,0)'[slated{place}]",
        ]
        last = f"slated{place}"
    return [*graph, f"[{last}]{chain[-1]}[{name}]"]


def _codec_options(preset: Preset, rate: Fraction) -> list[str]:
    order = _IN_ORDER if preset.video == "h264" and rate < _SLOW else ()
    if preset.bit_rate is None:
        quality = ["-crf", str(preset.quality)]
        if preset.video == "vp9":
            quality += ["-b:v", "0"]
    else:
        quality = ["-b:v", preset.bit_rate]
        if preset.video == "h264":
            quality += ["-maxrate", preset.bit_rate, "-bufsize", preset.bit_rate]
    return [
        *(*_VIDEO_OPTIONS[preset.video], *order, *quality, *COLOUR_OPTIONS),
        *("-c:a", _AUDIO_CODECS[preset.audio], "-b:a", preset.audio_bit_rate),
        *("-map_metadata", "-1", *_FORMAT_OPTIONS[preset.container]),
    ]
