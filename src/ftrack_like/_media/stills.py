"""Turn pictures of any kind into plain RGB pictures, with Pillow.

Only a child process may decode a picture of unknown origin.
"""

from __future__ import annotations

import functools
import io
import pathlib
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "BACKGROUND",
    "FORMATS",
    "TooManyPixelsError",
    "flat",
    "needs_pillow",
    "open_image",
    "write_still",
]

#: The colour behind transparent pixels: black, as in the pictures that a renderer writes.
BACKGROUND = (0, 0, 0)

#: The TIFF tag that tells what the numbers of pixels mean; 0 says that 0 is white.
_PHOTOMETRIC = 262

#: The EXIF tag that tells how to turn the picture; 1 says that it is upright.
_ORIENTATION = 274

#: The modes of images whose colour profile is applied.
_PROFILED = frozenset({"RGB", "RGBA", "CMYK", "L"})

#: The formats to read. Formats that start other programs (EPS) or refer to other files are left
#: out.
FORMATS = (
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG"),
    *("PPM", "PSD", "QOI", "TGA", "TIFF", "WEBP", "XBM"),
)


class TooManyPixelsError(Exception):
    """A picture of *size*, width and height, has more pixels than may be decoded."""

    def __init__(self, size: tuple[int, int], maximum: int) -> None:
        """Prepare a text with *size* and *maximum*."""
        width, height = size
        super().__init__(f"The picture has {width} x {height} pixels, more than {maximum}")
        self.size: tuple[int, int] = size


def open_image(source: pathlib.Path, maximum: int) -> Optional[Image]:
    """Return the image at *source*, None without Pillow or if Pillow cannot read it.

    Its pixels are not decoded yet. Raise :exc:`TooManyPixelsError` if there are more than
    *maximum*.
    """
    try:
        # lazy: Pillow is optional, and only needed for images
        from PIL import Image
    except ImportError:
        return None
    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # the check below replaces Pillow's limit
    try:
        image = Image.open(source, formats=[one for one in FORMATS if one in Image.OPEN])
    except (OSError, ValueError, SyntaxError):
        return None
    width, height = image.size
    if width * height > maximum:
        image.close()
        raise TooManyPixelsError((width, height), maximum)
    return image


def needs_pillow(source: pathlib.Path, maximum: int) -> bool:
    """Return whether ffmpeg shows the image at *source* turned or in other colours than Pillow.

    It does not apply colour profiles, the orientation in all formats, and the range of YCbCr in
    TIFF. No pixel is decoded.
    """
    try:
        image = open_image(source, maximum)
    except TooManyPixelsError:
        return False
    if image is None:
        return False
    with image:
        # Pillow searches a PNG file for EXIF behind its pixels, and decodes these.
        has_exif = image.format != "PNG" or "exif" in image.info
        if has_exif and image.getexif().get(_ORIENTATION, 1) not in {0, 1}:
            return True
        if image.format == "TIFF" and image.mode == "YCbCr":
            return True
        profile = image.info.get("icc_profile")
        return bool(profile) and image.mode in _PROFILED and not _is_srgb(profile)


@functools.lru_cache(maxsize=8)
def _is_srgb(profile: bytes) -> bool:
    """Return whether the colour *profile* is sRGB by its name, or cannot be read."""
    try:
        from PIL import ImageCms  # lazy: some builds of Pillow lack it
    except ImportError:
        return True
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return "srgb" in ImageCms.getProfileDescription(opened).lower()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return True


def write_still(
    source: pathlib.Path,
    target: pathlib.Path,
    size: tuple[int, int],
    maximum: int,
    quality: int = 90,
) -> Optional[tuple[tuple[int, int], tuple[int, int]]]:
    """Write the image at *source* to *target* as JPEG, with at most *size* pixels.

    Return the size of *source*, upright, and the new size, or None if Pillow cannot read *source*.
    Raise :exc:`OSError` for a damaged image, and :exc:`TooManyPixelsError`.
    """
    image = open_image(source, maximum)
    if image is None:
        return None
    with image:
        made = flat(image)
        shape = made.size
        made.thumbnail(size)
        made.save(target, "JPEG", quality=quality, optimize=True)
        return shape, made.size


def flat(image: Image) -> Image:
    """Return *image* in sRGB with 8 bits, upright, and on :data:`BACKGROUND`.

    Grey with 16 bits keeps its brightness. Floating-point pixels count as linear light. A colour
    profile in the file is applied; CMYK without one is converted as if its inks were perfect.
    """
    from PIL import Image, ImageOps  # lazy: optional

    made = ImageOps.exif_transpose(image)
    if made.mode in {"I", "F"} or made.mode.startswith("I;16"):
        return _from_numbers(made, _is_negative(image))
    if made.mode == "P":
        made = made.convert("RGBA" if "transparency" in made.info else "RGB")
    elif made.mode in {"LA", "La", "PA", "RGBa"} or "transparency" in made.info:
        made = made.convert("RGBA")
    made = _in_srgb(made)
    if made.mode == "RGBA":
        behind = Image.new("RGBA", made.size, (*BACKGROUND, 255))
        made = Image.alpha_composite(behind, made)
    return made.convert("RGB")


def _from_numbers(image: Image, is_negative: bool) -> Image:
    """Return the grey *image*, whose pixels are whole or real numbers, with 8 bits.

    If it *is_negative*, 0 is white.
    """
    from PIL import Image, ImageChops  # lazy: optional

    if image.mode == "F":
        table = [round(255 * encoded(step / 65535)) for step in range(65536)]
        whole = image.point(lambda value: value * 65535.0 + 0.5).convert("I")
        # Very large values have no whole number. All values from 1 on are white.
        white = image.convert("L").point(lambda value: 255 if value else 0)
        whole.paste(65535, mask=white)
    else:
        table = [round(step / 257) for step in range(65536)]
        whole = image.convert("I")
        _, highest = whole.getextrema()
        if isinstance(highest, (int, float)) and highest > 65535:  # 32 bits
            whole = whole.point(lambda value: value * (1 / 65537) + 0)
    made = whole.point(table, "L")
    if is_negative:
        made = ImageChops.invert(made)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int) and 0 <= transparent < len(table):
        # One of the numbers stands for transparent pixels.
        hidden = whole.point([255 if step == transparent else 0 for step in range(65536)], "L")
        made.paste(0, mask=hidden)
    return Image.merge("RGB", [made] * 3)


def _is_negative(image: Image) -> bool:
    """Return whether 0 is white in a TIFF *image*, which Pillow corrects for 8 bits only."""
    tags = getattr(image, "tag_v2", None)
    return tags is not None and tags.get(_PHOTOMETRIC) == 0


def _in_srgb(image: Image) -> Image:
    """Return *image* with the colours of its profile converted to sRGB; without one, as it is."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in _PROFILED:
        return image
    try:
        from PIL import ImageCms  # lazy: some builds of Pillow lack it
    except ImportError:
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = image.convert("RGB") if alpha is not None else image
    try:
        made = ImageCms.profileToProfile(
            colours,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # the profile is damaged, or for pixels of another kind
    if made is None:
        return image
    if alpha is not None:
        made.putalpha(alpha)
    return made


def encoded(light: float) -> float:
    """Return the sRGB value of linear *light*, both from 0 to 1."""
    if light <= 0.0031308:
        return 12.92 * light
    return float(1.055 * light ** (1 / 2.4) - 0.055)
