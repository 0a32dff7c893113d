"""Finding and driving ffmpeg, and scaling images."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette", reason="the sandbox extra is not installed")

from ftrack_like._base import ffmpeg
from ftrack_like.sandbox.media import images


def test_a_missing_program_says_how_to_get_one(monkeypatch):
    """A wrong FTRACK_FFMPEG is named rather than passed over."""
    monkeypatch.setenv("FTRACK_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(ffmpeg.MediaError, match="FTRACK_FFMPEG names '/nowhere/ffmpeg'"):
        ffmpeg.find_ffmpeg()


def test_data_that_is_no_image_is_not_scaled(tmp_path):
    """Scaling says no, and writes nothing."""
    path = tmp_path / "text"
    path.write_text("no image")
    assert images.scale(path, tmp_path / "out.jpg", 100) is False
    assert not (tmp_path / "out.jpg").exists()


def test_the_placeholder_is_an_image(tmp_path):
    """The grey stand-in has the size that was asked for."""
    pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")
    path = tmp_path / "grey.png"
    path.write_bytes(images.placeholder(160))
    from PIL import Image

    with Image.open(path) as image:
        assert image.size == (160, 90)


def test_a_scaled_image_keeps_shape_and_brightness(tmp_path):
    """A grey image with 16 bits is scaled to the size of a thumbnail, as bright as it is."""
    pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")
    from PIL import Image

    path, small = tmp_path / "grey.png", tmp_path / "small" / "100.jpg"
    Image.new("I;16", (320, 180), 20000).save(path)
    assert images.scale(path, small, 100)
    with Image.open(small.with_suffix(".png")) as image:
        assert image.size == (100, 56)
        assert abs(image.convert("L").getpixel((50, 28)) - 78) <= 1
