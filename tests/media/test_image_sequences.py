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


def _profile_with_red_and_green_swapped() -> bytes:
    """Return the profile of sRGB with another name, whose red and green are swapped."""
    from PIL import ImageCms

    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {bytes(data[at : at + 4]): at + 4 for at in range(132, 132 + 12 * data[131], 12)}
    red, green = (slice(places[name], places[name] + 8) for name in (b"rXYZ", b"gXYZ"))
    data[red], data[green] = data[green], data[red]
    return bytes(data).replace(b"s\0R\0G\0B", b"o\0t\0h\0e").replace(b"sRGB", b"othe")


@pytest.mark.parametrize("kind", ["png", "tif", "webp", "jpg"])
@pytest.mark.parametrize("what", ["turned", "profiled"])
def test_images_of_a_sequence_look_as_they_do_alone(tmp_path, kind, what):
    """A sequence has the orientation and the colour profile of its images, as one image has."""
    image = Image.new("RGB", (64, 32), (40, 200, 96))
    image.paste(RED, (0, 0, 32, 32))
    more = {"lossless": True} if kind == "webp" else {"quality": 95} if kind == "jpg" else {}
    if what == "turned":
        exif = Image.Exif()
        exif[274] = 8
        more["exif"] = exif.tobytes()
    else:
        more["icc_profile"] = _profile_with_red_and_green_swapped()
    paths = [tmp_path / f"{number}.{kind}" for number in range(2)]
    for path in paths:
        image.save(path, **more)
    alone = tmp_path / "alone"
    alone.mkdir()
    single = Pipeline(LocalPrograms()).make(Source("'it'", str(paths[0]), is_image=True), alone)
    movie = _encode(tmp_path, paths)

    import av

    with Image.open(single.files[0].path) as still, av.open(str(movie.path)) as container:
        frame = next(container.decode(video=0)).to_image()
        assert frame.size == still.size
        assert (frame.size == (32, 64)) is (what == "turned")
        for place in ((8, 8), (still.width - 8, still.height - 8)):
            distances = [
                abs(one - other) for one, other in zip(still.getpixel(place), frame.getpixel(place))
            ]
            assert max(distances) < 40, place


def test_a_sequence_of_sRGB_images_keeps_its_size(tmp_path):
    """Usual images are not converted before, so their movie can be large."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for path in paths:
        Image.new("RGB", (2560, 16), RED).save(path, icc_profile=profile)
    target = tmp_path / "encoded"
    target.mkdir()
    names = [path.name for path in paths]
    source = Source(
        "'it'",
        str(tmp_path / "%d.png"),
        frame_names=names,
        frame_paths=[str(path) for path in paths],
    )
    files = Pipeline(LocalPrograms()).make(source, target).files
    assert max(json.loads(one.meta)["width"] for one in files) == 2560
