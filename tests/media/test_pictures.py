"""Colours and brightness: what a reviewer sees is what the file contains."""

from __future__ import annotations

import json
import pathlib
import struct
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("av", reason="PyAV (media extra) is not installed")
pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")

from PIL import Image, ImageCms

from ftrack_like._base.errors import MediaError
from ftrack_like.sandbox.media.plan import kind_of

pytestmark = pytest.mark.ffmpeg

RED = (200, 40, 96)


def ffmpeg(program: str, *arguments: str) -> None:
    """Run ffmpeg."""
    command = [program, "-y", "-hide_banner", "-loglevel", "error", "-nostdin", *arguments]
    subprocess.run(command, check=True, timeout=120)


def colour_of(path: pathlib.Path) -> tuple[int, ...]:
    """Return the colour of an image, all of which has that colour."""
    with Image.open(path) as image:
        rgb = image.convert("RGB")
        for lowest, highest in rgb.getextrema():
            assert highest - lowest <= 8
        return tuple(rgb.getpixel((rgb.width // 2, rgb.height // 2)))


def shown_colour(path: pathlib.Path) -> tuple[int, ...]:
    """Return the colour in the middle of a movie, as a player shows it that obeys its tags."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        context: Any = stream.codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1)
        assert context.color_range == 1
        values = []
        for plane, half in zip(frame.planes, (1, 2, 2)):
            row, column = frame.height // 2 // half, frame.width // 2 // half
            values.append(bytes(plane)[row * plane.line_size + column])
    # The matrix of BT.709, from the limited range.
    luma = (values[0] - 16) * 255 / 219
    blue, red = (values[1] - 128) * 255 / 224, (values[2] - 128) * 255 / 224
    colour = (luma + 1.5748 * red, luma - 0.1873 * blue - 0.4681 * red, luma + 1.8556 * blue)
    return tuple(round(min(max(one, 0), 255)) for one in colour)


def is_near(colour: tuple[int, ...], wanted: tuple[int, ...], by: int = 3) -> bool:
    """Return whether all channels of *colour* are those of *wanted*, but for *by*."""
    return all(abs(one - other) <= by for one, other in zip(colour, wanted))


def still(folder: pathlib.Path, name: str, image: Image.Image, **options: Any) -> pathlib.Path:
    """Write *image* and return its path."""
    path = folder / name
    image.save(path, **options)
    return path


@pytest.fixture
def shown(encode: Callable[..., Any]) -> Callable[..., tuple[int, ...]]:
    """Return a function that encodes an image and returns the colour that is shown."""

    def colour(path: pathlib.Path) -> tuple[int, ...]:
        made = encode(path, is_image=True)
        assert set(made) == {"ftrackreview-image", "thumbnail"}
        return colour_of(made["ftrackreview-image"].path)

    return colour


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_grey_with_16_bits_keeps_its_brightness(shown, tmp_path, name):
    """A value of 20000 of 65535 is shown as 78 of 255."""
    path = still(tmp_path, name, Image.new("I;16", (16, 16), 20000))
    assert is_near(shown(path), (78, 78, 78), 1)


def test_whole_numbers_of_32_bits_keep_their_brightness(shown, tmp_path):
    """A third of the largest value is shown as a third of white."""
    path = still(tmp_path, "a.tif", Image.new("I", (16, 16), 2**32 // 6))
    assert is_near(shown(path), (43, 43, 43), 43)


def test_real_numbers_are_linear_light(shown, tmp_path):
    """A value of 0.18 is shown as 118, by the curve of sRGB."""
    path = still(tmp_path, "a.tif", Image.new("F", (16, 16), 0.18))
    assert is_near(shown(path), (118, 118, 118), 1)


@pytest.mark.parametrize("value", [1.0, 2.0, 4e4, 1e30, float("inf")])
def test_real_numbers_above_1_are_white(shown, tmp_path, value):
    """The pixels of a light source are white, however bright it is."""
    path = still(tmp_path, "a.tif", Image.new("F", (16, 16), value))
    assert is_near(shown(path), (255, 255, 255), 1)


def test_grey_with_16_bits_may_begin_with_white(shown, tmp_path):
    """In a TIFF image whose 0 is white, 20000 of 65535 is shown as 177 of 255."""
    image = Image.new("I;16", (16, 16), 20000)
    path = still(tmp_path, "a.tif", image, tiffinfo={262: 0})
    assert is_near(shown(path), (177, 177, 177), 1)


def test_grey_with_16_bits_may_have_a_transparent_number(shown, tmp_path):
    """Pixels with the transparent number are black; others keep their brightness."""
    image = Image.new("I;16", (16, 16), 20000)
    assert is_near(shown(still(tmp_path, "a.png", image, transparency=20000)), (0, 0, 0), 1)
    assert is_near(shown(still(tmp_path, "b.png", image, transparency=1)), (78, 78, 78), 1)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_transparent_pixels_are_shown_on_black(shown, tmp_path, name):
    """Half transparent red is half as bright, and a fully transparent pixel is black."""
    options = {"lossless": True} if name == "a.webp" else {}
    path = still(tmp_path, name, Image.new("RGBA", (16, 16), (*RED, 128)), **options)
    assert is_near(shown(path), (100, 20, 48))
    path = still(tmp_path, name, Image.new("RGBA", (16, 16), (*RED, 0)), **options)
    assert is_near(shown(path), (0, 0, 0))


def test_a_palette_with_a_transparent_colour_is_shown_on_black(shown, tmp_path):
    """Palettes keep their colours, and the transparent one is black."""
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 255, 0, *RED])
    assert is_near(shown(still(tmp_path, "a.png", image)), RED)
    assert is_near(shown(still(tmp_path, "b.png", image, transparency=1)), (0, 0, 0))
    assert is_near(shown(still(tmp_path, "c.gif", image)), RED)


def test_grey_with_alpha_is_shown_on_black(shown, tmp_path):
    """A grey image may be transparent too."""
    path = still(tmp_path, "a.png", Image.new("LA", (16, 16), (200, 128)))
    assert is_near(shown(path), (100, 100, 100))


@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_cmyk_becomes_rgb(shown, tmp_path, name):
    """Without a profile, inks are perfect: no ink is white, all black ink is black."""
    options = {"quality": 95} if name == "a.jpg" else {}
    for inks, colour in (
        ((0, 0, 0, 0), (255, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0, 255, 255, 0), (255, 0, 0)),
    ):
        path = still(tmp_path, name, Image.new("CMYK", (16, 16), inks), **options)
        assert is_near(shown(path), colour)


def test_the_profile_of_an_image_is_applied(shown, tmp_path):
    """Values of another colour space are converted to sRGB."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    path = still(tmp_path, "a.png", Image.new("RGB", (16, 16), RED), icc_profile=profile.tobytes())
    assert is_near(shown(path), RED)
    damaged = still(tmp_path, "b.png", Image.new("RGB", (16, 16), RED), icc_profile=b"damaged")
    assert is_near(shown(damaged), RED)


def test_an_image_is_shown_upright(encode, tmp_path):
    """A camera that was held sideways says so in the file."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = still(tmp_path, "a.jpg", Image.new("RGB", (64, 32), RED), exif=exif)
    meta = json.loads(encode(path, is_image=True)["ftrackreview-image"].meta)
    assert meta == {"format": "image", "width": 32, "height": 64}


def linear(program: str, folder: pathlib.Path, name: str) -> pathlib.Path:
    """Return an image whose pixels are 0.18 in linear light."""
    path = folder / name
    if name == "a.hdr":
        # 0.18 is 184 / 256 * 2 ** (126 - 128).
        pixel = bytes([184, 184, 184, 126])
        path.write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 16 +X 16\n" + pixel * 256)
    elif name == "a.pfm":
        values = struct.pack("<768f", *[0.18] * 768)
        path.write_bytes(b"PF\n16 16\n-1.0\n" + values)
    else:
        source = linear(program, folder, "a.pfm")
        ffmpeg(program, "-i", str(source), "-c:v", "exr", str(path))
    return path


@pytest.mark.parametrize("name", ["a.exr", "a.hdr"])
def test_linear_light_is_shown_with_the_curve_of_srgb(program, shown, tmp_path, name):
    """A value of 0.18 is shown as 118, also if only PyAV reads such an image."""
    path = linear(program, tmp_path, name)
    assert is_near(shown(path), (118, 118, 118), 2)


@pytest.mark.parametrize(
    ("kind", "is_exact"),
    [
        *((kind, True) for kind in ("bmp", "dpx", "pam", "pcx", "ppm", "qoi", "sgi")),
        *((kind, True) for kind in ("j2k", "jls", "sun", "tga", "xwd")),
        *((kind, False) for kind in ("avif", "jp2", "ljpg", "pfm", "pgm", "webp", "xbm")),
    ],
)
def test_a_single_image_of_any_kind_becomes_an_image(program, encode, tmp_path, kind, is_exact):
    """A file of each type of images counts as an image, and looks as it did."""
    source = still(tmp_path, "source.png", Image.new("RGB", (64, 36), RED))
    path = tmp_path / f"a.{kind}"
    try:
        ffmpeg(program, "-i", str(source), "-frames:v", "1", str(path))
    except subprocess.CalledProcessError:
        pytest.skip(f"this ffmpeg writes no {path.suffix}")
    assert kind_of({"file_type": path.suffix}) == "image"
    made = encode(path, is_image=True)
    assert set(made) == {"ftrackreview-image", "thumbnail"}
    if is_exact:  # the others are lossy, or have other colours
        assert is_near(colour_of(made["ftrackreview-image"].path), RED, 4)


def test_linear_light_with_alpha_is_shown_with_the_curve_of_srgb(program, shown, tmp_path):
    """An OpenEXR image with an alpha channel is shown like one without."""
    source = still(tmp_path, "a.png", Image.new("RGBA", (64, 36), (46, 46, 46, 255)))
    path = tmp_path / "a.exr"
    ffmpeg(program, "-i", str(source), "-pix_fmt", "gbrapf32le", "-c:v", "exr", str(path))
    assert is_near(shown(path), (118, 118, 118), 2)


@pytest.mark.parametrize(
    ("codec", "by"),
    [
        (("-c:v", "png", "-pix_fmt", "rgb24"), 3),
        (("-c:v", "qtrle", "-pix_fmt", "rgb24"), 3),
        (("-c:v", "libx264rgb", "-qp", "0", "-pix_fmt", "rgb24"), 3),
        (("-c:v", "utvideo", "-pix_fmt", "gbrp"), 3),
        (("-c:v", "ffv1", "-pix_fmt", "gbrp16le"), 3),
        (("-vf", "scale=out_color_matrix=bt601,format=yuv444p", "-c:v", "ffv1"), 4),
        (
            (
                "-vf",
                "scale=out_color_matrix=bt709,setparams=colorspace=bt709,format=yuv444p",
                "-colorspace",
                "bt709",
                "-c:v",
                "ffv1",
            ),
            4,
        ),
        (
            (
                "-vf",
                "scale=out_color_matrix=bt601:out_range=pc,format=yuvj444p",
                "-c:v",
                "mjpeg",
                "-q:v",
                "1",
            ),
            6,
        ),
    ],
    ids=["png", "qtrle", "h264 rgb", "utvideo", "ffv1 16 bit", "bt601", "bt709", "mjpeg"],
)
def test_the_colours_of_a_movie_are_kept_and_tagged(program, encode, tmp_path, codec, by):
    """Red of (200, 40, 96) is shown as that, from RGB and from each matrix."""
    source = still(tmp_path, "a.png", Image.new("RGB", (64, 64), RED))
    path = tmp_path / ("a.mov" if "qtrle" in codec else "a.mkv")
    ffmpeg(program, "-loop", "1", "-i", str(source), "-frames:v", "3", *codec, str(path))
    made = encode(path)
    assert is_near(shown_colour(made["ftrackreview-mp4"].path), RED, by)
    assert is_near(colour_of(made["thumbnail"].path), RED, by)


@pytest.mark.parametrize(
    ("codec", "pixel_format"), [("qtrle", "argb"), ("png", "rgba"), ("prores_ks", "yuva444p10le")]
)
def test_transparent_pixels_of_a_movie_are_shown_on_black(
    program, encode, tmp_path, codec, pixel_format
):
    """Half transparent red is half as bright, as in an image."""
    source = still(tmp_path, "a.png", Image.new("RGBA", (64, 64), (*RED, 128)))
    path = tmp_path / "a.mov"
    arguments = ("-frames:v", "3", "-c:v", codec, "-pix_fmt", pixel_format, str(path))
    ffmpeg(program, "-loop", "1", "-i", str(source), *arguments)
    assert is_near(shown_colour(encode(path)["ftrackreview-mp4"].path), (100, 20, 48), 5)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_becomes_sdr(program, encode, tmp_path, transfer):
    """Bright highlights are pressed into the range of an ordinary display, and tagged so."""
    path = tmp_path / "a.mov"
    ffmpeg(
        program,
        *("-f", "lavfi", "-i", "color=c=gray:size=64x64:rate=24:duration=0.2,format=yuv420p10le"),
        *("-c:v", "libx264", "-colorspace", "bt2020nc", "-color_primaries", "bt2020"),
        *("-color_trc", transfer, str(path)),
    )
    red, green, blue = shown_colour(encode(path)["ftrackreview-mp4"].path)
    assert max(red, green, blue) - min(red, green, blue) <= 8
    assert 90 <= green <= 200


def test_an_animated_gif_is_a_movie(program, encode, tmp_path):
    """Its frames and its rate are those of the file."""
    frames = [Image.new("RGB", (32, 32), (40 * number, 0, 0)) for number in range(5)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    made = encode(path)
    meta = json.loads(made["ftrackreview-mp4"].meta)
    assert (meta["frameOut"], meta["frameRate"]) == (4, 10.0)


def test_a_damaged_image_is_named(encode, tmp_path):
    """A file that ends in the middle is no picture with a grey half."""
    path = still(tmp_path, "whole.png", Image.effect_noise((128, 128), 100))
    cut = tmp_path / "cut.png"
    cut.write_bytes(path.read_bytes()[:8000])
    with pytest.raises(MediaError, match=r"The image 'cut\.png' is cut off or damaged"):
        encode(cut, is_image=True)


#: From linear light with wide primaries to that of BT.709, as ITU-R BT.2087 and others print them.
TO_BT709 = {
    "bt2020": ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    "smpte432": ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}

#: A red of BT.709, a colour within both, one outside of BT.709, and a grey.
WIDE = ((200, 40, 96), (120, 150, 90), (20, 200, 40), (118, 118, 118))


def in_bt709(colour: tuple[int, ...], primaries: str, is_srgb: bool) -> tuple[int, ...]:
    """Return the numbers of *colour* with the primaries of BT.709, in the same curve."""

    def light(number: int) -> float:
        value = number / 255
        if is_srgb:
            return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        return value / 4.5 if value < 0.081 else ((value + 0.099) / 1.099) ** (1 / 0.45)

    def number(light: float) -> int:
        light = min(max(light, 0.0), 1.0)
        if is_srgb:
            value = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
        else:
            value = light * 4.5 if light < 0.018 else 1.099 * light**0.45 - 0.099
        return round(255 * value)

    lights = [light(one) for one in colour]
    return tuple(
        number(sum(weight * one for weight, one in zip(row, lights))) for row in TO_BT709[primaries]
    )


@pytest.mark.parametrize("colour", WIDE, ids=str)
@pytest.mark.parametrize(
    ("primaries", "transfer", "matrix"),
    [("bt2020", "bt2020-10", "bt2020nc"), ("smpte432", "bt709", "bt709")],
)
def test_wide_primaries_become_those_of_bt709(
    program, encode, tmp_path, primaries, transfer, matrix, colour
):
    """A colour of BT.2020 or Display P3 is shown as the same colour, not a paler one."""
    source = still(tmp_path, "a.png", Image.new("RGB", (64, 64), colour))
    path = tmp_path / "a.mov"
    name = "bt2020" if matrix == "bt2020nc" else matrix
    ffmpeg(
        program,
        *("-loop", "1", "-i", str(source), "-frames:v", "2"),
        *("-vf", f"scale=out_color_matrix={name}:out_range=tv,format=yuv444p10le"),
        *("-c:v", "libx264", "-qp", "4", "-colorspace", matrix, "-color_range", "tv"),
        *("-color_primaries", primaries, "-color_trc", transfer, str(path)),
    )
    made = encode(path)
    wanted = in_bt709(colour, primaries, is_srgb=False)
    assert is_near(shown_colour(made["ftrackreview-mp4"].path), wanted, 4)
    assert is_near(colour_of(made["thumbnail"].path), wanted, 4)


def test_wide_primaries_of_rgb_become_those_of_bt709(program, encode, tmp_path):
    """An RGB movie with the curve of sRGB and the primaries of Display P3 is converted too."""
    source = still(tmp_path, "a.png", Image.new("RGB", (64, 64), RED))
    path = tmp_path / "a.mkv"
    ffmpeg(
        program,
        *(
            "-loop",
            "1",
            "-i",
            str(source),
            "-frames:v",
            "2",
            "-c:v",
            "ffv1",
            "-pix_fmt",
            "gbrp10le",
        ),
        *("-color_primaries", "smpte432", "-color_trc", "iec61966-2-1", str(path)),
    )
    wanted = in_bt709(RED, "smpte432", is_srgb=True)
    assert max(abs(one - other) for one, other in zip(wanted, RED)) > 10
    assert is_near(shown_colour(encode(path)["ftrackreview-mp4"].path), wanted, 4)
