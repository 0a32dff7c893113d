"""Make the files of one encoding: the movies or the image that players show, and the thumbnail.

Nothing here knows where the source comes from and where the files go. What a file contains is read
from its streams, and what is told of a result is counted in the result.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Optional

from ftrack_like._base.errors import MediaError
from ftrack_like._media.checking import check_images, check_movie, unreadable_images
from ftrack_like._media.command import QUIET, Movie, movie_arguments, sound_arguments
from ftrack_like._media.facts import MediaFacts, MovieCount, Picture
from ftrack_like._media.filters import (
    as_if_transparent,
    fitted,
    picture_filters,
    rgb_filters,
    sound_rate,
    still_filters,
)
from ftrack_like._media.presets import Preset, presets, wanted_presets
from ftrack_like._media.programs import Programs
from ftrack_like._media.rates import SEQUENCE_RATE, encoded_rate, is_constant
from ftrack_like._media.texts import FindDetails, Texts

__all__ = ["IMAGE", "THUMBNAIL", "Encoded", "Made", "Pipeline", "Source"]

#: The names of the components that are images.
IMAGE, THUMBNAIL = "ftrackreview-image", "thumbnail"

#: How errors begin that consist of the words of ffmpeg.
_FFMPEG_FAILED = re.compile(r"ffmpeg\S* failed: ")

#: The largest image, in pixels.
_IMAGE_SIZE = (1920, 1080)

#: The thumbnail of a movie shows its middle, but no frame after this time in seconds.
_THUMBNAIL_SECONDS = 5


@dataclass(frozen=True)
class Source:
    """The media to encode, which messages call *name*.

    *path* is the file, or ffmpeg's pattern of a sequence. *frame_names* are the names of the
    result's frames, in order, and *frame_paths* their files; both are empty unless it is a
    sequence. *first* is the number of its first frame; a movie has numbers from 0 by default.
    """

    name: str
    path: str
    is_image: bool = False
    frame_names: Sequence[str] = ()
    frame_paths: Sequence[str] = ()
    first: int = 0

    @property
    def is_sequence(self) -> bool:
        """Return whether it is a sequence of images."""
        return bool(self.frame_paths)


@dataclass(frozen=True)
class Made:
    """A file that was made for the component called *name*, and its ``ftr_meta``."""

    name: str
    path: pathlib.Path
    file_type: str
    meta: str


@dataclass(frozen=True)
class Encoded:
    """The *files* of one encoding, and the *shape* of the source: width and height in pixels.

    The first file is the smallest movie, or the image. The last is the thumbnail. *slate_frames* is
    the number of frames before the first frame of the source. *unreadable* are words for the frames
    that the source lacks because its recording began or ended within them.
    """

    files: Sequence[Made]
    shape: tuple[int, int]
    slate_frames: int = 0
    unreadable: str = ""


class Pipeline:
    """Makes files with *programs* and *all_presets*, by default those of the studio."""

    def __init__(self, programs: Programs, all_presets: Optional[Sequence[Preset]] = None) -> None:
        self._programs = programs
        self._presets = presets() if all_presets is None else all_presets

    def facts(self, source: Source) -> MediaFacts:
        """Return the properties of *source*; of a sequence, those of its first frame."""
        path = source.frame_paths[0] if source.is_sequence else source.path
        answer = self._programs.read({"do": "facts", "path": path, **self._reading()})
        if "error" in answer:
            shown = (
                f"{source.name}, {source.frame_names[0]}," if source.is_sequence else source.name
            )
            raise MediaError(
                f"{shown} contains no picture and no sound that can be read: {answer['error']}."
            )
        return MediaFacts.of(answer)

    def make(
        self,
        source: Source,
        folder: pathlib.Path,
        containers: Sequence[str] = ("mp4",),
        progress: Optional[Callable[[float], None]] = None,
        details: Optional[FindDetails] = None,
    ) -> Encoded:
        """Make the files for *source* in *folder*.

        A movie is made in all *containers*, and in all sizes that the source has. *progress* is
        called with the finished share, from 0.0 to 1.0. *details* returns the values for the texts
        of a burn-in and a slate, and is called if a preset has them. Raise
        :exc:`~ftrack_like.exception.MediaError` if that is not possible.
        """
        if source.is_image and not source.is_sequence:
            return self._image(source, folder)
        return self._movies(source, folder, containers, progress or _ignore_progress, details)

    # -- images ------------------------------------------------------------------------------

    def _image(self, source: Source, folder: pathlib.Path) -> Encoded:
        target = folder / "image.part"
        shape, size = self._with_pillow(source, target) or self._with_ffmpeg(source, target)
        meta = _image_meta(size)
        files = [Made(name, target, ".jpg", meta) for name in (IMAGE, THUMBNAIL)]
        return Encoded(files, shape)

    def _with_pillow(
        self, source: Source, target: pathlib.Path
    ) -> Optional[tuple[tuple[int, int], tuple[int, int]]]:
        """Return the size of *source* and of the result, None if Pillow cannot read *source*."""
        asked = {"do": "still", "path": source.path, "target": str(target), "size": _IMAGE_SIZE}
        answer = self._programs.read({**asked, **self._reading()})
        if answer["size"] is None:
            return None
        shape, size = answer["shape"], answer["size"]
        return (shape[0], shape[1]), (size[0], size[1])

    def _with_ffmpeg(
        self, source: Source, target: pathlib.Path
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        facts = self.facts(source)
        if unreadable_images(self._programs, [source.path]):
            raise MediaError(f"The image {source.name} is cut off or damaged.")
        picture = facts.picture(source.name)
        size = fitted(picture.shape, _IMAGE_SIZE)
        try:
            self._still([source.path], target, picture_filters(picture, None), picture, size)
        except MediaError as error:
            self._with_pyav(source, target, picture, size, error)
        return picture.shape, size

    def _with_pyav(
        self,
        source: Source,
        target: pathlib.Path,
        picture: Picture,
        size: tuple[int, int],
        cause: MediaError,
    ) -> None:
        """Make the image with PyAV, whose libraries may be newer than ffmpeg, which had *cause*."""
        filters = [*picture_filters(picture, None), *rgb_filters(picture, size)]
        asked = {"do": "picture", "path": source.path, "target": str(target), "filters": filters}
        answer = self._programs.read({**asked, **self._reading()})
        if "error" in answer:
            raise MediaError(f"{source.name} could not be converted: {cause}") from cause

    def _still(
        self,
        inputs: Sequence[str],
        target: pathlib.Path,
        filters: Sequence[str],
        picture: Picture,
        size: tuple[int, int],
    ) -> None:
        *options, path = inputs
        self._programs.ffmpeg(
            [
                *(*QUIET, *self._programs.input_options(), *options, "-i", path),
                *("-map", f"0:{picture.index}", "-frames:v", "1"),
                *("-vf", ",".join([*filters, *still_filters(picture, size)])),
                *("-c:v", "mjpeg", "-q:v", "2", "-f", "image2", "-update", "1", str(target)),
            ]
        )

    # -- movies ------------------------------------------------------------------------------

    def _movies(
        self,
        source: Source,
        folder: pathlib.Path,
        containers: Sequence[str],
        progress: Callable[[float], None],
        details: Optional[FindDetails],
    ) -> Encoded:
        source = self._readable_sequence(source, folder)
        facts = self.facts(source)
        picture = facts.picture(source.name)
        if source.is_sequence:
            picture = as_if_transparent(picture)
        rate = SEQUENCE_RATE if source.is_sequence else encoded_rate(picture, facts)
        movies = [
            Movie(one, folder / f"{one.name}.part", fitted(picture.shape, (one.width, one.height)))
            for one in wanted_presets(self._presets, picture.shape, containers)
        ]
        seconds = len(source.frame_paths) / rate if source.is_sequence else facts.duration

        def tell(done: float) -> None:
            progress(min(done / float(seconds), 1.0) if seconds else 0.0)

        skipped = 1 if any(one.preset.slate for one in movies) else 0
        texts = Texts(
            self._programs,
            folder,
            rate,
            # A slate is the frame before the first one. Players do not count below 0.
            first=max(source.first, skipped),
            source_first=source.first,
            frames=_expected_frames(source, facts, rate),
            skipped=skipped,
            timecode=facts.timecode,
            find_details=details,
        )
        try:
            said, counts = self._encode(source, facts, picture, movies, texts, tell)
        except MediaError as error:
            if _FFMPEG_FAILED.match(str(error)):  # because of damage at the start, perhaps
                self._check(source, facts, picture, 0, str(error))
            raise
        unreadable = self._check(source, facts, picture, counts[0].frames - skipped, said.strip())
        made = []
        for movie, count in zip(movies, counts):
            meta = json.dumps(_movie_meta(count, rate, texts.first - skipped))
            made.append(Made(movie.preset.name, movie.target, f".{movie.preset.container}", meta))
        largest = max(range(len(made)), key=lambda place: counts[place].width)
        made.append(self._thumbnail(folder, made[largest].path, counts[largest], rate, skipped))
        return Encoded(made, picture.shape, skipped, unreadable)

    def _readable_sequence(self, source: Source, folder: pathlib.Path) -> Source:
        """Return *source*, with other images in *folder* if ffmpeg does not show such a sequence.

        These are made as single images are.
        """
        if not source.is_sequence or self._reads_sequence(source):
            return source
        made: dict[pathlib.Path, pathlib.Path] = {}
        links = []
        for number, (name, path) in enumerate(zip(source.frame_names, source.frame_paths)):
            links.append(folder / f"plain-{number:06d}.jpg")
            real = pathlib.Path(path).resolve()
            if real in made:  # a missing frame shows the one before
                shutil.copyfile(made[real], links[-1])
                continue
            image = Source(f"{source.name}, {name},", path, is_image=True)
            try:
                if self._with_pillow(image, links[-1]) is None:
                    self._with_ffmpeg(image, links[-1])
            except MediaError:
                if number == 0:
                    return source  # whose error says what it is
                raise
            made[real] = links[-1]
        pattern = str(folder / "plain-%06d.jpg")
        return replace(source, path=pattern, frame_paths=[str(one) for one in links])

    def _reads_sequence(self, source: Source) -> bool:
        """Return whether ffmpeg reads the first image of *source*, and shows all as they are."""
        start = [*QUIET, *self._programs.input_options(), "-start_number", "0", "-i", source.path]
        try:
            self._programs.ffmpeg([*start, "-frames:v", "1", "-f", "null", "-"])
        except MediaError:
            return False
        paths = list(dict.fromkeys(os.path.realpath(one) for one in source.frame_paths))
        asked = {"do": "plain", "paths": paths, "pixels": self._programs.pixels}
        return bool(self._programs.read(asked).get("plain", True))

    def _encode(
        self,
        source: Source,
        facts: MediaFacts,
        picture: Picture,
        movies: Sequence[Movie],
        texts: Texts,
        tell: Callable[[float], None],
    ) -> tuple[str, list[MovieCount]]:
        """Make *movies*; return what ffmpeg said about errors, and the counts of the movies."""
        # The text of each frame is drawn before the frames are counted. If the text does not last
        # to the end, it ends the movie: then there are more frames than expected.
        most = texts.skipped + texts.frames + texts.frames // 50 + 25
        values = texts.values() if any(one.preset.has_text for one in movies) else {}
        facts, sound_input = self._steady_sound(source, facts, texts.folder)
        while True:
            layered = [
                texts.draw(one, values, most) if one.preset.has_text else one for one in movies
            ]
            said = self._programs.ffmpeg(
                movie_arguments(
                    source.path,
                    facts,
                    picture,
                    rate=texts.rate,
                    movies=layered,
                    is_sequence=source.is_sequence,
                    input_options=self._programs.input_options(),
                    sound_input=sound_input,
                ),
                tell,
            )
            counts = [self._count(source, one.target) for one in movies]
            if not any(one.preset.burn_in for one in movies) or counts[0].frames < most:
                return said, counts
            most *= 2

    def _steady_sound(
        self, source: Source, facts: MediaFacts, folder: pathlib.Path
    ) -> tuple[MediaFacts, list[str]]:
        """Write the sound to a file in *folder* if its parameters change within *source*.

        Return the facts with the sounds of that file, and its arguments as an input of ffmpeg.
        """
        if not any(one.is_changing for one in facts.sounds):
            return facts, []
        target = folder / "sound.nut"
        options = self._programs.input_options()
        arguments = sound_arguments(source.path, facts.sounds, target, input_options=options)
        self._programs.ffmpeg(arguments, _ignore_progress)
        written = self._programs.read({"do": "facts", "path": str(target), **self._reading()})
        sounds = [
            replace(one, file=1, index=place, sample_rate=sound_rate(one), is_changing=False)
            for place, one in enumerate(facts.sounds)
        ]
        # ffmpeg lets each input begin at 0; this keeps the place of its beginning.
        start = ["-itsoffset", f"{written.get('start', 0.0):.6f}"]
        return replace(facts, sounds=sounds), [*start, "-i", f"file:{target}"]

    def _count(self, source: Source, target: pathlib.Path) -> MovieCount:
        answer = self._programs.read({"do": "count", "path": str(target)})
        if "error" in answer:
            raise MediaError(f"{source.name} could not be encoded: {answer['error']}")
        count = MovieCount(**answer)
        if not count.frames:
            raise MediaError(f"{source.name} contains no frame that can be decoded.")
        return count

    def _check(
        self, source: Source, facts: MediaFacts, picture: Picture, frames: int, said: str
    ) -> str:
        """Raise :exc:`MediaError` if *frames* of an encoded movie are not those of *source*.

        *said* is what ffmpeg said about errors. Return words for frames that a recording lacks at
        its start or its end.
        """
        name = source.name
        if source.is_sequence:
            if said or frames != len(source.frame_paths):
                images = {"paths": source.frame_paths, "names": source.frame_names}
                check_images(self._programs, name, images, frames)
        elif said or facts.is_doubtful or frames < facts.frames:
            return check_movie(
                self._programs, name, source.path, picture.index, source.first, bool(said)
            )
        return ""

    def _thumbnail(
        self,
        folder: pathlib.Path,
        movie: pathlib.Path,
        count: MovieCount,
        rate: Fraction,
        skipped: int,
    ) -> Made:
        """Make the thumbnail from the encoded *movie*, so that its frame exists.

        Do not take the first *skipped* frames.
        """
        target = folder / "thumbnail.part"
        picture = _encoded_picture(count, rate)
        size = (count.width, count.height)
        frame = max(min(count.frames // 2, int(_THUMBNAIL_SECONDS * rate)), skipped)
        # ffmpeg takes the first frame after a time, so half a frame absorbs rounding errors.
        moment = max(Fraction(2 * frame - 1, 2) / rate, Fraction(0))
        for options in (["-ss", f"{float(moment):.6f}"] if moment else [], []):
            self._still([*options, f"file:{movie}"], target, [], picture, size)
            if target.exists() and target.stat().st_size:
                break
        return Made(THUMBNAIL, target, ".jpg", _image_meta(size))

    def _reading(self) -> dict[str, Any]:
        return {"formats": self._programs.formats, "pixels": self._programs.pixels}


def _image_meta(size: tuple[int, int]) -> str:
    return json.dumps({"format": "image", "width": size[0], "height": size[1]})


def _movie_meta(count: MovieCount, rate: Fraction, first: int) -> dict[str, Any]:
    """Return the values of ``ftr_meta`` for a movie whose first frame has the number *first*."""
    return {
        "width": count.width,
        "height": count.height,
        "frameIn": first,
        "frameOut": first + count.frames - 1,
        "frameRate": float(rate),
    }


def _expected_frames(source: Source, facts: MediaFacts, rate: Fraction) -> int:
    """Return the number of frames that the movie of *source* will have, if nothing is damaged."""
    if source.is_sequence:
        return len(source.frame_paths)
    if facts.span is None or is_constant(facts, rate):
        return max(facts.frames, 1)
    return round(facts.span * rate) + 1


def _encoded_picture(count: MovieCount, rate: Fraction) -> Picture:
    """Return the facts of an encoded movie, which has the same kind of picture always."""
    size = (count.width, count.height)
    return Picture(0, "h264", "yuv420p", *size, size, rate, rate, 0.0, False, False, 1, 1, 1, 1)


def _ignore_progress(share: float) -> None:
    """Do nothing."""
