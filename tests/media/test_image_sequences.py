"""Sequences whose images differ, or are of a kind that ffmpeg reads only as single files."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence

import pytest

from ftrack_like._base.errors import MediaError
from ftrack_like._media.pipeline import Made, Pipeline, Source
from ftrack_like._media.programs import LocalPrograms

pytest.importorskip("av", reason="PyAV (media extra) is not installed")
pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")

from PIL import Image

pytestmark = [pytest.mark.ffmpeg, pytest.mark.usefixtures("program")]

RED = (200, 40, 96)


def _encode(folder: pathlib.Path, paths: Sequence[pathlib.Path]) -> Made:
    """Return the movie of the images at *paths*, whose names have numbers from 0."""
    target = folder / "encoded"
    target.mkdir()
    source = Source(
        "'it'",
        str(folder / f"%d{paths[0].suffix}"),
        frame_names=[path.name for path in paths],
        frame_paths=[str(path) for path in paths],
    )
    return Pipeline(LocalPrograms()).make(source, target).files[0]


def _reds(movie: Made) -> list[int]:
    """Return the red in the middle of each frame of *movie*."""
    import av

    with av.open(str(movie.path)) as container:
        pictures = [frame.to_image() for frame in container.decode(video=0)]
    return [one.getpixel((one.width // 2, one.height // 2))[0] for one in pictures]


def test_transparent_pixels_of_later_images_are_shown_on_black(tmp_path):
    """The first image needs no alpha, as if it is black, for that of the others to count."""
    first = Image.new("1", (64, 36), 0)
    others = [Image.new("RGBA", (64, 36), (*RED, alpha)) for alpha in (255, 128, 0)]
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for image, path in zip((first, *others), paths):
        image.save(path)
    reds = _reds(_encode(tmp_path, paths))
    assert [round(red / 50) for red in reds] == [0, 4, 2, 0]


@pytest.mark.parametrize("name", ["hdr", "tif", "gif"])
def test_what_ffmpeg_reads_only_as_single_images_is_a_sequence(tmp_path, name):
    """Each image of such a sequence looks as it does alone: 0.18 in linear light is 118."""
    paths = [tmp_path / f"{number}.{name}" for number in range(3)]
    for path in paths:
        if name == "hdr":
            pixel = bytes([184, 184, 184, 126])
            path.write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 16 +X 16\n" + pixel * 256)
        elif name == "tif":
            Image.new("F", (16, 16), 0.18).save(path)
        else:
            Image.new("RGB", (16, 16), (118, 118, 118)).save(path)
    movie = _encode(tmp_path, paths)
    assert json.loads(movie.meta)["frameOut"] == 2
    assert max(abs(red - 118) for red in _reds(movie)) <= 3


def test_a_damaged_image_of_such_a_sequence_is_named(tmp_path):
    """The error names the image, not only the sequence."""
    paths = [tmp_path / f"{number}.tif" for number in range(3)]
    for path in paths:
        Image.new("F", (16, 16), 0.18).save(path)
    paths[1].write_bytes(b"not an image")
    with pytest.raises(MediaError, match=r"1\.tif"):
        _encode(tmp_path, paths)
